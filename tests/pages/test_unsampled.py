"""Tables whose predictions are not beside them: what the report then still says, and what it does not."""

import re
from pathlib import Path

from adapterkit.pages.results_page import page_of
from adapterkit.pages.results_text import text_of
from tests.pages.test_report import made_of, row


def test_a_difference_of_which_nothing_could_be_resampled_stands_alone(tmp_path: Path) -> None:
    for value, words in ((0.4, "10.0 points less"), (0.6, "10.0 points more"), (0.5, "as much as")):
        said = made_of(tmp_path, [row(value=value), row(method="source-kept")])
        assert f"own has {100 * value:.1f} % accuracy on average, {words}" in said.summary()[0][0]
        assert re.search(r"\| own \| .*\n.*\n\| Manx \(glv\) .* \| [+-]?\d+\.0 \|", text_of(said))
        page = page_of(said)
        for written in (page.split('id="about"')[0], text_of(said).split("## Notes")[0]):
            assert "eliably" not in written
            assert "no reliable gain" not in written.replace("holds 0 is no reliable gain", "")
            assert not re.search(r"\d\]", written)
        assert page.count("Intervals need the predictions folder beside the table.") == 1
        assert "diamond: no interval is known" in page
        (panel,) = said.as_dict()["panels"]
        gain = panel["languages"]["glv"]["gains"]["source-kept"]
        assert (gain["interval"], gain["reliable"]) == (None, None)
        assert panel["methods"]["own"]["interval"] is None


def test_a_language_without_an_interval_is_not_called_reliably_worse_beside_a_mean_that_has_one(
    tmp_path: Path,
) -> None:
    rows = [
        row(language=code, method=method, value=0.5 - lost * (method == "own"))
        for code, lost in (("glv", 0.1), ("sme", 0.2))
        for method in ("own", "source-kept")
    ]
    said = made_of(tmp_path, rows)
    assert "15.0 points less than source-kept [-20.0, -10.0]" in said.summary()[0][0]
    assert "Reliably worse" not in text_of(said)


def test_without_predictions_the_page_says_that_sentences_were_not_resampled(
    tmp_path: Path,
) -> None:
    said = made_of(tmp_path, [row(), row(seed=1, predictions="predictions/gone.jsonl")])
    assert "For 2 of 2 cells the predictions" in said.notes[0]
    assert said.facts[0].panel.exact == frozenset()
    assert said.notes[0] in page_of(said)
    for written in (page_of(said), text_of(said)):
        assert "not of sentences: no predictions lie beside the table" in written
        assert "within a language" not in written


def test_where_some_predictions_are_there_only_those_sentences_are_said_to_be_resampled(
    tmp_path: Path,
) -> None:
    (tmp_path / "p.jsonl").write_text('{"gold": ["A", "B"], "predicted": ["A", "A"]}\n')
    said = made_of(tmp_path, [row(predictions="p.jsonl"), row(seed=1)])
    assert "within a language and where predictions lie beside the table, of sent" in text_of(said)
    said = made_of(tmp_path, [row(predictions="p.jsonl")])
    assert "within a language, of sentences, the same for every method" in text_of(said)
