"""From a recipe to cells: what is shared, what is filtered, what each method stands on."""

from pathlib import Path

import pytest

from adapterkit.config import BackboneFacts
from adapterkit.experiments.data import DataFolder
from adapterkit.experiments.grid import HALF, expand
from adapterkit.experiments.methods import BUILT_IN
from adapterkit.experiments.nodes import Cell, Node, in_order
from adapterkit.experiments.reading import read_recipe
from tests.experiments.small import data_folder, recipe

FACTS = {"mini": BackboneFacts("adapterkit/mini@2", "d", "bert", 32, 6)}
Change = tuple[str, str]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return DataFolder(data_folder(tmp_path_factory.mktemp("data")))


def cells_of(tmp_path: Path, data: DataFolder, *changes: Change) -> list[Cell]:
    found, problems = read_recipe(recipe(tmp_path, "mini", *changes))
    assert problems == []
    cells, wrong = expand(found, data, FACTS)
    assert wrong == []
    return cells


def only(*methods: str) -> Change:
    names = ", ".join(f'"{name}"' for name in methods)
    return 'methods = ["own", "source-kept", "removed"]', f"methods = [{names}]"


ONE = ("seeds = [0, 1]", "seeds = [0]")
CYM = ('dev = ["cym", "bre"]', 'dev = ["cym"]')
MORE = ("[text]", '[relatives]\ncym = ["bre"]\n[few_shot]\nsteps = 3\n[text]')


def test_parts_that_cells_share_are_one_node(tmp_path: Path, data: DataFolder) -> None:
    cells = cells_of(tmp_path, data)
    assert len(cells) == 2 * 2 * 3
    nodes = in_order(cell.node for cell in cells)
    kinds = [node.kind for node in nodes]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "score": 12,
        "task": 2,  # one a seed
        "language": 6,  # eng, cym, bre, each with two seeds
    }
    done: set[str] = set()
    for node in nodes:
        assert {below.digest for below in node.needs.values()} <= done, "needs come first"
        done.add(node.digest)


def test_a_target_without_a_dev_set_is_scored_on_half_of_its_test_set(
    tmp_path: Path, data: DataFolder
) -> None:
    splits = {cell.facts["language"]: cell.facts["split"] for cell in cells_of(tmp_path, data)}
    assert splits == {"cym": "dev", "bre": HALF}


def test_filters_leave_out(tmp_path: Path, data: DataFolder) -> None:
    grid = 'only = [{ language = "cym" }, { method = "own" }]\nexclude = [{ seed = 1 }]\n'
    cells = cells_of(tmp_path, data, ("[groups]", grid + "[groups]"))
    places = {(cell.facts["language"], cell.facts["method"], cell.facts["seed"]) for cell in cells}
    assert places == {
        *(("cym", method, 0) for method in ("own", "source-kept", "removed")),
        ("bre", "own", 0),
    }


@pytest.mark.parametrize(
    "change",
    [
        ("steps = 6\nbatch_size = 4", "steps = 7\nbatch_size = 4"),
        ("steps = 6\nbatch_size = 8", "steps = 7\nbatch_size = 8"),
        ("reduction_factor = 4", "reduction_factor = 2"),
        ('source = "eng"', 'source = "eng"\nexamples = 5'),
        ('source = "eng"', 'source = "eng"\ntrain_examples = 5'),
    ],
)
def test_another_setting_is_another_cell(tmp_path: Path, data: DataFolder, change: Change) -> None:
    first = {cell.node.digest for cell in cells_of(tmp_path, data, only("own"), ONE)}
    assert first == {cell.node.digest for cell in cells_of(tmp_path, data, only("own"), ONE)}
    assert not first & {
        cell.node.digest for cell in cells_of(tmp_path, data, only("own"), ONE, change)
    }


def test_another_text_is_another_cell(tmp_path: Path) -> None:
    root = data_folder(tmp_path / "data")
    before = cells_of(tmp_path, DataFolder(root), only("own", "removed"), ONE, CYM)
    path = root / "text" / "cym.txt"
    path.write_text(path.read_text() + "one more line of text .\n")
    after = cells_of(tmp_path, DataFolder(root), only("own", "removed"), ONE, CYM)
    assert before[0].node.digest != after[0].node.digest
    assert before[1].node.digest == after[1].node.digest, "removed needs no Welsh text"


def plan(tmp_path: Path, data: DataFolder, method: str, *changes: Change) -> Node:
    (cell,) = cells_of(tmp_path, data, only(method), ONE, CYM, MORE, *changes)
    return cell.node


