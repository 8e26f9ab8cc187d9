"""`adapterkit run` of a recipe that publishes: killed, gone on, published, and the same on another machine."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from adapterkit.backbone.load import load_backbone
from adapterkit.composition.stack import Stack
from adapterkit.demo.grammar import demo_data, write_conllu, write_text
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.model import AdaptedModel
from adapterkit.prediction import predict
from tests.hub.hub import LocalHub, run_client

pytestmark = pytest.mark.slow
TEXTS = ["La hundo kuras .", "Mi amas vin ."]
RECIPE = """
[publish_language]
text = ["epo.txt"]
language = "epo"
licence = "apache-2.0"
init = "mini:eng"
accept_warnings = true

[test]
task = "mini:pos"
files = ["epo.conllu"]

[language_adapter]
steps = 6
batch_size = 8
block_length = 32
evaluate_every = 3
heldout_blocks = 4
precision = "float32"

[answers]
sources = "Sentences of a small phrase grammar."
"""

RUN = "import sys\nsys.argv = {words!r}\n{before}\nfrom adapterkit.cli.app import main\nmain()"
KILLED = """
import os, signal
from adapterkit.experiments import publish_language
publish_language.compare = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
"""
NOT_AGAIN = """
from adapterkit.experiments import publish_language
publish_language.train_language = None
"""
PREDICT = """
import json
import adapterkit as ak
stack = ak.Stack(ak.load_adapter("alice/mini-epo", revision="v1"), ak.load_adapter("mini:pos"))
found = ak.predict(ak.AdaptedModel(ak.load_backbone("mini"), stack), TEXTS)
print(json.dumps([[list(one.labels), [round(s, 6) for s in one.scores]] for one in found]))
"""


def run(
    hub: LocalHub, place: Path, *more: str, before: str = ""
) -> "subprocess.CompletedProcess[str]":
    words = ["adapterkit", "run", "publish.toml", "--data", "data", *more]
    environment = hub.environment(place / "home")
    return run_client(RUN.format(words=words, before=before), environment, folder=place)


def told(done: "subprocess.CompletedProcess[str]") -> dict:  # type: ignore[type-arg]
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made = demo_data("epo", seed=0, lines=300, test=20)
    write_text(tmp_path / "data" / "epo.txt", made.text)
    write_conllu(tmp_path / "data" / "epo.conllu", made.test)
    (tmp_path / "publish.toml").write_text(RECIPE)
    return tmp_path


def test_from_a_text_file_to_an_adapter_that_predicts_the_same_elsewhere(
    hub: LocalHub, place: Path
) -> None:
    # Killed after training: it goes on without training again.
    assert run(hub, place, before=KILLED).returncode == -9
    shown = run(hub, place, "--push", "alice/mini-epo", "--dry-run", before=NOT_AGAIN)
    assert shown.returncode == 0, shown.stderr
    assert "trained already: runs/publish/epo-" in shown.stderr
    assert "dry run: nothing was sent" in shown.stdout
    for name in ("README.md", "adapterkit.json", "scores.json"):
        assert f"===== {name} =====" in shown.stdout
    assert not any(one["method"] == "POST" for one in hub.log()), "nothing was sent"

    # Nobody says where to: the card is written, and the line to run.
    stopped = told(run(hub, place, "--json", before=NOT_AGAIN))
    assert stopped["publication"] is None
    assert stopped["next"] == "adapterkit run publish.toml --data data --push me/NAME"
    card = (place / stopped["card"]).read_text()
    assert "Sentences of a small phrase grammar." in card
    assert "owner/name" in card

    # The Hub fails once; the same command ends well.
    hub.fault("/commit/", {"drop": True}, times=1)
    failed = run(hub, place, "--push", "alice/mini-epo", before=NOT_AGAIN)
    assert failed.returncode == 1
    assert "HubError" in failed.stderr
    made = told(run(hub, place, "--push", "alice/mini-epo", "--json", before=NOT_AGAIN))
    published = made["publication"]
    assert (made["trained"], made["next"], published["unchanged"]) == (False, None, False)
    assert hub.show("alice/mini-epo")["tags"] == {"v1": published["commit"]}
    assert "epo.conllu" in (place / made["card"]).read_text()
    assert "alice/mini-epo" in (place / made["card"]).read_text()
    (score,) = made["scores"]
    assert (score["task"], score["examples"], set(score["conditions"])) == (
        "upos", 20, {"own", "source", "none"},
    )  # fmt: skip
    again = told(run(hub, place, "--push", "alice/mini-epo", "--json", before=NOT_AGAIN))
    assert again["publication"]["unchanged"]
    assert again["publication"]["tag"] == "v1"

    own = load_adapter(place / made["folder"])
    assert own.provenance["run"]["steps"] == 6
    stack = Stack(own, load_adapter("mini:pos"))
    here = predict(AdaptedModel(load_backbone("mini"), stack), TEXTS)
    stranger = hub.environment(place / "elsewhere", token="")
    there = run_client(f"TEXTS = {TEXTS!r}\n{PREDICT}", stranger, folder=place)
    assert there.returncode == 0, there.stderr
    assert json.loads(there.stdout) == [
        [list(one.labels), [round(score, 6) for score in one.scores]] for one in here
    ]

    # An answer that is taken back is not published any more.
    (place / "publish.toml").write_text(RECIPE.partition("[answers]")[0])
    silent = told(run(hub, place, "--json", before=NOT_AGAIN))
    assert "Sentences of a small" not in (place / silent["card"]).read_text()
    old = place / f"{silent['folder']}.card.toml.old"
    assert "Sentences of a small" in old.read_text(), "and not lost"

    # Other settings make another adapter; the first stays, and the Hub gets a second version.
    text = re.sub("steps = 6", "steps = 3", RECIPE)
    (place / "publish.toml").write_text(text)
    other = told(run(hub, place, "--push", "alice/mini-epo", "--json"))
    assert other["trained"]
    assert other["folder"] != made["folder"]
    assert load_adapter(place / made["folder"]).digest() == own.digest()
    assert other["publication"]["tag"] == "v2"
