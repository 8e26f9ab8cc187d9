"""Looking at all that a publish-language recipe names, before anything starts; and at its text.

Two gates. `checked_plan`: files, backbone, adapters and labels are there and fit, or every problem is said at once.
`fit_text`: the corpus report has no warning, or the recipe accepts them.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter
from adapterkit.data.corpus import Corpus, Profile
from adapterkit.errors import AdapterkitError, ConfigError, CorpusError, found
from adapterkit.experiments.data import DataFolder, made
from adapterkit.experiments.publish_recipe import (
    PublishRecipe,
    Trial,
    read_publish_recipe,
    where_to,
)
from adapterkit.experiments.reading import PUBLISH, Problems
from adapterkit.experiments.recipe import Labelled
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.formats.places import folder_of
from adapterkit.publishing.staging import base_model_of, is_hub_id
from adapterkit.sources import find_source
from adapterkit.tasks.base import Task
from adapterkit.training.language import require_possible

Made = TypeVar("Made")


@dataclass(frozen=True)
class Scoring:
    """What the new adapter will be scored by: a task adapter, the source it was trained over, examples."""

    adapter: Adapter
    source: Adapter
    task: Task[object]
    name: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Plan:
    """A recipe whose every part is there.

    Attributes:
        recipe: The recipe.
        texts: Its files or folders of raw text.
        corpus: What is in them.
        backbone: Its backbone.
        init: The adapter to start from, if any.
        scoring: What it will be scored by, if anything.
        repository: Where to, ``owner/name``; empty to stop after the card.
    """

    recipe: PublishRecipe
    texts: tuple[Path, ...]
    corpus: Corpus
    backbone: Backbone
    init: Adapter | None
    scoring: Scoring | None
    repository: str


def checked_plan(
    path: Path,
    data: DataFolder,
    *,
    push: str | None = None,
    dry_run: bool = False,
    device: str | None = None,
) -> Plan:
    """Read a recipe and open all that it names.

    Args:
        path: The recipe.
        data: Folder in which its files are; without one, the current folder.
        push: Where to, instead of what the recipe says.
        dry_run: Whether the publication shall be shown, which needs a name, too.
        device: Of the backbone.

    Raises:
        ConfigError: With every problem.
    """
    recipe, problems = read_publish_recipe(path)
    wanted, root = recipe.wanted, data.root or Path()
    texts = _places(root, wanted.text)
    if push:
        problems += where_to(push, "--push")
    if dry_run and not (push or wanted.push):
        problems.append(
            f'--dry-run shows what would stand where: say --push owner/name, or push = "owner/name" in [{PUBLISH}]'
        )
    corpus = _opened(lambda: _corpus(recipe, texts), f"[{PUBLISH}] text", problems)
    backbone = _opened(
        lambda: load_backbone(wanted.backbone, device=device), f"[{PUBLISH}] backbone", problems
    )
    init = scoring = None
    if wanted.init:
        init = _opened(lambda: _language_adapter(wanted.init), f"[{PUBLISH}] init", problems)
    if recipe.trial and recipe.trial.task and recipe.trial.files:
        scoring = _opened(lambda: _scoring(recipe, root), "[test]", problems)
    if backbone is not None:
        problems += _misfits(recipe, backbone, init, scoring)
    if problems:
        count = len(problems)
        raise ConfigError(
            f"{path} cannot be run, {count} problem{'s' if count > 1 else ''}:{found(problems)}"
        )
    assert corpus is not None
    assert backbone is not None
    return Plan(recipe, texts, corpus, backbone, init, scoring, push or wanted.push)


def _opened(make: Callable[[], Made | None], what: str, problems: Problems) -> Made | None:
    """What ``make`` gives, or None and one more problem."""
    try:
        return make()
    except AdapterkitError as error:
        problems.append(f"{what}: {error}")
        return None


def _places(root: Path, names: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(root / Path(name).expanduser() for name in names)


def _corpus(recipe: PublishRecipe, texts: tuple[Path, ...]) -> Corpus | None:
    wanted = recipe.wanted
    if not wanted.text or not wanted.language:
        return None  # said already
    return Corpus.from_files(
        texts,
        language=wanted.language,
        encoding=wanted.encoding,
        licence=wanted.text_licence,
    )


def _language_adapter(name: str) -> Adapter:
    adapter = load_adapter(name)
    if adapter.kind == "task":
        raise ConfigError(f"{name} is a task adapter, not a language adapter")
    return adapter


def _scoring(recipe: PublishRecipe, root: Path) -> Scoring:
    trial = recipe.trial
    assert trial is not None
    adapter = load_adapter(trial.task)
    if adapter.kind != "task":
        raise ConfigError(f"task = {trial.task}: is a {adapter.kind} adapter, not a task adapter")
    source = (
        _language_adapter(trial.source)
        if trial.source
        else find_source(adapter, [folder_of(trial.task)])
    )
    files = _places(root, trial.files)
    examples = _examples(trial, recipe.wanted.language, files)
    task = made(_labelled(trial), {"test": examples})
    known = set(adapter.labels)
    if not known & {label for example in examples for label in task.gold(example)}:
        raise ConfigError(
            f"task = {trial.task}: knows none of the labels of {', '.join(trial.files)}; "
            f"it knows {', '.join(sorted(known)[:10])}"
        )
    name = str(adapter.provenance.get("task") or trial.kind)
    return Scoring(adapter, source, task, name, files)


def _labelled(trial: Trial) -> Labelled:
    return Labelled("test", kind=trial.kind, column=trial.column, text=trial.text)


def _examples(trial: Trial, language: str, files: tuple[Path, ...]) -> tuple[object, ...]:
    if missing := [str(file) for file in files if not file.is_file()]:
        raise ConfigError(f"files: there is no {' and no '.join(missing)}")
    folder = DataFolder(Path())
    return tuple(
        example
        for file in files
        for example in folder.examples(_labelled(trial), language, {"file": str(file)}, "test")
    )


def _misfits(
    recipe: PublishRecipe, backbone: Backbone, init: Adapter | None, scoring: Scoring | None
) -> Problems:
    """What is there and does not go together."""
    wanted, problems = recipe.wanted, Problems()
    parts = {f"[{PUBLISH}] init = {wanted.init}": init}
    if scoring is not None and recipe.trial is not None:
        parts[f"[test] task = {recipe.trial.task}"] = scoring.adapter
        parts["[test] source"] = scoring.source
    for what, adapter in parts.items():
        if adapter is not None:
            _opened(lambda one=adapter: one.check_fits(backbone.facts), what, problems)  # type: ignore[misc]
    _opened(
        lambda: require_possible(recipe.config, backbone, init, None),
        "[language_adapter]",
        problems,
    )
    base = base_model_of(wanted.base_model or backbone.facts.name)
    if not is_hub_id(base):
        problems.append(
            f"[{PUBLISH}] base_model: {base!r} is no Hub id, and others must know which backbone it is "
            '(base_model = "owner/name")'
        )
    return problems


def fit_text(plan: Plan) -> Profile:
    """Report on the text, and stop where it is not fit.

    Raises:
        CorpusError: If the report warns and the recipe does not accept that; it names each warning, tells the
            report and says how to go on.
    """
    recipe, backbone = plan.recipe, plan.backbone
    profile = plan.corpus.profile(backbone.pieces, unk_id=backbone.unk_id)
    warnings = profile.warnings()
    if warnings and not recipe.wanted.accept_warnings:
        count = len(warnings)
        files = shlex.join(map(str, plan.texts))
        raise CorpusError(
            f"{recipe.path}: its text is not fit as it is, {count} warning{'s' if count > 1 else ''}:"
            f"{found(warnings)}\nWhat is in it:{found(report_lines(profile))}\n"
            f"Nothing was trained. Mend the text and look again (adapterkit corpus {files} --language "
            f"{plan.corpus.language} --backbone {recipe.wanted.backbone}), or write accept_warnings = true under "
            f"[{PUBLISH}] to go on all the same."
        )
    return profile


def report_lines(profile: Profile) -> list[str]:
    """The corpus report in a few lines."""
    counts, coverage = profile.counts, profile.coverage
    dropped = [f"{times:,} {why}" for why, times in counts.dropped.items() if times]
    scripts = [f"{name} {100 * share:.0f} %" for name, share in profile.scripts.items()]
    lines = [
        f"{counts.kept:,} lines kept of {counts.read:,}"
        + (f" (dropped: {', '.join(dropped)})" if dropped else ""),
        f"{counts.bytes / 1e6:.2f} MB, {profile.words:,} words, letters: {', '.join(scripts[:4])}",
    ]
    if profile.every > 1:
        lines[-1] += f" (words and tokens from every {profile.every}. line)"
    if coverage is not None:
        lines.append(
            f"{coverage.tokens:,} tokens, {coverage.fertility:.2f} a word; unreadable: "
            f"{100 * coverage.unreadable_characters:.2f} % of the characters"
        )
    return lines
