"""Recipes of strangers: they read nothing outside the data folder, and break nothing."""

from pathlib import Path

import pytest

from adapterkit.cards.answers import read_answers
from adapterkit.errors import ConfigError
from adapterkit.experiments.data import DataFolder
from adapterkit.experiments.reading import read_recipe


def recipe(folder: Path, text: str) -> Path:
    (folder / "r.toml").write_text(text)
    return folder / "r.toml"


@pytest.mark.parametrize(
    ("files", "name", "language"),
    [
        ("{name}", "../secret.txt", "cym"),
        ("text/{name}", "../../secret.txt", "cym"),
        ("{name}", "/etc/hostname", "cym"),
        ("{name}", "~/secret.txt", "cym"),
        ("{language}.txt", "x", "../secret"),
        ("{name}", "..\\\\secret.txt", "cym"),
    ],
)
def test_a_recipe_reads_nothing_outside_the_data_folder(
    tmp_path: Path, files: str, name: str, language: str
) -> None:
    (tmp_path / "data" / "text").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("private\n")
    grid = f'[grid]\nlanguages = ["{language}"]\n'
    told = f'[text]\nfiles = "{files}"\nnames = {{"{language}" = "{name}"}}\n'
    read, _ = read_recipe(recipe(tmp_path, grid + told))
    with pytest.raises(ConfigError, match="is no path in the data folder"):
        DataFolder(tmp_path / "data").text(read.text, language)


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 5000 + "]" * 5000, "[grid]\nseeds = " + "1" * 5000, '"\\ud800" = 1']
)
def test_what_no_reader_takes_is_no_toml(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="is no TOML"):
        read_recipe(recipe(tmp_path, text))
    with pytest.raises(ConfigError, match="not readable as TOML"):
        read_answers(recipe(tmp_path, text))


def test_a_seed_has_63_bits_at_most(tmp_path: Path) -> None:
    _, problems = read_recipe(recipe(tmp_path, "[grid]\nseeds = [0x1" + "0" * 4000 + "]"))
    assert "[grid] seeds: holds a number of more than 63 bits" in problems
