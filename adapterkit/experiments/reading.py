"""Reading a recipe from TOML, strictly. No torch, and no data is looked at.

Every problem of the file is collected, so that one look shows them all (`check` adds those of the data).
"""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from adapterkit.errors import ConfigError, nearest
from adapterkit.experiments.recipe import (
    AXES,
    KINDS,
    SPLITS,
    STARTS,
    Condition,
    Labelled,
    Method,
    RawText,
    Recipe,
)
from adapterkit.settings import LanguageConfig, SelfTrainingConfig, TaskConfig

Problems = list[str]
_Settings = type[LanguageConfig] | type[TaskConfig] | type[SelfTrainingConfig]
SECTIONS = (
    *("grid", "groups", "text", "tasks", "methods", "adapters", "relatives"),
    *(
        "language_adapter",
        "task_adapter",
        "few_shot",
        "self_training",
        "full_fine_tuning",
        "continued",
    ),
)
_GRID = (
    *("backbones", "tasks", "languages", "seeds", "methods", "split", "start"),
    *("only", "exclude"),
)
PUBLISH = "publish_language"
"""The section that makes a recipe one of the other kind: `publish_recipe`."""
_HELD = {"seed", "max_minutes"}
"""Settings that the grid itself decides: a time limit would make a table depend on the machine's load."""

_COUNTS = {"examples", "train_examples", "dev_examples", "labels"}


def read_recipe(path: Path) -> tuple[Recipe, Problems]:
    """Read a recipe, and all that is wrong with it; what is wrong is left out of the recipe.

    Raises:
        ConfigError: If there is no such file, it is no TOML, or it is a recipe of the other kind.
    """
    record = record_of(path)
    if PUBLISH in record:
        raise ConfigError(
            f"{path}: has [{PUBLISH}], so it is no grid; `adapterkit run {path}` does what it says"
        )
    return parse_recipe(record, name=path.stem)


