import inspect
import json
import os
from dataclasses import fields
from pathlib import Path

import pytest

from adapterkit.cli.app import app
from adapterkit.cli.options import check_can_write
from adapterkit.cli.self_train import self_train
from adapterkit.errors import ConfigError
from adapterkit.settings import SelfTrainingConfig
from adapterkit.training import loop
from tests.cli.conftest import Run
from tests.pages.simulated import Simulation, simulate
from tests.tiny import make_encoder_decoder

VERBS = (
    "demo",
    "corpus",
    "train-language",
    "train-task",
    "self-train",
    "predict",
    "evaluate",
    "fill",
    "inspect",
    "run",
    "report",
    "push",
    "convert",
    "stack",
    "search",
    "pull",
    "lock",
    "sync",
    "verify",
)

OWN = ("own", "source-kept")


@pytest.mark.long
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(run: Run, verb: str) -> None:
    code, out, _ = run(verb, "--help")
    assert code == 0
    assert f"Example: adapterkit {verb}" in " ".join(out.split())


def test_the_verbs_are_those_of_the_design() -> None:
    names = {
        c.name or (c.callback.__name__.replace("_", "-") if c.callback else "")
        for c in app.registered_commands
    }
    assert names == set(VERBS)


@pytest.mark.long
def test_from_a_text_file_to_predictions(
    run: Run,
    text: Path,
    labelled: Path,
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = ("--backbone", tiny_folder)
    code, out, _ = run("corpus", text, "--language", "cym", *base, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["kept"] == 150
    assert found["unk_rate"] == 0
    assert found["training"]["steps"] >= 200

    cym, pos = tmp_path / "cym", tmp_path / "pos"
    few = ("--steps", 10, "--batch-size", 4, "--block-length", 24)
    code, out, err = run(
        "train-language", *base, "--text", text, "--language", "cym", "--out", cym, *few, "--json"
    )
    trained = json.loads(out)
    assert code == 0, err
    assert set(trained["heldout_loss"]) == {"backbone", "adapter"}
    assert trained["tokens"] == 960
    assert trained["tokens_per_second"] > 0
    assert trained["peak_memory_bytes"] > 0

    code, out, _ = run(
        "train-task",
        *base,
        "--train",
        labelled,
        "--over",
        cym,
        "--out",
        pos,
        "--steps",
        60,
        "--learning-rate",
        0.01,
        "--leave-out",
        "0",
        "--cache-mib",
        "0",
    )
    assert code == 0
    assert "adapter:" in out
    config = json.loads((pos / "adapterkit.json").read_text())["provenance"]["config"]
    assert (config["leave_out"], config["cache_mib"]) == ([0], None)

    own = ("--init", pos, "--over", cym, "--sentences", 8, "--rounds", 1, "--out", tmp_path / "own")
    code, out, err = run("self-train", *base, "--text", text, "--language", "cym", *own, "--json")
    assert code == 0, err
    assert json.loads(out)["sentences"] == 8
    assert "labels" in json.loads(out)

    stack = ("--stack", f"{cym},{pos}")
    code, out, err = run(
        "evaluate",
        *base,
        *stack,
        "--test",
        labelled,
        "--baselines",
        "--json",
        "--predictions",
        tmp_path / "p.jsonl",
    )
    table = json.loads(out)
    assert code == 0, err
    assert set(table) == {"own", "none"}
    assert err.count("source adapter kept: it is this stack's own; compare with --source") == 1
    assert table["own"]["examples"] == 40
    assert table["own"]["interval"][0] <= table["own"]["accuracy"] <= table["own"]["interval"][1]
    first = json.loads((tmp_path / "p.jsonl").read_text().splitlines()[0])
    assert len(first["gold"]) == len(first["predicted"])

    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = run("evaluate", *base, *stack, "--test", labelled, "--baselines")
    shown = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    rows = [row for row in shown if row]
    assert code == 0
    assert [row[0] for row in rows] == ["accuracy", "gain over", "macro f1"]
    assert all(cell.endswith("]") for row in rows for cell in row[1:] if cell)  # none is folded
    gain = table["none"]["gain"]
    assert gain["value"] == pytest.approx(table["own"]["accuracy"] - table["none"]["accuracy"])
    low, high = gain["interval"]
    assert low <= gain["value"] <= high
    assert rows[1][1:] == ["", f"{100 * gain['value']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"]
    assert ("no reliable gain in accuracy over: language adapter removed" in err) == (
        low <= 1e-9 and high >= -1e-9
    )
    assert {len(row) for row in rows} == {3}

    code, out, _ = run("predict", *base, *stack, "abc dec .")
    assert code == 0
    assert "# text = abc dec ." in out
    assert "\tNOUN\t" in out
    code, out, _ = run("predict", *base, *stack, "--input", labelled, "--out", tmp_path / "out.tsv")
    assert (code, out) == (0, "")
    assert (tmp_path / "out.tsv").read_text(encoding="utf-8").count("\n\n") >= 39
    named = tmp_path / "named.conllu"
    named.write_text("# sent_id = one\n1\tabc\tlemma\t_\t_\t_\t0\troot\t_\t_\n\n", encoding="utf-8")
    code, out, _ = run("predict", *base, *stack, "--input", named)
    assert (code, out.startswith("# sent_id = one\n1\tabc\tlemma\t")) == (0, True)
    assert out.endswith("\t_\t_\t0\troot\t_\t_\n\n")
    mixed = tmp_path / "mixed.tsv"
    mixed.write_text("lang\ttext\neng\tabc\ncym\tdef\n", encoding="utf-8")
    code, out, _ = run("predict", *base, *stack, "--input", mixed, "--language", "cym")
    assert (code, out.count("# text = "), "# text = def" in out) == (0, 1, True)

    code, out, _ = run("fill", *base, "--stack", cym, "abc <mask> cde", "--json", "--guesses", 2)
    assert code == 0
    assert [len(mask) for mask in json.loads(out)] == [2]

    code, out, _ = run("inspect", pos, "--json")
    record = json.loads(out)
    assert code == 0
    assert record["labels"] == ["NOUN", "VERB"]
    assert record["backbone"]["layers"] == 3
    assert set(record["files"]) >= {"adapter.safetensors", "model_head.safetensors"}
    code, out, _ = run("inspect", pos)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    values = {row[0]: row[1] for row in rows if len(row) == 2}
    assert code == 0
    size = (pos / "adapter.safetensors").stat().st_size
    checksum = record["files"]["adapter.safetensors"]["sha256"][:12]
    assert values["files: adapter.safetensors"] == f"{size:,} bytes, sha256 {checksum}"
    assert values["made: over"] == f"cym, sha256 {record['provenance']['over'][0]['digest'][:12]}"
    assert values["made: run: looks"].endswith("points (--json)")


THAANA = "".join(f"ދިވެހި ބަހުގެ {n}\n" for n in range(60))


@pytest.mark.long
def test_corpus_says_in_words_whether_a_backbone_can_read_a_text(
    run: Run, text: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    code, out, _ = run("corpus", text, "--language", "cym")
    assert code == 0
    assert "whether a backbone can read it: --backbone mini" in out
    code, out, err = run("corpus", text, "--language", "cym", "--backbone", tiny_folder)
    assert code == 0
    assert out.rstrip().endswith("can read this text, with the warnings above")
    assert "warning: " in err
    shown = " ".join(out.replace("│", " ").split())
    for part in ("lines kept 150", "unknown tokens 0.0 %", "minutes of train-language"):
        assert part in shown
    mixed = tmp_path / "mixed.txt"
    mixed.write_text(text.read_text(encoding="utf-8") + THAANA, encoding="utf-8")
    _, out, _ = run("corpus", mixed, "--language", "cym", "--backbone", tiny_folder)
    assert " % of this text; the rest can be trained on" in out.splitlines()[-1]
    t5 = make_encoder_decoder(tmp_path / "mt5", "mt5")
    code, out, _ = run("corpus", text, "--language", "cym", "--backbone", t5)
    assert code == 0
    assert "no language adapter can be trained: backbone 'mt5' is an encoder-decoder" in out
    thaana = tmp_path / "div.txt"
    thaana.write_text(THAANA, encoding="utf-8")
    code, out, err = run("corpus", thaana, "--language", "div", "--backbone", tiny_folder)
    assert code == 0
    assert out.rstrip().endswith("cannot read this text: train-language refuses it")
    assert "minutes" not in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("inspect", "./nowhere"), "no such folder"),
        (("corpus", "nothing.txt", "--language", "cym"), "nothing.txt"),
        (("predict",), "--input"),
        (("evaluate", "--test", "missing.conllu"), "missing.conllu"),
        (("evaluate", "--test", "x", "--task", "parsing"), "--task parsing"),
        (("fill", "--backbone", "./nowhere", "a <mask>"), "no such folder"),
    ],
)
def test_bad_input_is_one_error_on_stderr_and_nothing_on_stdout(
    run: Run, words: tuple[str, ...], message: str
) -> None:
    code, out, err = run(*words)
    assert code == 1
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_a_stopped_training_says_how_to_go_on_and_exits_with_130(
    run: Run,
    text: Path,
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    command = ("train-language", "--backbone", tiny_folder, "--text", text, "--language", "cym")
    few = ("--out", tmp_path / "cym", "--steps", 9, "--batch-size", 4, "--block-length", 24)
    plain = loop._Run.step

    def stopping(one: loop._Run) -> None:
        if one.progress.step == 5:
            raise KeyboardInterrupt
        plain(one)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "step", stopping)
        code, out, err = run(*command, *few)
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == "stopped; the same command goes on from the last checkpoint"
    code, out, err = run(*command, *few, "--json")
    assert code == 0, err
    assert json.loads(out)["started_at_steps"] == [0, 5]
    assert "going on from step 5 of 9" in caplog.messages


