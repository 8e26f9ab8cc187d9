"""Looking at everything before anything starts: the recipe's file, its data, its methods, all problems at once."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from adapterkit.config import BackboneFacts
from adapterkit.counting import check_span_labels
from adapterkit.errors import AdapterkitError
from adapterkit.experiments.data import DataFolder, Reference
from adapterkit.experiments.grid import expand, is_wanted, scored, unknown_methods
from adapterkit.experiments.methods import BUILT_IN, SELF_TRAINED
from adapterkit.experiments.nodes import Cell, in_order
from adapterkit.experiments.reading import read_recipe
from adapterkit.experiments.recipe import Labelled, Method, Recipe
from adapterkit.formats.inspection import inspect
from adapterkit.formats.places import folder_of
from adapterkit.metrics import is_span_scheme
from adapterkit.settings import TaskConfig
from adapterkit.table import SOURCE

FOREIGN = 0.05
"""Share of a target's labels that the source may not know; such words are scored as wrong."""


@dataclass(frozen=True)
class Checked:
    """A recipe that was looked at.

    Attributes:
        recipe: The recipe.
        cells: Its cells.
        backbones: Facts of its backbones, by the name that the recipe has for them.
        problems: All that is wrong; nothing starts unless it is empty.
    """

    recipe: Recipe
    cells: tuple[Cell, ...]
    backbones: Mapping[str, BackboneFacts]
    problems: tuple[str, ...]


def check(path: Path, data: DataFolder) -> Checked:
    """Read a recipe, plan its cells, and collect every problem.

    Raises:
        ConfigError: If there is no such file or it is no TOML.
    """
    recipe, problems = read_recipe(path)
    facts, missing = backbone_facts(recipe)
    problems = problems + missing + unknown_methods(recipe) + _leaks(recipe)
    adapters = _adapters(recipe, facts)
    problems += adapters + _methods(recipe, data)
    cells, wrong = expand(recipe, data, facts)
    # What cells miss because of such an adapter is said already.
    problems += [
        one for one in wrong if not any(a.endswith(one.rsplit(" (for ", 1)[0]) for a in adapters)
    ]
    problems += _labels(recipe, data) + _texts(cells, data)
    return Checked(recipe, tuple(cells), facts, tuple(dict.fromkeys(problems)))


def backbone_facts(recipe: Recipe) -> tuple[dict[str, BackboneFacts], list[str]]:
    """Name, digest and depth of each backbone that is there."""
    from adapterkit.backbone.load import load_backbone

    facts, problems = {}, []
    for name in recipe.grid_backbones:
        try:
            facts[name] = load_backbone(name).facts
        except AdapterkitError as error:
            problems.append(f"[grid] backbones: {error}")
    return facts, problems


def _leaks(recipe: Recipe) -> list[str]:
    """Labels that would be seen twice: targets among the sources, report languages to choose by."""
    problems = []
    for name in recipe.grid_tasks:
        task = recipe.tasks.get(name)
        sources = {task.source, *task.more_sources} if task else set()
        for language in recipe.grid_languages:
            if (
                language in sources
                and recipe.group_of(language) != SOURCE
                and _is_target(recipe, language, name)
            ):
                problems.append(
                    f"[tasks.{name}]: {language} is a source and a target; its score would be no transfer "
                    f"(to measure the gap, put it into a group called {SOURCE})"
                )
    sources_of = {task.source for task in recipe.tasks.values()}
    for language in recipe.groups.get(SOURCE, ()):
        if language not in sources_of:
            problems.append(f"[groups] {SOURCE}: {language} is the source of no task")
    for language in recipe.grid_languages if recipe.split == "dev" else ():
        group = recipe.group_of(language)
        if group not in ("dev", ""):
            problems.append(
                f'[grid] split = "dev": {language} is of the group {group}; '
                "methods are chosen on languages of the group dev only"
            )
    return problems


def _is_target(recipe: Recipe, language: str, task: str) -> bool:
    return any(
        is_wanted(recipe, place)
        for backbone in recipe.grid_backbones
        for seed in recipe.grid_seeds
        for method in recipe.grid_methods
        for place in [
            {
                "task": task, "language": language, "seed": str(seed), "method": method,
                "backbone": backbone, "group": recipe.group_of(language),
            }
        ]
    )  # fmt: skip


def _adapters(recipe: Recipe, facts: Mapping[str, BackboneFacts]) -> list[str]:
    """Adapters that are there already: whether they are, are language adapters, and fit."""
    problems = []
    for backbone, adapters in recipe.adapters.items():
        for language, name in adapters.items():
            where = f"[adapters.{backbone}] {language} = {name}"
            try:
                told = inspect(folder_of(name))
            except AdapterkitError as error:
                problems.append(f"{where}: {error}")
                continue
            if told["kind"] not in ("language", "unknown"):
                problems.append(f"{where}: is a {told['kind']} adapter, not a language adapter")
            elif told["language"] not in ("", language):
                problems.append(f"{where}: is an adapter of {told['language']}")
            digest = (told.get("backbone") or {}).get("digest")
            if backbone in facts and digest and digest != facts[backbone].digest:
                problems.append(f"{where}: was made for {told['backbone']['name']}")
    return problems


