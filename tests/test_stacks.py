"""Stacks of starters, which need no Hub: pinned, loaded as pinned, refused when they are not what was pinned."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapterkit.cli.app import app
from adapterkit.cli.options import load_stack as load_named
from adapterkit.errors import ConfigError, FolderError
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.formats.pins import STACK_FILE, read_pins
from adapterkit.stacks import load_stack, save_stack


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_stack(["mini:eng", "mini:pos"], tmp_path_factory.mktemp("stack") / "eng-pos")


@pytest.mark.long
def test_a_stack_of_starters_predicts(place: Path) -> None:
    from adapterkit.prediction import predict

    (found,) = predict(load_stack(place), ["The cat sleeps ."])
    assert found.labels[1] == "NOUN"
    pins = read_pins(place)
    assert (pins.backbone, pins.language, pins.task) == ("mini", "eng", "upos")


def test_the_command_line_takes_it_where_adapters_stand(place: Path) -> None:
    named = load_named(str(place))
    assert named == load_named("mini:eng,mini:pos")
    assert [one.digest() for one in named.adapters] == [
        part.digest for part in read_pins(place).parts
    ]


def test_another_file_than_the_pinned_one_is_refused(place: Path, tmp_path: Path) -> None:
    record = json.loads((place / STACK_FILE).read_text())
    files = record["parts"][0]["files"]
    files["adapter_config.json"] = "0" * 64
    files["gone.json"] = "0" * 64
    del files["adapterkit.json"]
    (tmp_path / STACK_FILE).write_text(json.dumps(record))
    with pytest.raises(FolderError, match="is not what the stack pins") as caught:
        load_stack(tmp_path)
    for line in (
        "adapter_config.json: altered",
        "adapterkit.json: not pinned",
        "gone.json: missing",
    ):
        assert line in str(caught.value)


def test_what_cannot_be_pinned_is_refused(tmp_path: Path) -> None:
    from adapterkit.formats.adapterhub import save_adapter

    save_adapter(load_adapter("mini:eng"), tmp_path / "eng")
    with pytest.raises(ConfigError, match="was never published"):
        save_stack([tmp_path / "eng", "mini:pos"], tmp_path / "a")
    with pytest.raises(ConfigError, match="must end in a task adapter"):
        save_stack(["mini:pos", "mini:eng"], tmp_path / "b")
    with pytest.raises(ConfigError, match="a stack pins a Hub id"):
        save_stack(["mini:eng", "mini:pos"], tmp_path / "c", backbone=str(tmp_path))
    (tmp_path / "eng" / "published.json").write_text('{"repository": "me/eng", "digest": "old"}')
    with pytest.raises(ConfigError, match="has changed since it was published as me/eng"):
        save_stack([tmp_path / "eng", "mini:pos"], tmp_path / "d")
    with pytest.raises(ConfigError, match="must end in a task adapter"):
        save_stack([], tmp_path / "e")
    save_adapter(load_adapter("mini:eng"), tmp_path / "f")
    with pytest.raises(ConfigError, match="f holds an adapter; choose another folder"):
        save_stack(["mini:eng", "mini:pos"], tmp_path / "f", overwrite=True)
    assert not [name for name in "abcdef" if (tmp_path / name / STACK_FILE).exists()]


def test_a_second_task_adapter_is_refused_as_predict_refuses_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'pos' is a task adapter; in a stack there is one"):
        save_stack(["mini:pos", "mini:topic"], tmp_path / "a", language="eng")
    with pytest.raises(ConfigError, match="'pos' is a task adapter; in a stack there is one"):
        save_stack(["mini:eng", "mini:pos", "mini:topic"], tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_stack_that_is_there_is_replaced_only_with_overwrite(tmp_path: Path) -> None:
    save_stack(["mini:eng", "mini:pos"], tmp_path / "a")
    with pytest.raises(ConfigError, match=r"already holds a stack; .*--overwrite"):
        save_stack(["mini:eng", "mini:topic"], tmp_path / "a")
    assert read_pins(tmp_path / "a").task == "upos"
    save_stack(["mini:eng", "mini:topic"], tmp_path / "a", overwrite=True)
    assert [part.name for part in read_pins(tmp_path / "a").parts] == ["eng", "topic"]


@pytest.mark.long
def test_the_command_line_replaces_a_stack_with_overwrite_alone(tmp_path: Path) -> None:
    runner = CliRunner()
    words = ["stack", "mini:eng,mini:pos", "--out", str(tmp_path / "a")]
    assert runner.invoke(app, words).exit_code == 0
    assert isinstance(runner.invoke(app, words).exception, ConfigError)
    assert runner.invoke(app, [*words, "--overwrite"]).exit_code == 0


def test_a_folder_at_home_is_meant_by_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    made = save_stack(["mini:eng", "mini:pos"], "~/stacks/a")
    assert made == tmp_path / "home" / "stacks" / "a"
    assert (made / STACK_FILE).is_file()
    assert not (tmp_path / "~").exists()


def test_a_name_alone_and_an_adapter_are_no_list_of_parts(tmp_path: Path) -> None:
    for parts in ("mini:pos", [load_adapter("mini:pos")]):
        with pytest.raises(ConfigError, match="a stack pins Hub ids, starters or published"):
            save_stack(parts, tmp_path / "x")  # type: ignore[arg-type]
