"""From records to a card. The words stand in the templates (`hub_cards/`), the numbers in the records."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapterkit.backbone.architectures import ARCHITECTURES
from adapterkit.cards.answers import QUESTIONS, UNKNOWN, licence_entries
from adapterkit.cards.front import front_matter
from adapterkit.cards.records import CardRecords, at, number, scripts, text
from adapterkit.cards.scores import CONDITIONS, ScoreRecord, in_words, percent
from adapterkit.languages import language_name
from adapterkit.templating import Raw, render_markdown

Row = tuple[str, str]


def templates() -> Path:
    """Where the templates are: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "hub_cards"
    return inside if inside.is_dir() else package.parent / "hub_cards"


def render_card(records: CardRecords) -> str:
    """The card of an adapter: front matter and Markdown. The same records give the same text."""
    told, made = records.adapter, records.adapter["provenance"]
    return render_markdown(
        templates(),
        "task.md" if records.is_task else "language.md",
        {
            "front": Raw(front_matter(records.metadata())),
            "title": records.title,
            "repository": records.repository,
            "version": records.version,
            "language": language_name(records.language),
            "code": records.language,
            "base_model": records.base_model,
            "backbone": "mini" if records.on_mini else records.base_model,
            "on_mini": records.on_mini,
            "fills": _fills(str(told["backbone"]["type"] or "")),
            "is_peft": records.is_peft,
            "method": told["method"],
            "rows": told.get("embedding_rows") or 0,
            "size": size(told["files"]),
            "labels": list(told["labels"]),
            "task": records.task_name or "its task",
            "is_domain": records.kind == "domain",
            "source": source_of(made),
            "over": _references(made.get("over")),
            "alone": is_alone(made),
            "self_trained": self_trained(made),
            "questions": questions(records.answers),
            "coverage": coverage(made),
            "heldout": heldout(made),
            "scores": score_sections(records.scores),
            "licence": licence_line(records.licence, records.answers),
            "data_licence": text(made, "corpus", "licence")
            or text(made, "self_training", "corpus", "licence"),
            "training": training(told),
            "files": file_rows(told["files"]),
        },
    )


def _fills(model_type: str) -> bool:
    row = ARCHITECTURES.get(model_type)
    return row is not None and row.kind == "masked"


def size(files: Mapping[str, Mapping[str, Any]]) -> str:
    """Megabytes of all files together."""
    total = sum(entry["bytes"] for name, entry in files.items() if name != "README.md")
    return f"{total / 1e6:.1f} MB"


def questions(answers: Mapping[str, str]) -> list[Row]:
    """Each question with its answer."""
    return [(question, answers.get(key, UNKNOWN)) for key, question in QUESTIONS.items()]


def licence_line(licence: str, answers: Mapping[str, str]) -> str:
    """The licence in words."""
    entries = licence_entries(licence, answers)
    name, link = entries["license_name"], entries["license_link"]
    return f"{name} ({link})" if name else licence


def source_of(provenance: Mapping[str, Any]) -> dict[str, str] | None:
    """The language adapter that a task adapter was trained over, or None; of several sources, the first.

    Several under one that trained itself are no sources: they stand there together, in a way that no record tells.
    """
    over = provenance.get("over")
    if "self_training" in provenance and isinstance(over, list) and len(over) > 1:
        return None
    first = over[0] if isinstance(over, list) and over else over
    if not isinstance(first, Mapping) or not text(first, "name"):
        return None
    keys = ("name", "digest", "repository", "commit", "starter")
    return {key: text(first, key) for key in keys}


def is_alone(provenance: Mapping[str, Any]) -> bool:
    """Whether the record says that a task adapter was trained without a language adapter."""
    return "over" in provenance and not provenance["over"] and not provenance.get("target_ready")


def self_trained(provenance: Mapping[str, Any]) -> dict[str, str] | None:
    """From which task adapter, and on how many sentences, it went on with its own labels; None if it did not."""
    sentences = number(provenance, "self_training", "sentences")
    if sentences is None:
        return None
    return {
        "start": _references(provenance.get("init")),
        "sentences": f"{int(sentences):,}",
        "over": _references(provenance.get("over")),
    }