def _methods(recipe: Recipe, data: DataFolder) -> list[str]:
    """Stacks that cannot be, method by method."""
    problems = []
    for name in recipe.grid_methods:
        method = recipe.method(name)
        built = BUILT_IN.get(method.like)
        if built is not None:
            problems += [f"{name}: {one}" for one in _wrong(recipe, method)]
            if built.several:
                problems += [
                    f"{name}: [tasks.{task}] names no more_sources"
                    for task in recipe.grid_tasks
                    if task in recipe.tasks and not recipe.tasks[task].more_sources
                ]
            if method.megabytes is not None:
                problems += _too_little(recipe, method, data)
            if method.like in SELF_TRAINED:
                problems += [
                    f"{name}: [tasks.{task}] has kind {recipe.tasks[task].kind}: only tags of words (pos) go on so"
                    for task in recipe.grid_tasks
                    if task in recipe.tasks and recipe.tasks[task].kind not in ("pos", "tagging")
                ]
            if built.labels:
                problems += _too_few(recipe, method, data) + _seen(recipe, method, data)
                problems += _reshaped(recipe, method)
    return problems


def _wrong(recipe: Recipe, method: Method) -> list[str]:
    problems = []
    language = {**recipe.language_adapter, **method.language_adapter}
    if method.like == "few-shot" and not method.labels:
        problems.append(f"say how many: [methods.{method.name}] labels = 10")
    if method.self_training and method.like not in SELF_TRAINED:
        problems.append(f"self_training has no meaning in {method.like}")
    if method.labels is not None and method.like != "few-shot":
        problems.append(f"labels = {method.labels} has no meaning in {method.like}")
    if method.weights and len(method.weights) != len(method.of):
        problems.append(f"{len(method.weights)} weights for {len(method.of)} adapters (of = [...])")
    if method.like == "average" and method.weights and abs(sum(method.weights) - 1) > 1e-6:
        problems.append("the weights of an average must sum to one")
    if (method.of or method.weights) and method.like not in (
        "average",
        "arithmetic",
        "self-trained",
    ):
        problems.append(f"of and weights have no meaning in {method.like}")
    if recipe.text.dataset and (method.megabytes is not None or method.like == "family"):
        problems.append("a part of a text, or several together, must be files ([text] files)")
    if method.like == "lora" and language.get("lower_layers"):
        problems.append("a LoRA has no bottlenecks to leave out (lower_layers)")
    if method.like == "arithmetic" or (method.like == "self-trained" and method.of):
        problems += _unlike(recipe, language)
    return problems


def _reshaped(recipe: Recipe, method: Method) -> list[str]:
    """Shapes that a task adapter which goes on with a few labels cannot take any more."""
    plain = asdict(TaskConfig())
    before = {**recipe.task_adapter, **method.task_adapter}
    after = {**recipe.few_shot, **method.task_adapter}
    return [
        f"{method.name}: [few_shot] {name} = {after[name]}: the task adapter that goes on has {before.get(name, plain[name])}, and keeps its shape"
        for name in ("method", "rank", "reduction_factor", "drop_last_layer", "lower_layers", "leave_out")
        if name in after and after[name] not in (plain[name], before.get(name, plain[name]))
    ]  # fmt: skip


def _unlike(recipe: Recipe, language: Mapping[str, Any]) -> list[str]:
    """Why adapters could not be merged into one."""
    factor = language.get("reduction_factor")
    if factor is None:
        return [
            "adapters of different shapes cannot be merged: set reduction_factor in [language_adapter]"
        ]
    problems = []
    for adapters in recipe.adapters.values():
        for code, name in adapters.items():
            try:
                theirs = inspect(folder_of(name))["reduction_factor"]
            except AdapterkitError:
                continue  # said once, by `_adapters`
            if theirs != factor:
                problems.append(
                    f"reduction_factor {factor:g} cannot be merged with {code} = {name}, which has {theirs}"
                )
    return problems


def _too_little(recipe: Recipe, method: Method, data: DataFolder) -> list[str]:
    problems = []
    for language in recipe.grid_languages:
        if not any(_keeps(recipe, language, method, task) for task in recipe.grid_tasks):
            continue
        try:
            found = data.text(recipe.text, language)
        except AdapterkitError:
            continue  # said once, by the plan
        size = data.text_bytes(found) if found else None
        if size is not None and size < 0.95e6 * (method.megabytes or 0):
            problems.append(
                f"{method.name}: {language} has {size / 1e6:.2f} MB of text, "
                f"not {method.megabytes:g}; exclude it"
            )
    return problems


