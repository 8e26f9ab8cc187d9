"""JSON of one meaning that can be written again; folders that are there whole or as they were."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapterkit.errors import FolderError
from adapterkit.files import folder_in_one_step, from_json, read_json, to_json, write_bytes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1e999}', "1e999 is larger than any number"),
        ('{"a": [-1E+400]}', "-1E"),
        ('{"a": NaN}', "NaN is no JSON"),
        ('{"a": "x\\ud800"}', "holds half a character"),
        ('{"\\uDFFF": 1}', "holds half a character"),
        ('{"a": [{"b": "\\udc00\\ud800"}]}', "holds half a character"),
    ],
)
def test_json_that_could_not_be_written_again_is_refused(
    text: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(FolderError, match=says) as caught:
        read_json(tmp_path / "x.json")
    assert str(caught.value).isascii()


def test_whole_characters_and_large_numbers_are_read() -> None:
    record = from_json(b'{"a": "\\ud83d\\ude00 \\u00e9", "b": 1e308, "c": 5}')
    assert record == {"a": "😀 é", "b": 1e308, "c": 5}
    assert from_json(to_json(record).encode()) == record


def fill(place: Path, *names: str) -> None:
    for name in names:
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(name)


def write(place: Path, *names: str, fails: bool = False) -> None:
    with folder_in_one_step(place, owned=("b.txt", "z.txt")) as new:
        fill(new, *names)
        if fails:
            raise OSError("disk full")


def contents(place: Path) -> dict[str, str]:
    return {
        str(path.relative_to(place)): path.read_text()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def test_a_folder_takes_the_place_of_an_older_one_and_leaves_what_is_not_its_own(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    fill(out, "a.txt", "old.txt", "README.md", "sub/b.txt", "sub/old.txt", "sub/notes.txt")
    (out / "a.txt").write_text("older")
    with folder_in_one_step(out, owned=("a.txt", "b.txt", "old.txt")) as new:
        fill(new, "a.txt", "sub/b.txt", "more/b.txt")
    assert set(contents(out)) == {
        "README.md",
        "a.txt",
        "more/b.txt",
        "sub/b.txt",
        "sub/notes.txt",
    }
    assert contents(out)["a.txt"] == "a.txt"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("existing", [True, False])
def test_a_folder_whose_writing_fails_is_as_it_was(existing: bool, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if existing:
        out.mkdir()
        fill(out, "a.txt", "sub/b.txt")
    with pytest.raises(OSError, match="full"):
        write(out, "sub/c.txt", fails=True)
    assert out.exists() == existing
    assert not existing or set(contents(out)) == {"a.txt", "sub/b.txt"}
    assert len(list(tmp_path.iterdir())) == existing


@pytest.mark.parametrize(("there", "written"), [("a/x.txt", "a"), ("a", "a/x.txt")])
def test_a_file_never_takes_a_folders_place_nor_the_reverse(
    there: str, written: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    fill(out, there, "z.txt")
    with pytest.raises(FolderError, match="cannot be written there"):
        write(out, written)
    assert set(contents(out)) == {there, "z.txt"}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """An empty folder on another device than ``tmp_path``."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is not there, or no other device")
    with tempfile.TemporaryDirectory(dir=memory) as place:
        yield Path(place)


def test_a_folder_that_is_on_another_device_is_replaced_there(
    tmp_path: Path, elsewhere: Path
) -> None:
    (tmp_path / "out").symlink_to(elsewhere)
    for names in (("a.txt", "adapter_config.json", "z.txt"), ("adapter_config.json", "sub/b.txt")):
        write(tmp_path / "out", *names)
    assert set(contents(elsewhere)) == {"a.txt", "adapter_config.json", "sub/b.txt"}
    assert len(list(elsewhere.iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_sub_folder_on_another_device_is_refused_and_all_is_as_it_was(
    tmp_path: Path, elsewhere: Path
) -> None:
    out = tmp_path / "out"
    fill(elsewhere, "b.txt")
    write(out, "a.txt", "adapter_config.json")
    (out / "sub").symlink_to(elsewhere)
    before = contents(out) | contents(elsewhere)
    with pytest.raises(FolderError, match="cannot be written"):
        write(out, "a.txt", "adapter_config.json", "sub/b.txt", "sub/c.txt")
    assert contents(out) | contents(elsewhere) == before
    assert len(list(out.iterdir())) == 3


@pytest.mark.parametrize("done", range(8))
def test_whichever_renaming_fails_the_folder_is_as_it_was(
    done: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, replace, left = tmp_path / "out", os.replace, iter(range(done))
    write(out, "adapter_config.json", "a.txt", "b.txt", "sub/b.txt")
    (out / "a.txt").write_text("older")
    before = contents(out)

    def fails_once(source: Path, target: Path) -> None:
        if next(left, None) is None:
            monkeypatch.setattr(os, "replace", replace)
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails_once)
    with pytest.raises(FolderError, match="No space left on device"):
        write(out, "adapter_config.json", "a.txt", "sub/c.txt", "more/b.txt")
    assert contents(out) == before
    write(out, "adapter_config.json", "a.txt", "sub/c.txt", "more/b.txt")
    assert set(contents(out)) == {"adapter_config.json", "a.txt", "sub/c.txt", "more/b.txt"}


def test_a_place_that_cannot_be_a_folder_is_a_folder_error(tmp_path: Path) -> None:
    fill(tmp_path, "a.txt")
    with pytest.raises(FolderError, match=r"a.txt/out: cannot be written \("):
        write(tmp_path / "a.txt" / "out", "b.txt")


@pytest.mark.parametrize("place", ["folder", "file/x"])
def test_a_file_that_cannot_be_written_is_named_in_the_error_as_it_was_asked_for(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r".") as caught:
        write_bytes(tmp_path / place, b"x")
    assert ".part" not in str(caught.value)
    assert str(tmp_path / Path(place).parts[0]) in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_device_is_written_to_and_stays_one() -> None:
    ours, theirs = (
        os.openpty()
    )  # a terminal, whose folder takes no files: nothing is lost if this fails
    place = Path(os.ttyname(theirs))
    write_bytes(place, b"told")
    assert os.read(ours, 10) == b"told"
    assert place.is_char_device()
    os.close(ours)
    os.close(theirs)
