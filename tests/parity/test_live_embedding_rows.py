"""A folder with embedding rows in a live `adapters` model: it loads, and computes without them."""

from pathlib import Path

import pytest
import torch

from adapterkit.backbone.load import load_backbone
from adapterkit.bridge import to_adapters
from adapterkit.composition.adapter import new_adapter
from adapterkit.config import BottleneckConfig
from adapterkit.errors import ConfigError
from adapterkit.formats.adapterhub import save_adapter
from adapterkit.model import AdaptedModel
from adapterkit.nn.embedding_rows import EmbeddingRows
from tests.parity.test_live import IDS, MASK, live
from tests.tiny import make_backbone

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]


def test_a_folder_with_embedding_rows_loads_there_without_them(tmp_path: Path) -> None:
    folder = make_backbone(tmp_path / "backbone", "xlm-roberta")
    backbone = load_backbone(folder, dtype="float64")
    shape = BottleneckConfig(2, invertible=True)
    made = new_adapter("cym", shape, backbone=backbone.facts, kind="language", seed=1)
    made.embedding_rows = EmbeddingRows(torch.tensor([11, 30]), backbone.width)
    torch.nn.init.normal_(made.embedding_rows.deltas)
    saved = save_adapter(made, tmp_path / "cym")
    model = live(folder)
    assert model.load_adapter(str(saved), use_safetensors=True) == "cym"
    model.double().eval()
    model.active_adapters = "cym"
    with torch.no_grad():
        theirs = model.base_model(input_ids=IDS, attention_mask=MASK)
        bare = AdaptedModel(backbone, made.without_embedding_rows()).encode(IDS, MASK)
        ours = AdaptedModel(backbone, made).encode(IDS, MASK)
    assert (theirs[0] - bare).abs().max() < 1e-12
    assert (ours - bare).abs().max() > 1e-2
    # A live model is told, where a folder can only be ignored.
    with pytest.raises(
        ConfigError, match="has embedding rows, which the adapters library does not"
    ):
        to_adapters(live(folder), made)
    assert to_adapters(live(folder), made.without_embedding_rows()) == "cym"
