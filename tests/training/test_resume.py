import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.data.corpus import Corpus
from adapterkit.errors import ConfigError
from adapterkit.files import sha256_of
from adapterkit.formats.guard import WORK
from adapterkit.settings import LanguageConfig
from adapterkit.training.language import train_language
from adapterkit.training.masked_lm import MaskedLanguageModelling
from adapterkit.training.runs import surroundings, work_folder
from tests.tiny import lines
from tests.training.stopping import stopped_before

ROOT = Path(__file__).parent.parent.parent
KILLS = 10


def start(backbone: Path, out: Path, hang_at: int = -1) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.training.child", str(backbone), str(out), str(hang_at)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)


def run_to(process: "subprocess.Popen[str]", stop: str | None) -> list[int]:
    """Read until ``stop`` (then SIGKILL) or the end; return the steps that were made."""
    assert process.stdout is not None
    steps = []
    for line in process.stdout:
        if line.startswith("STEP"):
            steps.append(int(line.split()[1]))
        if stop is not None and line.strip() == stop:
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    process.wait()
    return steps


@pytest.mark.slow
def test_killed_ten_times_it_ends_with_the_same_bytes_and_skips_finished_steps(
    tiny_folder: Path, tmp_path: Path
) -> None:
    whole = run_to(start(tiny_folder, tmp_path / "whole"), None)
    last = whole[-1]
    assert whole == list(range(1, last + 1))
    assert last < 36, "early stopping is on: it must stop by patience"
    draw = random.Random()
    seen: list[list[int]] = [run_to(start(tiny_folder, tmp_path / "cut", hang_at=1), "WRITING")]
    for kill in range(KILLS - 1):
        # Somewhere in the steps that are left, never behind the end of the run.
        first = 3 * (max((s[-1] for s in seen if s), default=0) // 3) + 1
        at = draw.randint(min(first, last), min(first + 3, last))
        seen.append(
            run_to(start(tiny_folder, tmp_path / "cut"), f"STEP {at}" if kill < KILLS - 1 else None)
        )
    seen.append(run_to(start(tiny_folder, tmp_path / "cut"), None))
    assert sha256_of(tmp_path / "cut" / "adapter.safetensors") == sha256_of(
        tmp_path / "whole" / "adapter.safetensors"
    )
    starts = json.loads((tmp_path / "cut" / "adapterkit.json").read_text())["provenance"]["run"][
        "started_at_steps"
    ]
    assert starts == sorted(starts)
    assert starts[-1] > 0, "the last process went on from a checkpoint"
    for steps in seen:
        assert steps == list(range(steps[0], steps[-1] + 1)) if steps else True
    assert seen[-1] == [] or seen[-1][0] == starts[-1] + 1, "finished steps were skipped"
    assert not (tmp_path / "cut" / WORK).exists()


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


CORPUS = Corpus.from_lines(lines(150), language="cym")
CONFIG = LanguageConfig(
    steps=12,
    batch_size=4,
    block_length=24,
    evaluate_every=3,
    heldout_blocks=4,
    learning_rate=3e-3,
    precision="float32",
)


def interrupt(monkeypatch: pytest.MonkeyPatch, backbone: Backbone, out: Path, at: int) -> None:
    with stopped_before(at, monkeypatch):
        train_language(backbone, CORPUS, out=out, config=CONFIG)


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked there")
def test_a_folder_has_one_training_at_a_time(tmp_path: Path) -> None:
    with work_folder(tmp_path / "out", fresh=False, overwrite=False) as work:
        (work / "checkpoint").write_text("of the first")
        for fresh in (False, True):
            with (
                pytest.raises(ConfigError, match="another training writes into this folder now"),
                work_folder(tmp_path / "out", fresh=fresh, overwrite=True),
            ):
                pass
        assert (work / "checkpoint").read_text() == "of the first"
        with work_folder(tmp_path / "other", fresh=False, overwrite=False):
            pass
    with (
        pytest.raises(ZeroDivisionError),
        work_folder(tmp_path / "out", fresh=True, overwrite=True),
    ):
        raise ZeroDivisionError
    with work_folder(tmp_path / "out", fresh=False, overwrite=False) as work:
        assert work.is_dir(), "who was stopped has let go"


def test_a_training_in_another_precision_is_another_run(
    backbone: Backbone, tiny_folder: Path
) -> None:
    double = load_backbone(tiny_folder, dtype="float64")
    here, there = surroundings(backbone), surroundings(double)
    assert {key for key in here if here[key] != there[key]} == {"dtype"}


@pytest.mark.long
def test_the_same_call_goes_on_from_the_checkpoint(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_language(backbone, CORPUS, out=tmp_path / "whole", config=CONFIG)
    interrupt(monkeypatch, backbone, tmp_path / "cut", at=7)
    resumed = train_language(backbone, CORPUS, out=tmp_path / "cut", config=CONFIG)
    assert resumed.digest() == whole.digest()
    assert resumed.provenance["run"]["started_at_steps"] == [0, 7]
    assert resumed.provenance["run"]["looks"] == whole.provenance["run"]["looks"]


@pytest.mark.long
@pytest.mark.parametrize("where", ["loss", "optimizer", "look"])
def test_stopped_inside_a_step_or_a_look_it_ends_with_the_same_bytes(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    whole = train_language(backbone, CORPUS, out=tmp_path / "whole", config=CONFIG)
    owner, name, call = {
        "loss": (MaskedLanguageModelling, "loss", 8),
        "optimizer": (
            torch.optim.AdamW,
            "zero_grad",
            8,
        ),  # the weights are changed, the record is not
        "look": (MaskedLanguageModelling, "look", 3),  # after six steps
    }[where]
    plain, calls = getattr(owner, name), 0

    def stopping(self: Any, *args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        return plain(self, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, stopping)
        with pytest.raises(KeyboardInterrupt):
            train_language(backbone, CORPUS, out=tmp_path / "cut", config=CONFIG)
    resumed = train_language(backbone, CORPUS, out=tmp_path / "cut", config=CONFIG)
    assert resumed.digest() == whole.digest()
    # What is half changed is not written: from there it goes on from the last look.
    start = {"loss": 7, "optimizer": 6, "look": 6}[where]
    assert resumed.provenance["run"]["started_at_steps"] == [0, start]
    for fact in ("looks", "training_losses", "steps", "tokens"):
        assert resumed.provenance["run"][fact] == whole.provenance["run"][fact]


@pytest.mark.long
@pytest.mark.parametrize("change", ["settings", "text"])
def test_a_checkpoint_of_another_run_is_refused_and_kept(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    out = tmp_path / "cut"
    interrupt(monkeypatch, backbone, out, at=7)
    corpus = Corpus.from_lines(lines(150, seed=1), language="cym") if change == "text" else CORPUS
    config = (
        CONFIG if change == "text" else LanguageConfig(**{**vars(CONFIG), "learning_rate": 1e-3})
    )
    with pytest.raises(ConfigError, match="--fresh") as error:
        train_language(backbone, corpus, out=out, config=config)
    assert ("learning_rate" if change == "settings" else "text") in str(error.value)
    assert list((out / WORK).glob("checkpoint*"))
    train_language(backbone, corpus, out=out, config=config, fresh=True)


def test_an_adapter_that_is_there_is_not_overwritten_unasked(
    backbone: Backbone, tmp_path: Path
) -> None:
    train_language(backbone, CORPUS, out=tmp_path / "a", config=CONFIG)
    before = sha256_of(tmp_path / "a" / "adapter.safetensors")
    with pytest.raises(ConfigError, match="already holds an adapter"):
        train_language(backbone, CORPUS, out=tmp_path / "a", config=CONFIG)
    assert sha256_of(tmp_path / "a" / "adapter.safetensors") == before