def _too_few(recipe: Recipe, method: Method, data: DataFolder) -> list[str]:
    problems = []
    for name in recipe.grid_tasks:
        task = recipe.tasks.get(name)
        for language in recipe.grid_languages if task else ():
            assert task is not None
            if task.dataset or not _keeps(recipe, language, method, name):
                continue
            try:
                reference = data.labelled(task, language, "train")
            except AdapterkitError:
                continue  # said once, by the plan
            try:
                there = _size(data, task, language, reference)
            except AdapterkitError as error:
                problems.append(f"[tasks.{name}] {language}: {error}")
                continue
            if 0 < there < (method.labels or 0):
                problems.append(
                    f"{method.name}: {name} has {there} training examples of {language}, "
                    f"not {method.labels}; exclude it"
                )
    return problems


def _seen(recipe: Recipe, method: Method, data: DataFolder) -> list[str]:
    """Targets whose few labels would be those that they are scored on."""
    problems = []
    for name, language in product(recipe.grid_tasks, recipe.grid_languages):
        task = recipe.tasks.get(name)
        if task is None or not _keeps(recipe, language, method, name):
            continue
        try:
            train = data.labelled(task, language, "train")
            _, test = scored(data, task, language, recipe.split)
        except AdapterkitError:
            continue  # said once, by the plan
        if train == test or (train or {}).get("sha256", "") == test.get("sha256"):
            problems.append(
                f"{method.name}: [tasks.{name}] {language}: its train set is the set that it is scored on; "
                "its score would tell nothing"
            )
    return problems


def _keeps(recipe: Recipe, language: str, method: Method, task: str) -> bool:
    place = {"task": task, "language": language, "method": method.name}
    place["group"] = recipe.group_of(language)
    return any(
        is_wanted(recipe, {**place, "seed": str(seed), "backbone": backbone})
        for seed in recipe.grid_seeds
        for backbone in recipe.grid_backbones
    )


def _labels(recipe: Recipe, data: DataFolder) -> list[str]:
    """Whether sources and targets are labelled alike. Data sets of the Hub are looked at when used."""
    problems = []
    for name in recipe.grid_tasks:
        task = recipe.tasks.get(name)
        if task is None or task.dataset or data.root is None:
            continue
        problems += _unreadable(recipe, data, task)
        try:
            known = set(_counts(data, task, task.source, "train"))
        except AdapterkitError as error:
            problems.append(f"[tasks.{name}] {task.source}: {error}")
            continue
        if task.kind == "tagging" and is_span_scheme(known):
            problems += [
                f"{method}: [tasks.{name}] has labels of spans ({_some(known)}): only tags of words (pos) go on so"
                for method in recipe.grid_methods
                if recipe.method(method).like in SELF_TRAINED
            ]
        for language in recipe.grid_languages:
            if _is_target(recipe, language, name):
                problems += _foreign(recipe, data, task, language, known)
    return problems


def _unreadable(recipe: Recipe, data: DataFolder, task: Labelled) -> list[str]:
    """What is wrong with files to learn from, beside the source's train set."""
    several = any(recipe.method(name).like == "several-sources" for name in recipe.grid_methods)
    more = product(task.more_sources if several else (), ("train", "dev"))
    problems = []
    for language, split in ((task.source, "dev"), *more):
        try:
            _counts(data, task, language, split)
        except AdapterkitError as error:
            problems.append(f"[tasks.{task.name}] {language}: {error}")
    return problems


def _foreign(
    recipe: Recipe, data: DataFolder, task: Labelled, language: str, known: set[str]
) -> list[str]:
    try:
        split, _ = scored(data, task, language, recipe.split)
    except AdapterkitError:
        return []  # said once, by the plan
    try:
        there = _counts(data, task, language, "test" if split not in ("dev", "test") else split)
        if is_span_scheme(there):
            check_span_labels([(*there, *known)])
    except AdapterkitError as error:
        return [f"[tasks.{task.name}] {language}: {error}"]
    total = sum(there.values())
    foreign = {label: count for label, count in there.items() if label not in known}
    if sum(foreign.values()) <= FOREIGN * total:
        return []
    share = sum(foreign.values()) / total
    return [
        f"[tasks.{task.name}] {language}: {100 * share:.0f} % of its labels are none of {task.source}'s "
        f"({_some(foreign)}; {task.source} has {_some(known)} ...)"
    ]


def _some(labels: Iterable[str]) -> str:
    return ", ".join(sorted(labels)[:6])


def _texts(cells: Iterable[Cell], data: DataFolder) -> list[str]:
    """Raw texts that cannot be read, as far as their beginnings show."""
    problems = []
    for node in in_order(cell.node for cell in cells):
        texts, code = node.settings.get("texts", ()), node.settings.get("language", "")
        if texts and "file" in texts[0]:
            try:
                data.corpus(texts, code, None)
            except AdapterkitError as error:
                problems.append(f"[text] {code}: {error}")
    return problems


def _size(data: DataFolder, task: Labelled, language: str, reference: Reference | None) -> int:
    return 0 if reference is None else len(data.examples(task, language, reference, "train"))


def _counts(data: DataFolder, task: Labelled, language: str, split: str) -> Counter[str]:
    reference = data.labelled(task, language, split)
    if reference is None:
        return Counter()
    found: Sequence[Any] = data.examples(task, language, reference, split)
    if task.kind == "classification":
        return Counter(example.label for example in found)
    return Counter(tag for example in found for tag in example.tags)