def record_of(path: Path) -> dict[str, Any]:
    """What stands in a recipe's file, of either kind.

    Raises:
        ConfigError: If there is no such file, or it is no TOML.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such recipe")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, nested too deep
        raise ConfigError(f"{path}: is no TOML ({error})") from None


def parse_recipe(record: Mapping[str, Any], *, name: str) -> tuple[Recipe, Problems]:
    """As `read_recipe`, from what stands in the file."""
    problems: Problems = []
    record = _table(record, SECTIONS, "", problems)
    part = {key: _dict(record.get(key, {}), f"[{key}]", problems) for key in SECTIONS}
    grid = _table(part["grid"], _GRID, "[grid] ", problems)
    groups = {key: _texts(v, f"[groups] {key}", problems) for key, v in part["groups"].items()}
    languages = _texts(grid.get("languages", []), "[grid] languages", problems)
    settings = {
        key: settings_of(part[key], kind, f"[{key}]", problems, lists=lists)
        for key, kind, lists in (
            ("language_adapter", LanguageConfig, ()),
            ("task_adapter", TaskConfig, ()),
            ("few_shot", TaskConfig, ()),
            ("self_training", SelfTrainingConfig, ()),
            ("full_fine_tuning", TaskConfig, ("learning_rate", "epochs")),
            ("continued", LanguageConfig, ()),
        )
    }
    recipe = Recipe(
        name=name,
        grid_backbones=_texts(grid.get("backbones", ["mini"]), "[grid] backbones", problems),
        grid_tasks=_texts(grid.get("tasks", list(part["tasks"])), "[grid] tasks", problems),
        grid_languages=languages or tuple(code for codes in groups.values() for code in codes),
        grid_seeds=_wholes(grid.get("seeds", [0]), "[grid] seeds", problems),
        grid_methods=_texts(grid.get("methods", []), "[grid] methods", problems),
        split=str(grid.get("split", "dev")),
        start=str(grid.get("start", "scratch")),
        only=_conditions(grid.get("only", []), "[grid] only", problems),
        exclude=_conditions(grid.get("exclude", []), "[grid] exclude", problems),
        groups=groups,
        text=section_of(RawText, part["text"], "[text]", problems),
        tasks={
            key: section_of(Labelled, {**_dict(v, f"[tasks.{key}]", problems), "name": key}, f"[tasks.{key}]", problems)
            for key, v in part["tasks"].items()
        },
        methods={
            key: _method(key, _dict(value, f"[methods.{key}]", problems), problems)
            for key, value in part["methods"].items()
        },
        adapters={
            key: {k: str(v) for k, v in _dict(value, f"[adapters.{key}]", problems).items()}
            for key, value in part["adapters"].items()
        },
        relatives={k: _texts(v, f"[relatives] {k}", problems) for k, v in part["relatives"].items()},
        **settings,
    )  # fmt: skip
    return _usable(recipe), problems + _wrong_names(recipe)


def parse_condition(words: Sequence[str]) -> Condition:
    """``language=afr,bel`` ... of the command line as one condition; a key given again adds its values.

    Raises:
        ConfigError: If a key is no axis of the grid.
    """
    condition: dict[str, tuple[str, ...]] = {}
    for word in words:
        key, equals, values = word.partition("=")
        if not equals or key not in AXES:
            raise ConfigError(
                f"--only {word}: write KEY=VALUE[,VALUE]{nearest(key, AXES) if equals else ''}"
            )
        found = (*condition.get(key, ()), *(value.strip() for value in values.split(",")))
        condition[key] = tuple(dict.fromkeys(found))
    return condition


def _wrong_names(recipe: Recipe) -> Problems:
    problems = [
        f"[grid] {axis}: is empty"
        for axis in ("backbones", "tasks", "languages", "seeds", "methods")
        if not getattr(recipe, f"grid_{axis}")
    ]
    if recipe.split not in SPLITS:
        problems.append(f"[grid] split = {recipe.split!r}: must be one of {', '.join(SPLITS)}")
    starts = {"[grid]": recipe.start}
    starts |= {f"[methods.{name}]": one.start for name, one in recipe.methods.items() if one.start}
    problems += [
        f"{where} start = {start!r}: must be one of {', '.join(STARTS)}"
        for where, start in starts.items()
        if start not in STARTS
    ]
    problems += [
        f"[grid] tasks: there is no [tasks.{name}]{nearest(name, recipe.tasks)}"
        for name in recipe.grid_tasks
        if name not in recipe.tasks
    ]
    for task in recipe.tasks.values():
        if task.kind not in KINDS:
            problems.append(
                f"[tasks.{task.name}] kind = {task.kind!r}: is not known{nearest(task.kind, KINDS)}"
            )
        problems += _one_place(task, f"[tasks.{task.name}]")
    problems += _one_place(recipe.text, "[text]")
    problems += _idle_conditions(recipe)
    codes = [code for group in recipe.groups.values() for code in group]
    problems += [
        f"[groups]: {code} is in two groups" for code in sorted(set(codes)) if codes.count(code) > 1
    ]
    return problems


def _usable(recipe: Recipe) -> Recipe:
    """The recipe without tasks that cannot be read and a text that is nowhere."""
    tasks = {
        name: task
        for name, task in recipe.tasks.items()
        if task.kind in KINDS and not _one_place(task, name)
    }
    text = RawText() if _one_place(recipe.text, "") else recipe.text
    return replace(recipe, tasks=tasks, text=text)


def _idle_conditions(recipe: Recipe) -> Problems:
    """Words in ``only`` and ``exclude`` that nothing of the grid is called by."""
    axes = {
        "task": recipe.grid_tasks,
        "language": recipe.grid_languages,
        "seed": tuple(map(str, recipe.grid_seeds)),
        "method": recipe.grid_methods,
        "backbone": recipe.grid_backbones,
        "group": tuple(recipe.groups),
    }
    return [
        f"[grid] {name}: no {key} of the grid is called {value!r}{nearest(value, axes[key])}"
        for name, conditions in (("only", recipe.only), ("exclude", recipe.exclude))
        for condition in conditions
        for key, values in condition.items()
        for value in values
        if value not in axes[key]
    ]


def _one_place(place: Labelled | RawText, where: str) -> Problems:
    if bool(place.files) == bool(place.dataset):
        return [f"{where}: give files or dataset, and not both"]
    if place.files.startswith(("/", "~")) or ".." in place.files:
        return [f"{where} files = {place.files!r}: must be a path inside the data folder"]
    return []


def settings_of(
    values: Mapping[str, Any],
    kind: _Settings,
    where: str,
    problems: Problems,
    *,
    lists: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Settings of a training that are known and of the right type; the others are ``problems``."""
    hints = {k: v for k, v in get_type_hints(kind).items() if k not in _HELD}
    values = _table(values, tuple(hints), f"{where} ", problems)
    good: dict[str, Any] = {}
    for key, value in values.items():
        several = value if key in lists and isinstance(value, list) else [value]
        if all(_fits(one, hints[key]) for one in several) and several:
            good[key] = tuple(value) if get_origin(hints[key]) is tuple else value
        else:
            problems.append(f"{where} {key} = {value!r}: is of the wrong type")
    for key, value in good.items():
        for one in value if key in lists and isinstance(value, list) else [value]:
            problems += _refused(kind, {key: one}, where)
    return good


def _refused(kind: _Settings, values: dict[str, Any], where: str) -> Problems:  # fmt: skip
    try:
        kind(**values)
    except ConfigError as error:
        return [f"{where} {line.strip()}" for line in str(error).splitlines()[1:]]
    return []


