"""All that an adapter folder says, read strictly and compared, before any tensor is read. No torch.

Loading and inspecting both start here: the folder is guarded, its JSON read, its checksums verified, and
the names, shapes and dtypes in the weights' headers compared with those that the configuration calls for.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapterkit.backbone.architectures import architecture
from adapterkit.backbone.identity import canonical
from adapterkit.backbone.layout import Architecture
from adapterkit.config import BackboneFacts, BottleneckConfig
from adapterkit.errors import ConfigError, FolderError, found
from adapterkit.formats import guard, keys, shapes
from adapterkit.formats.envelope import DEEPEST, Envelope, read_envelope
from adapterkit.formats.heads import HeadEnvelope, read_head
from adapterkit.formats.own import read_own, recorded_backbone
from adapterkit.formats.values import whole
from adapterkit.header import TensorFacts
from adapterkit.tensorfile import digest_of_files

Facts = Mapping[str, TensorFacts]
FactsOf = Callable[[Path], Facts | None]
"""Names, shapes and dtypes of a weight file's tensors; None where it shall stay closed (a pickle)."""


@dataclass(frozen=True)
class Weights:
    """A weight file.

    Attributes:
        path: Where it is.
        names: Our name of every tensor, by its key in the file; empty if the file stayed closed.
            Two keys may have one name: the second must then hold the same values.
    """

    path: Path
    names: Mapping[str, str]


@dataclass(frozen=True)
class Description:
    """What a folder says of an adapter; everything in it fits together.

    Attributes:
        envelope: ``adapter_config.json``.
        own: ``adapterkit.json``, empty without one.
        backbone: The backbone it was made for; depth 0 where that stayed unknown.
        weights: The adapter's own.
        head: ``head_config.json``, if there is a head.
        head_weights: The head's.
        rows: The embedding rows, if there are any.
    """

    envelope: Envelope
    own: Mapping[str, Any]
    backbone: BackboneFacts
    weights: Weights
    head: HeadEnvelope | None = None
    head_weights: Weights | None = None
    rows: Weights | None = None

    @property
    def provenance(self) -> dict[str, Any]:
        """How it was made, and under ``envelope`` what its configuration file says besides."""
        extra = dict(self.envelope.extra)
        return {**self.own.get("provenance", {}), **({"envelope": extra} if extra else {})}


def describe(folder: Path, facts_of: FactsOf, *, with_head: bool = True) -> Description:
    """Read all of ``folder`` but the values of its tensors; ``with_head`` off leaves a head out.

    Raises:
        FolderError: If it is incomplete, altered, of another kind, contradicts itself, or its
            tensors are not exactly those its configuration calls for.
    """
    guard.check_folder(folder)
    said = read_envelope(folder / guard.CONFIG)
    own = read_own(folder)
    try:
        row = architecture(said.backbone.model_type)
    except ConfigError as error:
        raise FolderError(f"{folder}: {error}") from None
    if row.norms_open:
        # AdapterHub trained with the last layer's norm in every layer; ours say so if they did not.
        said = replace(said, config=replace(said.config, own_norms=bool(own.get("own_norms"))))
    path = guard.weight_file(folder, guard.ADAPTER_WEIGHTS)
    facts = facts_of(path)
    full = _full_keys(path, facts or {}, row)
    said = _without_lost_coupling(said, full) if facts is not None else said
    backbone = _backbone(folder, said, recorded_backbone(folder, own), row, full)
    weights = Weights(path, {})
    if facts is not None:
        weights = _compared(path, said, backbone, row, {full[key]: f for key, f in facts.items()})
        weights = replace(weights, names={key: weights.names[full[key]] for key in facts})
    head, head_weights = _head(folder, backbone, facts_of) if with_head else (None, None)
    rows = describe_rows(folder, own, backbone.width, facts_of)
    told = Description(said, own, backbone, weights, head, head_weights, rows)
    if with_head:
        check_digest(folder, own, lambda stored: digest(told, stored=stored))
    return told


