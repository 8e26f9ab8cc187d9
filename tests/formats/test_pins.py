"""`stack.json`: read back as written; what could not be loaded exactly is refused with every reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapterkit.errors import FolderError
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.formats.inspection import inspect
from adapterkit.formats.pins import STACK_FILE, Pin, StackPins, read_pins, write_pins

SUM, COMMIT = "ab" * 32, "0123456789" * 4
PINS = StackPins(
    backbone="FacebookAI/xlm-roberta-base",
    backbone_commit=COMMIT,
    backbone_name="FacebookAI/xlm-roberta-base",
    backbone_digest=SUM,
    language="cym",
    task="upos",
    parts=(
        Pin("me/cym", COMMIT, "cym", "language", SUM, {"adapter_config.json": SUM}),
        Pin("mini:pos", "", "pos", "task", SUM, {"adapter.safetensors": SUM}),
    ),
)


def test_pins_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    write_pins(tmp_path, PINS)
    assert read_pins(tmp_path) == PINS
    told = inspect(tmp_path)
    assert told["kind"] == "stack"
    assert [part["reference"] for part in told["parts"]] == ["me/cym", "mini:pos"]


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (["format"], 2, "this version reads 1"),
        (["parts"], [], "a list of 1 to 20"),
        (["parts"], [{}] * 21, "a list of 1 to 20"),
        (["parts", 0], "me/cym", "part 1: an object"),
        (["parts", 0, "reference"], "../../etc", "part 1: .* is no Hub id"),
        (["parts", 0, "reference"], "./local", "part 1: .* is no Hub id"),
        (["parts", 0, "reference"], "https://x.org/a", "part 1: .* is no Hub id"),
        (["parts", 0, "commit"], "main", "part 1: a commit of 40 hex"),
        (["parts", 0, "commit"], "", "part 1: a commit of 40 hex"),
        (["parts", 0, "digest"], "", "part 1: a digest of 64 hex"),
        (["parts", 0, "files"], {}, "part 1: files"),
        (["parts", 0, "files"], {"../x": SUM}, "part 1: files"),
        (["parts", 0, "files"], {"x": "1"}, "part 1: files"),
        (["parts", 0, "kind"], "evil", "part 1: kind 'evil'"),
        (["parts", 0, "more"], 1, "part 1: more: unknown key"),
        (["backbone", "reference"], "mini:eng", "backbone: .* is no Hub id"),
        (["backbone", "commit"], None, "backbone: reference, commit"),
        (["language"], "", "language: a short text"),
        (["task"], "x\x1b[31m", "task: a short text"),
    ],
)
def test_what_could_not_be_loaded_exactly_is_refused(
    tmp_path: Path, place: list[Any], value: Any, reason: str
) -> None:
    write_pins(tmp_path, PINS)
    record = json.loads((tmp_path / STACK_FILE).read_text())
    inner = record
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (tmp_path / STACK_FILE).write_text(json.dumps(record))
    with pytest.raises(FolderError, match=reason):
        read_pins(tmp_path)


def test_a_folder_without_pins_is_no_stack(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="is no stack's folder"):
        read_pins(tmp_path)


def test_a_stack_is_no_adapter_and_the_error_says_what_it_is(tmp_path: Path) -> None:
    write_pins(tmp_path, PINS)
    with pytest.raises(FolderError, match=r"ak\.load_stack"):
        load_adapter(tmp_path)
