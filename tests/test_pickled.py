"""Old ``.bin`` files: what torch reads of them is read, and nothing in them runs or takes more than they are."""

import io
import pickle
import tracemalloc
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from adapterkit.errors import FolderError
from adapterkit.pickled import check_pickle
from adapterkit.tensorfile import read_pickle

KINDS = (
    "float64",
    "float32",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
)


def sample() -> OrderedDict[str, torch.Tensor]:
    """Every dtype, a tied weight, views, a parameter, and the attribute that modules give their state."""
    whole = torch.arange(24.0).view(4, 6)
    state = OrderedDict(
        {kind: torch.arange(3).to(getattr(torch, kind)).clone() for kind in KINDS},
        whole=whole,
        tied=whole,
        turned=whole.T,
        part=whole[1:3, 2],
        nothing=torch.empty(0, 5),
        scalar=torch.tensor(2.5),
        parameter=torch.nn.Parameter(torch.ones(2, 2)),
    )
    state._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    return state


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("plain", [True, False])
def test_what_torch_reads_of_a_state_dict_is_what_is_read(
    zipped: bool, plain: bool, tmp_path: Path
) -> None:
    path, state = tmp_path / "x.bin", sample()
    torch.save(dict(state) if plain else state, path, _use_new_zipfile_serialization=zipped)
    read, torchs = read_pickle(path), torch.load(path, weights_only=True)
    assert list(read) == list(state)
    for name, tensor in torchs.items():
        assert read[name].dtype == tensor.dtype
        assert read[name].stride() == tensor.stride()
        assert torch.equal(read[name], tensor), name
    assert read["tied"].data_ptr() == read["whole"].data_ptr()


@pytest.mark.long
@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict_of_a_thousand_tensors_is_read(zipped: bool, tmp_path: Path) -> None:
    state = {f"layer.{n}.weight": torch.full((3,), float(n)) for n in range(1000)}
    torch.save(state, tmp_path / "x.bin", _use_new_zipfile_serialization=zipped)
    read = read_pickle(tmp_path / "x.bin")
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())


class Call:
    """Pickled as a call."""

    def __init__(self, what: object, *arguments: object) -> None:
        self.call = what, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def archive(path: Path, data: bytes, *, numbers: int = 4) -> Path:
    """An archive of `torch.save` with one storage of ``numbers`` and another pickle."""
    saved = io.BytesIO()
    torch.save({"a": torch.zeros(numbers)}, saved)
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            ours = entry.filename.endswith("data.pkl")
            new.writestr(entry.filename, data if ours else old.read(entry))
    return path


def pickle_in(path: Path) -> bytes:
    with zipfile.ZipFile(path) as there:
        return next(there.read(name) for name in there.namelist() if name.endswith("data.pkl"))


DOUBLED = b"".join(b"q" + bytes([n]) + b"h" + bytes([n]) + b"\x86" for n in range(60))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (pickle.dumps({"a": Call(bytearray, 700_000_000)}, protocol=2), "bytearray"),
        (pickle.dumps({"a": Call(eval, "1")}, protocol=2), "eval"),
        (pickle.dumps({"a": Call(torch.zeros, 9)}, protocol=2), "which no state dict needs"),
        (pickle.dumps({"a": bytearray(9)}, protocol=5), "which no state dict needs"),
        (pickle.dumps({1: "a"}, protocol=2), "other things than text"),
        (pickle.dumps({"a": 1}, protocol=2), "more than named tensors"),
        (pickle.dumps([], protocol=2), "more than named tensors"),
        # A tuple of two of itself, sixty times: to hash it takes 2 ** 60 steps.
        (b"\x80\x02})" + DOUBLED + b"X\x01\x00\x00\x00as.", "other things than text"),
        (b"\x80\x02}", "refused or unreadable"),
        (b"", "pickle exhausted"),
    ],
)
def test_a_pickle_of_anything_else_is_refused_before_it_takes_memory(
    data: bytes, says: str, tmp_path: Path
) -> None:
    zipped, old = archive(tmp_path / "zip.bin", data), tmp_path / "old.bin"
    saved = io.BytesIO()
    torch.save({}, saved, _use_new_zipfile_serialization=False)
    start = saved.getvalue()[: -len(pickle.dumps({}, 2) + pickle.dumps([], 2))]
    old.write_bytes(start + data + pickle.dumps([], 2) * bool(data))
    for path in (zipped, old):
        tracemalloc.start()
        with pytest.raises(FolderError, match=says):
            check_pickle(path)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        # The storage's length, the shape and the offset, as the pickle has them.
        (b"K\x04tq", b"J\x00\x00\x00\x30tq", "claim 3221225472 bytes where the file has 16"),
        (b"K\x04\x85q", b"J\x00\x00\x00\x30\x85q", "claim 3221225472 bytes, their storage has 16"),
        (b"QK\x00", b"QK\x01", "claim 20 bytes, their storage has 16"),
    ],
)
def test_a_tensor_that_claims_more_than_its_file_has_is_refused(
    old: bytes, new: bytes, says: str, tmp_path: Path
) -> None:
    torch.save({"a": torch.zeros(4)}, tmp_path / "good.bin")
    data = pickle_in(tmp_path / "good.bin")
    assert data.count(old) == 1
    with pytest.raises(FolderError, match=says):
        check_pickle(archive(tmp_path / "x.bin", data.replace(old, new)))


