"""What a recipe says, section by section: a grid, its data, its methods and settings.

How it is read from TOML is in `reading`; what a method does is in `methods`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = ("pos", "ner", "tagging", "classification")
AXES = ("task", "language", "seed", "method", "backbone", "group")
SPLITS = ("dev", "test")
STARTS = ("scratch", "source")
"""What a language adapter goes on from: nothing, or the source language's adapter."""
Condition = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Labelled:
    """A task of the grid and where its examples are.

    Attributes:
        name: What the table calls it.
        kind: One of `KINDS`.
        files: Path in the data folder with ``{language}``, ``{name}``, ``{split}`` and ``*`` in it.
        dataset: Or a ``datasets`` id with ``{language}`` or ``{name}``.
        names: The set's own name of a language, for ``{name}``; by default its code.
        splits: The data set's own name of ``train``, ``dev`` and ``test``.
        column: Column or key of the labels.
        text: Column or key of the text (classification) or of the words (data sets).
        source: Language of the labels to learn from.
        more_sources: Further ones, for the method ``several-sources``.
        train_examples: At most so many to learn from, a language.
        dev_examples: At most so many of the source's dev set, to choose the best weights by.
        examples: At most so many to score on.
    """

    name: str
    kind: str = "pos"
    files: str = ""
    dataset: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    column: str | None = None
    text: str | None = None
    source: str = "eng"
    more_sources: tuple[str, ...] = ()
    train_examples: int | None = None
    dev_examples: int | None = None
    examples: int | None = None


@dataclass(frozen=True)
class RawText:
    """Where raw text is: as `Labelled`, without splits."""

    files: str = ""
    dataset: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    column: str = "text"


@dataclass(frozen=True)
class Method:
    """A method as the grid names it: a built-in one, or a variation of one.

    Attributes:
        name: What the table calls it.
        like: The built-in method.
        language_adapter: Settings that differ from the recipe's ``[language_adapter]``, or from its
            ``[continued]`` where the backbone itself is trained on the target's text.
        task_adapter: Likewise.
        self_training: Likewise.
        megabytes: Only so much of the target's text.
        labels: Labelled sentences of the target (few-shot).
        of: What is averaged or merged: ``own``, ``source``, ``relative``, ``relatives`` or codes.
        weights: One for each of ``of``.
        ready: Languages to cycle through (target-ready); by default the target alone.
        start: What the target's adapter goes on from, one of `STARTS`; by default as the recipe says.
    """

    name: str
    like: str
    language_adapter: Mapping[str, Any] = field(default_factory=dict)
    task_adapter: Mapping[str, Any] = field(default_factory=dict)
    self_training: Mapping[str, Any] = field(default_factory=dict)
    megabytes: float | None = None
    labels: int | None = None
    of: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    ready: tuple[str, ...] = ()
    start: str = ""


@dataclass(frozen=True)
class Recipe:
    """A grid. Attributes are the sections of the file; ``name`` is the file's.

    Attributes:
        name: The file's name without ``.toml``.
        grid_backbones: Names, folders or Hub ids.
        grid_tasks: Names of ``tasks``.
        grid_languages: Targets.
        grid_seeds: Seeds.
        grid_methods: Names of built-in methods or of ``methods``.
        split: ``dev`` to choose by, ``test`` to report.
        start: What targets' adapters go on from, one of `STARTS`, where a method does not say.
        only: Cells to keep: those that meet one of these; all if there are none.
        exclude: Cells to leave out.
        groups: Languages by group.
        text: Raw text.
        tasks: By name.
        methods: Variations, by name.
        adapters: For a backbone and a language an adapter that is there already.
        relatives: For a language its relatives, nearest first.
        language_adapter: Settings of every language adapter.
        task_adapter: Settings of every task adapter.
        few_shot: Settings of going on with a few labels of the target.
        self_training: Settings of going on with one's own labels.
        full_fine_tuning: Settings; lists of ``learning_rate`` and ``epochs`` span a grid of their own.
        continued: Settings of continued pre-training.
    """

    name: str
    grid_backbones: tuple[str, ...] = ()
    grid_tasks: tuple[str, ...] = ()
    grid_languages: tuple[str, ...] = ()
    grid_seeds: tuple[int, ...] = ()
    grid_methods: tuple[str, ...] = ()
    split: str = "dev"
    start: str = "scratch"
    only: tuple[Condition, ...] = ()
    exclude: tuple[Condition, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    text: RawText = field(default_factory=RawText)
    tasks: Mapping[str, Labelled] = field(default_factory=dict)
    methods: Mapping[str, Method] = field(default_factory=dict)
    adapters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    relatives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    language_adapter: Mapping[str, Any] = field(default_factory=dict)
    task_adapter: Mapping[str, Any] = field(default_factory=dict)
    few_shot: Mapping[str, Any] = field(default_factory=dict)
    self_training: Mapping[str, Any] = field(default_factory=dict)
    full_fine_tuning: Mapping[str, Any] = field(default_factory=dict)
    continued: Mapping[str, Any] = field(default_factory=dict)

    def group_of(self, language: str) -> str:
        """The group that ``language`` is in, or empty."""
        return next((name for name, codes in self.groups.items() if language in codes), "")

    def method(self, name: str) -> Method:
        """The variation of that name, or the built-in method."""
        return self.methods.get(name, Method(name, like=name))