def language(node: Node) -> str:
    return f"{node.settings['language']}" if node.kind == "language" else node.kind


def test_what_each_method_stacks(tmp_path: Path, data: DataFolder) -> None:
    stacks = {}
    for method, built in BUILT_IN.items():
        if built.several or built.labels or method.startswith("full"):
            continue
        node = plan(tmp_path, data, method)
        task = node.needs["task"]
        stacks[method] = (
            [
                language(node.needs[role])
                for layer in node.settings["layers"]
                for role in layer["of"]
            ],
            [language(below) for below in task.needs.values()],
        )
    own = (["cym"], ["eng"])
    assert stacks == {
        "own": own,
        "source-kept": (["eng"], ["eng"]),
        "removed": ([], ["eng"]),
        "no-language-adapter": ([], []),
        "last-layer-dropped": own,
        "every-layer": own,
        "lower-layers-only": own,
        "target-ready": (["cym"], ["cym", "eng"]),
        "started-from-source": own,
        "started-from-relative": own,
        "relative-as-is": (["bre"], ["eng"]),
        "family": (["bre"], ["eng"]),
        "average": (["bre"], ["eng"]),
        "arithmetic": (["eng", "bre"], ["eng"]),
        "lora": own,
        "self-trained": (["cym"], ["cym", "task"]),
        "source-kept-self-trained": (["eng"], ["eng", "task"]),
    }


def test_what_sets_methods_apart(tmp_path: Path, data: DataFolder) -> None:
    def adapter(method: str, *changes: Change) -> Node:
        return plan(tmp_path, data, method, *changes).needs["language"]

    own = adapter("own")
    assert adapter("last-layer-dropped").digest == own.digest, "the default"
    assert adapter("every-layer").settings["config"]["drop_last_layer"] is False
    assert adapter("lower-layers-only").settings["config"]["lower_layers"] == 3
    assert adapter("started-from-source").needs["init"].settings["language"] == "eng"
    assert adapter("started-from-relative").needs["init"].settings["language"] == "bre"
    assert adapter("lora").settings["config"]["method"] == "lora"
    assert len(adapter("family").settings["texts"]) == 2
    lower = plan(tmp_path, data, "lower-layers-only").needs["task"]
    assert lower.settings["config"]["lower_layers"] == 3, "the task adapter, too"
    assert lower.needs["over0"].settings["config"]["lower_layers"] == 3, "and the source's"
    small = ("[few_shot]", '[methods.small]\nlike = "own"\nmegabytes = 0.001\n[few_shot]')
    assert adapter("small", small).settings["megabytes"] == 0.001


def test_a_few_labels_go_on_from_the_task_adapter_over_the_target_s(
    tmp_path: Path, data: DataFolder
) -> None:
    shots = ("[few_shot]", '[methods.few-5]\nlike = "few-shot"\nlabels = 5\n[few_shot]')
    node = plan(tmp_path, data, "few-5", shots)
    task = node.needs["task"]
    assert task.settings["labels"] == 5
    assert task.settings["config"]["steps"] == 3
    assert [source["language"] for source in task.settings["sources"]] == ["cym"]
    assert "dev" not in task.settings["sources"][0], "no label beyond the five chooses anything"
    assert task.needs["over0"].digest == node.needs["language"].digest
    assert task.needs["init"].digest == plan(tmp_path, data, "own").needs["task"].digest


def test_labels_of_its_own_go_on_from_the_task_adapter_over_what_is_kept(
    tmp_path: Path, data: DataFolder
) -> None:
    mine = ("[few_shot]", "[self_training]\nrounds = 1\n[few_shot]")
    node = plan(tmp_path, data, "self-trained", mine)
    task = node.needs["task"]
    assert (task.kind, task.settings["language"]) == ("self", "cym")
    assert task.settings["config"]["rounds"] == 1
    assert task.needs["over0"].digest == node.needs["language"].digest
    assert task.needs["init"].digest == plan(tmp_path, data, "own").needs["task"].digest
    kept = plan(tmp_path, data, "source-kept-self-trained", mine).needs["task"]
    assert kept.needs["over0"].settings["language"] == "eng"
    assert kept.settings["texts"] == task.settings["texts"], "of the target, too"
    mixed = (
        "[few_shot]",
        '[methods.x]\nlike = "self-trained"\nof = ["own", "source"]\nweights = [0.6, 0.4]\n[few_shot]',
    )
    node = plan(tmp_path, data, "x", mixed)
    task = node.needs["task"]
    layer = {"how": "merge", "of": ["part-cym", "source"], "weights": [0.6, 0.4]}
    assert task.settings["layers"] == node.settings["layers"] == [layer]
    assert sorted(task.needs) == ["init", "part-cym", "source"]
    place = (
        "[few_shot]",
        '[methods.place]\nlike = "self-trained"\nself_training = { by_word = 0 }\n[few_shot]',
    )
    assert plan(tmp_path, data, "place", place).needs["task"].settings["config"]["by_word"] == 0