def test_a_view_without_a_stride_is_refused(tmp_path: Path) -> None:
    for number, zipped in enumerate((True, False)):
        path = tmp_path / f"{number}.bin"
        torch.save(
            {"a": torch.zeros(1).expand(9000, 9000)}, path, _use_new_zipfile_serialization=zipped
        )
        with pytest.raises(FolderError, match="claim 324000000 bytes"):
            check_pickle(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_was_cut_anywhere_is_refused(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    torch.save({"a": torch.ones(4)}, path, _use_new_zipfile_serialization=zipped)
    data = path.read_bytes()
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(FolderError, match="refused"):
            check_pickle(path)


def test_an_archive_with_a_second_pickle_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(4)}, tmp_path / "x.bin")
    for name in ("x/data.pkl", "y/data.pkl", "y/data/0"):
        with (
            zipfile.ZipFile(tmp_path / "x.bin") as old,
            zipfile.ZipFile(path := tmp_path / "twice.bin", "w") as new,
        ):
            for entry in old.infolist():
                new.writestr(entry.filename, old.read(entry))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # zipfile warns of a name that is there already
                new.writestr(name, b"x" * 0)
        with pytest.raises(FolderError, match="refused"):
            check_pickle(path)


def old_file(state: object) -> bytes:
    saved = io.BytesIO()
    torch.save(state, saved, _use_new_zipfile_serialization=False)
    return saved.getvalue()


def test_a_file_that_two_readers_would_read_as_two_is_refused(tmp_path: Path) -> None:
    saved = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, saved)
    clean, old = saved.getvalue(), old_file({"a": torch.ones(2)})
    path = tmp_path / "x.bin"
    for data in (old + clean, old + b"\0", b"\0" + clean, clean + clean, clean + b"\0" * 9):
        path.write_bytes(data)
        with pytest.raises(FolderError, match="refused"):
            read_pickle(path)


def text(word: str) -> bytes:
    return b"X" + len(word).to_bytes(4, "little") + word.encode()


def test_no_tuple_of_a_stranger_is_hashed(tmp_path: Path) -> None:
    """A storage's kind that is a tuple of tuples, sixty deep, and the keys of an old file."""
    storage = b"(" + text("storage") + b")" + DOUBLED + text("0") + text("cpu") + b"K\x01tQ"
    start = old_file({})[: -len(pickle.dumps({}, 2) + pickle.dumps([], 2))]
    (tmp_path / "keys.bin").write_bytes(start + b"\x80\x02}." + b"\x80\x02])" + DOUBLED + b"a.")
    kind = archive(tmp_path / "kind.bin", b"\x80\x02}" + text("a") + storage + b"s.")
    for path, says in ((kind, "another kind"), (tmp_path / "keys.bin", "other names than text")):
        with pytest.raises(FolderError, match=says):
            check_pickle(path)


def test_a_shape_of_thousands_of_huge_numbers_is_refused_at_once(tmp_path: Path) -> None:
    huge = b"\x8a\xff" + b"\x01" * 255
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + b"ctorch\nFloatStorage\n"
    tensor += text("0") + text("cpu") + b"K\x01tQK\x00"
    for axes in (1, 9, 4000):
        shape = b"(" + huge + b"q\x01" + b"h\x01" * (axes - 1) + b"t"
        data = b"\x80\x02}" + text("a") + tensor + shape + shape + b"\x89)tRs."
        with pytest.raises(FolderError, match="of too many axes" if axes > 8 else "another kind"):
            check_pickle(archive(tmp_path / "x.bin", data))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_thousand_tensors_on_one_storage_are_refused(zipped: bool, tmp_path: Path) -> None:
    one = torch.zeros(1000)
    for names, fits in ((2, True), (3, False), (1000, False)):
        state = {f"layer.{n}": one for n in range(names)}
        torch.save(state, tmp_path / "x.bin", _use_new_zipfile_serialization=zipped)
        if fits:
            assert len(read_pickle(tmp_path / "x.bin")) == names
            continue
        with pytest.raises(
            FolderError, match=f"claim {4000 * names} bytes, their storages have 4000"
        ):
            check_pickle(tmp_path / "x.bin")
