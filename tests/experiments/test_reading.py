"""A recipe's file: what is wrong in it is said all at once, with the nearest word that would be right."""

from pathlib import Path

import pytest

from adapterkit.errors import ConfigError
from adapterkit.experiments.publish_recipe import read_publish_recipe
from adapterkit.experiments.reading import PUBLISH, parse_condition, read_recipe, record_of
from adapterkit.experiments.recipe import Method
from adapterkit.settings import TaskConfig
from tests.experiments.small import recipe

RECIPES = Path(__file__).parent.parent.parent / "recipes"


def problems_of(tmp_path: Path, *changes: tuple[str, str]) -> list[str]:
    return read_recipe(recipe(tmp_path, "mini", *changes))[1]


def test_a_good_recipe_has_no_problems(tmp_path: Path) -> None:
    found, problems = read_recipe(recipe(tmp_path, "mini"))
    assert problems == []
    assert found.name == "small"
    assert found.grid_languages == ("cym", "bre")
    assert found.group_of("bre") == "dev"
    assert found.language_adapter["steps"] == 6
    assert found.method("own") == Method("own", like="own")


@pytest.mark.parametrize("path", sorted(RECIPES.rglob("*.toml")), ids=lambda p: p.stem)
def test_every_recipe_here_can_be_read_and_says_how_to_run_it(path: Path) -> None:
    read = read_publish_recipe if PUBLISH in record_of(path) else read_recipe
    assert read(path)[1] == []
    head = path.read_text(encoding="utf-8").partition("\n\n")[0]
    assert f"adapterkit run {path.relative_to(RECIPES.parent)}" in head
    assert "Time: " in head
    assert "TIME" not in head.replace("Time", "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[text]", "[txt]"), "txt: is not known; is 'text' meant?"),
        (("seeds = [0, 1]", "sedes = [0]"), "[grid] sedes: is not known; is 'seeds' meant?"),
        (("seeds = [0, 1]", "seeds = ['a']"), "[grid] seeds: must be a list of whole numbers"),
        (("seeds = [0, 1]", "seeds = [1, 1]"), "[grid] seeds: 1 stands in it twice"),
        (("seeds = [0, 1]", "seeds = []"), "[grid] seeds: is empty"),
        (('split = "dev"', 'split = "train"'), "must be one of dev, test"),
        (('tasks = ["pos"]', 'tasks = ["pso"]'), "there is no [tasks.pso]; is 'pos' meant?"),
        (('kind = "pos"', 'kind = "pose"'), "kind = 'pose': is not known; is 'pos' meant?"),
        (("steps = 6\nbatch_size = 4", "step = 6"), "[language_adapter] step: is not known"),
        (("heldout_blocks = 4", "heldout_blocks = 0"), "heldout_blocks = 0: must be above 0"),
        (("heldout_blocks = 4", "heldout_blocks = 'x'"), "heldout_blocks = 'x': is of the wrong"),
        (("heldout_blocks = 4", "seed = 4"), "[language_adapter] seed: is not known"),
        (("heldout_blocks = 4", "max_minutes = 4"), "max_minutes: is not known"),
        (('files = "text/{language}.txt"', ""), "[text]: give files or dataset"),
        (('dev = ["cym", "bre"]', 'dev = ["cym"]\nx = ["cym"]'), "cym is in two groups"),
        (("seeds = [0, 1]", "seeds = [0]\nonly = [{ lang = 'cym' }]"), "only lang: is not known"),
        (
            ("[text]", "[methods.x]\nlabel = 3\n[text]"),
            "[methods.x] label: is not known; is 'labels'",
        ),
        (("[text]", "[methods.x]\nlanguage_adapter = 3\n[text]"), "must be a table, not 3"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    assert any(said in one for one in problems_of(tmp_path, change)), problems_of(tmp_path, change)


TASK = "evaluate_every = 3"


def test_layers_to_leave_out_are_a_list_of_whole_numbers(tmp_path: Path) -> None:
    good = recipe(tmp_path, "mini", (TASK, "leave_out = [0, 1]"))
    found, problems = read_recipe(good)
    assert problems == []
    assert TaskConfig(**found.task_adapter).leave_out == (0, 1)
    for bad in ("3", "[0.5]", "[true]", "['0']"):
        (said,) = problems_of(tmp_path, (TASK, f"leave_out = {bad}"))
        assert said.startswith("[task_adapter] leave_out = ")
        assert said.endswith(": is of the wrong type")


def test_all_of_it_is_said_at_once(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        ("seeds", "sedes"),
        ("heldout_blocks = 4", "heldout_blocks = 0"),
        ('kind = "pos"', 'kind = "x"'),
    )
    assert len(found) == 3, found


def test_a_file_that_is_not_there_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such recipe"):
        read_recipe(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_text("[grid")
    with pytest.raises(ConfigError, match="no TOML"):
        read_recipe(tmp_path / "x.toml")


def test_a_condition_of_the_command_line() -> None:
    found = parse_condition(["language=cym, bre", "seed=0"])
    assert found == {"language": ("cym", "bre"), "seed": ("0",)}
    with pytest.raises(ConfigError, match="is 'language' meant"):
        parse_condition(["langauge=cym"])
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        parse_condition(["cym"])
