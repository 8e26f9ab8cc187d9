"""`corpus`: what is in a text, and what `train-language` would make of it."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapterkit.cli.options import (
    Encoding,
    Json,
    LanguageCode,
    TextField,
    load,
    print_json,
    print_table,
    say,
)
from adapterkit.errors import ConfigError
from adapterkit.text.profile import UNREADABLE

if TYPE_CHECKING:
    from adapterkit.backbone.frozen import Backbone
    from adapterkit.text.profile import Profile

Estimate = dict[str, float]


def corpus(
    files: Annotated[list[Path], typer.Argument(help=".txt, .txt.gz, .jsonl, or folders of them.")],
    language: LanguageCode,
    backbone: Annotated[
        str | None, typer.Option("--backbone", help="Say how this backbone copes with it.")
    ] = None,
    encoding: Encoding = None,
    text_field: TextField = "text",
    json: Json = False,
) -> None:
    """What is in a text, and will a backbone cope with it.

    Example: adapterkit corpus cym.txt --language cym --backbone mini
    """
    from adapterkit.data.corpus import Corpus

    text = Corpus.from_files(files, language=language, encoding=encoding, text_field=text_field)
    reader = None if backbone is None else load(backbone, device="cpu", dtype=None)
    if reader is None:
        profile = text.profile()
    else:
        profile = text.profile(reader.pieces, unk_id=reader.unk_id)
    training, hindrance = _estimate(reader, profile) if reader else (None, "")
    if json:
        warnings = profile.warnings()
        print_json({**profile.as_dict(), "warnings": warnings, "training": training})
        return
    print_table(f"corpus {language}", ("what", "how much"), _rows(profile, training))
    for warning in profile.warnings():
        say(f"warning: {warning}")
    typer.echo(hindrance or _verdict(reader, profile))


def _rows(profile: "Profile", training: Estimate | None) -> list[tuple[str, str]]:
    counts = profile.counts
    rows = [
        ("lines read", f"{counts.read:,}"),
        *((f"dropped: {why}", f"{times:,}") for why, times in counts.dropped.items() if times),
        ("lines kept", f"{counts.kept:,}"),
        ("of these held out, to judge by", f"{counts.heldout:,}"),
        ("size", f"{counts.bytes / 1e6:.2f} MB"),
        ("characters", f"{counts.characters:,}"),
        *_sampling(profile.every),
        ("words", f"{profile.words:,}"),
        *((f"letters: {name}", _percent(share)) for name, share in profile.scripts.items()),
    ]
    if profile.coverage:
        rows += [
            ("tokens", f"{profile.coverage.tokens:,}"),
            ("tokens a word", f"{profile.coverage.fertility:.2f}"),
            ("unknown tokens", _percent(profile.coverage.unk_rate)),
            ("characters it cannot read", _percent(profile.coverage.unreadable_characters)),
            ("words spelt by character", _percent(profile.coverage.split_to_characters)),
        ]
    if training:
        rows += [
            ("steps of train-language", f"{training['steps']:,}"),
            ("tokens a second, here and now", f"{training['tokens_per_second']:,}"),
            ("minutes of train-language", f"{training['minutes']:.1f}"),
        ]
    return [*rows, ("fingerprint (sha256)", counts.fingerprint[:16])]


def _sampling(every: int) -> list[tuple[str, str]]:
    return [("words and tokens", f"from every {every}. line")] if every > 1 else []


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _estimate(backbone: "Backbone", profile: "Profile") -> tuple[Estimate | None, str]:
    """Steps that `train-language` would take, and minutes, from a few steps timed here; or why it would refuse."""
    from adapterkit.training.estimate import estimate

    if profile.is_mostly_unreadable or not profile.coverage:
        return None, f"{backbone.name} cannot read this text: train-language refuses it"
    try:
        backbone.require_trained_head()
        steps, speed = estimate(backbone, profile.coverage.tokens, profile.counts.bytes)
    except ConfigError as error:
        return None, f"no language adapter can be trained: {error}"
    minutes = math.ceil(steps.steps * steps.tokens_a_step / speed / 6) / 10
    return {"steps": steps.steps, "tokens_per_second": round(speed), "minutes": minutes}, ""


def _verdict(backbone: "Backbone | None", profile: "Profile") -> str:
    if backbone is None or profile.coverage is None:
        return "whether a backbone can read it: --backbone mini (or a folder, or a Hub id)"
    unread = profile.coverage.unreadable_characters
    if unread >= UNREADABLE:
        return f"{backbone.name} cannot read {_percent(unread)} of this text; the rest can be trained on"
    worried = ", with the warnings above" if profile.warnings() else ""
    return f"{backbone.name} can read this text{worried}"