@pytest.mark.long
def test_a_task_training_without_dev_says_that_its_score_is_of_training_examples(
    run: Run,
    labelled: Path,
    tiny_folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    command = ("train-task", "--backbone", tiny_folder, "--train", labelled, "--over", "")
    code, out, err = run(*command, "--out", tmp_path / "a", "--steps", 2)
    assert code == 0, err
    assert "on train: " in out
    assert "there was no --dev" in err
    assert [line.split()[0] for line in caplog.messages if "steps" in line] == ["plan:"]
    code, out, err = run(*command, "--out", tmp_path / "b", "--steps", 2, "--dev", labelled)
    assert code == 0, err
    assert "no --dev" not in err


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize(
    ("verb", "option"),
    [
        ("train-language", "batch-size"),
        ("train-language", "steps"),
        ("train-language", "max-minutes"),
        ("train-language", "learning-rate"),
        ("train-task", "epochs"),
        ("train-task", "batch-size"),
        ("train-task", "steps"),
        ("train-task", "head-rate"),
        ("self-train", "sentences"),
        ("self-train", "rounds"),
    ],
)
def test_zero_is_no_way_to_say_the_default(
    run: Run, text: Path, tmp_path: Path, verb: str, option: str, value: int
) -> None:
    data: tuple[object, ...] = ("--text", text, "--language", "cym")
    if verb == "train-task":
        data = ("--train", text, "--over", "")
    if verb == "self-train":
        data = ("--text", text, "--language", "cym", "--init", "mini:pos", "--over", "")
    code, out, err = run(verb, *data, "--out", tmp_path / "out", f"--{option}", value)
    assert (code, out) == (1, "")
    assert f"{option.replace('-', '_')} = {value}" in err
    assert "must be above 0" in err
    assert not (tmp_path / "out").exists()


def test_wrong_usage_exits_with_2(run: Run) -> None:
    assert run("train-language", "--no-such-option")[0] == 2
    assert run("corpus", "x.txt")[0] == 2


@pytest.mark.long
def test_a_language_training_takes_upper_layers_and_a_restricted_vocabulary(
    run: Run, text: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cym"
    words = ("--backbone", tiny_folder, "--text", text, "--language", "cym", "--out", out)
    few = ("--steps", 2, "--batch-size", 4, "--block-length", 24, "--no-invertible")
    code, said, err = run(
        "train-language", *words, *few, "--upper-layers", 1, "--restrict-vocabulary"
    )
    assert code == 0, err
    found = json.loads((out / "adapterkit.json").read_text())["provenance"]
    assert f"trained over the text's own {found['softmax_pieces']} pieces" in said
    shape = json.loads((out / "adapter_config.json").read_text())["config"]
    assert shape["leave_out"] == [0, 2]
    code, said, err = run("train-language", *words[:-1], tmp_path / "no", "--upper-layers", 3)
    assert (code, said) == (1, "")
    assert "upper_layers 3: the backbone has 3 layers" in err


@pytest.mark.long
def test_a_table_becomes_a_page_a_text_and_pictures(run: Run, tmp_path: Path) -> None:
    table = simulate(tmp_path, Simulation(tasks=("topic",), seeds=1, sentences=8, methods=OWN))
    page, text, pictures = tmp_path / "p.html", tmp_path / "r.md", tmp_path / "png"
    options = (
        "--out",
        page,
        "--markdown",
        text,
        "--png",
        pictures,
        "--svg",
        pictures,
        "--resamples",
        50,
    )
    code, out, err = run("report", table, *options, "--json")
    assert code == 0
    found = json.loads(out)["panels"][0]
    assert set(found["methods"]) == set(OWN)
    assert found["methods"]["own"]["gains"]["source-kept"]["languages"] == 6
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert text.read_text(encoding="utf-8").startswith("# Does it transfer?")
    assert len(list(pictures.glob("*.png"))) == len(list(pictures.glob("*.svg"))) > 10
    assert str(page) in err


def test_a_report_says_on_stderr_that_sentences_were_not_resampled(
    run: Run, tmp_path: Path
) -> None:
    wanted = Simulation(tasks=("topic",), seeds=1, sentences=8, methods=OWN)
    folder = simulate(tmp_path, wanted).rename(tmp_path.parent / f"{tmp_path.name}.csv")
    code, out, err = run("report", folder, "--json", "--resamples", 50)
    assert code == 0
    assert json.loads(out)["own"] == "own"
    assert "Their sentences cannot be resampled" in err


def test_a_report_of_nothing_or_to_nowhere_is_one_error(run: Run, tmp_path: Path) -> None:
    code, out, err = run("report", tmp_path / "no.csv", "--json")
    assert (code, out) == (1, "")
    assert "there is no such table" in err
    (tmp_path / "b.parquet").write_text("")
    (tmp_path / "a.csv").write_text("")
    assert (
        "is a folder; say which table of it: a.csv, b.parquet"
        in run("report", tmp_path, "--json")[2]
    )
    code, out, err = run("report", tmp_path / "no.csv")
    assert (code, out) == (1, "")
    assert "nothing to write: give --out FILE.html" in err


def test_a_place_that_cannot_be_written_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, out, err = run("convert", "mini:eng", "--out", tmp_path / "file" / "out")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "Error: " in err
    assert str(tmp_path / "file") in err


@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        ("inspect", "cym"),
        ("push", "cym", "me/cym", "--license", "mit"),
        ("predict", "--stack", "cym,mini:pos", "abc"),
        ("evaluate", "--stack", "cym,mini:pos", "--test", "x.conllu"),
        ("convert", "cym", "--out", "out"),
    ],
)
def test_a_training_that_is_not_finished_is_said_to_be_one(
    run: Run,
    words: tuple[str, ...],
    labelled: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(labelled.parent)
    Path("cym", ".training").mkdir(parents=True)
    said = "FolderError: cym: its training is not finished; give the same train command again\n"
    assert run(*words) == (1, "", said)


@pytest.mark.long
def test_a_text_that_is_a_file_is_refused_with_the_option_for_files(
    run: Run, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(labelled.parent)
    said = "ConfigError: x.conllu is a file: say --input x.conllu\n"
    assert run("predict", "abc", "x.conllu") == (1, "", said)
    said = "ConfigError: mini:pos is an adapter, no text: the parts of a stack stand in one word with commas (--stack a,b)\n"
    assert run("predict", "--stack", "mini:eng", "mini:pos", "abc") == (1, "", said)
    assert run("predict", "a" * 5000, "pos", "--json")[0] == 0


@pytest.mark.parametrize("place", ["folder", "file/p.tsv", "file/more/p.tsv"])
def test_a_place_that_cannot_be_written_is_refused_before_predicting(
    run: Run, labelled: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(labelled.parent)
    Path("folder").mkdir()
    Path("file").touch()
    for words in (("predict", "abc", "--out"), ("evaluate", "--test", "x.conllu", "--predictions")):
        code, out, err = run(*words, place, "--backbone", "./nowhere")
        assert (code, out) == (1, "")
        assert f"{words[-1]} {place}: " in err
        assert err.count("\n") == 1


def test_a_link_is_followed_to_the_file_that_is_written_and_a_pipe_is_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert check_can_write(tmp_path / "link", "--out") == tmp_path / "real"
    assert check_can_write(tmp_path / "new", "--out") == tmp_path / "new"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=r"--out .*pipe: is a pipe"):
        check_can_write(tmp_path / "pipe", "--out")


def test_a_languages_name_is_taken_as_its_code_and_an_unknown_code_is_warned_of(
    run: Run, text: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code, out, _ = run("corpus", text, "--language", "Welsh", "--json")
    assert (code, json.loads(out)["language"]) == (0, "cym")
    assert "language Welsh: taken as cym" in caplog.text
    code, out, _ = run("corpus", text, "--language", "wlsh", "--json")
    assert (code, json.loads(out)["language"]) == (0, "wlsh")
    assert "language wlsh: no code that is known here" in caplog.text


def test_self_train_says_the_defaults_of_its_settings() -> None:
    usual = SelfTrainingConfig()
    options = inspect.signature(self_train).parameters
    for field in fields(SelfTrainingConfig):
        if field.name in options:
            assert options[field.name].default == getattr(usual, field.name), field.name
