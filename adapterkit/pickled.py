"""Old ``.bin`` files, as `torch.save` writes state dicts: checked before torch's own reader sees them.

A pickle is a program. Here a small machine knows the few instructions of which `torch.save` makes a state
dict, and gives them a meaning of its own: no module is imported and no function called because a file says so,
and every tensor is compared with the bytes that the file holds. torch's ``weights_only`` reader runs no code
either, but it makes a ``bytearray`` of any length, hashes tuples of tuples for years, and looks at no sizes.
"""

import math
import pickletools
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from adapterkit.errors import FolderError

_KINDS = {
    "torch DoubleStorage": 8,
    "torch FloatStorage": 4,
    "torch HalfStorage": 2,
    "torch BFloat16Storage": 2,
    "torch LongStorage": 8,
    "torch IntStorage": 4,
    "torch ShortStorage": 2,
    "torch CharStorage": 1,
    "torch ByteStorage": 1,
    "torch BoolStorage": 1,
}
"""Bytes of a number, by the class that a file names."""
_DICT, _PARAMETER = "collections OrderedDict", "torch._utils _rebuild_parameter"
_TENSOR = "torch._utils _rebuild_tensor_v2"
_AXES, _LONGEST = 8, 2**40
"""More axes, and larger numbers, no tensor of a state dict has."""
_END = 22
"""Bytes of what closes an archive."""
_SHARED = 2
"""So many times the bytes of their storages tensors may have in all: each under two names."""
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""What a file from before archives begins with."""


@dataclass(frozen=True)
class _Storage:
    kind: str
    key: str
    count: int

    @property
    def bytes(self) -> int:
        return self.count * _KINDS[self.kind]


@dataclass(frozen=True)
class _Stored:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def check_pickle(path: Path) -> None:
    """Refuse a file that is anything else than a state dict of plain tensors, no larger than the file.

    Raises:
        FolderError: If it is.
    """
    try:
        if _is_archive(path):
            with zipfile.ZipFile(path) as archive:
                state = _in_archive(path, archive)
        else:
            with path.open("rb") as file:
                state = _in_sequence(path, file)
        _check_tensors(path, state)
    except FolderError:
        raise
    # What the bytes of a stranger make a reader raise is open-ended; whatever it is, it is a refusal.
    except Exception as error:
        raise refusal(path, error) from None


def refusal(path: Path, error: Exception) -> FolderError:
    """What is said of a file that cannot be read."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return FolderError(f"{path}: refused or unreadable as a plain state dict ({reason:.200})")


