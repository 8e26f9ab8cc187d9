"""Languages with several test sets: each is looked at on its own, and the language is counted once."""

import json
from pathlib import Path

from adapterkit.pages.results_page import page_of
from adapterkit.pages.results_text import text_of
from adapterkit.table import Row
from tests.pages.test_report import made_of, row


def two_sets(**facts: object) -> list[Row]:
    """English with an easy and a hard test set, beside the source kept."""
    return [
        row(language="eng", dataset=f"ud/eng_{name}", method=method, value=value - lost, **facts)
        for name, value in (("ewt", 0.9), ("gum", 0.5))
        for method, lost in (("own", 0.0), ("source-kept", 0.1))
    ]


def test_two_test_sets_of_one_language_are_one_language(tmp_path: Path) -> None:
    said = made_of(tmp_path, two_sets())
    first = said.summary()[0]
    assert "1 language (2 test sets) of no named group: own has 70.0" in first[0]
    assert "The worst language is English (ud/eng_gum) with 50.0 %" in " ".join(first)
    text = text_of(said)
    assert "| English (eng, ud/eng_ewt) | 90.0 | 80.0 | +10.0 |" in text
    assert "**English** (eng, ud/eng_gum)" in text
    assert "| +10.0 [+10.0, +10.0] | 1 (2 sets) | 1 |" in text
    page = page_of(said)
    assert "eng, ud/eng_gum, worst" in page
    assert ": 4 cells, 1 language, " in page
    (panel,) = said.as_dict()["panels"]
    assert set(panel["languages"]) == {"eng (ud/eng_ewt)", "eng (ud/eng_gum)"}
    assert panel["worst_language"] == "eng (ud/eng_gum)"
    assert (panel["methods"]["own"]["languages"], panel["methods"]["own"]["test_sets"]) == (1, 2)


def test_a_mean_on_one_of_two_test_sets_says_so(tmp_path: Path) -> None:
    said = made_of(tmp_path, two_sets()[:3], own="source-kept")
    assert "source-kept has 80.0 % accuracy on average on 1 of 2 test sets" in said.summary()[0][0]


def test_the_gap_is_measured_from_a_home_with_two_test_sets_by_their_mean(tmp_path: Path) -> None:
    said = made_of(tmp_path, [*two_sets(group="source"), row(group="unseen-by-both")])
    targets = next(one for one in said.facts if one.panel.key.group == "unseen-by-both")
    assert targets.home is not None
    assert (targets.home.language, targets.home.name) == ("eng", "English")
    assert abs(targets.home.value - 0.6) < 1e-9


def test_the_confusions_are_those_of_the_worst_test_set(tmp_path: Path) -> None:
    rows = []
    for name, predicted in (("ewt", "AA"), ("gum", "BA")):
        lines = [json.dumps({"gold": ["A"], "predicted": [label]}) for label in predicted]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
        rows.append(
            row(
                language="eng",
                dataset=f"ud/eng_{name}",
                value=predicted.count("A") / 2,
                predictions=f"{name}.jsonl",
            )
        )
    confused = made_of(tmp_path, rows).confused
    assert confused is not None
    assert confused.row.dataset == "ud/eng_gum"
    assert "in English (ud/eng_gum), own, seed 0" in confused.title


def test_backbones_are_compared_on_the_same_test_set_only(tmp_path: Path) -> None:
    old = [
        row(language="eng", dataset=f"ud/eng_{name}", backbone="mini@1", value=value)
        for name, value in (("ewt", 0.9), ("gum", 0.5))
    ]
    new = row(language="eng", dataset="ud/eng_gum", backbone="mini@2", value=0.6)
    (one,) = made_of(tmp_path, [*old, new]).backbones
    found = one.gains["mini@1"]
    assert found is not None
    assert abs(found.score.value - 0.1) < 1e-9
