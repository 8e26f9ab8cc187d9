"""Building the folder that becomes public, apart from the one it is made of, and checking it as a stranger would."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adapterkit.backbone.identity import MINI, canonical
from adapterkit.cards.answers import ANSWERS_FILE, read_answers
from adapterkit.cards.records import CardRecords
from adapterkit.cards.rendering import render_card
from adapterkit.cards.scores import SCORES_FILE, ScoreRecord, read_scores, write_scores
from adapterkit.composition.adapter import Adapter
from adapterkit.errors import ConfigError, FolderError, found
from adapterkit.files import write_bytes
from adapterkit.formats.adapterhub import read_folder, save_adapter
from adapterkit.formats.inspection import inspect
from adapterkit.hub_upload import token_in_use
from adapterkit.languages import normalise_code
from adapterkit.licences import hub_licence
from adapterkit.publishing.privacy import changes, check_public, scrub, user_names
from adapterkit.publishing.sources import with_sources

CARD = "README.md"
MINI_ON_THE_HUB = "adapterkit/mini"


@dataclass(frozen=True)
class Wish:
    """What the publisher says about an adapter, beside what its folder says.

    Attributes:
        language: Its language's code, where the folder has none.
        licence: Of the adapter.
        base_model: The backbone's Hub id, where the folder names none.
        answers: File with the answers of the card; by default `card.toml` in the folder, if there.
    """

    language: str | None = None
    licence: str | None = None
    base_model: str | None = None
    answers: Path | None = None


@dataclass(frozen=True)
class Draft:
    """An adapter that is ready to be staged: everything about it is known and allowed.

    Attributes:
        adapter: As it becomes public: backbone by its Hub id, provenance without private things.
        language: ISO 639-3 code.
        licence: The Hub's identifier.
        base_model: The backbone's Hub id.
        scores: Measured with this very adapter.
        answers: Of the card.
        removed: Places of the provenance where a path or a user name was taken out.
    """

    adapter: Adapter
    language: str
    licence: str
    base_model: str
    scores: tuple[ScoreRecord, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    removed: Sequence[str] = ()


def draft(folder: Path, wish: Wish, repository: str) -> Draft:
    """Read the adapter in ``folder`` strictly, and see that nothing is missing.

    Raises:
        FolderError: If the folder is wrong, or its scores are another adapter's.
        ConfigError: If language, licence or the backbone's identity is missing or cannot be right;
            all of it in one error.
    """
    adapter = read_folder(folder)
    language = _language(adapter, wish)
    base = wish.base_model or adapter.backbone.name
    base = MINI_ON_THE_HUB if canonical(base) == MINI else canonical(base)
    problems = _missing(adapter, language, wish.licence, base)
    licence = ""
    try:
        licence = hub_licence(wish.licence) if wish.licence else ""
    except ConfigError as error:
        problems.append(f"--license: {error}")
    if problems:
        raise ConfigError(f"{folder}: cannot be published yet:{found(problems)}")
    answers = answers_of(folder, wish.answers)
    if licence == "other" and not {"license_name", "license_link"} <= set(answers):
        raise ConfigError(f"licence 'other' needs license_name and license_link in {ANSWERS_FILE}")
    name = MINI if base == MINI_ON_THE_HUB else base
    resolved = with_sources(adapter.provenance, folder)
    public = scrub(resolved, users=user_names() - {repository.split("/")[0]})
    removed = changes(resolved, public)
    adapter.backbone = replace(adapter.backbone, name=name)
    adapter.language, adapter.provenance = language, public
    scores = scores_of(folder, adapter.digest())
    return Draft(adapter, language, licence, base, scores, answers, removed)


def _language(adapter: Adapter, wish: Wish) -> str:
    said = normalise_code(wish.language) if wish.language else ""
    if said and adapter.language and said != normalise_code(adapter.language):
        raise ConfigError(
            f"--language {wish.language}: the folder says that adapter {adapter.name!r} is for {adapter.language!r}"
        )
    return said or (normalise_code(adapter.language) if adapter.language else "")


def _missing(adapter: Adapter, language: str, licence: str | None, base: str) -> list[str]:
    problems = []
    if not language:
        what = "that its labelled data is in" if adapter.kind == "task" else "it is for"
        problems.append(f"language: the folder names none; say which {what} (--language cym)")
    if not licence:
        problems.append("licence: say under which it is published (--license cc-by-4.0)")
    if base.count("/") != 1 or base.startswith((".", "/", "~")) or "\\" in base:
        named = f"{base!r} is no Hub id" if base else "the folder names none"
        problems.append(f"backbone: {named}; say which it is (--base-model owner/name)")
    if not adapter.backbone.digest:
        problems.append(
            "backbone: the folder has no digest of its weights, so nobody could tell whether theirs is the same; "
            "`adapterkit convert FOLDER --backbone NAME --out OTHER` records it"
        )
    return problems


def answers_of(folder: Path, path: Path | None) -> dict[str, str]:
    """The answers in ``path``, or else in the folder's own `card.toml`, or none.

    Raises:
        ConfigError: If ``path`` is named and not there, or what is there cannot be answers.
    """
    if path is None and not (folder / ANSWERS_FILE).is_file():
        return {}
    return read_answers(path or folder / ANSWERS_FILE)


def scores_of(folder: Path, digest: str) -> tuple[ScoreRecord, ...]:
    """The scores in ``folder``, all measured with the adapter of ``digest``.

    Raises:
        FolderError: If one was measured with another.
    """
    records = read_scores(folder)
    strange = [
        f"{one.task} on {one.dataset}: measured with {', '.join(name for name, _ in one.stack)}"
        for one in records
        if digest not in one.digests
    ]
    if strange:
        raise FolderError(
            f"{folder / SCORES_FILE}: scores of another adapter, or of an older version of this one:"
            f"{found(strange)}\nMeasure them again (adapterkit evaluate --record), or take the file away."
        )
    return records


def stage(plan: Draft, into: Path) -> dict[str, Any]:
    """Write all of the public folder but its card into ``into``, read it back, and describe it.

    Returns:
        As `inspect` tells.

    Raises:
        FolderError: If what was written does not read as what was meant.
    """
    save_adapter(plan.adapter, into)
    back = read_folder(into)
    if back.digest() != plan.adapter.digest():
        raise FolderError(f"adapter {plan.adapter.name!r} does not read back as it was written")
    if plan.scores:
        users = user_names()
        write_scores(
            into,
            [replace(one, dataset=str(scrub(one.dataset, users=users))) for one in plan.scores],
        )
    return inspect(into)


def write_card(plan: Draft, told: Mapping[str, Any], into: Path, repository: str, tag: str) -> str:
    """Write the card for version ``tag``, look once more at every text, and return the card.

    Raises:
        ConfigError: If anything private is left in a text.
    """
    records = CardRecords(
        repository=repository,
        version=tag,
        language=plan.language,
        licence=plan.licence,
        base_model=plan.base_model,
        adapter=told,
        scores=read_scores(into),
        answers=plan.answers,
    )
    card = render_card(records)
    write_bytes(into / CARD, card.encode())
    check_public(texts_of(into), token=token_in_use())
    return card


def texts_of(folder: Path) -> dict[str, str]:
    """The contents of the files that are text."""
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(folder.iterdir())
        if path.suffix in (".json", ".md", ".toml")
    }
