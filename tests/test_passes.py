"""The loss of a head that may give a text several labels."""

from pathlib import Path

import pytest
import torch

from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.data.batches import Batch
from adapterkit.errors import ConfigError
from adapterkit.model import AdaptedModel

IDS = torch.tensor([[0, 11, 12, 4, 30, 2], [0, 4, 40, 2, 1, 1]])
MASK = (IDS != 1).long()


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> AdaptedModel:
    backbone = load_backbone(tiny_folder)
    head = HeadConfig("multilabel_classification", ("food", "news", "sport"))
    task = new_adapter("t", BottleneckConfig(2), backbone=backbone.facts, kind="task", head=head)
    return AdaptedModel(backbone, Stack(task))


def test_a_multi_label_head_learns_each_label_by_itself(model: AdaptedModel) -> None:
    targets = torch.tensor([[1, 0, 1], [0, 0, 0]])
    loss = model(Batch(IDS, MASK, targets))
    share = torch.sigmoid(model.logits(IDS, MASK).double())
    expected = -torch.where(targets == 1, share, 1 - share).log().mean()
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
    loss.backward()
    assert all(
        p.grad is not None and p.grad.any() for n, p in model.named_parameters() if "head" in n
    )


@pytest.mark.parametrize(
    "targets",
    [torch.tensor([2, 0]), torch.tensor([[1, 0, 2], [0, 0, 0]]), torch.tensor([[1, 0], [0, 0]])],
    ids=["one label a text", "not 0 or 1", "too few"],
)
def test_other_targets_of_a_multi_label_head_are_refused(
    model: AdaptedModel, targets: torch.Tensor
) -> None:
    with pytest.raises(ConfigError, match=r"a 1 or a 0 for each label, targets of shape \(2, 3\)"):
        model(Batch(IDS, MASK, targets))
