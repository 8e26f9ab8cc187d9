"""`adapterkit.json`: what an adapter folder says beyond AdapterHub's files, and checksums. No torch.

Other loaders ignore it. Where it stands, it binds: to the files, to the backbone, to the weights' digest.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.backbone.architectures import ARCHITECTURES
from adapterkit.config import BackboneFacts, BottleneckConfig
from adapterkit.errors import FolderError, found
from adapterkit.files import read_json, sha256_of
from adapterkit.formats.guard import OWN_FILE, READ
from adapterkit.formats.values import plain_file_name, whole

if TYPE_CHECKING:
    from adapterkit.composition.adapter import Adapter

FORMAT = 1
_KINDS: dict[str, type] = {
    "kind": str,
    "language": str,
    "digest": str,
    "backbone": dict,
    "files": dict,
    "provenance": dict,
    "own_norms": bool,
    "name": str,
    "labels": list,
}


def read_own(folder: Path) -> dict[str, Any]:
    """What `adapterkit.json` says (empty without one), its types checked and its checksums verified.

    Raises:
        FolderError: If a file it names is missing or was altered, or one that is read is not named.
    """
    if not (folder / OWN_FILE).is_file():
        return {}
    own = read_json(folder / OWN_FILE)
    problems = [
        f"{key!r} must be a {kind.__name__}, found {own[key]!r:.80}"
        for key, kind in _KINDS.items()
        if key in own and not isinstance(own[key], kind)
    ]
    if own.get("format", FORMAT) != FORMAT:
        problems.append(
            f"format = {own['format']!r:.20}: this version of adapterkit reads {FORMAT}"
        )
    labels = own.get("labels")
    if isinstance(labels, list) and not _distinct_texts(labels):
        problems.append(f"'labels' must be distinct names, found {labels!r:.80}")
    if problems:
        raise FolderError(f"{folder / OWN_FILE}: cannot be read:{found(problems)}")
    _check_sums(folder, own.get("files", {}))
    return own


def _distinct_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values) and len(set(values)) == len(values)


def _check_sums(folder: Path, sums: Mapping[str, Any]) -> None:
    problems = [problem for name in sums for problem in _sum_problem(folder, name, sums[name])]
    unnamed = [name for name in READ if name not in sums and name != OWN_FILE]
    if sums:
        problems += [
            f"{name}: not there when it was written"
            for name in unnamed
            if (folder / name).is_file()
        ]
    if problems:
        raise FolderError(
            f"{folder}: not as it was written:{found(problems)}\nFetch or train it again."
        )


def _sum_problem(folder: Path, name: str, expected: object) -> list[str]:
    if not plain_file_name(name):
        return [f"{name!r:.80}: not a plain file name"]
    if not (folder / name).is_file():
        return [f"{name}: missing"]
    if sha256_of(folder / name) != expected:
        return [f"{name}: altered since it was written (its sha256 differs)"]
    return []


def recorded_backbone(folder: Path, own: Mapping[str, Any]) -> BackboneFacts | None:
    """The backbone that `adapterkit.json` names, or None if it names none.

    Raises:
        FolderError: If that has other keys or other types than we write.
    """
    record = own.get("backbone")
    if not record:
        return None
    sizes = [whole(record.get(key, 0), 0, 65536) for key in ("width", "layers", "decoder_layers")]
    texts = [record.get(key, "") for key in ("name", "digest", "model_type")]
    unknown = set(record) - {field.name for field in fields(BackboneFacts)}
    if unknown or None in sizes or not all(isinstance(text, str) for text in texts):
        raise FolderError(f"{folder / OWN_FILE}: 'backbone' cannot be read: {record!r:.200}")
    return BackboneFacts(*texts, *(size or 0 for size in sizes))


def own_record(adapter: "Adapter", sums: Mapping[str, str]) -> dict[str, Any]:
    """The contents of `adapterkit.json`."""
    return {
        "format": FORMAT,
        "kind": adapter.kind,
        "language": adapter.language,
        "backbone": _facts(adapter.backbone),
        "digest": adapter.digest(),
        "files": dict(sums),
        "provenance": adapter.provenance,
        **_norms(adapter),
        **_rows(adapter),
    }


def _facts(backbone: BackboneFacts) -> dict[str, Any]:
    record = asdict(backbone)
    if not backbone.decoder_layers:
        del record["decoder_layers"]
    return record


def _rows(adapter: "Adapter") -> dict[str, int]:
    rows = adapter.embedding_rows
    return {} if rows is None else {"embedding_rows": len(rows)}


def _norms(adapter: "Adapter") -> dict[str, bool]:
    row = ARCHITECTURES.get(adapter.backbone.model_type)
    if row is None or not row.norms_open or not isinstance(adapter.config, BottleneckConfig):
        return {}
    return {"own_norms": adapter.config.own_norms}
