"""Reading a weight file whole, and copying it into modules once everything about it was compared.

For PEFT folders and fusions, whose modules are made from what the file holds; AdapterHub's adapters are compared by header
alone (`description`) before a module is made.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from adapterkit.errors import FolderError, found
from adapterkit.formats import guard
from adapterkit.formats.shapes import shortened
from adapterkit.tensorfile import read_pickle, read_tensors

if TYPE_CHECKING:
    from torch import Tensor


def weights_of(folder: Path, names: tuple[str, str]) -> dict[str, "Tensor"]:
    """The tensors in the first of ``names`` that is there: safetensors before an old pickle.

    Raises:
        FolderError: If none is, or links lead out of the folder.
    """
    guard.check_folder(folder)
    path = guard.weight_file(folder, names)
    if Path(path).is_dir():
        raise FolderError(f"{path}: is no file")
    return read_tensors(path) if path.suffix == ".safetensors" else read_pickle(path)


def fill_module(
    path: Path,
    targets: Mapping[str, "Tensor"],
    tensors: Mapping[str, "Tensor"],
    wanted: Mapping[str, str],
) -> None:
    """Copy ``tensors`` into ``targets`` after comparing names, shapes, kinds and values.

    Args:
        path: The file, for messages.
        targets: Where to, by our names.
        tensors: What the file holds.
        wanted: Our name of every tensor that must be there, by the file's.

    Raises:
        FolderError: With every difference; nothing has been copied then.
    """
    problems = [f"{key}: missing" for key in wanted if key not in tensors]
    problems += [f"{key}: not part of this adapter" for key in tensors if key not in wanted]
    for key, name in wanted.items():
        if key in tensors:
            problems += _problems(key, tensors[key], targets[name])
    if problems:
        raise FolderError(
            f"{path}: not the weights that its configuration calls for:{found(shortened(sorted(problems)))}"
        )
    for key, name in wanted.items():
        targets[name].copy_(tensors[key])


def _problems(key: str, tensor: "Tensor", target: "Tensor") -> list[str]:
    if tensor.shape != target.shape:
        return [f"{key}: shape {tuple(tensor.shape)}, needed {tuple(target.shape)}"]
    if not tensor.is_floating_point():
        return [f"{key}: dtype {tensor.dtype}, a floating-point one is needed"]
    return [] if bool(tensor.isfinite().all()) else [f"{key}: holds values that are not finite"]
