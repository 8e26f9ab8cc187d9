"""Reading the tensors of weight files whose headers were compared, and copying them into modules."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.errors import ConfigError, FolderError, found
from adapterkit.formats.description import Weights
from adapterkit.formats.shapes import shortened
from adapterkit.header import TensorFacts, read_header
from adapterkit.tensorfile import read_pickle, read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

    from adapterkit.nn.embedding_rows import EmbeddingRows

LARGEST_VALUE = 1e6
"""No weight that does anything sensible is larger; one that is would drown every activation."""


class Files:
    """The weight files of one folder; a pickle, whose header is in itself, is read once."""

    def __init__(self) -> None:
        self._pickles: dict[Path, dict[str, Tensor]] = {}

    def facts(self, path: Path) -> Mapping[str, TensorFacts]:
        """Names, dtypes and shapes in the file at ``path``."""
        if path.suffix == ".safetensors":
            return read_header(path)
        self._pickles[path] = read_pickle(path)
        return {
            key: TensorFacts(_dtype(tensor), tuple(tensor.shape))
            for key, tensor in self._pickles[path].items()
        }

    def values(self, weights: Weights) -> dict[str, "Tensor"]:
        """The named tensors of a compared file by our names, finite and sane.

        Raises:
            FolderError: With every tensor that is not.
        """
        path = weights.path
        there = self._pickles[path] if path in self._pickles else read_tensors(path)
        problems: list[str] = []
        named: dict[str, Tensor] = {}
        for key, name in sorted(weights.names.items()):
            problems += _value_problems(key, there[key])
            first = named.setdefault(name, there[key])
            if first is not there[key] and not bool((first == there[key]).all()):
                problems.append(f"{key}: another copy of the same tensor has other values")
        if problems:
            raise FolderError(f"{path}: weights that cannot be right:{found(shortened(problems))}")
        return named


def _dtype(tensor: "Tensor") -> str:
    names = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
    plain = str(tensor.dtype).removeprefix("torch.")
    return names.get(plain, plain)


def _value_problems(key: str, tensor: "Tensor") -> list[str]:
    if not tensor.numel() or not tensor.is_floating_point():
        return []
    # One pass, and without a tensor of its own; whatever is not a number comes out of it.
    lowest, highest = (float(end) for end in tensor.aminmax())
    largest = max(abs(lowest), abs(highest))
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        return [f"{key}: holds values that are not finite"]
    return [f"{key}: holds a value of {largest:.1e}"] if largest > LARGEST_VALUE else []


@contextmanager
def hollow() -> Iterator[None]:
    """Build modules without memory or fresh weights, to be filled."""
    import torch
    from torch.nn import init
    from torch.overrides import TorchFunctionMode

    drawing = {init.kaiming_uniform_, init.uniform_}

    class Undrawn(TorchFunctionMode):
        """What would be drawn has no place to stand in, and drawing it is half of the time."""

        def __torch_function__(
            self,
            func: Callable[..., Any],
            types: Any,
            args: tuple[Any, ...] = (),
            kwargs: dict[str, Any] | None = None,
        ) -> Any:
            return None if func in drawing else func(*args, **(kwargs or {}))

    with torch.device("meta"), Undrawn():
        yield


def fill_module(module: "nn.Module", values: Mapping[str, "Tensor"]) -> None:
    """Give a `hollow` module ``values``, whose names and shapes were compared, as float32 of its own."""
    import torch

    targets = module.state_dict()
    if targets.keys() != values.keys():  # a bug of ours: the shapes and the modules disagree
        raise AssertionError(f"{sorted(targets.keys() ^ values.keys())} are left over")
    own = {name: value.to(torch.float32, copy=True) for name, value in values.items()}
    module.load_state_dict(own, assign=True)


def read_rows(files: Files, weights: Weights) -> "EmbeddingRows":
    """Embedding rows from a compared file, in the precision in which they are stored.

    Raises:
        FolderError: If its token ids are not in rising order from 0 on, each once, or a delta is no sane number.
    """
    from adapterkit.nn.embedding_rows import EmbeddingRows

    values = files.values(weights)
    ids, deltas = values["embedding_rows.ids"], values["embedding_rows.deltas"]
    try:
        rows = EmbeddingRows(ids, deltas.shape[1]).to(deltas.dtype)
    except ConfigError as error:
        raise FolderError(f"{weights.path}: {error}") from None
    rows.load_state_dict({"ids": ids, "deltas": deltas})
    return rows


def fill(targets: Mapping[str, "Tensor"], values: Mapping[str, "Tensor"]) -> None:
    """Copy ``values``, whose names and shapes were compared, into ``targets``."""
    if targets.keys() != values.keys():  # a bug of ours: the shapes and the modules disagree
        raise AssertionError(f"{sorted(targets.keys() ^ values.keys())} are left over")
    for name, value in values.items():
        targets[name].copy_(value)
