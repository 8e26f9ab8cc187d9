import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapterkit.files import read_json, write_json
from benchmarks import run as command
from benchmarks.contest import ROOT
from benchmarks.contests import language_training
from benchmarks.page import main as write_page
from benchmarks.page import page
from benchmarks.run import BENCHMARKS

SCRIPT = ROOT / "benchmarks" / "run.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def result(name: str, *more: str) -> dict[str, Any]:
    done = run(name, "--quick", "--json", *more)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_help_shows_an_example_and_every_benchmark() -> None:
    said = run("--help").stdout
    assert "python benchmarks/run.py language-training" in said
    assert all(name in said for name in BENCHMARKS)


@pytest.mark.slow
def test_without_the_adapters_library_what_needs_it_is_null(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "python")
    done = run("language-training", "--quick", "--json", "--adapters-python", nowhere)
    assert done.returncode == 0, done.stderr
    assert "stays null" in done.stderr
    found = json.loads(done.stdout)
    assert found["ratio_bf16"] is found["ratio_fp32"] is found["memory_ratio"] is None
    assert found["ratio_mini"] > 0
    assert 0 < found["matrix_rate_share"] < 1
    assert found["mini_plain_rate_share"] > 0
    assert 0 < found["mini_rate_share"] < 1
    assert found["mini_rate_share"] / found["mini_plain_rate_share"] == pytest.approx(
        found["ratio_mini"]
    )
    speeds = {name: one["tokens_per_second"] for name, one in found["contenders"].items()}
    assert len(speeds) == 4
    assert all(speed > 0 for speed in speeds.values())


@pytest.mark.parametrize(
    ("arguments", "there", "expected"),
    [
        ([], True, True),
        ([], False, False),
        (["--quick"], False, True),
        (["--without-bfloat16"], True, False),
        (["--quick", "--without-bfloat16"], True, False),
    ],
)
def test_contenders_in_bfloat16_run_where_the_processor_has_it_and_in_quick_runs(
    arguments: list[str], there: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "has_bfloat16", lambda device: there)
    given = command._parser().parse_args(["inference", *arguments])
    options = command.options_of(given)
    assert options.bfloat16 == expected
    sizes = language_training.QUICK
    specs = [one.spec for one in language_training.contenders(options, "tiny", sizes)]
    asked = {spec.get("precision", "float32") for spec in specs}
    assert asked == ({None, "bfloat16", "float32"} if expected else {"float32"})


@pytest.mark.parametrize("name", ["benchmarks", "benchmarks-avx512", "benchmarks-float32"])
def test_the_pages_in_docs_are_those_of_their_records(name: str) -> None:
    record = read_json(ROOT / "docs" / f"{name}.json")
    assert (ROOT / "docs" / f"{name}.md").read_text() == page(record, f"{name}.svg")


@pytest.mark.slow
def test_on_a_processor_without_bfloat16_all_is_float32() -> None:
    without = ("--without-adapters", "--without-bfloat16")
    found = result("language-training", *without)
    assert not [name for name in found["contenders"] if "bfloat16" in name or "autocast" in name]
    assert found["matrix_rate_share"] is found["ratio_bf16"] is None
    assert 0 < found["matrix_rate_share_fp32"] < 1
    assert found["ratio_mini"] > 0
    assert result("inference", *without)["overhead_bf16"] is None
    assert result("rows", *without)["rows_over_one_bf16"] is None


@pytest.mark.slow
def test_inference_compares_the_stack_with_the_bare_backbone() -> None:
    found = result("inference")
    wanted = {"overhead_fp32", "overhead_bf16", "bare_over_transformers", "lora_over_peft"}
    wanted |= {"overhead_over_transformers"}
    assert wanted <= set(found)
    assert set(found["ranges"]) == wanted


@pytest.mark.slow
def test_all_the_others_run_too() -> None:
    assert result("rows", "--without-adapters")["rows_over_one"] > 0
    attached = result("attach")
    assert attached["first_ms"] > attached["attach_ms"] > 0
    assert len(result("task-training")["ranges"]) == 6
    assert result("linear")["flatness"] >= 1
    assert 1 < result("heldout", "--without-adapters")["loss_fp32"] < 12
    found = result("language-options")
    assert found["above_default"]["default"] == 0.0
    assert set(found["big_speed_over_default"]) < set(found["speed_over_default"])


@pytest.mark.slow
def test_batches_given_to_others_are_those_that_the_product_trains_on(tmp_path: Path) -> None:
    import numpy as np
    import torch

    from adapterkit.backbone.load import load_backbone
    from adapterkit.data.batches import Batch
    from adapterkit.seeds import derive
    from benchmarks.contests.heldout import QUICK
    from benchmarks.workers import ours_training

    backbone = load_backbone("mini")
    spec = {**QUICK, "text": None, "learning_rate": 1e-3, "precision": "float32"}
    problem = ours_training._on_text(backbone, spec, 3, tmp_path)
    trained, heldout = ours_training.written(problem, 2)
    rows = problem.training.indices(1, QUICK["batch"], seed=3)
    batch = problem.training.masked(rows, share=0.15, seed=derive(3, "mask", 1))
    np.testing.assert_array_equal(trained[1][0], batch.input_ids.numpy())
    np.testing.assert_array_equal(trained[1][1], batch.targets.numpy())
    with torch.no_grad():
        losses = [
            float(problem.model(Batch(ids, torch.ones_like(ids), targets)))
            for ids, targets in (
                (torch.tensor(a).long(), torch.tensor(b).long()) for a, b in heldout
            )
        ]
        assert problem.look() == pytest.approx(sum(losses) / len(losses), rel=1e-6)


@pytest.mark.long
def test_the_page_says_every_figure_of_its_record_and_none_else(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    seconds = {"import torch": 1.25, "import adapterkit": 0.0625}
    record = {
        "startup": {
            "benchmark": "startup",
            "seconds": seconds,
            "over_import_torch": {"import torch": 1.0, "import adapterkit": 0.05},
            "quick": False,
            "device": "cpu",
            "provenance": {
                "processor": "a processor",
                "threads": 2,
                "versions": {"torch": "2.13.0"},
                "versions_beside_adapters": None,
            },
        }
    }
    write_json(tmp_path / "benchmarks.json", record)
    write_page(["--render", "--out", str(tmp_path)])
    text = (tmp_path / "benchmarks.md").read_text()
    assert "| `import adapterkit` | 0.062 | 0.050 |" in text
    assert "a processor, 2 threads, cpu; torch 2.13.0." in text
    first = (tmp_path / "benchmarks.svg").read_bytes()
    write_page(["--render", "--out", str(tmp_path)])
    assert (tmp_path / "benchmarks.svg").read_bytes() == first
    assert "bfloat16 were left out" not in text
    record["startup"]["bfloat16"] = False
    write_json(tmp_path / "another.json", record)
    write_page(["--render", "--out", str(tmp_path), "--name", "another"])
    text = (tmp_path / "another.md").read_text()
    assert "bfloat16 were left out" in text
    assert "(another.svg)" in text
    assert (tmp_path / "benchmarks.svg").read_bytes() == first
