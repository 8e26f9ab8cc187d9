"""A small made-up table of results with its predictions. Drawn from a seed; nobody measured it."""

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path

from adapterkit.metrics import classification_scores, tagging_scores
from adapterkit.table import Row, write_table

GROUPS = {
    "unseen-by-both": ("glv", "sme", "kpv", "ceb", "yor", "bho"),
    "unseen-by-mini": ("cym", "bre", "mkd", "hau", "jav", "kaz"),
    "seen": ("eng",),
    "dev": ("afr", "hat"),
}
GAINS = {"own": 0.08, "source-kept": 0.0, "no-language-adapter": 0.03, "full-fine-tuning": 0.05}
MORE = {"target-ready": 0.09, "lora": 0.05, "average": 0.01, "relative-as-is": -0.02}
TAGS = ("ADJ", "ADP", "ADV", "DET", "NOUN", "PRON", "PROPN", "PUNCT", "VERB")
TOPICS = ("geography", "health", "politics", "science/technology", "travel")
TRAINED = {"own", "target-ready", "lora"}


@dataclass(frozen=True)
class Simulation:
    """How large a table is wanted."""

    tasks: tuple[str, ...] = ("pos", "topic")
    seeds: int = 3
    sentences: int = 60
    methods: tuple[str, ...] = (*GAINS, *MORE)
    sources: tuple[str, ...] = ("eng",)
    predictions: bool = True


def simulate(folder: Path, wanted: Simulation = Simulation()) -> Path:
    """Write ``table.csv`` and the predictions into ``folder``."""
    rows = []
    for task in wanted.tasks:
        for group, languages in GROUPS.items():
            for language in languages:
                rows += _language(folder, wanted, task, group, language)
    rows += _ablation() if "own" in wanted.methods else []
    path = folder / "table.csv"
    write_table(path, rows)
    return path


def _language(folder: Path, wanted: Simulation, task: str, group: str, language: str) -> list[Row]:
    draw = random.Random(f"{task} {language}")
    base = 0.86 if language == "eng" else draw.uniform(0.42, 0.7)
    labels = TAGS if task == "pos" else TOPICS
    sizes = [draw.randint(4, 16) if task == "pos" else 1 for _ in range(wanted.sentences)]
    gold = [[draw.choice(labels) for _ in range(size)] for size in sizes]
    text_bytes = int(draw.uniform(0.15, 3.0) * 1e6)
    rows = []
    for method in wanted.methods:
        effect = (GAINS | MORE)[method] * draw.uniform(0.2, 1.8) if language != "eng" else 0.0
        for source in wanted.sources if method == "own" else wanted.sources[:1]:
            for seed in range(wanted.seeds):
                chance = base + effect - 0.04 * (source != "eng") + draw.gauss(0, 0.01)
                said = [
                    [tag if draw.random() < chance else draw.choice(labels) for tag in sentence]
                    for sentence in gold
                ]
                row = _row(task, group, language, method, source, seed, gold, said)
                row = _trained(row, draw, text_bytes) if method in TRAINED else row
                rows.append(_predicted(folder, row, gold, said) if wanted.predictions else row)
    return rows


def _row(
    task: str,
    group: str,
    language: str,
    method: str,
    source: str,
    seed: int,
    gold: list[list[str]],
    said: list[list[str]],
) -> Row:
    if task == "pos":
        metric, score = "accuracy", tagging_scores(gold, said, resamples=20)["accuracy"]
    else:
        flat = [[labels[0] for labels in side] for side in (gold, said)]
        metric, score = "macro_f1", classification_scores(*flat, resamples=20)["macro_f1"]
    return Row(
        task=task,
        dataset=f"{'ud' if task == 'pos' else 'sib200'}/{language}",
        language=language,
        group=group,
        split="dev" if group == "dev" else "test",
        method=method,
        seed=seed,
        backbone="adapterkit/mini@2",
        backbone_digest="0" * 64,
        source=source,
        metric=metric,
        value=score.value,
        low=score.low,
        high=score.high,
        examples=len(gold),
        cell=f"{task}-{language}-{method}-{source}-{seed}",
        recipe="simulated",
        torch="0",
        transformers="0",
        adapterkit="0",
        started="2026-01-01T00:00:00Z",
    )


def _trained(row: Row, draw: random.Random, text_bytes: int) -> Row:
    before, after = draw.uniform(5.5, 6.5), draw.uniform(3.6, 4.6)
    steps = (0, 100, 200, 400, 600)
    looks = [(s, after + (before - after) * 2.718 ** (-s / 150)) for s in steps]
    return replace(
        row,
        steps=600,
        tokens=600 * 2048,
        minutes=draw.uniform(2.5, 4.5),
        trained_parameters=296_448,
        bytes=1_190_000,
        text_bytes=text_bytes,
        unknown_share=draw.uniform(0, 0.02),
        pieces_per_word=draw.uniform(1.4, 3.2),
        heldout_before=before,
        heldout_after=looks[-1][1],
        learning_rate=1e-3,
        reduction_factor=4,
        looks=" ".join(f"{step}:{loss:.4f}" for step, loss in looks),
    )


def _predicted(folder: Path, row: Row, gold: list[list[str]], said: list[list[str]]) -> Row:
    path = folder / "predictions" / f"{row.cell}.jsonl"
    path.parent.mkdir(exist_ok=True, parents=True)
    sides = zip(gold, said, strict=True)
    single = row.task != "pos"
    lines = [
        json.dumps({"gold": g[0] if single else g, "predicted": p[0] if single else p})
        for g, p in sides
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return replace(row, predictions=f"predictions/{row.cell}.jsonl")


def _ablation() -> list[Row]:
    """Own adapters of the dev languages, from texts of four sizes."""
    return [
        Row(
            task="pos",
            dataset=f"ud/{language}",
            language=language,
            group="dev",
            split="dev",
            method="own",
            seed=0,
            backbone="adapterkit/mini@1",
            source="eng",
            metric="accuracy",
            value=0.5 + 0.03 * place + 0.02 * number,
            text_bytes=size,
            steps=600,
            cell=f"ablation-{language}-{size}",
        )
        for number, language in enumerate(GROUPS["dev"])
        for place, size in enumerate((100_000, 300_000, 1_000_000, 3_000_000))
    ]