def test_several_sources_stand_on_their_own_adapters(tmp_path: Path, data: DataFolder) -> None:
    bre = ('dev = ["cym", "bre"]', 'dev = ["bre"]')
    more = ('source = "eng"', 'source = "eng"\nmore_sources = ["cym"]')
    (cell,) = cells_of(tmp_path, data, only("several-sources"), ONE, bre, more)
    task = cell.node.needs["task"]
    assert [language(below) for below in task.needs.values()] == ["eng", "cym"]
    assert cell.facts["source"] == "eng,cym"


def test_full_fine_tuning_spans_rates_and_epochs(tmp_path: Path, data: DataFolder) -> None:
    full = (
        "[text]",
        "[full_fine_tuning]\nlearning_rate = [1e-5, 1e-4]\nepochs = [1, 2, 3]\n[text]",
    )
    cells = cells_of(
        tmp_path, data, only("full-fine-tuning", "full-fine-tuning-continued"), ONE, full
    )
    assert len(cells) == 2 * 2 * 6
    nodes = in_order(cell.node for cell in cells)
    kinds = [node.kind for node in nodes]
    assert kinds.count("continued") == 2
    assert kinds.count("full") == 6 + 12, "without text one for all targets"
    chosen = {(cell.facts["learning_rate"], cell.facts["epochs"]) for cell in cells}
    assert len(chosen) == 6
    one = (
        "[text]",
        '[methods.full-fine-tuning]\nlike = "full-fine-tuning"\n'
        "task_adapter = { learning_rate = 0.5, epochs = 2 }\n[text]",
    )
    (cell, _) = cells_of(tmp_path, data, only("full-fine-tuning"), ONE, full, one)
    assert (cell.facts["learning_rate"], cell.facts["epochs"]) == (0.5, 2)


def test_a_method_may_change_how_the_backbone_is_pre_trained_further(
    tmp_path: Path, data: DataFolder
) -> None:
    fast = (
        "[text]",
        "[full_fine_tuning]\nlearning_rate = 1e-4\nepochs = 1\n"
        "[continued]\nsteps = 5\nlearning_rate = 1e-4\n"
        '[methods.fast]\nlike = "full-fine-tuning-continued"\n'
        "language_adapter = { learning_rate = 1e-2 }\n[text]",
    )
    cells = cells_of(tmp_path, data, only("full-fine-tuning-continued", "fast"), ONE, CYM, fast)
    configs = {
        cell.facts["method"]: cell.node.needs["language"].settings["config"] for cell in cells
    }
    rates = {name: config["learning_rate"] for name, config in configs.items()}
    assert rates == {"full-fine-tuning-continued": 1e-4, "fast": 1e-2}
    assert {config["steps"] for config in configs.values()} == {5}


def test_an_adapter_that_is_there_is_taken(tmp_path: Path, data: DataFolder) -> None:
    given = ("[text]", '[adapters.mini]\neng = "mini:eng"\n[text]')
    node = plan(tmp_path, data, "source-kept", given)
    assert node.needs["source"].kind == "given"
    assert node.needs["task"].needs["over0"].settings["adapter"] == "mini:eng"


def test_an_own_adapter_that_is_there_costs_a_mixture_nothing(
    tmp_path: Path, data: DataFolder
) -> None:
    there = ("[text]", '[adapters.mini]\ncym = "mini:eng"\n[text]')
    mix = ("[text]", '[methods.mix]\nlike = "average"\nof = ["own", "bre"]\n[text]')
    assert plan(tmp_path, data, "mix", there, mix).settings["own"] == []
    assert plan(tmp_path, data, "mix", mix).settings["own"] == ["part-cym"]


