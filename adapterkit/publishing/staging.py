"""Building an adapter's public folder, apart from the one it is made of, and checking it as a stranger would."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapterkit.backbone.identity import MINI, canonical
from adapterkit.cards.records import CardRecords
from adapterkit.cards.rendering import render_card
from adapterkit.cards.scores import SCORES_FILE, ScoreRecord, read_scores, write_scores
from adapterkit.composition.adapter import Adapter
from adapterkit.errors import ConfigError, FolderError, found
from adapterkit.formats.adapterhub import read_folder, save_adapter
from adapterkit.formats.inspection import inspect
from adapterkit.languages import code_of, normalise_code
from adapterkit.publishing.parcel import MINI_ON_THE_HUB, Parcel, Wish, answers_of, licence_of
from adapterkit.publishing.privacy import changes, scrub, user_names
from adapterkit.publishing.sources import with_sources


def adapter_parcel(folder: Path, wish: Wish, repository: str, into: Path) -> Parcel:
    """Make the public folder of the adapter in ``folder`` under ``into``.

    Raises:
        FolderError: If the folder is wrong, its scores are another adapter's, or what was written
            does not read as what was meant.
        ConfigError: If language, licence or the backbone's identity is missing or cannot be right;
            all of it in one error.
    """
    adapter = read_folder(folder)
    base = base_model_of(wish.base_model or adapter.backbone.name)
    language = language_of(adapter, wish)
    problems = _missing(adapter, language, base)
    licence = licence_of(wish, problems)
    if problems:
        raise ConfigError(f"{folder}: cannot be published yet:{found(problems)}")
    answers = answers_of(folder, wish, licence)
    resolved = with_sources(adapter.provenance, folder)
    users = user_names() - {repository.split("/")[0]}
    adapter.provenance = scrub(resolved, users=users)
    adapter.backbone = replace(adapter.backbone, name=MINI if base == MINI_ON_THE_HUB else base)
    adapter.language = language
    digest = adapter.digest()
    scores = scores_of(folder, lambda one: digest in one.digests)
    place = into / adapter.name
    told = _write(adapter, scores, place)

    def card(version: str) -> str:
        return render_card(
            CardRecords(
                repository=repository,
                version=version,
                language=language,
                licence=licence,
                base_model=base,
                adapter=told,
                scores=read_scores(place),
                answers=answers,
            )
        )

    return Parcel(place, card, digest, answers, changes(resolved, adapter.provenance))


def base_model_of(name: str) -> str:
    """What a card names as the base model, for a backbone called ``name``."""
    base = canonical(name)
    return MINI_ON_THE_HUB if base == MINI else base


def is_hub_id(base: str) -> bool:
    """Whether others can get a backbone by this name."""
    return base.count("/") == 1 and not base.startswith((".", "/", "~")) and "\\" not in base


def language_of(adapter: Adapter, wish: Wish) -> str:
    """The language's code, from the wish or the folder; empty if neither says.

    Raises:
        ConfigError: If they contradict each other.
    """
    said = code_of(wish.language) if wish.language else ""
    if said and adapter.language and said != normalise_code(adapter.language):
        raise ConfigError(
            f"--language {wish.language}: the folder says that adapter {adapter.name!r} is for {adapter.language!r}"
        )
    return said or (normalise_code(adapter.language) if adapter.language else "")


def _missing(adapter: Adapter, language: str, base: str) -> list[str]:
    problems = []
    if not language:
        what = "its labelled data is in" if adapter.kind == "task" else "it is for"
        problems.append(f"language: the folder names none; say which one {what} (--language cym)")
    if not is_hub_id(base):
        named = f"{base!r} is no Hub id" if base else "the folder names none"
        problems.append(f"backbone: {named}; say which it is (--base-model owner/name)")
    if not adapter.backbone.digest:
        problems.append(
            "backbone: the folder has no digest of its weights, so nobody could tell whether theirs is the same; "
            "`adapterkit convert FOLDER --backbone NAME --out OTHER` records it"
        )
    return problems


def scores_of(folder: Path, fits: Callable[[ScoreRecord], bool]) -> tuple[ScoreRecord, ...]:
    """The scores in ``folder``, if all were measured with what is in it.

    Raises:
        FolderError: If one was measured with something else.
    """
    records = read_scores(folder)
    strange = [
        f"{one.task} on {one.dataset}: measured with {', '.join(name for name, _ in one.stack)}"
        for one in records
        if not fits(one)
    ]
    if strange:
        raise FolderError(
            f"{folder / SCORES_FILE}: scores of another adapter, or of an older version of this one:"
            f"{found(strange)}\nMeasure them again (adapterkit evaluate --record), or take the file away."
        )
    return records


def write_public_scores(scores: tuple[ScoreRecord, ...], place: Path) -> None:
    """Write `scores.json` without paths and user names, if there are scores."""
    users = user_names()
    if scores:
        write_scores(
            place, [replace(s, dataset=str(scrub(s.dataset, users=users))) for s in scores]
        )


def _write(adapter: Adapter, scores: tuple[ScoreRecord, ...], place: Path) -> dict[str, Any]:
    save_adapter(adapter, place)
    if read_folder(place).digest() != adapter.digest():
        raise FolderError(f"adapter {adapter.name!r} does not read back as it was written")
    write_public_scores(scores, place)
    return inspect(place)
