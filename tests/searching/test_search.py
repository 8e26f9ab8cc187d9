"""Searching: our cards, AdapterHub's old tags and PEFT's, told alike; strangers' cards; without a network."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from adapterkit.cards.rendering import render_card
from adapterkit.cli.app import app
from adapterkit.errors import ConfigError, HubError
from adapterkit.hub.catalogue import Listing, list_repositories, listing_of
from adapterkit.hub.web import Unreachable
from adapterkit.searching import search as searching
from adapterkit.searching.index import index_file
from adapterkit.searching.rows import has_method, row_of
from adapterkit.searching.search import search
from tests.cards.examples import records

COMMIT = "0123456789" * 4


def listing(repository: str, *tags: str, downloads: int = 1, **card: Any) -> Listing:
    return Listing(repository, COMMIT, tags, card, "2026-01-31", downloads)


def ours(name: str, language: str, *, downloads: int = 5) -> Listing:
    told = replace(records(name), language=language)
    card: dict[str, Any] = yaml.safe_load(render_card(told).split("---\n")[1])
    tags = [*card["tags"], *card["language"], f"license:{card['license']}"]
    tags.append(f"base_model:adapter:{card['base_model']}")
    return listing(f"me/{language}-{name}", *tags, downloads=downloads, **card)


OLD_LANGUAGE = listing(
    "AdapterHub/xlm-roberta-base-sw-wiki_pfeiffer",
    *("adapter-transformers", "xlm-roberta", "adapterhub:sw/wiki", "license:apache-2.0"),
    language="sw",
    downloads=90,
)
OLD_TASK = listing(
    "AdapterHub/xlm-roberta-base_ner_wikiann_pfeiffer",
    *("adapter-transformers", "xlm-roberta", "adapterhub:ner/wikiann", "en"),
    downloads=70,
)
LORA = listing(
    "you/swahili-lora",
    *("peft", "lora", "sw", "base_model:adapter:xlm-roberta-base", "license:mit"),
)


class Shelf:
    """What the Hub would list."""

    def __init__(self, *listings: Listing) -> None:
        self.listings, self.asked, self.off = listings, list[tuple[str, ...]](), False

    def list_repositories(self, tags: Sequence[str], name: str = "") -> list[Listing]:
        self.asked.append(tuple(tags))
        if self.off:
            raise HubError("the Hub could not be searched: no network")
        named = [one for one in self.listings if name in one.repository]
        return [one for one in named if {*tags} <= {*one.tags, *self._languages(one)}]

    @staticmethod
    def _languages(one: Listing) -> list[str]:
        said = one.card.get("language", [])
        return said if isinstance(said, list) else [said]


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shelf:
    made = Shelf(
        ours("language", "swa"),
        ours("task", "eng"),
        ours("language", "cym"),
        OLD_LANGUAGE,
        OLD_TASK,
        LORA,
    )
    monkeypatch.setattr(searching, "list_repositories", made.list_repositories)
    monkeypatch.setattr(searching, "size_of", lambda repository, commit: 7_000_000)
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path))
    return made


@pytest.mark.long
@pytest.mark.parametrize("name", ["Swahili", "Kiswahili", "sw", "swh", "swa", "sw-KE"])
def test_a_language_is_found_by_every_name(shelf: Shelf, name: str) -> None:
    found = [row.repository for row in search(name)]
    assert found == [OLD_LANGUAGE.repository, "me/swa-language"]


def test_a_language_and_a_task_find_both_halves_of_the_stack(shelf: Shelf) -> None:
    answer = search("Swahili", "ner")
    assert [(row.repository, row.matches) for row in answer] == [
        (OLD_LANGUAGE.repository, "language"),
        ("me/swa-language", "language"),
        (OLD_TASK.repository, "task"),
    ]
    both = search("English", "pos")
    assert [(row.repository, row.matches) for row in both] == [("me/eng-task", "all")]


def test_a_task_alone_finds_no_language_adapters(shelf: Shelf) -> None:
    shelf.listings = (*shelf.listings, replace(ours("language", "fra"), tags=("adapterkit", "ner")))
    assert [row.repository for row in search(task="ner")] == [OLD_TASK.repository]


def test_old_adapterhub_tags_are_understood(shelf: Shelf) -> None:
    row = row_of(OLD_LANGUAGE)
    assert (row.kind, row.languages, row.method) == ("language", ("swa",), "pfeiffer")
    assert (row.backbone, row.licence) == ("FacebookAI/xlm-roberta-base", "apache-2.0")
    assert row_of(replace(OLD_LANGUAGE, card={})).languages == ("swa",)  # its tag says it too
    row = row_of(OLD_TASK)
    assert (row.kind, row.tasks, row.languages) == ("task", ("ner", "wikiann"), ("eng",))
    assert row_of(LORA).backbone == "FacebookAI/xlm-roberta-base"


def test_our_cards_are_read_back(shelf: Shelf) -> None:
    row = row_of(ours("language", "swa"))
    told = records("language")
    assert (row.kind, row.languages) == ("language", ("swa",))
    assert row.backbone == "adapterkit/mini@2"
    assert row.method == told.adapter["method"]
    assert row.bytes == sum(one["bytes"] for one in told.adapter["files"].values())
    assert row.scores == ("accuracy 0.902 on eng_ewt.test.first400.conllu",)
    assert row.load == f'ak.load_adapter("me/swa-language", revision="{COMMIT}")'
    stack = listing("me/x", "adapterkit", adapterkit={"kind": "stack"})
    assert row_of(stack).load.startswith('ak.load_stack("me/x"')


@pytest.mark.long
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"backbone": "mini"}, ["me/swa-language"]),
        ({"backbone": "xlm-roberta-base"}, [OLD_LANGUAGE.repository]),
        ({"license": "CC BY-SA 4.0"}, ["me/swa-language"]),
        ({"method": "bottleneck"}, [OLD_LANGUAGE.repository, "me/swa-language"]),
        ({"method": "pfeiffer"}, [OLD_LANGUAGE.repository, "me/swa-language"]),
        ({"method": "houlsby"}, ["me/swa-language"]),
        ({"method": "invertible"}, ["me/swa-language"]),
        ({"method": "lora"}, [LORA.repository]),
    ],
)
def test_backbone_method_and_licence_narrow_it(
    shelf: Shelf, options: dict[str, str], expected: list[str]
) -> None:
    rows = [row.repository for row in search("sw", **options)]  # type: ignore[arg-type]
    assert [row for row in rows if row != LORA.repository or "lora" in options.values()] == expected


def made_by(method: str, init: object = None) -> str:
    """The method of a row whose adapter was trained by ``method``."""
    told = records("language")
    made = {**told.adapter["provenance"], "config": {"method": method}, "init": init}
    card = render_card(replace(told, adapter={**told.adapter, "provenance": made}))
    return row_of(listing("me/x", **yaml.safe_load(card.split("---\n")[1]))).method


@pytest.mark.parametrize("wanted", ["pfeiffer", "houlsby", "parallel", "scaled_parallel"])
def test_a_preset_finds_its_bottlenecks_and_those_that_tell_none(wanted: str) -> None:
    for method in ("pfeiffer", "houlsby", "parallel", "scaled_parallel"):
        said = made_by(method)
        assert said == f"bottleneck + invertible ({method})"
        assert has_method(said, wanted) == (method == wanted)
        assert has_method(said, "bottleneck")
    assert has_method(made_by(wanted, init={"name": "eng"}), wanted)  # the start's shape, not its
    assert has_method("bottleneck", wanted)
    assert not has_method("lora", wanted)
    assert not has_method("", wanted)


def test_a_limit_below_one_is_refused(shelf: Shelf) -> None:
    with pytest.raises(ConfigError, match="limit = -1: must be 1 or more"):
        search("Swahili", limit=-1)
    assert not shelf.asked


def test_sizes_that_no_card_tells_are_asked_for(shelf: Shelf) -> None:
    assert search("Swahili")[0].bytes == 7_000_000


def test_nothing_asked_is_refused(shelf: Shelf) -> None:
    with pytest.raises(ConfigError, match="say what to look for"):
        search()
    assert not shelf.asked


def test_without_a_network_what_was_seen_before_is_searched(shelf: Shelf) -> None:
    online = search("Swahili")
    search("Welsh")
    shelf.off = True
    again = search("swh")
    assert again.found == online.found
    assert "no network" in again.note
    assert "earlier searches" in again.note
    calls = len(shelf.asked)
    assert [row.repository for row in search("Cymraeg", offline=True)] == ["me/cym-language"]
    assert len(shelf.asked) == calls


def test_without_a_network_and_without_an_index_it_says_so(shelf: Shelf) -> None:
    assert "no earlier search" in search("Swahili", offline=True).note
    shelf.off = True
    with pytest.raises(HubError, match="no network"):
        search("Swahili")


@pytest.mark.long
@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1, "endpoints": 3}', '{"format": 2}'])
def test_a_broken_index_is_none(shelf: Shelf, text: str) -> None:
    index_file().parent.mkdir(parents=True)
    index_file().write_text(text)
    assert len(search("Swahili", offline=True)) == 0
    assert len(search("Swahili")) == 2
    assert len(search("Swahili", offline=True)) == 2


@pytest.mark.parametrize(
    "junk", [None, 3, [], {}, "x" * 10_000, [{"results": [3, {"task": 4}]}], {"a": [1]}]
)
def test_no_card_of_a_stranger_breaks_a_search(junk: Any) -> None:
    keys = ("adapterkit", "language", "license", "base_model", "model-index", "pipeline_tag")
    card = dict.fromkeys(keys, junk)
    row = row_of(listing("you/x", "adapter-transformers", "adapterhub:/", "license:", **card))
    assert row.repository == "you/x"
    card["adapterkit"] = dict.fromkeys(
        ("kind", "language", "task", "backbone", "method", "bytes"), junk
    )
    assert row_of(listing("you/x", **card)).bytes in (0, 3)


def scored(kind: str = "f1", value: Any = 0.5, data: str = "x") -> dict[str, Any]:
    """A card's model-index with one score."""
    result = {"dataset": {"name": data}, "metrics": [{"type": kind, "value": value}]}
    return {"model-index": [{"results": [result]}]}


