"""The demo, step by step: text, language adapters, a task adapter, the swap, the table, the page.

Sizes stand here and were fixed before the first run.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter
from adapterkit.composition.stack import Stack
from adapterkit.data.corpus import Corpus
from adapterkit.demo.grammar import SOURCE, TARGETS, demo_data, write_conllu, write_text
from adapterkit.errors import ConfigError
from adapterkit.evaluation import CONDITIONS, Evaluation, compare, gains_of
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.languages import language_name
from adapterkit.model import AdaptedModel
from adapterkit.pages.summary import Curve, Row, Summary, Tagged, write_summary
from adapterkit.prediction import predict
from adapterkit.settings import LanguageConfig, TaskConfig
from adapterkit.tasks.tagging import Tagging
from adapterkit.training.language import train_language
from adapterkit.training.task import train_task

LINES, TEST, EXAMPLES = 6000, 300, 3
STEPS, SOURCE_STEPS, TASK_SENTENCES = 60, 90, 1000
REAL = {"cym": "cym_ccg", "hat": "hat_adolphe"}
REAL_STEPS = 120

TOY = (
    "The text of this demo comes from a small phrase grammar written for it: real words, correct sentences, a tag for "
    "every word by construction. It shows that the parts work together. It does not say how well real text works; "
    "docs/results.md does."
)


@dataclass(frozen=True)
class Target:
    """One language of the demo: what to train on and what to score on; ``title`` is for readers."""

    language: str
    name: str
    title: str
    corpus: Corpus
    task: Tagging
    steps: int


@dataclass
class Demo:
    """What the demo found."""

    table: dict[str, dict[str, Evaluation]] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    examples: list[Tagged] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    page: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        """As ``demo --json`` prints it."""
        targets = {
            name: {condition: found.scores.as_dict() for condition, found in row.items()}
            for name, row in self.table.items()
        }
        return {
            "targets": targets,
            "folders": [str(folder) for folder in self.folders],
            "page": str(self.page) if self.page else None,
            "note": TOY,
        }


def run(
    out: Path,
    *,
    seed: int = 0,
    from_scratch: bool = False,
    data: Path | None = None,
    tell: Callable[[str], None],
    progress: bool | None = None,
    program: str = "adapterkit",
) -> Demo:
    """Run the demo and leave adapters, texts and a page in ``out``.

    Args:
        out: Folder; adapters that an earlier demo left there are replaced.
        seed: Of the texts and of every training.
        from_scratch: Train the English adapters too, instead of taking the starters.
        data: Folder of real data (``text/``, ``ud/``), for real rows.
        tell: Called with what happens, in words.
        progress: Show bars.
        program: What begins the commands to try.

    Raises:
        ConfigError: If ``data`` does not hold the files.
    """
    backbone = load_backbone("mini")
    targets = [_toy_target(out, language, seed) for language in TARGETS]
    if data is not None:
        targets += [_real_target(data, language) for language in REAL]
    source, pos = _english(
        backbone, out, seed, from_scratch=from_scratch, tell=tell, progress=progress
    )
    demo = Demo()
    for target in targets:
        tell(
            f"{language_name(target.language)}: a language adapter from raw text, {target.steps} steps"
        )
        own = train_language(
            backbone,
            target.corpus,
            out=out / "adapters" / target.name,
            config=LanguageConfig(
                steps=target.steps, evaluate_every=max(10, target.steps // 4), seed=seed
            ),
            init=source,
            fresh=True,
            overwrite=True,
            progress=progress,
        )
        demo.folders.append(out / "adapters" / target.name)
        demo.titles[target.name] = target.title
        demo.curves.append(_curve(target.title, own))
        demo.table[target.name] = compare(
            backbone, Stack(own, pos), target.task, source=source, progress=progress
        )
        demo.examples += _examples(backbone, Stack(own, pos), target)
        over = out / "adapters" / "pos" if from_scratch else "mini:pos"
        sentence = " ".join(demo.examples[-1].words)
        demo.commands.append(
            f"{program} predict --stack {demo.folders[-1]},{over} {shlex.quote(sentence)}"
        )
    demo.page = out / "summary.html"
    write_summary(demo.page, _summary(demo))
    return demo


def _toy_target(out: Path, language: str, seed: int) -> Target:
    made = demo_data(language, seed=seed, lines=LINES, test=TEST)
    text = write_text(out / "data" / f"{language}.txt", made.text)
    test = write_conllu(out / "data" / f"{language}.test.conllu", made.test)
    corpus = Corpus.from_files(text, language=language, licence="Apache-2.0")
    title = f"{language_name(language)} ({language})"
    return Target(language, language, title, corpus, Tagging.from_files(test=test), STEPS)


def _real_target(data: Path, language: str) -> Target:
    text, test = (
        data / "text" / f"{language}.txt.gz",
        data / "ud" / f"{REAL[language]}.test.conllu.gz",
    )
    missing = [str(path) for path in (text, test) if not path.is_file()]
    if missing:
        raise ConfigError(f"--data {data}: there is no {' and no '.join(missing)}")
    corpus = Corpus.from_files(text, language=language)
    name, title = f"{language}-real", f"{language_name(language)} ({language}), real text"
    return Target(language, name, title, corpus, Tagging.from_files(test=test), REAL_STEPS)


def _english(
    backbone: Backbone,
    out: Path,
    seed: int,
    *,
    from_scratch: bool,
    tell: Callable[[str], None],
    progress: bool | None,
) -> tuple[Adapter, Adapter]:
    if not from_scratch:
        tell("English: the starters mini:eng and mini:pos (trained on real text)")
        return load_adapter("mini:eng"), load_adapter("mini:pos")
    tell("English: a language adapter and a task adapter, from the phrase grammar")
    made = demo_data(SOURCE, seed=seed, lines=LINES, train=TASK_SENTENCES, dev=150)
    corpus = Corpus.from_files(
        write_text(out / "data" / "eng.txt", made.text), language=SOURCE, licence="Apache-2.0"
    )
    config = LanguageConfig(steps=SOURCE_STEPS, seed=seed)
    english = train_language(
        backbone,
        corpus,
        out=out / "adapters" / "eng",
        config=config,
        fresh=True,
        overwrite=True,
        progress=progress,
    )
    task = Tagging.from_files(
        write_conllu(out / "data" / "eng.train.conllu", made.train),
        dev=write_conllu(out / "data" / "eng.dev.conllu", made.dev),
    )
    pos = train_task(
        backbone,
        task,
        over=english,
        out=out / "adapters" / "pos",
        config=TaskConfig(epochs=2, seed=seed),
        fresh=True,
        overwrite=True,
        progress=progress,
    )
    return english, pos


def _curve(name: str, adapter: Adapter) -> Curve:
    looks = adapter.provenance["run"]["looks"]
    baseline = adapter.provenance["heldout_loss"]["backbone"]
    return Curve(name, tuple(int(s) for s, _ in looks), tuple(float(v) for _, v in looks), baseline)


def _examples(backbone: Backbone, stack: Stack, target: Target) -> list[Tagged]:
    chosen = target.task.examples("test")[:EXAMPLES]
    said = predict(AdaptedModel(backbone, stack), [s.words for s in chosen], progress=False)
    return [
        Tagged(target.title, tuple(s.words), tuple(p.labels), tuple(s.tags))
        for s, p in zip(chosen, said, strict=True)
    ]


def table_rows(demo: Demo) -> Sequence[Row]:
    """Every cell of the table as a row with its interval."""
    return tuple(
        Row(demo.titles[name], condition, *_cell(row[condition]), gains.get(condition))
        for name, row in demo.table.items()
        for gains in [gains_of(row)]
        for condition in CONDITIONS
    )


def _cell(found: Evaluation) -> tuple[float, float, float]:
    return (found.scores.value, *found.scores.interval)


def _summary(demo: Demo) -> Summary:
    return Summary(
        title="adapterkit demo: parts of speech in languages without labels",
        introduction=TOY,
        metric="accuracy",
        rows=tuple(table_rows(demo)),
        curves=tuple(demo.curves),
        examples=tuple(demo.examples),
        folders=tuple(str(folder) for folder in demo.folders),
        commands=tuple(demo.commands),
        notes=("Intervals are 95 % bootstrap intervals over sentences, of one run.",),
    )