def _is_archive(path: Path) -> bool:
    """As torch asks it: a file that holds an archive further on is none, or two readers would see two files."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _in_archive(path: Path, archive: zipfile.ZipFile) -> Any:
    size, total = path.stat().st_size, sum(entry.file_size for entry in archive.infolist())
    if total > size:  # `torch.save` compresses nothing
        raise FolderError(
            f"{path}: refused, its archive unpacks to {total} bytes, the file has {size}"
        )
    names = archive.namelist()
    (root,) = (name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl"))
    if len(set(names)) < len(names) or not all(name.startswith(root) for name in names):
        raise ValueError("its archive has a file twice, or files beside its folder")
    with path.open("rb") as file:
        file.seek(-_END, 2)
        ends = file.read(4) == b"PK\x05\x06"
    if min(entry.header_offset for entry in archive.infolist()) or not ends:
        raise ValueError("there is more in it than its archive")
    machine = _Machine()
    state = machine.run(BytesIO(archive.read(f"{root}data.pkl")))
    for storage in machine.storages.values():
        _check_size(path, storage, archive.getinfo(f"{root}data/{storage.key}").file_size)
    return state


def _in_sequence(path: Path, file: IO[bytes]) -> Any:
    """Five pickles one after the other, then each storage with its length before it."""
    if (_Machine().run(file), _Machine().run(file)) != (_MAGIC, _PROTOCOL):
        raise ValueError("does not begin as torch.save begins")
    _Machine().run(file)  # sizes on the machine that wrote it
    machine = _Machine()
    state, keys = machine.run(file), _Machine().run(file)
    size = path.stat().st_size
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("its storages have other names than text")
    for key in keys:
        storage = machine.storages[key]
        _check_size(path, storage, size - file.tell() - 8)
        if int.from_bytes(file.read(8), "little") != storage.count:
            raise ValueError(f"storage {key} has another length than its tensors say")
        file.seek(storage.bytes, 1)
    if file.tell() != size:
        raise ValueError("there is more in it than its tensors")
    return state


def _check_size(path: Path, storage: _Storage, there: int) -> None:
    if storage.bytes > there:
        raise FolderError(
            f"{path}: refused, its tensors claim {storage.bytes} bytes where the file has {there}"
        )


def _check_tensors(path: Path, state: Any) -> None:
    if not isinstance(state, dict) or not all(isinstance(v, _Stored) for v in state.values()):
        raise FolderError(f"{path}: holds more than named tensors; refused")
    for stored in state.values():
        _check_view(path, stored)
    # Tied weights and second names share a storage; a stranger could hang a thousand tensors on one.
    held = sum(storage.bytes for storage in {stored.storage for stored in state.values()})
    claimed = sum(math.prod(s.shape) * _KINDS[s.storage.kind] for s in state.values())
    if claimed > _SHARED * held:
        raise FolderError(
            f"{path}: refused, its tensors claim {claimed} bytes, their storages have {held}"
        )


def _check_view(path: Path, stored: _Stored) -> None:
    """A tensor must lie in its storage, and have no more numbers: a view can claim any shape."""
    count, last = 1, stored.offset
    for length, step in zip(stored.shape, stored.stride, strict=True):
        count *= length
        last += (length - 1) * step
    if count > stored.storage.count or (count and last >= stored.storage.count):
        width = _KINDS[stored.storage.kind]
        raise FolderError(
            f"{path}: refused, its tensors claim {max(count, last + 1) * width} bytes, "
            f"their storage has {stored.storage.bytes}"
        )


@dataclass
class _Machine:
    """Runs one pickle. Strings, whole numbers, tuples, lists and dicts are themselves; a global is its name."""

    stack: list[Any] = field(default_factory=list)
    marks: list[list[Any]] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    storages: dict[str, _Storage] = field(default_factory=dict)

    def run(self, file: IO[bytes]) -> Any:
        """What the next pickle in ``file`` describes.

        Raises:
            ValueError: If it has an instruction that no state dict needs; other errors where it is broken.
        """
        for operation, argument, _ in pickletools.genops(file):
            if operation.name not in _OPERATIONS:
                raise ValueError(f"its pickle has {operation.name}, which no state dict needs")
            _OPERATIONS[operation.name](self, argument)
        (value,) = self.stack
        return value

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        values, self.stack = self.stack, self.marks.pop()
        return values

    def last(self, count: int) -> tuple[Any, ...]:
        values = tuple(self.stack.pop() for _ in range(count))
        return values[::-1]

    def name(self, name: str) -> None:
        if name not in (_DICT, _TENSOR, _PARAMETER, *_KINDS):
            raise ValueError(f"it names {name.replace(' ', '.')}, which no state dict needs")
        self.push(name)

    def fill(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        names = pairs[::2]
        if not isinstance(target, dict) or not all(isinstance(name, str) for name in names):
            raise ValueError("something is named by other things than text")
        target.update(zip(names, pairs[1::2], strict=True))

    def extend(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError("something is added to what is no list")
        self.stack[-1].extend(values)

    def storage(self) -> None:
        what, kind, key, _, count, *view = self.stack.pop()
        # Of a stranger's tuples none is hashed: one of tuples of tuples takes years.
        known = isinstance(kind, str) and kind in _KINDS
        if what != "storage" or not known or view not in ([], [None]):
            raise ValueError("a storage of another kind")
        if not isinstance(key, str) or _whole(count) is None:
            raise ValueError("a storage without a name or a length")
        storage = self.storages.setdefault(key, _Storage(kind, key, count))
        if storage != _Storage(kind, key, count):
            raise ValueError(f"storage {key} is told twice, in two ways")
        self.push(storage)

    def call(self) -> None:
        what, values = self.last(2)
        if what == _DICT and values == ():
            self.push({})
        elif what == _TENSOR:
            storage, offset, shape, stride, *_ = values
            numbers = [offset, *shape, *stride]
            if len(numbers) > 2 * _AXES + 1:
                raise ValueError("a tensor of too many axes")
            if not isinstance(storage, _Storage) or any(_whole(n) is None for n in numbers):
                raise ValueError("a tensor of another kind")
            self.push(_Stored(storage, offset, tuple(shape), tuple(stride)))
        elif what == _PARAMETER and isinstance(values[0], _Stored):
            self.push(values[0])
        else:
            raise ValueError("something is called that no state dict needs")


def _whole(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= _LONGEST else None


_Step = Callable[[_Machine, Any], object]
_OPERATIONS: Mapping[str, _Step] = {
    "PROTO": lambda m, _: None,
    "STOP": lambda m, _: None,
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), _Machine.push),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "SHORT_BINSTRING"), _Machine.push),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "MARK": lambda m, _: m.mark(),
    "TUPLE": lambda m, _: m.push(tuple(m.since_mark())),
    "TUPLE1": lambda m, _: m.push(m.last(1)),
    "TUPLE2": lambda m, _: m.push(m.last(2)),
    "TUPLE3": lambda m, _: m.push(m.last(3)),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), lambda m, at: m.memo.update({at: m.stack[-1]})),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda m, at: m.push(m.memo[at])),
    "SETITEM": lambda m, _: m.fill(list(m.last(2))),
    "SETITEMS": lambda m, _: m.fill(m.since_mark()),
    "APPEND": lambda m, _: m.extend(list(m.last(1))),
    "APPENDS": lambda m, _: m.extend(m.since_mark()),
    "GLOBAL": lambda m, name: m.name(name),
    "BINPERSID": lambda m, _: m.storage(),
    "REDUCE": lambda m, _: m.call(),
    "BUILD": lambda m, _: m.last(1),  # attributes of an OrderedDict, of which nothing here knows
}
