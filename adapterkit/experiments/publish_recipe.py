"""A recipe that publishes one language adapter: what stands in its file, read strictly. No torch.

As in a grid's recipe (`reading`), every problem of the file is collected. Whether the files, backbone and adapters
that it names are there is looked at in `publish_check`; what is done with them is in `publish_language`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapterkit.cards.answers import checked_answers
from adapterkit.errors import AdapterkitError, ConfigError, HubError, nearest
from adapterkit.experiments.reading import PUBLISH, Problems, record_of, section_of, settings_of
from adapterkit.experiments.recipe import KINDS
from adapterkit.hub.upload import check_repository
from adapterkit.languages import normalise_code
from adapterkit.licences import hub_licence
from adapterkit.settings import LanguageConfig

SECTIONS = (PUBLISH, "test", "language_adapter", "answers")


@dataclass(frozen=True)
class Wanted:
    """The section ``[publish_language]``.

    Attributes:
        text: Files of raw text, or folders of them, in the data folder.
        language: ISO 639 code of the text.
        licence: Under which the adapter is published.
        text_licence: The text's own licence in free words, kept with the adapter.
        encoding: Of the text, if not UTF-8.
        backbone: ``mini``, a folder or a Hub id.
        base_model: The backbone's Hub id, where ``backbone`` is a folder.
        init: An adapter to start from: ``mini:eng``, a folder or a Hub id; empty for random weights.
        seed: Of everything random.
        push: Where to, ``owner/name``; empty to stop after the card.
        private: Make a new repository private.
        accept_warnings: Go on although the corpus report warns.
    """

    text: tuple[str, ...] = ()
    language: str = ""
    licence: str = ""
    text_licence: str | None = None
    encoding: str | None = None
    backbone: str = "mini"
    base_model: str = ""
    init: str = ""
    seed: int = 0
    push: str = ""
    private: bool = False
    accept_warnings: bool = False


@dataclass(frozen=True)
class Trial:
    """The section ``[test]``: what the adapter is scored by.

    Attributes:
        task: A task adapter: ``mini:pos``, a folder or a Hub id.
        files: Labelled files in the data folder, in the adapter's language.
        kind: ``pos``, ``ner``, ``tagging`` or ``classification``.
        column: Column or key of the labels, where it is not the usual one.
        text: Column or key of the text (classification).
        source: The language adapter that ``task`` was trained over; by default found by its provenance.
    """

    task: str = ""
    files: tuple[str, ...] = ()
    kind: str = "pos"
    column: str | None = None
    text: str | None = None
    source: str = ""


@dataclass(frozen=True)
class PublishRecipe:
    """The file.

    Attributes:
        path: Where it is.
        wanted: Its main section.
        trial: What to score the adapter by, if anything.
        answers: Of the card, by the keys of `card.toml`.
        settings: Of `LanguageConfig`, as the file has them.
    """

    path: Path
    wanted: Wanted
    trial: Trial | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> LanguageConfig:
        """How the adapter is trained."""
        return LanguageConfig(**{**self.settings, "seed": self.wanted.seed})


def read_publish_recipe(path: Path) -> tuple[PublishRecipe, Problems]:
    """Read a recipe, and all that is wrong in it; what is wrong is left out of the recipe.

    Raises:
        ConfigError: If there is no such file, or it is no TOML.
    """
    problems: Problems = []
    record = record_of(path)
    problems += [
        f"{key}: is not known{nearest(key, SECTIONS)}" for key in record if key not in SECTIONS
    ]
    part = {key: _part(record, key, problems) for key in SECTIONS}
    wanted: Wanted = section_of(Wanted, part[PUBLISH], f"[{PUBLISH}]", problems)
    trial: Trial | None = None
    if "test" in record:
        trial = section_of(Trial, part["test"], "[test]", problems)
        problems += _wrong_trial(trial)
    settings = settings_of(part["language_adapter"], LanguageConfig, "[language_adapter]", problems)
    answers = _answers(part["answers"], problems)
    problems += _wrong(wanted, answers)
    return PublishRecipe(path, wanted, trial, answers, settings), problems


def _part(record: Mapping[str, Any], key: str, problems: Problems) -> dict[str, Any]:
    value = record.get(key, {})
    if isinstance(value, dict):
        return value
    problems.append(f"[{key}]: must be a table, not {value!r:.60}")
    return {}


def _answers(values: Mapping[str, Any], problems: Problems) -> dict[str, str]:
    try:
        return checked_answers(values, "[answers]")
    except ConfigError as error:
        problems += [f"[answers] {line.strip()}" for line in str(error).splitlines()[1:]]
        return {}


def _wrong(wanted: Wanted, answers: Mapping[str, str]) -> Problems:
    where = f"[{PUBLISH}]"
    problems = []
    if not wanted.text:
        problems.append(f'{where} text: say which files (text = ["cym.txt"])')
    if not wanted.language:
        problems.append(f'{where} language: say which language the text is in (language = "cym")')
    else:
        problems += _refusal(f"{where} language", lambda: normalise_code(wanted.language))
    if not wanted.licence:
        problems.append(f'{where} licence: say under which it is published (licence = "cc-by-4.0")')
    else:
        problems += _refusal(f"{where} licence", lambda: hub_licence(wanted.licence))
        if wanted.licence == "other" and not {"license_name", "license_link"} <= set(answers):
            problems.append(
                f"{where} licence = 'other': needs license_name and license_link in [answers]"
            )
    return problems + where_to(wanted.push, f"{where} push")


def _wrong_trial(trial: Trial) -> Problems:
    problems = []
    if not trial.task:
        problems.append('[test] task: say which task adapter to score with (task = "mini:pos")')
    if not trial.files:
        problems.append(
            '[test] files: say where the labelled examples are (files = ["cym.conllu"])'
        )
    if trial.kind not in KINDS:
        problems.append(f"[test] kind = {trial.kind!r}: is not known{nearest(trial.kind, KINDS)}")
    return problems


def where_to(repository: str, what: str) -> Problems:
    """What is wrong with a repository's id; nothing where there is none."""
    try:
        check_repository(repository or "owner/name")
    except HubError as error:
        return [f"{what}: {error}"]
    return []


def _refusal(what: str, check: Any) -> Problems:
    try:
        check()
    except AdapterkitError as error:
        return [f"{what}: {str(error).splitlines()[0]}"]
    return []