def coverage(provenance: Mapping[str, Any]) -> list[Row]:
    """How the backbone's tokenizer reads the text."""
    counts = at(provenance, "corpus", "coverage")
    if not isinstance(counts, Mapping):
        return []
    shares = (
        ("fertility", "Pieces a word (fertility)", 1.0, ""),
        ("unk_rate", "Pieces it cannot read (UNK)", 100.0, " %"),
        ("unreadable_characters", "Characters it cannot read", 100.0, " %"),
        ("split_to_characters", "Words spelt character by character", 100.0, " %"),
    )
    rows = [
        (name, f"{times * value:.2f}{unit}")
        for key, name, times, unit in shares
        if (value := number(counts, key)) is not None
    ]
    amounts = (("words", "Words"), ("kept", "Lines, after cleaning"), ("bytes", "Bytes of text"))
    rows += [
        (name, f"{int(value):,}")
        for key, name in amounts
        if (value := number(counts, key)) is not None
    ]
    letters = ", ".join(
        f"{name} {100 * share:.1f} %" for name, share in scripts(provenance).items()
    )
    return [*rows, ("Letters by script", letters)] if letters else rows


def heldout(provenance: Mapping[str, Any]) -> tuple[str, str] | None:
    """Held-out loss without and with the adapter, in nats a masked piece."""
    pair = [number(provenance, "heldout_loss", key) for key in ("backbone", "adapter")]
    return (f"{pair[0]:.3f}", f"{pair[1]:.3f}") if None not in pair else None


def score_sections(scores: Sequence[ScoreRecord]) -> list[dict[str, Any]]:
    """Every measurement; of files with one name the heading tells the checksum too."""
    sections = [score_lines(one) for one in scores]
    alike = Counter((one["heading"], one["stack"]) for one in sections)
    for section, one in zip(sections, scores, strict=True):
        if alike[section["heading"], section["stack"]] > 1 and one.dataset_digest:
            section["heading"] += f", sha256 {one.dataset_digest[:12]}"
    return sections


def score_lines(one: ScoreRecord) -> dict[str, Any]:
    """One measurement: its heading, and a row a condition with the comparison in words."""
    where = f"{language_name(one.language)}, " if one.language else ""
    rows = [
        (CONDITIONS[name], percent(score), "" if name == "own" else in_words(one, name))
        for name in CONDITIONS
        if (score := one.conditions.get(name)) is not None
    ]
    return {
        "heading": f"{one.task}: {where}{one.dataset}, {one.split}, {one.examples} examples",
        "metric": one.main,
        "stack": " + ".join(name for name, _ in one.stack),
        "rows": rows,
        "alone": len(rows) == 1,
    }


def training(told: Mapping[str, Any]) -> list[Row]:
    """How it was made."""
    made = told["provenance"]
    counts = (
        ("Steps", ("run", "steps")),
        ("Tokens read", ("run", "tokens")),
        ("Seconds", ("run", "seconds")),
        ("Learning rate", ("config", "learning_rate")),
        ("Batch size", ("config", "batch_size")),
        ("Seed", ("config", "seed")),
    )
    rows = [
        (name, f"{value:,}" if isinstance(value, int) else f"{value:g}")
        for name, path in counts
        if (value := number(made, *path)) is not None
    ]
    facts: Sequence[Row] = (
        ("Method", str(told["method"])),
        ("Precision", text(made, "config", "precision")),
        ("Trained over", _references(made.get("over"))),
        ("Started from", _references(made.get("init"))),
        ("Merged from", merged_from(made)),
        ("Corpus (fingerprint)", text(made, "corpus", "fingerprint")),
        ("Raw text (fingerprint)", text(made, "self_training", "corpus", "fingerprint")),
        ("Made with", _versions(made)),
        ("Backbone (sha256 of its tensors)", str(told["backbone"]["digest"] or "")),
        ("Weights (sha256 of the tensors)", str(told["digest"] or "")),
    )
    return [*facts[:2], *rows, *facts[2:]]


def _references(value: Any) -> str:
    entries = value if isinstance(value, list) else [value]
    return "; ".join(reference(one) for one in entries if isinstance(one, Mapping))


def merged_from(provenance: Mapping[str, Any]) -> str:
    """The adapters whose weights were summed, each with its weight; empty where none were."""
    parts = provenance.get("merged")
    return "; ".join(
        f"{weight:g} times {reference(one)}"
        for one in (parts if isinstance(parts, list) else ())
        if (weight := number(one, "weight")) is not None
    )


def reference(entry: Mapping[str, Any]) -> str:
    """Another adapter: where it is published, or its name and digest."""
    if text(entry, "repository"):
        return f"{text(entry, 'repository')} at {text(entry, 'commit')}"
    if text(entry, "starter"):
        return f"{text(entry, 'starter')}, which ships with adapterkit"
    return f"{text(entry, 'name')} (never published; sha256 {text(entry, 'digest')[:16]})"


def _versions(made: Mapping[str, Any]) -> str:
    versions = at(made, "versions")
    entries = versions.items() if isinstance(versions, Mapping) else ()
    return ", ".join(f"{name} {version}" for name, version in entries)


def file_rows(files: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Name and sha256 of each file but the card."""
    return [(name, entry["sha256"]) for name, entry in files.items() if name != "README.md"]