def test_no_score_of_a_stranger_steers_a_terminal(shelf: Shelf) -> None:
    card = scored("f\x1b[2J1", data="a\x1b]0;title\x07\nak.load_adapter()")
    shelf.listings = (listing("you/x", "adapterkit", "sw", **card),)
    told = CliRunner().invoke(app, ["search", "--language", "sw"])
    assert told.exit_code == 0, told.output
    assert not {"\x1b", "\x07"} & {*told.output}
    assert told.output.endswith("    f\\x1b[2J1 0.5 on a\\x1b]0;title\\x07 ak.load_adapter()\n")


def test_no_number_of_a_stranger_is_too_large(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = {**scored(value=10**400), "adapterkit": {"bytes": 10**400}}
    shelf.listings = (listing("you/x", "adapterkit", "sw", **card),)
    monkeypatch.setattr(searching, "size_of", lambda repository, commit: 10**400)
    (row,) = search("Swahili")
    assert (row.bytes, row.scores) == (0, ())


@pytest.mark.parametrize(("error", "asked"), [(HubError, 2), (Unreachable, 1)])
def test_a_size_that_is_not_given_costs_no_answer(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, error: type[HubError], asked: int
) -> None:
    calls = []

    def refuse(repository: str, commit: str) -> int:
        calls.append(repository)
        raise error("404")

    monkeypatch.setattr(searching, "size_of", refuse)
    answer = search("Swahili", "ner")
    assert len(answer) == 3
    assert answer.note == ""
    assert answer[0].bytes == 0
    assert len(calls) == asked


def entry(**values: Any) -> dict[str, Any]:
    usual = {
        "id": "you/x",
        "sha": COMMIT,
        "tags": ["a", 3],
        "lastModified": "2026-01-31T10:00:00.000Z",
    }
    return {**usual, "cardData": {"language": "sw"}, "downloads": 4, **values}


def test_the_hubs_answer_is_read() -> None:
    assert listing_of(entry()) == replace(listing("you/x", "a", language="sw"), downloads=4)


@pytest.mark.parametrize(
    "broken",
    [
        3,
        {"id": 'you/x"); import os; ("'},
        {"id": "../x/y"},
        {"sha": 'main"); import os; ("'},
        {"sha": None},
    ],
)
def test_what_could_not_be_loaded_is_not_shown(broken: Any) -> None:
    assert listing_of(broken if broken == 3 else entry(**broken)) is None


def test_odd_values_of_an_entry_are_none() -> None:
    row = listing_of(entry(tags="x", cardData=[1], lastModified=3, downloads="many"))
    assert row == Listing("you/x", COMMIT, (), {}, "", 0)


def test_an_answer_that_is_no_list_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("adapterkit.hub.web.get_json", lambda path: asked.append(path))
    with pytest.raises(HubError, match="no list"):
        list_repositories(("adapterkit", "a&b"), "x y")
    assert asked[0].startswith("/api/models?filter=adapterkit&filter=a%26b&search=x+y&")
