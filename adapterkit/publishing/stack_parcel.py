"""Building a stack's public folder: its pins, its scores, and a check that everybody can get its parts."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterkit.cards.scores import read_scores
from adapterkit.cards.stack_card import StackRecords, render_stack_card
from adapterkit.errors import ConfigError, HubError, found
from adapterkit.formats.pins import STACK_FILE, Pin, StackPins, read_pins, write_pins
from adapterkit.formats.places import STARTER
from adapterkit.hub.fetching import fetch
from adapterkit.hub.upload import is_public, look
from adapterkit.languages import code_of
from adapterkit.publishing.parcel import Parcel, Wish, answers_of, licence_of
from adapterkit.publishing.staging import scores_of, write_public_scores


def stack_parcel(folder: Path, wish: Wish, repository: str, into: Path) -> Parcel:
    """Make the public folder of the stack in ``folder`` under ``into``.

    Raises:
        FolderError: If `stack.json` is wrong, or its scores are of another stack.
        ConfigError: If the licence is missing, or what is wished contradicts the folder.
        HubError: If a part is not on the Hub as it is pinned, or not for everybody.
    """
    pins, problems = read_pins(folder), list[str]()
    if wish.language and code_of(wish.language) != pins.language:
        problems.append(f"--language {wish.language}: the stack predicts in {pins.language!r}")
    if wish.base_model and wish.base_model != pins.backbone:
        problems.append(f"--base-model {wish.base_model}: the stack pins {pins.backbone!r}")
    licence = licence_of(wish, problems)
    if problems:
        raise ConfigError(f"{folder}: cannot be published yet:{found(problems)}")
    answers = answers_of(folder, wish, licence)
    scores = scores_of(folder, lambda one: one.digests == pins.digests)
    _check_parts(pins, private=wish.private)
    place = into / "stack"
    place.mkdir(parents=True)
    write_pins(place, pins)
    write_public_scores(scores, place)

    def card(version: str) -> str:
        records = StackRecords(repository, version, licence, pins, read_scores(place), answers)
        return render_stack_card(records)

    digest = hashlib.sha256((place / STACK_FILE).read_bytes()).hexdigest()
    return Parcel(place, card, digest, answers)


def _check_parts(pins: StackPins, *, private: bool) -> None:
    problems = [
        problem
        for pin in pins.parts
        if not pin.reference.startswith(STARTER)
        for problem in _part_problems(pin, private=private)
    ]
    place, commit = pins.backbone, pins.backbone_commit
    if commit and not private and not is_public(place, commit, files=True):
        problems.append(f"{place} at {commit[:12]}: private or gated, so not for everybody to get")
    if problems:
        raise HubError(f"a stack needs parts that everybody can get:{found(problems)}")


def _part_problems(pin: Pin, *, private: bool) -> list[str]:
    where = f"{pin.reference} at {pin.commit[:12]}"
    there = look(pin.reference, commit=pin.commit)
    if there is None:
        return [f"{where}: not on the Hub"]
    lost = [name for name in pin.files if name not in there.files]
    if lost:
        return [f"{where}: does not hold {', '.join(lost)}"]
    sums = {name: one["sha256"] for name, one in _files(pin).items()}
    other = [name for name in pin.files if pin.files[name] != sums.get(name)]
    if other:
        return [f"{where}: holds {', '.join(other)}, but not as pinned"]
    if not private and not is_public(pin.reference, pin.commit, files=True):
        return [f"{where}: is private or gated, and the stack would not be (--private)"]
    return []


def _files(pin: Pin) -> Mapping[str, Mapping[str, Any]]:
    """Size and sha256 of its files; of small ones the Hub does not tell it, so they are fetched."""
    return fetch(pin.reference, revision=pin.commit).files
