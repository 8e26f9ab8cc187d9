"""`fill` and `inspect`: looking at what an adapter learned and at what a folder is."""

import re
from typing import Annotated, Any

import typer

from adapterkit.cli.options import (
    BackboneName,
    Device,
    Dtype,
    Json,
    StackNames,
    load,
    load_stack,
    print_json,
    print_table,
)

_DIGEST = re.compile(r"[0-9a-f]{64}")


def fill(
    text: Annotated[str, typer.Argument(help="A text with <mask> in it.")],
    backbone: BackboneName = "mini",
    stack: StackNames = "",
    guesses: Annotated[int, typer.Option("--guesses", help="How many for each mask.")] = 5,
    device: Device = None,
    dtype: Dtype = None,
    json: Json = False,
) -> None:
    """What a language adapter expects at a mask: a check without labels.

    Example: adapterkit fill --stack adapters/cym "Mae hi'n <mask> heddiw ."
    """
    from adapterkit.model import AdaptedModel
    from adapterkit.prediction import fill as guess

    model = AdaptedModel(load(backbone, device=device, dtype=dtype), load_stack(stack))
    found = guess(model, text, guesses=guesses)
    if json:
        print_json([[{"token": g.token, "score": g.score} for g in mask] for mask in found])
        return
    for number, mask in enumerate(found, start=1):
        print_table(
            f"mask {number}", ("token", "probability"), [(g.token, f"{g.score:.3f}") for g in mask]
        )


def inspect(
    folder: Annotated[
        str, typer.Argument(help="An adapter's folder, a starter (mini:eng) or a Hub id.")
    ],
    json: Json = False,
) -> None:
    """What an adapter folder is, what it fits, and its digest. Nothing is loaded.

    Example: adapterkit inspect adapters/cym
    """
    from adapterkit.formats.inspection import inspect as look
    from adapterkit.formats.places import folder_of

    record = look(folder_of(folder))
    if json:
        print_json(record)
        return
    made = record.pop("provenance", None) or {}
    rows = [*_flat(record), *_flat(made, "made: ")]
    print_table(f"{folder} (in full: --json)", ("what", "value"), rows)


def _flat(record: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    rows = []
    for key, value in record.items():
        if isinstance(value, dict) and not value.keys() <= {"bytes", "sha256", "name", "digest"}:
            rows += _flat(value, f"{before}{key}: ")
        elif value not in (None, "", [], {}):
            rows.append((f"{before}{key}", _in_short(value)))
    return rows


def _in_short(value: Any) -> str:
    """A value in one line or two: of digests the beginning, of curves how long they are."""
    if isinstance(value, dict):
        size = [f"{_in_short(value['bytes'])} bytes"] if "bytes" in value else []
        names = [_in_short(value[key]) for key in ("name", "sha256", "digest") if value.get(key)]
        return ", ".join([*size, *names]) or str(value)
    if isinstance(value, list):
        curve = all(isinstance(one, list) for one in value)
        return f"{len(value)} points (--json)" if curve else ", ".join(map(_in_short, value))
    if isinstance(value, str) and _DIGEST.fullmatch(value):
        return f"sha256 {value[:12]}"
    return f"{value:,}" if type(value) is int else str(value)
