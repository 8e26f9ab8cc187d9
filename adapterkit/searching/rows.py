"""From a repository's tags and card to one row of a search: our own cards, AdapterHub's old tags, PEFT's."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from adapterkit.backbone.identity import ALIASES, canonical
from adapterkit.config import PRESETS
from adapterkit.errors import ConfigError
from adapterkit.hub.catalogue import Listing
from adapterkit.languages import known_languages, normalise_code

METHODS = ("pfeiffer", "houlsby", "parallel", "lora", "ia3", "compacter", "prefix_tuning")
_OLD = re.compile(r"adapterhub:([\w-]+)/([\w.@+-]+)")
_SHORT_NAMES = sorted({*ALIASES, *(name.split("/")[-1] for name in ALIASES.values())}, key=len)


@dataclass(frozen=True)
class Found:
    """A published adapter or stack.

    Attributes:
        repository: Its Hub id.
        commit: Of its main branch when it was seen.
        kind: ``language``, ``domain``, ``task`` or ``stack``; empty where nobody says.
        languages: ISO 639-3 codes.
        tasks: Names of its task, as its tags, its card and its scores have it.
        backbone: The backbone's Hub id, or its type where only that is known; else empty.
        method: E.g. ``bottleneck + invertible``, ``bottleneck (houlsby)``, ``lora``; empty where nobody says.
        licence: The Hub's identifier.
        bytes: Of its files; 0 where nobody says.
        modified: Day of its last change.
        downloads: In the last month.
        scores: In words, the first few.
        matches: What of the question it answers: ``all``, or ``language`` or ``task`` of one that
            asked for both.
    """

    repository: str
    commit: str
    kind: str
    languages: tuple[str, ...]
    tasks: tuple[str, ...]
    backbone: str
    method: str
    licence: str
    bytes: int
    modified: str
    downloads: int
    scores: tuple[str, ...]
    matches: str = "all"

    @property
    def load(self) -> str:
        """The line that loads it, exactly as it was seen."""
        verb = "load_stack" if self.kind == "stack" else "load_adapter"
        at = f', revision="{self.commit}"' if self.commit else ""
        return f'ak.{verb}("{self.repository}"{at})'


def row_of(listing: Listing) -> Found:
    """What is known of a repository."""
    ours = listing.card.get("adapterkit")
    own: Mapping[str, Any] = ours if isinstance(ours, Mapping) else {}
    old = [match.groups() for tag in listing.tags if (match := _OLD.fullmatch(tag))]
    languages = _languages(listing, own, old)
    return Found(
        repository=listing.repository,
        commit=listing.commit,
        kind=_kind(listing, own, old),
        languages=languages,
        tasks=_tasks(listing, own, old),
        backbone=_backbone(listing, own),
        method=_own_method(own) or _method(listing),
        licence=_tag(listing, "license:") or _text(listing.card.get("license")),
        bytes=plausible(own.get("bytes")),
        modified=listing.modified,
        downloads=listing.downloads,
        scores=tuple(_scores(listing.card))[:3],
    )


def plausible(size: object) -> int:
    """``size`` if it can be a number of bytes, else 0: strangers' numbers may have any length."""
    if not isinstance(size, int) or isinstance(size, bool):
        return 0
    return size if 0 < size < 2**63 else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str)]


def _tag(listing: Listing, start: str) -> str:
    return next((tag.removeprefix(start) for tag in listing.tags if tag.startswith(start)), "")


def _code(text: str) -> str:
    try:
        code = normalise_code(text)
    except ConfigError:
        return ""
    return code if code in known_languages() or len(code) == 3 else ""


def _languages(
    listing: Listing, own: Mapping[str, Any], old: list[tuple[str, ...]]
) -> tuple[str, ...]:
    said = [_text(own.get("language")), *_texts(listing.card.get("language"))]
    said += [first for first, _ in old if _is_language(first)]
    said += [tag for tag in listing.tags if len(tag) in (2, 3) and _is_language(tag)]
    return tuple(dict.fromkeys(code for one in said if (code := _code(one))))


def _is_language(text: str) -> bool:
    return len(text) in (2, 3) and _code(text) in known_languages()


def _kind(listing: Listing, own: Mapping[str, Any], old: list[tuple[str, ...]]) -> str:
    kind = _text(own.get("kind"))
    if kind in ("language", "domain", "task", "stack"):
        return kind
    for kind in ("language", "domain", "task"):
        if f"{kind}-adapter" in listing.tags:
            return kind
    if old:
        return "language" if _is_language(old[0][0]) else "task"
    return ""


def _tasks(listing: Listing, own: Mapping[str, Any], old: list[tuple[str, ...]]) -> tuple[str, ...]:
    said = [_text(own.get("task")), _text(listing.card.get("pipeline_tag"))]
    said += [word for pair in old if not _is_language(pair[0]) for word in pair]
    said += [_text(result.get("task", {}).get("name")) for result in _results(listing.card)]
    return tuple(dict.fromkeys(one.lower() for one in said if one))


def _results(card: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    index = card.get("model-index")
    for entry in index if isinstance(index, list) else ():
        results = entry.get("results") if isinstance(entry, Mapping) else None
        for result in results if isinstance(results, list) else ():
            if isinstance(result, Mapping) and isinstance(result.get("task", {}), Mapping):
                yield result


def _scores(card: Mapping[str, Any]) -> Iterable[str]:
    for result in _results(card):
        data, metrics = result.get("dataset"), result.get("metrics")
        name = _text(data.get("name")) if isinstance(data, Mapping) else ""
        for metric in metrics if isinstance(metrics, list) else ():
            value = metric.get("value") if isinstance(metric, Mapping) else None
            if (
                isinstance(value, int | float)
                and not isinstance(value, bool)
                and abs(value) < 1e300
            ):
                words = f"{_text(metric.get('type'))} {value:.3g} on {name}"
                yield " ".join(words.split())


def _backbone(listing: Listing, own: Mapping[str, Any]) -> str:
    said = _text(own.get("backbone")) or _tag(listing, "base_model:adapter:")
    said = said or next(iter(_texts(listing.card.get("base_model"))), "")
    if said:
        return canonical(said)
    # AdapterHub's names begin with the backbone's: xlm-roberta-base-sw-wiki_pfeiffer.
    name = listing.repository.split("/")[-1].lower()
    for short in reversed(_SHORT_NAMES):
        if name.startswith(f"{short}-") or name.startswith(f"{short}_"):
            return canonical(short)
    types = ("xlm-roberta", "roberta", "bert", "distilbert", "deberta", "deberta-v2")
    return next((tag for tag in listing.tags if tag in types), "")


def _own_method(own: Mapping[str, Any]) -> str:
    """What our card says: ``bottleneck + invertible (houlsby)``, or without a preset that it does not know."""
    method, preset = _text(own.get("method")), _text(own.get("preset"))
    return f"{method} ({preset})" if method and preset in PRESETS else method


def has_method(said: str, wanted: str) -> bool:
    """Whether an adapter is made by a method.

    Args:
        said: Its method, as `Found` has it.
        wanted: A preset of bottlenecks, of which those are found too that tell no preset; ``bottleneck`` for all
            of them; else any part of a method's name.
    """
    presets = set(PRESETS) & set(re.findall(r"\w+", said))
    if wanted in PRESETS:
        return wanted in presets or ("bottleneck" in said and not presets)
    return wanted in said or (wanted == "bottleneck" and bool(presets))


def _method(listing: Listing) -> str:
    words = {*listing.tags, *re.split(r"[-_]", listing.repository.split("/")[-1].lower())}
    return next((method for method in METHODS if method in words), "")
