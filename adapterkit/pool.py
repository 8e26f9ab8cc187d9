"""Hundreds of adapters behind one backbone: loaded when first asked for, the least recently used dropped.

One process serves every language: the backbone is there once, an adapter costs its own few megabytes (half of that
over a bfloat16 backbone), and texts of different languages and tasks share a pass through it.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

from adapterkit.backbone.frozen import Backbone
from adapterkit.composition.adapter import Adapter
from adapterkit.composition.base import frozen, number_of, placed
from adapterkit.composition.rows import Rows
from adapterkit.composition.stack import Stack
from adapterkit.data.writing import PredictedText
from adapterkit.errors import ConfigError
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.model import AdaptedModel
from adapterkit.prediction import predict, texts_of

DEFAULT_BYTES = 1 << 30


class AdapterPool:
    """Adapters by name, of which only the recently used are in memory. All methods are thread-safe.

    Args:
        backbone: What all of them are for.
        allow_backbone: The name of ``backbone``, where it was derived from the one that the adapters were made
            for, to take them all the same (see `AdaptedModel`).
        max_bytes: Most memory that the weights held here take together. Adapters that a running call
            uses stay alive until it ends, whatever is dropped here meanwhile.

    Example::

        pool = ak.AdapterPool(ak.load_backbone("mini"))
        pool.add("cym", "adapters/cym")
        pool.add("pos", "mini:pos")
        pool.predict(["Croeso i Gymru ."], [("cym", "pos")])
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        max_bytes: int = DEFAULT_BYTES,
        allow_backbone: str | None = None,
    ) -> None:
        if max_bytes != math.inf and (number_of(max_bytes) or 0) <= 0:
            raise ConfigError(f"max_bytes = {max_bytes!r}: must be above 0, a number of bytes")
        if not isinstance(backbone, Backbone):
            raise ConfigError(
                f"a pool stands on a backbone, not {type(backbone).__name__} ({backbone!r:.60}): ak.load_backbone(...)"
            )
        self.backbone = backbone
        self.max_bytes = max_bytes
        self.allow_backbone = allow_backbone
        self._references: dict[str, str | Path] = {}
        self._there: OrderedDict[str, Adapter] = OrderedDict()
        self._lock = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}

    def add(self, name: str, reference: str | Path) -> None:
        """Make an adapter known; nothing is read yet.

        Args:
            name: What it is called here.
            reference: A folder, a starter (``mini:pos``) or a Hub repository id.

        Raises:
            ConfigError: If the name means another adapter already, or these are no name and no place.
        """
        if not isinstance(name, str) or not isinstance(reference, str | Path):
            raise ConfigError(
                f"a pool is given a name, and a folder or Hub id to load from, not {name!r:.60} and {reference!r:.60}"
            )
        if Path(reference).is_dir():  # loaded later, maybe from another working directory
            reference = Path(reference).absolute()
        with self._lock:
            if str(self._references.setdefault(name, reference)) != str(reference):
                raise ConfigError(f"the pool already has an adapter {name!r}; choose another name")
            self._loading.setdefault(name, threading.Lock())

    @property
    def names(self) -> tuple[str, ...]:
        """All adapters that are known."""
        with self._lock:
            return tuple(self._references)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Those in memory, the least recently used first."""
        with self._lock:
            return tuple(self._there)

    @property
    def held_bytes(self) -> int:
        """Memory that the weights held here take."""
        with self._lock:
            return sum(map(size_of, self._there.values()))

    def get(self, name: str) -> Adapter:
        """The adapter ``name``, from memory or from its folder; frozen, in the backbone's precision.

        Raises:
            ConfigError: If there is no such adapter, or it alone takes more than ``max_bytes``.
            FolderError: If its folder is wrong; the pool stays as it was.
            AdapterMismatch: If it was not made for the backbone.
        """
        found = self._recent(name)
        if found is not None:
            return found
        with self._loading[name]:  # of threads that ask for the same one, one loads
            found = self._recent(name)
            return found if found is not None else self._load(name)

    def _recent(self, name: str) -> Adapter | None:
        with self._lock:
            if name not in self._references:
                known = ", ".join(sorted(self._references)[:20]) or "none"
                raise ConfigError(f"the pool has no adapter {name!r}; it has: {known}")
            if name in self._there:
                self._there.move_to_end(name)
            return self._there.get(name)

    def _load(self, name: str) -> Adapter:
        adapter = load_adapter(self._references[name])
        adapter.check_fits(self.backbone.facts, allow_backbone=self.allow_backbone)
        adapter = frozen(placed(adapter, self.backbone.device, self.backbone.dtype))
        if size_of(adapter) > self.max_bytes:
            raise ConfigError(
                f"adapter {name!r} takes {size_of(adapter):,} bytes, more than the pool may hold "
                f"({self.max_bytes:,}); raise max_bytes"
            )
        with self._lock:
            self._there[name] = adapter
            total = sum(map(size_of, self._there.values()))
            while total > self.max_bytes:
                _, dropped = self._there.popitem(last=False)
                total -= size_of(dropped)
        return adapter

    def model(self, stacks: Iterable[Sequence[str]]) -> AdaptedModel:
        """A model with a row composition for each of ``stacks``, sequences of names, first to last."""
        named = [_names(stack) for stack in stacks]
        adapters = {name: self.get(name) for stack in named for name in stack}
        rows = Rows([Stack(*(adapters[name] for name in stack)) for stack in named])
        return AdaptedModel(self.backbone, rows, frozen=True, allow_backbone=self.allow_backbone)

    def predict(
        self,
        texts: Iterable[str | Sequence[str]],
        stacks: Sequence[Sequence[str]],
        *,
        progress: bool | None = False,
    ) -> list[PredictedText]:
        """Predict labels, every text with its own stack, all in common passes through the backbone.

        Args:
            texts: Raw texts, or texts already in words.
            stacks: The names of each text's adapters, e.g. ``("cym", "pos")``; one a text.
            progress: Show a bar if it takes long; None: if stderr is a terminal.

        Raises:
            ConfigError: If texts and stacks do not pair up, or a stack ends without a head.
        """
        if isinstance(stacks, str) or not isinstance(stacks, Sequence):
            raise ConfigError(
                f"stacks are a list of names for each text, such as [('cym', 'pos')], not {stacks!r:.60}"
            )
        given, named = texts_of(texts), [_names(stack) for stack in stacks]
        if len(given) != len(named):
            raise ConfigError(f"{len(given)} texts need as many stacks, got {len(named)}")
        if not given:
            return []
        kinds = {stack: number for number, stack in enumerate(dict.fromkeys(named))}
        rows = [kinds[stack] for stack in named]
        return predict(self.model(kinds), given, rows=rows, progress=progress)


def _names(stack: object) -> tuple[str, ...]:
    if isinstance(stack, list | tuple) and all(isinstance(name, str) for name in stack):
        return tuple(stack)
    raise ConfigError(
        f'a stack is a list of names of the pool, such as ("cym", "pos"), not {stack!r:.60}'
    )


def size_of(adapter: Adapter) -> int:
    """Bytes that its weights take in memory."""
    return sum(parameter.nbytes for parameter in adapter.parameters())