def test_an_own_adapter_that_is_there_is_the_one_that_is_scored(
    tmp_path: Path, data: DataFolder
) -> None:
    there = ("[text]", '[adapters.mini]\ncym = "mini:eng"\n[text]')
    for method in ("own", "target-ready", "self-trained"):
        node = plan(tmp_path, data, method, there)
        assert node.needs["language"].kind == "given", method
        assert "language" not in node.settings["own"], "it costs nothing"
    longer = ("[text]", "[methods.longer]\nlike = 'own'\nlanguage_adapter = { steps = 9 }\n[text]")
    asked = plan(tmp_path, data, "longer", there, longer)
    assert asked.needs["language"].kind == "language"
    assert asked.settings["own"] == ["language"]


GIVEN = ("[text]", '[adapters.mini]\neng = "mini:eng"\n[text]')


def test_an_adapter_that_is_there_is_not_taken_where_a_method_asks_for_another_shape(
    tmp_path: Path, data: DataFolder
) -> None:
    narrow = ("[text]", "[methods.narrow]\nlike = 'own'\nlanguage_adapter = { invertible = false }\n[text]")  # fmt: skip
    for method in ("narrow", "lora", "lower-layers-only", "every-layer"):
        over = plan(tmp_path, data, method, narrow, GIVEN).needs["task"].needs["over0"]
        assert over.kind == "language", method
    lora = plan(tmp_path, data, "lora", GIVEN)
    assert lora.needs["task"].needs["over0"].settings["config"]["method"] == "lora"


def test_adapters_start_from_the_source_s_where_the_recipe_says_so(
    tmp_path: Path, data: DataFolder
) -> None:
    start = ("[grid]", '[grid]\nstart = "source"')
    for method in ("own", "target-ready", "family"):
        node = plan(tmp_path, data, method, GIVEN, start)
        assert node.needs["language"].needs["init"].settings["adapter"] == "mini:eng", method
    assert "init" not in plan(tmp_path, data, "every-layer", GIVEN, start).needs["language"].needs
    bre = ('dev = ["cym", "bre"]', 'dev = ["bre"]')
    more = ('source = "eng"', 'source = "eng"\nmore_sources = ["cym"]')
    (cell,) = cells_of(tmp_path, data, only("several-sources"), ONE, bre, more, GIVEN, start)
    welsh = cell.node.needs["task"].needs["over1"]
    assert welsh.needs["init"].settings["adapter"] == "mini:eng"


def test_a_relative_that_is_there_is_taken_and_nothing_is_merged_with_itself(
    tmp_path: Path, data: DataFolder
) -> None:
    english = ('cym = ["bre"]', 'cym = ["eng"]')
    node = plan(tmp_path, data, "relative-as-is", GIVEN, english)
    assert node.needs["kept"].kind == "given"
    found, _ = read_recipe(recipe(tmp_path, "mini", only("arithmetic"), MORE, GIVEN, english))
    assert any("stands in it twice" in one for one in expand(found, data, FACTS)[1])


def test_in_the_labels_own_language_only_what_needs_no_target_is_scored(
    tmp_path: Path, data: DataFolder
) -> None:
    groups = ('dev = ["cym", "bre"]', 'dev = ["cym"]\nsource = ["eng"]')
    methods = only("own", "source-kept", "removed", "no-language-adapter", "full-fine-tuning")
    cells = cells_of(tmp_path, data, ONE, groups, methods)
    at_home = [cell.facts for cell in cells if cell.facts["group"] == "source"]
    assert {one["language"] for one in at_home} == {"eng"}
    assert [one["method"] for one in at_home] == [
        "source-kept", "no-language-adapter", "full-fine-tuning",
    ]  # fmt: skip
    assert len([cell for cell in cells if cell.facts["group"] == "dev"]) == 5


def test_a_group_called_source_takes_no_other_language(tmp_path: Path, data: DataFolder) -> None:
    groups = ('dev = ["cym", "bre"]', 'dev = ["cym"]\nsource = ["bre"]')
    cells = cells_of(tmp_path, data, ONE, groups)
    assert {cell.facts["language"] for cell in cells} == {"cym"}


def test_nothing_is_kept_of_random_weights_whatever_the_recipe_says(
    tmp_path: Path, data: DataFolder
) -> None:
    asked = ("[language_adapter]", "[language_adapter]\nkeep_start = 0.3")
    methods = only("own", "started-from-source", "full-fine-tuning-continued")
    cells = cells_of(tmp_path, data, ONE, CYM, methods, asked)
    kept = {
        (node.kind, bool(node.needs)): node.settings["config"].get("keep_start", "left out")
        for node in in_order([cell.node for cell in cells])
        if node.kind in ("language", "continued")
    }
    assert kept == {
        ("language", False): "left out",
        ("language", True): 0.3,
        ("continued", False): "left out",
    }
