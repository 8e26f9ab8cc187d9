"""From a recipe to its cells: the grid spanned, filtered, and each cell planned."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from adapterkit.config import BackboneFacts
from adapterkit.errors import AdapterkitError, CorpusError, nearest
from adapterkit.experiments.data import DataFolder, Reference, set_name
from adapterkit.experiments.methods import BUILT_IN, Plan
from adapterkit.experiments.nodes import Cell, Node
from adapterkit.experiments.parts import Bench
from adapterkit.experiments.recipe import Condition, Labelled, Method, Recipe
from adapterkit.table import SOURCE

HALF = "test-half"
"""The split of a target without a dev set, when a grid chooses by dev sets."""


def expand(
    recipe: Recipe, data: DataFolder, facts: Mapping[str, BackboneFacts]
) -> tuple[list[Cell], list[str]]:
    """All cells of a recipe, and what keeps others from being cells, each reason once.

    Args:
        recipe: The recipe.
        data: Where its data is.
        facts: Of each backbone that could be found.
    """
    cells: list[Cell] = []
    problems: dict[str, list[str]] = {}
    for bench, method in _places(recipe, data, facts):
        found, wrong = _cells(bench, method)
        cells += found
        for one in wrong:
            problems.setdefault(one, []).append(method.name)
    return cells, [
        f"{problem} (for {', '.join(dict.fromkeys(names))})" for problem, names in problems.items()
    ]


def _places(
    recipe: Recipe, data: DataFolder, facts: Mapping[str, BackboneFacts]
) -> Iterator[tuple[Bench, Method]]:
    """Seed by seed, language by language: the first rows of all methods come early."""
    for backbone, task, seed, language, name in product(
        [name for name in recipe.grid_backbones if name in facts],
        [recipe.tasks[name] for name in recipe.grid_tasks if name in recipe.tasks],
        recipe.grid_seeds,
        recipe.grid_languages,
        recipe.grid_methods,
    ):
        method = recipe.method(name)
        if method.like not in BUILT_IN:
            continue
        place = {
            "task": task.name, "language": language, "seed": str(seed), "method": name,
            "backbone": backbone, "group": recipe.group_of(language),
        }  # fmt: skip
        if is_wanted(recipe, place):
            bench = Bench(recipe, data, backbone, facts[backbone], task, language, seed)
            yield bench, method


def is_wanted(recipe: Recipe, place: Mapping[str, str]) -> bool:
    """Whether ``only`` and ``exclude`` let a place of the grid be; at the source, few methods mean anything."""
    if place["group"] == SOURCE:
        task, like = recipe.tasks.get(place["task"]), recipe.method(place["method"]).like
        at_home = like in BUILT_IN and BUILT_IN[like].at_home
        if task is None or place["language"] != task.source or not at_home:
            return False
    if any(meets(place, one) for one in recipe.exclude):
        return False
    return not recipe.only or any(meets(place, one) for one in recipe.only)


def meets(place: Mapping[str, Any], condition: Condition) -> bool:
    """Whether each key of ``condition`` has one of its values there."""
    return all(str(place[key]) in values for key, values in condition.items())


def unknown_methods(recipe: Recipe) -> list[str]:
    """What is wrong with the names of methods."""
    asked = [name for name in recipe.grid_methods if name not in recipe.methods]
    there = [*BUILT_IN, *recipe.methods]
    return [
        *(
            f"[grid] methods: {name}: is not known{nearest(name, there)}"
            for name in asked
            if name not in BUILT_IN
        ),
        *(
            f"[methods.{one.name}] like = {one.like}: is not known{nearest(one.like, BUILT_IN)}"
            for one in recipe.methods.values()
            if one.like not in BUILT_IN
        ),
    ]


def _cells(bench: Bench, method: Method) -> tuple[list[Cell], list[str]]:
    """The cells of a place, or everything that keeps it from having any."""
    plans: list[Plan] = []
    problems: list[str] = []
    try:
        plans = list(BUILT_IN[method.like].plan(bench, method))
    except AdapterkitError as error:
        problems.append(str(error))
    try:
        split, reference = scored(bench.data, bench.labelled, bench.target, bench.recipe.split)
    except AdapterkitError as error:
        return [], [*problems, str(error)]
    return [_cell(bench, method, plan, split, reference) for plan in plans], problems


def scored(data: DataFolder, task: Labelled, language: str, split: str) -> tuple[str, Reference]:
    """What a target is scored on: the split, or half of the test set where there is no dev set.

    Raises:
        CorpusError: If there is neither.
    """
    found = data.labelled(task, language, split)
    if found is not None:
        return split, found
    test = data.labelled(task, language, "test") if split == "dev" else None
    if test is None:
        raise CorpusError(f"[tasks.{task.name}] has no {split} examples of {language}")
    return HALF, test


def _cell(bench: Bench, method: Method, plan: Plan, split: str, reference: Reference) -> Cell:
    labelled = bench.labelled
    settings = {
        "backbone": bench.facts.name,
        "digest": bench.facts.digest,
        "kind": labelled.kind,
        "columns": [labelled.column, labelled.text],
        "language": bench.target,
        "data": reference,
        "split": split,
        "examples": labelled.examples,
        "layers": list(plan.layers),
        "own": list(plan.own),
    }
    where = f"{labelled.name} {bench.target}, {method.name}, seed {bench.seed}"
    node = Node("score", settings, {**plan.parts, "task": plan.task}, where)
    sources = (labelled.source, *labelled.more_sources)
    facts = {
        "task": labelled.name,
        "dataset": set_name(labelled, reference),
        "language": bench.target,
        "group": bench.recipe.group_of(bench.target),
        "split": split,
        "method": method.name,
        "seed": bench.seed,
        "backbone": bench.facts.name,
        "backbone_digest": bench.facts.digest,
        "source": ",".join(sources if BUILT_IN[method.like].several else sources[:1]),
        "recipe": bench.recipe.name,
        **plan.facts,
    }
    return Cell(node, facts, plan.own)


def chosen(
    cells: Sequence[Cell], backbones: Mapping[str, BackboneFacts], condition: Condition
) -> list[Cell]:
    """The cells that ``--only`` names; a backbone goes by either of its names."""
    names = {facts.name: name for name, facts in backbones.items()}
    found = []
    for cell in cells:
        places = [cell.facts, {**cell.facts, "backbone": names.get(cell.facts["backbone"], "")}]
        if any(meets(place, condition) for place in places):
            found.append(cell)
    return found
