"""`search`: which published adapters there are for a language, a task, a backbone."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

from adapterkit.backbone.identity import canonical
from adapterkit.errors import ConfigError, HubError
from adapterkit.hub.catalogue import list_repositories, size_of
from adapterkit.hub.web import Unreachable
from adapterkit.languages import all_codes
from adapterkit.licences import hub_licence
from adapterkit.naming import find_languages
from adapterkit.searching.index import recall, remember
from adapterkit.searching.rows import Found, has_method, plausible, row_of

LIBRARIES = ("adapterkit", "adapter-transformers")
TASKS = {
    "pos": ("upos", "pos", "xpos", "part-of-speech"),
    "ner": ("ner", "tags", "wikiann", "named-entity-recognition"),
    "classification": ("classification", "text-classification", "label"),
    "sentiment": ("sentiment", "sentiment-analysis"),
    "nli": ("nli",),
    "qa": ("qa", "question-answering"),
}
"""Words under which a task is listed, by the word that a user says."""
MOST_SIZES = 20
logger = logging.getLogger("adapterkit")


@dataclass(frozen=True)
class Question:
    """What is looked for; empty parts match everything.

    Attributes:
        languages: ISO 639-3 codes, any of them.
        tasks: Words for the task, any of them.
        backbone: Canonical name.
        method: E.g. ``lora``; matched as `has_method` says.
        licence: The Hub's identifier.
    """

    languages: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    backbone: str = ""
    method: str = ""
    licence: str = ""

    def matches(self, row: Found) -> str:
        """What of the question ``row`` answers: ``all``, a half of it, or nothing (empty).

        A language adapter answers the half that asks for the language, a task adapter of any
        language the half that asks for the task: stacked, they are what was asked for.
        """
        if not self._sides(row):
            return ""
        speaks = not self.languages or bool({*self.languages} & {*row.languages})
        does = not self.tasks or bool({*self.tasks} & {*row.tasks})
        if speaks and does:
            return "all"
        if speaks and self.languages and row.kind in ("language", "domain"):
            return "language"
        return "task" if does and row.kind == "task" and self.tasks else ""

    def _sides(self, row: Found) -> bool:
        same = not self.backbone or row.backbone in (self.backbone, self.backbone.split("@")[0])
        return (
            same
            and (not self.method or has_method(row.method, self.method))
            and (not self.licence or self.licence == row.licence)
        )

    def parts(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """What to ask the Hub for, in turn: tags that a repository has together, and a part of its id."""
        codes = [code for language in self.languages for code in all_codes(language)]
        libraries = (*LIBRARIES, "peft") if self.method in ("lora", "ia3") else LIBRARIES
        for library in libraries:
            yield from (((library, code), "") for code in codes)
            yield from (((library, task), "") for task in self.tasks)
            if not codes and not self.tasks:
                more = (f"base_model:adapter:{self._hub_base()}",) if self.backbone else ()
                yield (library, *more), ""
        # Old cards often tell their language or task in the name of their AdapterHub entry only.
        yield from (((f"adapterhub:{code}/wiki",), "") for code in codes)
        yield from ((("adapter-transformers",), task) for task in self.tasks if len(task) > 1)

    def _hub_base(self) -> str:
        return self.backbone.split("@")[0]


@dataclass(frozen=True)
class Search:
    """The answer to a question.

    Attributes:
        found: Best first: what answers all of it, then halves of it; most downloaded first.
        question: As it was understood.
        note: Where the answer comes from, if not from the Hub itself.
    """

    found: tuple[Found, ...]
    question: Question
    note: str = ""

    def __iter__(self) -> Iterator[Found]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, number: int) -> Found:
        return self.found[number]


def search(
    language: str | None = None,
    task: str | None = None,
    backbone: str | None = None,
    method: str | None = None,
    license: str | None = None,
    *,
    limit: int = 50,
    offline: bool = False,
) -> Search:
    """Find published adapters and stacks, by the tags and cards on the Hub.

    Asked for a language and a task, it also finds the two halves of such a stack: language adapters of
    the language, and task adapters of the task in any language.

    Args:
        language: A name (``Swahili``, ``Kiswahili``), an ISO 639 code or a BCP 47 tag.
        task: E.g. ``pos``, ``ner``, ``classification``, or any word that a card may have.
        backbone: Its name or Hub id.
        method: E.g. ``lora``, ``bottleneck`` (all of them), or a preset such as ``pfeiffer``: those bottlenecks, and
            those that do not say which they are.
        license: E.g. ``cc-by-4.0``.
        limit: The most to be shown.
        offline: Ask nobody; look into what earlier searches found.

    Raises:
        ConfigError: If nothing is asked for, the language or the licence is unknown, or the limit below 1.
        HubError: If the Hub cannot be asked, and no earlier search has left anything.
    """
    question = Question(
        languages=find_languages(language) if language else (),
        tasks=TASKS.get(task.lower(), (task.lower(),)) if task else (),
        backbone=canonical(backbone) if backbone else "",
        method=(method or "").lower(),
        licence=hub_licence(license) if license else "",
    )
    if limit < 1:
        raise ConfigError(f"limit = {limit}: must be 1 or more")
    if question == Question():
        raise ConfigError(
            "say what to look for: --language, --task, --backbone, --method, --license"
        )
    rows, note = _recalled("as asked for") if offline else _asked(question)
    found = [replace(row, matches=half) for row in rows if (half := question.matches(row))]
    found.sort(key=lambda row: (row.matches != "all", row.matches, -row.downloads, row.repository))
    return Search(tuple(found[:limit]), question, note)


def _asked(question: Question) -> tuple[list[Found], str]:
    try:
        listings = {
            one.repository: one
            for tags, name in question.parts()
            for one in list_repositories(tags, name)
        }
        rows = [row_of(one) for one in listings.values()]
        rows = _with_sizes(rows, question)
    except HubError as error:
        rows, note = _recalled(str(error))
        if not rows:
            raise
        return rows, note
    remember(rows)
    return rows, ""


def _with_sizes(rows: list[Found], question: Question) -> list[Found]:
    """Sizes of the first few whose cards do not say theirs; unknown where the Hub gives none."""
    left = MOST_SIZES
    sized = []
    for row in rows:
        if not row.bytes and row.kind != "stack" and left and question.matches(row):
            left -= 1
            try:
                row = replace(row, bytes=plausible(size_of(row.repository, row.commit)))
            except Unreachable:
                left = 0  # the others' sizes would only be waited for
            except HubError as error:
                logger.info("%s: its size is not known: %s", row.repository, error)
        sized.append(row)
    return sized


def _recalled(why: str) -> tuple[list[Found], str]:
    rows, asked = recall()
    if not asked:
        return rows, f"offline ({why}); no earlier search has left anything"
    return (
        rows,
        f"offline ({why}): from {len(rows)} adapters that earlier searches saw, last {asked}",
    )
