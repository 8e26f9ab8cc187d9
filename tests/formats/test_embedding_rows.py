"""Embedding rows in an adapter folder: one more file, bound to `adapterkit.json`, read as strictly as the others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.errors import ConfigError, FolderError
from adapterkit.files import sha256_of
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.compositions import load_composition, save_composition
from adapterkit.formats.inspection import inspect
from adapterkit.methods import low_rank
from adapterkit.model import AdaptedModel
from adapterkit.nn.embedding_rows import EmbeddingRows
from adapterkit.tensorfile import read_tensors, write_tensors

FILE, OWN = "embedding_rows.safetensors", "adapterkit.json"
Edit = Callable[[Path], None]


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder, device="cpu")


def make(backbone: Backbone) -> Adapter:
    made = new_adapter(
        "cym", BottleneckConfig(4, invertible=True), backbone=backbone.facts, kind="language"
    )
    made.embedding_rows = EmbeddingRows(torch.tensor([5, 9, 30, 119]), backbone.width)
    torch.nn.init.normal_(made.embedding_rows.deltas)
    return made


@pytest.fixture
def folder(backbone: Backbone, tmp_path: Path) -> Path:
    return save_adapter(make(backbone), tmp_path / "cym")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("half", [False, True])
def test_save_load_save_gives_the_same_bytes(
    backbone: Backbone, tmp_path: Path, half: bool
) -> None:
    made = make(backbone)
    assert made.embedding_rows is not None
    if half:
        made.embedding_rows.half()
    first = save_adapter(made, tmp_path / "first")
    loaded = load_adapter(first)
    assert contents(save_adapter(loaded, tmp_path / "again")) == contents(first)
    assert loaded.digest() == made.digest() == inspect(first)["digest"]
    stored = read_tensors(first / FILE)
    assert stored["ids"].tolist() == [5, 9, 30, 119]
    assert stored["deltas"].dtype == (torch.float16 if half else torch.float32)
    ids = torch.tensor([[0, 5, 30, 40, 2]])
    with torch.no_grad():
        expected = AdaptedModel(backbone, made).mlm_logits(ids)
        assert torch.equal(AdaptedModel(backbone, loaded).mlm_logits(ids), expected)


def test_the_folder_names_its_rows_and_their_checksum(backbone: Backbone, folder: Path) -> None:
    own = json.loads((folder / OWN).read_text())
    assert own["embedding_rows"] == 4
    assert own["files"][FILE] == sha256_of(folder / FILE)
    told = inspect(folder)
    assert told["embedding_rows"] == 4
    assert told["files"][FILE]["bytes"] == (folder / FILE).stat().st_size
    assert told["parameters"] == load_adapter(folder).parameter_count()
    # AdapterHub's own files are those of the adapter without the rows.
    bare = save_adapter(make(backbone).without_embedding_rows(), folder.parent / "bare")
    for name in ("adapter_config.json", "adapter.safetensors"):
        assert (bare / name).read_bytes() == (folder / name).read_bytes()
    assert inspect(bare)["embedding_rows"] == 0


def test_saving_without_rows_clears_the_older_ones_away(backbone: Backbone, folder: Path) -> None:
    save_adapter(make(backbone).without_embedding_rows(), folder)
    assert not (folder / FILE).exists()
    assert load_adapter(folder).embedding_rows is None


def test_a_composition_folder_keeps_them(backbone: Backbone, tmp_path: Path) -> None:
    head = HeadConfig("tagging", ("x", "y"))
    task = new_adapter("pos", BottleneckConfig(4), backbone=backbone.facts, kind="task", head=head)
    stack = Stack(make(backbone), task)
    assert load_composition(save_composition(stack, tmp_path / "both")) == stack


def test_without_its_head_an_adapter_keeps_its_rows(backbone: Backbone, tmp_path: Path) -> None:
    head = HeadConfig("tagging", ("x", "y"))
    task = new_adapter("pos", BottleneckConfig(4), backbone=backbone.facts, kind="task", head=head)
    task.embedding_rows = make(backbone).embedding_rows
    folder = save_adapter(task, tmp_path / "pos")
    loaded = load_adapter(folder, with_head=False)
    assert loaded.head is None
    assert loaded.embedding_rows is not None


def own(**values: object) -> Edit:
    def edit(folder: Path) -> None:
        record = json.loads((folder / OWN).read_text()) | values
        kept = {key: value for key, value in record.items() if value is not None}
        (folder / OWN).write_text(json.dumps(kept))

    return edit


def stored(**tensors: torch.Tensor | None) -> Edit:
    """Another file, with checksums that fit, so that it is what is in it that is refused."""

    def edit(folder: Path) -> None:
        found: dict[str, Any] = read_tensors(folder / FILE) | tensors
        write_tensors(folder / FILE, {k: t for k, t in found.items() if t is not None})
        sums = json.loads((folder / OWN).read_text())["files"]
        own(files={**sums, FILE: sha256_of(folder / FILE)}, digest=None)(folder)

    return edit


def ids(*values: int, dtype: torch.dtype = torch.int32) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype)


def gone(folder: Path) -> None:
    own(files={})(folder)
    (folder / FILE).unlink()


def cut(folder: Path) -> None:
    (folder / FILE).write_bytes((folder / FILE).read_bytes()[:-3])
    own(files={})(folder)


REFUSED: dict[str, tuple[Edit, str]] = {
    "no file": (lambda folder: (folder / FILE).unlink(), f"{FILE}: missing"),
    "no file, no checksums": (gone, "says that it has 4 embedding rows, but there is no"),
    "no record": (lambda folder: (folder / OWN).unlink(), "of which no adapterkit.json says"),
    "a record of none": (own(embedding_rows=None), "of which no adapterkit.json says"),
    "a wrong number": (own(embedding_rows=5), r"deltas: shape \(4, 32\), needed \(5, 32\)"),
    "no number": (own(embedding_rows=True), "must be a number of rows, found True"),
    "zero": (own(embedding_rows=0), "must be a number of rows, found 0"),
    "a text": (own(embedding_rows="4"), "must be a number of rows, found '4'"),
    "another width": (stored(deltas=torch.zeros(4, 16)), r"deltas: shape \(4, 16\)"),
    "long ids": (stored(ids=ids(5, 9, 30, 119, dtype=torch.int64)), "ids: dtype I64, I32 is"),
    "whole deltas": (stored(deltas=torch.zeros(4, 32, dtype=torch.int32)), "deltas: dtype I32"),
    "fewer ids": (stored(ids=ids(5, 9, 30)), r"ids: shape \(3,\)"),
    "no ids": (stored(ids=None), "ids: missing"),
    "another tensor": (stored(bias=torch.zeros(4)), "bias: not part of this adapter"),
    "twice": (stored(ids=ids(5, 9, 9, 119)), "in rising order, each once"),
    "unsorted": (stored(ids=ids(9, 5, 30, 119)), "in rising order, each once"),
    "negative": (stored(ids=ids(-1, 5, 30, 119)), "must be 0 or more"),
    "no numbers": (stored(deltas=torch.full((4, 32), torch.nan)), "not finite"),
    "absurd": (stored(deltas=torch.full((4, 32), 1e9)), "deltas: holds a value of 1.0e\\+09"),
    "cut": (cut, "the header speaks of"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_table_of_rows_is_refused(folder: Path, case: str) -> None:
    edit, says = REFUSED[case]
    edit(folder)
    with pytest.raises(FolderError, match=says):
        load_adapter(folder)


def test_an_altered_file_is_noticed_by_its_checksum(folder: Path) -> None:
    data = bytearray((folder / FILE).read_bytes())
    data[-1] ^= 1
    (folder / FILE).write_bytes(bytes(data))
    with pytest.raises(FolderError, match="altered since it was written"):
        inspect(folder)


def test_other_deltas_under_new_checksums_do_not_have_the_digest(folder: Path) -> None:
    digest = json.loads((folder / OWN).read_text())["digest"]
    stored(deltas=torch.ones(4, 32))(folder)
    own(digest=digest)(folder)
    with pytest.raises(FolderError, match="digest"):
        load_adapter(folder)


def test_a_folder_of_pefts_has_no_place_for_them(backbone: Backbone, tmp_path: Path) -> None:
    lora = new_adapter("l", low_rank(backbone), backbone=backbone.facts, kind="language")
    folder = save_adapter(lora, tmp_path / "l")
    lora.embedding_rows = make(backbone).embedding_rows
    with pytest.raises(ConfigError, match="has no place for embedding rows"):
        save_adapter(lora, tmp_path / "l")
    own(embedding_rows=4)(folder)
    with pytest.raises(FolderError, match="no place in a PEFT folder"):
        load_adapter(folder)
