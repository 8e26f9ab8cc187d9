"""What is published loads in `adapters` 1.3.0 and in plain `peft`, by the lines on the cards. In their environment."""

import json
import re
from pathlib import Path

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.formats.adapterhub import save_adapter
from adapterkit.methods import low_rank
from adapterkit.model import AdaptedModel
from tests.hub.hub import LocalHub, run_client
from tests.tiny import make_backbone

pytestmark = pytest.mark.parity
IDS = [[0, 11, 12, 30, 44, 2]]

PUSH = """
import json, sys
from adapterkit.publishing.push import push
made = push(sys.argv[1], sys.argv[2], language="cym", license="mit", base_model="alice/tiny")
print(json.dumps({"card": made.texts["README.md"], "commit": made.commit}))
"""

ADAPTERS = """
import json, sys, torch
from adapters import AutoAdapterModel
model = AutoAdapterModel.from_pretrained("alice/tiny").double().eval()
model.active_head = None
name = {line}
model.active_adapters, model.active_head = name, name
model.double().eval()
with torch.no_grad():
    print(json.dumps(model(input_ids=torch.tensor(json.loads(sys.argv[1]))).logits.tolist()))
"""

PEFT = """
import json, sys, torch
from peft import PeftModel
from transformers import AutoModelForTokenClassification
model = AutoModelForTokenClassification.from_pretrained("alice/tiny", num_labels=3)
model = {line}.double().eval()
with torch.no_grad():
    print(json.dumps(model(input_ids=torch.tensor(json.loads(sys.argv[1]))).logits.tolist()))
"""


def tagger(backbone: Backbone, *, lora: bool) -> Adapter:
    shape = low_rank(backbone, "lora", rank=2) if lora else BottleneckConfig(4)
    head = HeadConfig("tagging", ("ADJ", "NOUN", "VERB"))
    made = new_adapter("pos", shape, backbone=backbone.facts, kind="task", head=head, seed=4)
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.manual_seed(5))
    return made


@pytest.mark.parametrize(
    ("lora", "program"), [(False, ADAPTERS), (True, PEFT)], ids=["adapters", "peft"]
)
def test_the_line_on_the_card_loads_it_with_the_same_output(
    hub: LocalHub, tmp_path: Path, lora: bool, program: str
) -> None:
    place = make_backbone(tmp_path / "tiny", "xlm-roberta")
    backbone = load_backbone(place, dtype="float64")
    made = tagger(backbone, lora=lora)
    folder = save_adapter(made, tmp_path / "pos")
    hub.plant("alice/tiny", place, lfs=("model.safetensors",))
    words = f"import sys\nsys.argv = {['', str(folder), 'alice/tiny-pos']!r}\n"
    done = run_client(words + PUSH, hub.environment(tmp_path / "home"), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout)["card"]
    (line,) = re.findall(r"`((?:model\.load_adapter|PeftModel\.from_pretrained)\(.*?\))`", card)
    words = f"import sys\nsys.argv = {['', json.dumps(IDS)]!r}\n"
    stranger = hub.environment(tmp_path / "elsewhere", token="")
    done = run_client(words + program.replace("{line}", line), stranger, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        ours = AdaptedModel(backbone, Stack(made)).logits(
            torch.tensor(IDS), torch.ones(1, 6).long()
        )
    theirs = torch.tensor(json.loads(done.stdout.splitlines()[-1]), dtype=torch.float64)
    assert (theirs - ours).abs().max() < 1e-12