def describe_head(folder: Path, width: int, facts_of: FactsOf) -> tuple[HeadEnvelope, Weights]:
    """Read a head that stands alone in ``folder``, for a backbone of ``width`` units.

    Raises:
        FolderError: As `describe`.
    """
    guard.check_folder(folder)
    head = read_head(folder / guard.HEAD_CONFIG)
    return head, _head_weights(folder, head, width, facts_of)


def digest(told: Description, *, stored: bool = False) -> str | None:
    """The digest that the loaded adapter has; None if a weight file stayed closed or is a pickle.

    Args:
        told: The folder.
        stored: Whether values count as they are stored; so they did in folders in half precision once.
    """
    more = (told.head_weights, told.rows)
    files = [told.weights, *(weights for weights in more if weights is not None)]
    if any(file.path.suffix != ".safetensors" or not file.names for file in files):
        return None
    names = {key: name for file in files for key, name in file.names.items()}
    apart = "embedding_rows."  # loaded as they are stored
    cast = {name for name in names.values() if not (stored or name.startswith(apart))}
    return digest_of_files([file.path for file in files], names, cast=cast)


def _full_keys(path: Path, facts: Facts, row: Architecture) -> dict[str, str]:
    """The key that AdapterHub writes today, by the key in the file."""
    full = {key: keys.with_prefix(keys.modern(key), row) for key in facts}
    if len(set(full.values())) < len(full):
        times = Counter(full.values())
        twice = sorted(key for key, name in full.items() if times[name] > 1)
        raise FolderError(f"{path}: several keys of one tensor:{found(shapes.shortened(twice))}")
    return full


def _without_lost_coupling(said: Envelope, full: Mapping[str, str]) -> Envelope:
    """Old task adapters declare a coupling that was never trained nor saved: they have none."""
    lost = not any(".invertible_adapters." in key for key in full.values())
    if said.extra.get("type") != "text_task" or not said.config.invertible or not lost:
        return said
    usual = BottleneckConfig().invertible_reduction_factor
    config = replace(said.config, invertible=False, invertible_reduction_factor=usual)
    return replace(said, config=replace(config, invertible_non_linearity=""))


def _backbone(
    folder: Path,
    said: Envelope,
    recorded: BackboneFacts | None,
    row: Architecture,
    full: Mapping[str, str],
) -> BackboneFacts:
    layers, decoder = keys.depths(row, said.name, list(full.values()), said.config.leave_out)
    facts = replace(
        said.backbone, name=canonical(said.backbone.name), layers=layers, decoder_layers=decoder
    )
    if recorded is None:
        return facts
    problems = [
        f"{what}: {guard.OWN_FILE} says {a}, the rest of the folder {b}"
        for what, a, b in (
            ("type", recorded.model_type, facts.model_type),
            ("width", recorded.width, facts.width),
        )
        if a != b
    ]
    if not 0 <= recorded.decoder_layers < recorded.layers <= DEEPEST:
        problems.append(
            f"layers: {guard.OWN_FILE} says {recorded.layers}, {recorded.decoder_layers} in a decoder"
        )
    if problems:
        raise FolderError(f"{folder}: contradicts itself:{found(problems)}")
    return recorded


def _compared(
    path: Path, said: Envelope, backbone: BackboneFacts, row: Architecture, facts: Facts
) -> Weights:
    """Our name of every tensor, by its full key, once all of them are as they must be."""
    config = said.config
    numbers = [layer for layer in range(backbone.layers) if layer not in config.leave_out]
    names = keys.adapter_keys(row, said.name, numbers, config, backbone)
    try:
        needed = shapes.adapter_shapes(config, backbone.width, numbers)
    except ConfigError as error:
        raise FolderError(f"{path.parent}: {error}") from None
    doubles = {
        second: names[first]
        for second, first in keys.alias_keys(row, said.name, numbers, config, backbone).items()
        if second in facts
    }
    # Either of the two keys of one tensor will do.
    doubled = set(doubles.values())
    wanted = {key: needed[name] for key, name in {**names, **doubles}.items()}
    spare = {key for key, name in names.items() if name in doubled and key not in facts}
    require(path, {key: shape for key, shape in wanted.items() if key not in spare}, facts)
    return Weights(path, {**names, **doubles})


