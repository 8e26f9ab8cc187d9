"""One method in several settings: how its variants are named, chosen and spoken of."""

from pathlib import Path

import pytest

from adapterkit.cli.options import split_names
from adapterkit.errors import ConfigError
from adapterkit.table import Row
from tests.pages.test_report import made_of, row


def test_cells_that_differ_in_their_settings_are_methods_of_their_own(tmp_path: Path) -> None:
    rows = [row(learning_rate=rate, epochs=2.0, value=rate * 100) for rate in (1e-3, 1e-4)]
    said = made_of(tmp_path, rows)
    names = [m.method for m in said.facts[0].methods]
    assert names == ["own · learning rate 0.001", "own · learning rate 0.0001"]


def test_in_an_unfinished_search_no_rate_is_the_method(tmp_path: Path) -> None:
    cells = [("glv", 1e-5), ("glv", 1e-4), ("glv", 1e-3), ("sme", 1e-5), ("sme", 1e-4)]
    searched = [
        row(language=code, method="full-fine-tuning", learning_rate=rate, epochs=3.0, value=0.3)
        for code, rate in cells
    ]
    own = [row(language=code) for code in ("glv", "sme")]
    for begun in (searched, searched[:4]):
        said = made_of(tmp_path, [*own, *begun])
        names = {m.method for m in said.facts[0].methods}
        rates = ("1e-05", "0.0001", "0.001")
        assert names == {"own", *(f"full-fine-tuning · learning rate {rate}" for rate in rates)}
        assert "full-fine-tuning" not in said.summary()[0][0]


def test_a_rate_that_was_run_everywhere_is_the_method_and_those_run_here_and_there_are_not(
    tmp_path: Path,
) -> None:
    rows = [row(language=code, learning_rate=1e-3) for code in ("glv", "sme", "kpv")]
    said = made_of(tmp_path, [*rows, row(learning_rate=1e-4, value=0.4)])
    names = [m.method for m in said.facts[0].methods]
    assert names == ["own", "own · learning rate 0.0001"]


def settings_of(method: str, value: float = 0.5) -> list[Row]:
    """Two languages, each with two sources and two lengths of training."""
    looks = "0:5.5 60:4.25"
    return [
        row(
            language=code,
            method=method,
            source=source,
            steps=steps,
            value=value + steps / 10_000,
            looks=looks,
        )
        for code in ("glv", "sme")
        for source in ("eng", "eng,por")
        for steps in (240, 480)
    ]


def test_a_method_in_several_settings_is_said_to_be_there_and_how_to_choose_one(
    tmp_path: Path,
) -> None:
    others = [row(language=code, method="source-kept", source="eng") for code in ("glv", "sme")]
    said = made_of(tmp_path, [*settings_of("own"), *settings_of("lora"), *others])
    first = said.summary()[0][0]
    assert "not run" not in first
    assert "the method own stands in several settings: 'own · from eng, steps 240', " in first
    assert "and 'own · from eng,por, steps 480'; choose one with --method; the best is" in first
    said = made_of(tmp_path, [*settings_of("lora"), row(), *others], rivals=["lora", "removed"])
    reasons = " ".join(said.left_out)
    assert "Gains over lora: it stands in several settings: 'lora · from eng, steps 240'" in reasons
    assert "choose one with --rivals." in reasons
    assert "Gains over removed: the table has no such method; its methods are: lora · " in reasons


def test_a_rival_that_stands_in_several_settings_in_one_panel_only_is_named_with_that_panel(
    tmp_path: Path,
) -> None:
    known = [row(language="sme", method=method, group="known") for method in ("own", "lora")]
    said = made_of(tmp_path, [row(), *settings_of("lora"), *known], rivals=["lora"])
    assert said.rivals == ("lora",)
    reasons = [why for why in said.left_out if why.startswith("Gains over")]
    assert len(reasons) == 1
    assert reasons[0].startswith(
        "Gains over lora, parts of speech, languages of no named group: it "
    )
    assert "stands in several settings: 'lora · from eng, steps 240'" in reasons[0]
    assert "known" not in reasons[0]


def test_a_setting_can_be_the_method_looked_at_and_a_rival_though_its_name_holds_commas(
    tmp_path: Path,
) -> None:
    rows = [*settings_of("own", 0.7), *settings_of("lora"), row(method="removed", source="eng")]
    rivals = split_names("removed,lora · from eng,por, steps 240")
    said = made_of(tmp_path, rows, own="own · from eng, steps 480", rivals=rivals)
    assert said.rivals == ("removed", "lora · from eng,por, steps 240")
    first = said.summary()[0][0]
    assert "own · from eng, steps 480 has 74.8 %" in first.replace(" [74.8, 74.8]", "")
    assert "22.4 points more than lora · from eng,por, steps 240" in first
    assert len(said.curves) == 2
    with pytest.raises(
        ConfigError, match=r"no method 'own · 3'; .*, own · from eng, steps 240, own"
    ):
        made_of(tmp_path, rows, own="own · 3")


def test_the_transfer_matrix_is_of_the_setting_that_the_table_shows(tmp_path: Path) -> None:
    cells = [("eng", 480, 0.7), ("tur", 480, 0.6), ("eng", 240, 0.1), ("tur", 240, 0.2)]
    rows = [
        row(language=code, source=source, steps=steps, value=value)
        for code in ("glv", "sme")
        for source, steps, value in cells
        if (code, steps) != ("sme", 240)
    ]
    said = made_of(tmp_path, rows)
    own = said.facts[0].method("own")
    assert own is not None
    assert own.mean.value == pytest.approx(0.7)
    (matrix,) = said.matrices
    assert set(matrix.targets) == {"glv", "sme"}
    for code in matrix.targets:
        assert matrix.cells["eng", code] == pytest.approx(0.7)
        assert matrix.cells["tur", code] == pytest.approx(0.6)
    (other,) = made_of(tmp_path, rows, own="own · from tur, steps 240").matrices
    assert other.cells == {("eng", "glv"): 0.1, ("tur", "glv"): 0.2}


def test_every_setting_of_a_language_has_its_line_against_text_size(tmp_path: Path) -> None:
    rows = [
        row(learning_rate=rate, text_bytes=size, dataset="ud/x", value=0.4 + rate * place)
        for rate in (1e-3, 1e-4)
        for place, size in enumerate((100_000, 300_000, 1_000_000))
    ]
    (picture,) = made_of(tmp_path, rows).ablations
    assert picture.body.count("<polyline") == 2
    assert picture.title.endswith("; glv 1: learning rate 0.0001; glv 2: learning rate 0.001")
    assert ">glv 1</text>" in picture.body
    (picture,) = made_of(tmp_path, rows[:3]).ablations
    assert ">glv</text>" in picture.body


def test_every_setting_of_a_language_has_its_learning_curve_and_the_same_one_is_drawn_once(
    tmp_path: Path,
) -> None:
    rows = [row(task=task, looks="0:5.5 60:4.25") for task in ("pos", "ner")]
    (picture,) = made_of(tmp_path, rows).curves
    assert picture.body.count("<polyline") == 1
    assert "a line a seed;" in f"{picture.title};"
    (picture,) = made_of(tmp_path, [*rows, row(task="topic", looks="0:5.5 60:4.5")]).curves
    assert picture.body.count("<polyline") == 2
    assert "a line a seed and setting" in picture.title
