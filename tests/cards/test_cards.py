"""Cards: metadata that means what the records say, no field that breaks out, words no stronger than the numbers."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import UndefinedError

from adapterkit.cards.answers import QUESTIONS, UNKNOWN, checked_answers, read_answers
from adapterkit.cards.front import front_matter
from adapterkit.cards.records import CardRecords
from adapterkit.cards.rendering import coverage, heldout, merged_from, render_card, templates
from adapterkit.cards.scores import (
    ScoreRecord,
    add_score,
    in_words,
    read_scores,
    scores_from,
)
from adapterkit.cards.stack_card import render_stack_card
from adapterkit.errors import ConfigError, FolderError
from adapterkit.licences import hub_licence
from adapterkit.metrics import Score
from adapterkit.templating import render_markdown, tick, to_markdown
from tests.cards.examples import PLACE, records, rendered, stack_records

NAMES = ("language", "task")
HOSTILE = (
    "x\n---\nlicense: mit\n---\n# Free\n",
    "x: [y, {z: !!python/object:os.system 1}]",
    "<script>alert(1)</script><img src=x onerror=y>",
    "| a | b |\n| --- | --- |",
    "```\n# out\n```",
    "**bold** _it_ [link](javascript:x) ![i](x) `tick` ~~no~~ $x$",
    "1. list\n2. list",
    "\u202eevil \x1b[31m \x85 \u2028 \ufeff",
    "{{ 7 * 7 }} {% for x in y %}",
    "no",
    "\"\\'",
)


def front(card: str) -> dict[str, Any]:
    start, block, _ = card.split("---\n", 2)
    assert start == ""
    found: dict[str, Any] = yaml.safe_load(block)
    return found


def score(value: float, low: float, high: float, **more: Score) -> ScoreRecord:
    own = Score(value, low, high)
    return ScoreRecord(
        "upos",
        "cym",
        "ccg.conllu",
        "",
        "test",
        "accuracy",
        9,
        (("cym", "d"),),
        {"own": own, **more},
    )


@pytest.mark.parametrize("name", [*NAMES, "stack"])
def test_the_examples_are_what_their_records_render_to(name: str) -> None:
    there = (PLACE / f"{name}.md").read_text(encoding="utf-8")
    assert rendered()[name] == there, "run: python -m tests.cards.examples"


@pytest.mark.parametrize("name", NAMES)
def test_the_metadata_is_read_back_as_it_was_meant(name: str) -> None:
    told = records(name)
    said = front(render_card(told))
    assert said["base_model"] == "adapterkit/mini"
    assert said["base_model_relation"] == "adapter"
    assert said["language"] == ["en"]
    assert said["license"] == told.licence
    assert said["library_name"] == "adapter-transformers"
    assert {"adapterkit", "mad-x", f"{name}-adapter", "adapter-transformers"} <= set(said["tags"])
    assert said["adapterkit"]["digest"] == told.adapter["digest"]
    (entry,) = said["model-index"][0]["results"]
    (one,) = told.scores
    own = one.conditions["own"]
    (metric,) = entry["metrics"]
    assert metric["value"] == pytest.approx(own.value, abs=1e-6)
    assert metric["args"]["ci95"] == pytest.approx([own.low, own.high], abs=1e-6)
    assert metric["args"]["n"] == one.examples


def test_the_hub_client_reads_the_metadata_and_the_scores() -> None:
    from huggingface_hub import ModelCard

    data: Any = ModelCard(render_card(records("language"))).data
    assert data.eval_results[0].metric_type == "accuracy"
    assert data.eval_results[0].metric_args["n"] == records("language").scores[0].examples


def test_a_score_of_no_known_language_is_shown_without_one() -> None:
    from huggingface_hub import ModelCard

    told = records("task")
    card = render_card(replace(told, scores=(replace(told.scores[0], language=""),)))
    assert "**upos: eng\\_ewt.test.first400.conllu, test, 400 examples**" in card
    data: Any = ModelCard(card).data
    (one,) = data.eval_results
    assert (one.dataset_name, one.dataset_config) == ("eng_ewt.test.first400.conllu", None)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_out_of_the_front_matter(text: str) -> None:
    record = {"license": text, text: "key", "tags": [text], "deep": [{"one": {"two": text}}]}
    block = front_matter(record)
    assert block.count("\n---\n") == 1
    said = yaml.safe_load(block.removesuffix("---\n"))
    assert set(said) == {"license", text, "tags", "deep"} or "\\" in block
    assert said["license"] == text
    assert said["deep"] == [{"one": {"two": text}}]


@pytest.mark.long
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", NAMES)
def test_no_answer_and_no_record_breaks_out_of_the_page(name: str, text: str) -> None:
    told = records(name)
    plain, hostile = dressed(told, "harmless"), dressed(told, text)
    before, after = render_card(plain), render_card(hostile)
    body, evil = before.split("---\n", 2)[2], after.split("---\n", 2)[2]
    for sign in (r"^#", r"^```", r"^\|", r"^- ", r"^\d+\.", r"^---"):
        assert len(re.findall(sign, evil, re.M)) == len(re.findall(sign, body, re.M)), sign
    outside = re.sub(r"```.*?```|`[^`]*`", "", evil, flags=re.S)
    assert not re.search(r"<[a-zA-Z/!]", outside)
    assert not re.search(r"(?<!\\)[\[\]]", outside)
    assert "49" not in outside.split("## Licence")[0] or "7 \\* 7" in outside
    assert front(after)["adapterkit"]["kind"] == told.adapter["kind"]
    assert all(sign.isprintable() or sign == "\n" for sign in after)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_stack_breaks_out_of_its_page(text: str) -> None:
    told = stack_records()
    part = replace(told.pins.parts[0], reference=text, kind=text, name=text)
    pins = replace(told.pins, task=text, backbone_name=text, parts=(part, *told.pins.parts[1:]))
    one = replace(told.scores[0], task=text, dataset=text)
    answers = {"asks": text}
    before = render_stack_card(replace(told, answers={"asks": "harmless"})).split("---\n", 2)[2]
    evil = replace(told, pins=pins, scores=(one,), answers=answers)
    after = render_stack_card(evil).split("---\n", 2)[2]
    for sign in (r"^#", r"^```", r"^\|", r"^- ", r"^\d+\.", r"^---"):
        assert len(re.findall(sign, after, re.M)) == len(re.findall(sign, before, re.M)), sign
    assert front(render_stack_card(evil))["adapterkit"]["task"] == text


def dressed(told: CardRecords, text: str) -> CardRecords:
    made = {**told.adapter["provenance"], "task": text, "versions": {text: text}}
    made |= {"corpus": {"licence": text, "fingerprint": text, "coverage": {"scripts": {text: 0.5}}}}
    made |= {"over": [{"name": text, "digest": text}]}
    one = replace(told.scores[0], task=text, dataset=text, main=text, stack=((text, text),))
    return replace(
        told,
        adapter={**told.adapter, "provenance": made, "labels": [text, text], "method": text},
        scores=(one,),
        answers=dict.fromkeys(QUESTIONS, text),
    )


def test_words_that_yaml_reads_as_something_else_stay_words() -> None:
    words = ["no", "No", "on", "y", "null", "1e5", "0x10", "12", "1.5", "", "~", "2024-01-01"]
    assert yaml.safe_load(front_matter({"w": words}).split("---\n")[1])["w"] == words


def test_a_value_that_is_missing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("{{ there }} {{ gone }}")
    with pytest.raises(UndefinedError, match="gone"):
        render_markdown(tmp_path, "a.md", {"there": 1})
    with pytest.raises(TypeError, match="missing"):
        render_markdown(tmp_path, "a.md", {"there": None, "gone": 1})


def test_values_are_shown_as_they_are() -> None:
    assert to_markdown("1. a_b <c> & d|e") == "1\\. a\\_b &lt;c&gt; &amp; d\\|e"
    assert to_markdown("71.3 [69.0, 73.5]") == "71.3 \\[69.0, 73.5\\]"
    assert to_markdown("می\u200cخواهم") == "می\u200cخواهم"  # a joiner is spelling
    assert tick("a`b|c\nd") == "`a'b\\|c d`"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Score(0.60, 0.55, 0.65), "better by 11.0 points"),
        (Score(0.80, 0.76, 0.85), "worse by 9.0 points"),
        (Score(0.69, 0.67, 0.71), "no reliable gain"),
        (Score(0.66, 0.62, 0.70), "no reliable gain"),  # the intervals touch
        (Score(0.71, 0.70, 0.72), "no reliable gain"),
    ],
)
def test_where_intervals_overlap_there_is_no_reliable_gain(other: Score, words: str) -> None:
    one = score(0.71, 0.70, 0.75, none=other)
    assert in_words(one, "none").startswith(words)
    assert words in render_card(replace(records("language"), scores=(one,)))


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (Score(0.02, 0.004, 0.036), "better by 2.0 points [0.4, 3.6]"),
        (Score(0.02, 0.0, 0.04), "no reliable gain (+2.0 points [+0.0, +4.0])"),
        (Score(0.02, -0.01, 0.05), "no reliable gain (+2.0 points [-1.0, +5.0])"),
    ],
)
def test_a_gain_that_was_measured_in_pairs_counts_and_not_the_intervals_beside_it(
    gain: Score, words: str
) -> None:
    # The intervals of the two scores overlap by far.
    one = replace(score(0.71, 0.68, 0.75, none=Score(0.69, 0.66, 0.73)), gains={"none": gain})
    assert in_words(one, "none") == words
    card = render_card(replace(records("language"), scores=(one,)))
    assert words.replace("[", "\\[").replace("]", "\\]") in card


def test_a_loss_that_was_measured_in_pairs_is_said_without_signs() -> None:
    one = score(0.69, 0.66, 0.73, none=Score(0.71, 0.68, 0.75))
    assert in_words(replace(one, gains={"none": Score(-0.02, -0.036, -0.004)}), "none") == (
        "worse by 2.0 points [0.4, 3.6]"
    )


def test_gains_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    one = replace(
        score(0.7, 0.6, 0.8, none=Score(0.6, 0.5, 0.7)), gains={"none": Score(0.1, 0.08, 0.12)}
    )
    add_score(tmp_path, one)
    assert read_scores(tmp_path) == (one,)


def test_a_score_without_a_baseline_is_said_to_say_little() -> None:
    told = replace(records("language"), scores=(score(0.7, 0.6, 0.8),))
    assert "No baseline was measured" in render_card(told)
    assert "No task was scored" in render_card(replace(told, scores=()))


def test_an_unanswered_question_is_shown_as_unknown() -> None:
    told = replace(records("language"), answers={"asks": "Ask us first."})
    card = render_card(told)
    assert card.count(UNKNOWN) == len(QUESTIONS) - 1
    assert "**What does the community ask of those who use this?** Ask us first." in card


def test_answers_that_answer_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "card.toml").write_text('asks = "Ask us."\nwrote = "me"\nagreed = 3\n')
    with pytest.raises(ConfigError, match=r"(?s)wrote: no such question.*agreed: a text"):
        read_answers(tmp_path / "card.toml")
    (tmp_path / "card.toml").write_text("asks = ")
    with pytest.raises(ConfigError, match="not readable as TOML"):
        read_answers(tmp_path / "card.toml")
    assert checked_answers({"asks": "  "}, "x") == {}


def test_scores_are_kept_by_what_was_measured(tmp_path: Path) -> None:
    add_score(tmp_path, score(0.5, 0.4, 0.6))
    add_score(tmp_path, replace(score(0.6, 0.5, 0.7), dataset="other"))
    add_score(tmp_path, score(0.7, 0.6, 0.8))
    assert [one.conditions["own"].value for one in read_scores(tmp_path)] == [0.7, 0.6]


def test_scores_on_two_files_of_one_name_both_stand_and_are_told_apart(tmp_path: Path) -> None:
    for value, digest in ((0.5, "a" * 64), (0.6, "b" * 64)):
        one = replace(score(value, value, value), dataset="test.conllu", dataset_digest=digest)
        add_score(tmp_path, one)
        add_score(tmp_path, one)  # the same again replaces it
    there = read_scores(tmp_path)
    assert [one.conditions["own"].value for one in there] == [0.5, 0.6]
    card = render_card(replace(records("language"), scores=there))
    assert card.count("**upos: Welsh, test.conllu, test, 9 examples, sha256 aaaaaaaaaaaa**") == 1
    assert card.count("**upos: Welsh, test.conllu, test, 9 examples, sha256 bbbbbbbbbbbb**") == 1
    assert len(front(card)["model-index"][0]["results"]) == 2
    alone = render_card(replace(records("language"), scores=there[:1]))
    assert "**upos: Welsh, test.conllu, test, 9 examples**" in alone


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"examples": "9"}, "examples: a whole number"),
        ({"conditions": {}}, "'own' at least"),
        ({"conditions": {"own": {"value": 7, "interval": [0, 1]}}}, "own: a value and an interval"),
        ({"conditions": {"own": {"value": 0.7}}}, "own: a value and an interval"),
        ({"gains": {"none": {"value": 0.1, "interval": [0, 1]}}}, "none: no such condition was"),
        ({"gains": {"own": {"value": 0.1, "interval": [0, 1]}}}, "own: no such condition was"),
        ({"gains": {"own": 3}}, "own: a value and an interval"),
        ({"gains": []}, "gains: an object"),
        ({"stack": "cym"}, "stack: names"),
        ({"task": None}, "task: a text"),
        ({"language": "pt-br"}, "language: 'pt-br' is no code"),
    ],
)
def test_scores_that_are_none_are_refused(change: dict[str, Any], reason: str) -> None:
    entry = {**score(0.5, 0.4, 0.6).as_dict(), **change}
    with pytest.raises(FolderError, match=reason):
        scores_from({"scores": [entry]}, Path("scores.json"))


def test_licences_are_known_by_their_usual_names() -> None:
    for text, known in (
        ("CC BY-SA 4.0", "cc-by-sa-4.0"),
        ("Apache 2.0", "apache-2.0"),
        ("CC0", "cc0-1.0"),
        ("GPL-3.0-or-later", "gpl-3.0"),
        ("MIT License", "mit"),
    ):
        assert hub_licence(text) == known
    with pytest.raises(ConfigError, match=r"near it: .*cc-by-4.0"):
        hub_licence("CC-BY")
    with pytest.raises(ConfigError, match="no licence that the Hub knows"):
        hub_licence("unknown")


def test_the_templates_are_found() -> None:
    assert {"language.md", "task.md", "stack.md"} <= {path.name for path in templates().iterdir()}


def told_of(name: str, **made: Any) -> CardRecords:
    """The records of an example with another provenance."""
    told = records(name)
    return replace(
        told, adapter={**told.adapter, "provenance": {**told.adapter["provenance"], **made}}
    )


def domain(over: object, base: str = "mini") -> str:
    told = told_of("language", over=over)
    changed = {"kind": "domain", "backbone": {**told.adapter["backbone"], "name": base}}
    return render_card(replace(told, base_model=base, adapter={**told.adapter, **changed}))


@pytest.mark.parametrize(
    ("over", "loading", "stack"),
    [
        ({"starter": "mini:eng"}, 'language = ak.load_adapter("mini:eng")', "language, domain"),
        (
            {"repository": "me/eng", "commit": "c" * 40},
            f'language = ak.load_adapter("me/eng", revision="{"c" * 40}")',
            "language, domain",
        ),
        ({}, "# Before it in the stack: the language adapter that it was trained over.", "domain"),
    ],
)
@pytest.mark.parametrize(("base", "more"), [("mini@2", ", task"), ("you/bert", "")])
def test_a_domain_adapter_says_so_and_loads_what_lies_under_it(
    over: dict[str, str], loading: str, stack: str, base: str, more: str
) -> None:
    base = f"adapterkit/{base}" if more else base
    card = domain({"name": "eng", "digest": "ab" * 32, **over}, base)
    assert "A domain adapter: it was trained on" in card
    assert "It teaches the frozen backbone the" not in card
    assert f"\n{loading}" in card
    assert '\ndomain = ak.load_adapter("example/mini-eng", revision="v1")' in card
    assert f"ak.Stack({stack}{more}))" in card
    assert "domain-adapter" in front(card)["tags"]
    assert "language-adapter" not in front(card)["tags"]


def test_a_domain_adapter_whose_record_names_none_under_it_says_that() -> None:
    assert "over a language adapter that no record names" in domain(None)
    assert "over a language adapter, eng (never published; sha256 abab" in domain(
        {"name": "eng", "digest": "ab" * 32}
    )


def test_a_task_adapter_trained_over_nothing_is_not_said_to_work_behind_a_language_adapter() -> (
    None
):
    alone = render_card(told_of("task", over=[]))
    assert "(`eng`) without a\nlanguage adapter: use it without one." in alone
    assert "adapter of another language before it" not in alone
    assert "ak.Stack(task))\n" in alone
    for made in ({}, {"over": [], "target_ready": [{"name": "cym", "digest": "d"}]}):
        card = render_card(told_of("task", **made))
        assert "adapter of another language before it" in card


def licensed(licence: str, answers: dict[str, str]) -> list[str]:
    """Cards of an adapter and of a stack."""
    return [
        render_card(replace(records("language"), licence=licence, answers=answers)),
        render_stack_card(replace(stack_records(), licence=licence, answers=answers)),
    ]


def test_a_licence_of_ones_own_is_that_of_licence_other_alone() -> None:
    name, link = {"license_name": "My"}, {"license_link": "https://x.org/my"}
    for card in (*licensed("mit", name), *licensed("mit", name | link)):
        assert ": mit." in card
        assert "My" not in card
        assert front(card)["license"] == "mit"
        assert "license_name" not in front(card)
    for card in licensed("other", name | link):
        assert "My (https:" in card
        assert front(card)["license_name"] == "My"


def test_a_merged_adapter_names_its_parts_and_their_weights() -> None:
    merged = [
        {"name": "cym", "digest": "d" * 64, "weight": 0.25},
        {"name": "eng", "digest": "e" * 64, "weight": -1, "starter": "mini:eng"},
    ]
    card = render_card(told_of("language", merged=merged))
    parts = "0.25 times cym (never published; sha256 dddddddddddddddd); -1 times mini:eng, which"
    assert f"| Merged from | {parts} ships with adapterkit |" in card
    assert "Merged from" not in render_card(records("language"))


def test_what_went_on_with_its_own_labels_says_that_nobody_labelled_them() -> None:
    told = records("task")
    text = {"fingerprint": "ab12", "licence": "CC-BY-4.0"}
    made = {
        **told.adapter["provenance"],
        "self_training": {"sentences": 1500, "corpus": text},
        "init": {"starter": "mini:pos"},
    }
    card = render_card(replace(told, adapter={**told.adapter, "provenance": made}))
    assert "with labels that it gave itself to 1,500 sentences of raw text" in card
    assert "(mini:pos, which ships with adapterkit) with labels" in card
    assert "Use it as it was trained: over " in card
    assert "without labelled examples of it" not in card
    assert "put another language's here" not in card
    assert "The text, as its corpus was described: CC-BY-4.0." in card
    assert "| Raw text (fingerprint) | ab12 |" in card
    assert "gave itself" not in render_card(told)
    several = {**made, "over": [{"name": "cym"}, {"name": "bre"}]}
    card = render_card(replace(told, adapter={**told.adapter, "provenance": several}))
    assert "ak.Stack(task))  # before it, what it was trained over" in card
    alone = render_card(replace(told, adapter={**told.adapter, "provenance": {**made, "over": []}}))
    assert "Use it as it was trained: without a language adapter." in alone
    assert "before it" not in alone


def test_numbers_that_no_machine_counts_with_are_left_out_of_a_card() -> None:
    huge = 10**400
    assert coverage({"corpus": {"coverage": {"fertility": huge, "words": huge}}}) == []
    assert (
        coverage({"corpus": {"coverage": {"words": 1, "scripts": {"Latin": huge}}}})[-1][0]
        == "Words"
    )
    assert heldout({"heldout_loss": {"backbone": huge, "adapter": 1}}) is None
    assert merged_from({"merged": [{"weight": huge, "name": "a"}]}) == ""