def require(path: Path, wanted: Mapping[str, shapes.Shape], facts: Facts) -> None:
    """Refuse a weight file whose tensors are not exactly those ``wanted``.

    Raises:
        FolderError: With every difference.
    """
    problems = shapes.differences(wanted, facts)
    if not facts:
        problems.insert(0, "it holds no tensors")
    if problems:
        raise FolderError(
            f"{path}: not the weights that its configuration calls for:"
            f"{found(shapes.shortened(problems))}"
        )


def _head(
    folder: Path, backbone: BackboneFacts, facts_of: FactsOf
) -> tuple[HeadEnvelope | None, Weights | None]:
    if not (folder / guard.HEAD_CONFIG).is_file():
        lone = [name for name in guard.HEAD_WEIGHTS if (folder / name).is_file()]
        if lone:
            raise FolderError(f"{folder}: holds {lone[0]} but no {guard.HEAD_CONFIG}")
        return None, None
    head = read_head(folder / guard.HEAD_CONFIG)
    if head.model_type not in ("", backbone.model_type):
        raise FolderError(
            f"{folder}: contradicts itself:\n  type: {guard.HEAD_CONFIG} says {head.model_type}, "
            f"the adapter is for {backbone.model_type}"
        )
    return head, _head_weights(folder, head, backbone.width, facts_of)


def _head_weights(folder: Path, head: HeadEnvelope, width: int, facts_of: FactsOf) -> Weights:
    if head.width not in (0, width):
        raise FolderError(
            f"{folder / guard.HEAD_CONFIG}: a head of another width:\n"
            f"  hidden_size: {head.width}, needed {width}"
        )
    path = guard.weight_file(folder, guard.HEAD_WEIGHTS)
    facts = facts_of(path)
    if facts is None:
        return Weights(path, {})
    names = keys.head_keys(head.config, head.name)
    needed = shapes.head_shapes(head.config, width)
    require(path, {key: needed[name] for key, name in names.items()}, facts)
    return Weights(path, names)


def describe_rows(
    folder: Path, own: Mapping[str, Any], width: int, facts_of: FactsOf
) -> Weights | None:
    """The embedding rows in ``folder``, as `embedding_rows` reads them; None if it has none.

    Raises:
        FolderError: If the file and `adapterkit.json` do not agree that there are some, and how many, or it
            holds other tensors than token ids and deltas of this width.
    """
    path = folder / guard.ROWS_WEIGHTS
    if "embedding_rows" not in own:
        if path.is_file():
            raise FolderError(
                f"{folder}: holds {path.name}, of which no {guard.OWN_FILE} says anything; "
                "fetch or train it again, or delete that file to go without it"
            )
        return None
    count = whole(own["embedding_rows"], 1, 2**31)
    if count is None:
        raise FolderError(
            f"{folder / guard.OWN_FILE}: 'embedding_rows' must be a number of rows, found {own['embedding_rows']!r:.40}"
        )
    if not path.is_file():
        raise FolderError(
            f"{folder}: {guard.OWN_FILE} says that it has {count} embedding rows, but there is no {path.name}; "
            "fetch or train it again"
        )
    facts = facts_of(path) or {}
    problems = shapes.differences(
        {"deltas": (count, width), "ids": (count,)}, facts, whole=("ids",)
    )
    if problems:
        raise FolderError(f"{path}: no embedding rows:{found(shapes.shortened(problems))}")
    return Weights(path, {name: f"embedding_rows.{name}" for name in ("ids", "deltas")})


def check_digest(
    folder: Path, own: Mapping[str, Any], digest_of: Callable[[bool], str | None]
) -> None:
    """Compare the digest that `adapterkit.json` names with the one that the weights have, loaded or as stored.

    Raises:
        FolderError: If both are known and differ.
    """
    recorded = own.get("digest")
    there = digest_of(False)
    if recorded and there and recorded != there and recorded != digest_of(True):
        raise FolderError(
            f"{folder}: not as it was written:\n  digest: {guard.OWN_FILE} says {recorded[:12]}, "
            f"its weights have {there[:12]}\nFetch or train it again."
        )