def _fits(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    if get_origin(hint) is tuple:
        return isinstance(value, list) and all(_fits(one, get_args(hint)[0]) for one in value)
    kinds = [one for part in (get_args(hint) or (hint,)) for one in (get_args(part) or (part,))]
    if isinstance(value, bool):
        return bool in kinds
    if isinstance(value, str):
        texts = [kind for kind in kinds if isinstance(kind, str)]
        return value in texts if texts else str in kinds
    return float in kinds or int in kinds if type(value) is int else type(value) in kinds


def _method(name: str, values: Mapping[str, Any], problems: Problems) -> Method:
    where = f"[methods.{name}]"
    values = {"like": name, **values, "name": name}
    for key, kind in (
        ("language_adapter", LanguageConfig),
        ("task_adapter", TaskConfig),
        ("self_training", SelfTrainingConfig),
    ):
        inside = _dict(values.get(key, {}), f"{where} {key}", problems)
        values[key] = settings_of(inside, kind, f"{where} {key}", problems)
    made: Method = section_of(Method, values, where, problems)
    return made


def section_of(kind: Any, values: Mapping[str, Any], where: str, problems: Problems) -> Any:
    """A dataclass of plain values, all with defaults; lists become tuples, what does not fit is left out."""
    hints = get_type_hints(kind)
    values = _table(values, [f.name for f in fields(kind)], f"{where} ", problems)
    good: dict[str, Any] = {}
    for key, value in values.items():
        text = str(hints[key])
        if "Mapping" in text:
            inside = _dict(value, f"{where} {key}", problems)
            good[key] = {k: v for k, v in inside.items() if _fits(v, get_args(hints[key])[1])}
            problems += [
                f"{where} {key}: {k} = {v!r:.60}: is of the wrong type"
                for k, v in inside.items()
                if k not in good[key]
            ]
        elif "tuple[str" in text:
            good[key] = _texts(value, f"{where} {key}", problems)
        elif _fits(value, hints[key]):
            good[key] = tuple(value) if isinstance(value, list) else value
            problems += [f"{where} {key} = {value!r}: {one}" for one in _out_of_bounds(key, value)]
        else:
            problems.append(f"{where} {key} = {value!r}: is of the wrong type")
    return kind(**good)


def _out_of_bounds(key: str, value: Any) -> list[str]:
    """What is wrong with a number of the right type."""
    if key in _COUNTS and value is not None and value < 1:
        return ["must be at least 1"]
    if key == "megabytes" and value is not None and not 0 < value < math.inf:
        return ["must be above 0"]
    if key == "weights" and not all(map(math.isfinite, value)):
        return ["must be finite numbers"]
    return []


def _table(
    values: Mapping[str, Any], known: Iterable[str], where: str, problems: Problems
) -> dict[str, Any]:
    known = list(known)
    problems += [
        f"{where}{key}: is not known{nearest(key, known)}" for key in values if key not in known
    ]
    return {key: value for key, value in values.items() if key in known}


def _dict(value: Any, where: str, problems: Problems) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    problems.append(f"{where}: must be a table, not {value!r:.60}")
    return {}


def _texts(value: Any, where: str, problems: Problems) -> tuple[str, ...]:
    return _list(value, str, "texts", where, problems)


def _wholes(value: Any, where: str, problems: Problems) -> tuple[int, ...]:
    return _list(value, int, "whole numbers", where, problems)


def _list(value: Any, kind: type, words: Literal["texts", "whole numbers"], where: str, problems: Problems) -> tuple[Any, ...]:  # fmt: skip
    items = value if isinstance(value, list | tuple) else [value]
    if any(type(one) is int and abs(one) >= 2**63 for one in items):  # more digits than are printed
        problems.append(f"{where}: holds a number of more than 63 bits")
        return ()
    if any(type(one) is not kind for one in items):
        problems.append(f"{where}: must be a list of {words}, not {value!r:.60}")
        return ()
    twice = sorted({one for one in items if items.count(one) > 1})
    problems += [f"{where}: {one} stands in it twice" for one in twice]
    return tuple(dict.fromkeys(items))


def _conditions(value: Any, where: str, problems: Problems) -> tuple[Condition, ...]:
    if not isinstance(value, list):
        problems.append(f"{where}: must be a list of tables, {{language = [...], method = ...}}")
        return ()
    conditions = []
    for one in value:
        found = _table(_dict(one, where, problems), AXES, f"{where} ", problems)
        conditions.append(
            {k: tuple(map(str, v if isinstance(v, list) else [v])) for k, v in found.items()}
        )
    return tuple(conditions)
