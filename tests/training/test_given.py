"""What a training is given: another kind of thing is one clear error before any work, and nothing is changed."""

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.fuse import Fuse
from adapterkit.composition.rows import Rows
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig, preset
from adapterkit.data.examples import TaggedSentence
from adapterkit.errors import AdapterMismatch, ConfigError
from adapterkit.evaluation import evaluate
from adapterkit.formats.compositions import load_composition, save_composition
from adapterkit.methods import low_rank
from adapterkit.model import AdaptedModel
from adapterkit.prediction import fill, predict
from adapterkit.settings import LanguageConfig, TaskConfig
from adapterkit.tasks.tagging import Tagging
from adapterkit.training.fusion import train_fusion
from adapterkit.training.given import tasks_of, warn_of_dev_labels, warn_of_labels
from adapterkit.training.language import train_language
from adapterkit.training.shape import other_shape, with_shape
from adapterkit.training.task import train_task
from tests.training.test_before_training import SHORT, TEXTS
from tests.training.test_training import LANGUAGE, corpus, tagging

LABELS = tagging().labels()
SPANS = Tagging({"train": (TaggedSentence(("a", "b"), ("B-PER", "O")),)}, "tags")
NO_SPANS = Tagging({"train": (TaggedSentence(("a", "b"), ("O", "O")),)}, "tags")


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder, device="cpu")


def language(backbone: Backbone, name: str = "eng") -> Adapter:
    return new_adapter(
        name, BottleneckConfig(4), backbone=backbone.facts, kind="language", language=name
    )


def task(
    backbone: Backbone, name: str = "pos", config: Any = None, kind: str = "tagging"
) -> Adapter:
    head = HeadConfig(kind, LABELS, layers=2 if kind == "classification" else 1)
    shape = config or BottleneckConfig(4, leave_out=(backbone.layers - 1,))
    return new_adapter(name, shape, backbone=backbone.facts, kind="task", head=head)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"over": "mini:eng"}, r"over= takes an adapter, a stack .* not str \('mini:eng'\)"),
        ({"over": ["mini:eng"]}, r"over= takes .* not str"),
        ({"over": 3}, r"over= takes .* not int"),
        ({"init": "mini:pos"}, r"init= takes an adapter, not str .* ak.load_adapter"),
        ({"target_ready": "mini:eng"}, "target_ready= takes a list of adapters, not str"),
        ({"target_ready": [Stack()]}, r"and Stack \(Stack\(\)\) is none"),
        ({"task": []}, "the list is empty"),
        ({"task": "eng.conllu"}, r"a task is needed, not str \('eng.conllu'\): ak.Tagging.from"),
        ({"task": [tagging(), Path("a")], "over": [None, None]}, "a task is needed, not "),
        ({"config": LANGUAGE}, "config= takes a TaskConfig, not LanguageConfig"),
        ({"config": {"steps": 2}}, r"config= takes a TaskConfig, not dict \({'steps': 2}\)"),
        ({"task": [tagging(), TEXTS], "over": [None, None]}, "classification and tagging"),
        (
            {"task": [tagging(), SPANS], "over": [None, None]},
            "some of these tasks tag spans and some",
        ),
        ({"backbone": "mini"}, r"a backbone is needed, not str \('mini'\).*ak.load_backbone"),
    ],
)
def test_what_is_no_adapter_no_task_and_no_backbone_is_refused_by_name(
    backbone: Backbone, tmp_path: Path, given: dict[str, Any], says: str
) -> None:
    arguments: dict[str, Any] = {
        **{"backbone": backbone, "task": tagging(20), "over": None, "config": SHORT},
        **given,
    }
    first, labelled = arguments.pop("backbone"), arguments.pop("task")
    with pytest.raises(ConfigError, match=says):
        train_task(first, labelled, out=tmp_path / "pos", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_language_training_and_a_fusion_refuse_them_too(
    backbone: Backbone, tmp_path: Path
) -> None:
    fuse: Any = Fuse(task(backbone, "a"), task(backbone, "b"))
    text: Any = ["a b", "c d"]
    name: Any = "mini:eng"
    short: Any = SHORT
    for wrong, says in (
        (lambda out: train_language(backbone, text, out=out), "as a corpus, not list"),
        (lambda out: train_language(backbone, corpus(), out=out, init=name), "init= takes an adapter"),
        (lambda out: train_language(backbone, corpus(), out=out, over=name), "over= takes an adapter"),
        (lambda out: train_fusion(backbone, tagging(), fuse, out=out, under=name), "under= takes"),
        (lambda out: train_fusion(backbone, tagging(), name, out=out), "trains a Fuse, not 'mini"),
        (lambda out: train_fusion(name, tagging(), fuse, out=out), "a backbone is needed"),
        (lambda out: train_fusion(backbone, name, fuse, out=out), "a task is needed, not str"),
        (lambda out: train_language(backbone, corpus(), out=out, config=short), "a LanguageConfig, not"),
    ):  # fmt: skip
        training: Callable[[Path], object] = wrong
        with pytest.raises(ConfigError, match=says):
            training(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_examples_without_any_span_go_with_those_that_have_some() -> None:
    assert tasks_of([SPANS, NO_SPANS]) == [SPANS, NO_SPANS]
    assert tasks_of([tagging(), NO_SPANS])[1] is NO_SPANS


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (("good",), ["every example has the label 'good'"]),
        (
            ("Good", "bad", "good", "good "),
            ["'Good' and 'good' and 'good ' are labels of their own"],
        ),
        (("bad", "good"), []),
    ],
)
def test_labels_that_are_probably_a_slip_are_warned_of(
    labels: tuple[str, ...], says: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_labels(labels)
    assert len(caplog.records) == len(says)
    assert all(one in caplog.text for one in says)


def test_labels_that_only_the_dev_set_has_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    def one(*tags: str) -> tuple[TaggedSentence, ...]:
        return (TaggedSentence(("a",) * len(tags), tags),)

    tasks = [Tagging({"train": one("A", "B"), "dev": one("A")}), Tagging({"train": one("A")})]
    warn_of_dev_labels(tasks, ["A", "B"])
    assert not caplog.records
    tasks.append(Tagging({"train": one("A"), "dev": one("C", "A", "B")}))
    warn_of_dev_labels(tasks, ["A", "B"])
    assert "labels of the dev set that no training example has: 'C'; they" in caplog.text


def test_a_training_warns_of_its_dev_set_before_it_begins(
    backbone: Backbone, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train, dev = (TaggedSentence(("a", "b"), ("A", "B")),), (TaggedSentence(("a",), ("C",)),)
    examples = Tagging({"train": train, "dev": dev})
    (tmp_path / "file").write_text("a note")
    with pytest.raises(ConfigError, match="is a file"):
        train_task(backbone, examples, over=None, out=tmp_path / "file" / "pos")
    assert "labels of the dev set that no training example has: 'C'" in caplog.text


def test_a_folder_that_is_a_file_or_lies_under_one_is_refused(
    backbone: Backbone, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("a note")
    for out in (tmp_path / "file", tmp_path / "file" / "pos"):
        with pytest.raises(ConfigError, match="file is a file, not a folder; choose another one"):
            train_language(backbone, corpus(), out=out, config=LANGUAGE)
        with pytest.raises(ConfigError, match="file is a file, not a folder"):
            train_task(backbone, tagging(20), over=None, out=out, config=SHORT)
    assert (tmp_path / "file").read_text() == "a note"


def test_one_of_several_tasks_may_stand_over_nothing(backbone: Backbone, tmp_path: Path) -> None:
    made = train_task(
        backbone,
        [tagging(20), tagging(20)],
        over=[language(backbone), None],
        out=tmp_path / "pos",
        config=SHORT,
    )
    assert [entry["name"] for entry in made.provenance["over"]] == ["eng"]


def test_a_composition_in_the_folder_is_not_written_over(
    backbone: Backbone, tmp_path: Path
) -> None:
    whole = Stack(language(backbone), task(backbone))
    save_composition(whole, tmp_path / "both")
    with pytest.raises(ConfigError, match="already holds a composition"):
        train_task(backbone, tagging(20), over=None, out=tmp_path / "both", config=SHORT)
    with pytest.raises(ConfigError, match="already holds a composition"):
        train_language(backbone, corpus(), out=tmp_path / "both", config=LANGUAGE)
    assert load_composition(tmp_path / "both") == whole


def test_a_fusion_leaves_the_fuse_it_was_given_as_it_is(backbone: Backbone, tmp_path: Path) -> None:
    fuse = Fuse(task(backbone, "a"), task(backbone, "b"))
    before = hash(fuse)
    config = replace(SHORT, learning_rate=0.1)
    first, again = (
        train_fusion(backbone, tagging(20), fuse, out=tmp_path / name, config=config)
        for name in ("one", "two")
    )
    assert hash(fuse) == before
    assert first.layers is not fuse.layers
    # The same fuse is the same start, and so the same end; what came out first stays as it was.
    assert first == again == load_composition(tmp_path / "one")
    assert hash(first) != before


def test_an_adapter_to_go_on_from_keeps_its_shape_and_the_record_says_so(
    backbone: Backbone, tmp_path: Path
) -> None:
    start = task(backbone, config=BottleneckConfig(4, leave_out=(0,)))
    asked = replace(SHORT, method="lora", rank=4, reduction_factor=2)
    with pytest.raises(ConfigError, match="another than asked for by method, reduction_factor;"):
        train_task(backbone, tagging(20), over=None, out=tmp_path / "p", config=asked, init=start)
    made = train_task(
        backbone, tagging(20), over=None, out=tmp_path / "p", config=SHORT, init=start
    )
    said = made.provenance["config"]
    assert (said["reduction_factor"], said["drop_last_layer"]) == (4, False)
    assert tuple(said["leave_out"]) == (0,)
    ia3 = task(backbone, "ia3", low_rank(backbone, "ia3"))
    made = train_task(backbone, tagging(20), over=None, out=tmp_path / "i", config=SHORT, init=ia3)
    assert made.provenance["config"]["method"] == "ia3"
    lora = task(backbone, "lora", low_rank(backbone, rank=2))
    made = train_task(backbone, tagging(20), over=None, out=tmp_path / "l", config=SHORT, init=lora)
    assert (made.provenance["config"]["method"], made.provenance["config"]["rank"]) == ("lora", 2)


def test_shapes_go_by_the_name_that_says_most_of_them() -> None:
    for name in ("pfeiffer", "houlsby", "parallel", "scaled_parallel"):
        shape = preset(name, 8)
        taken = with_shape(TaskConfig(), shape, 4)
        assert (taken.method, taken.reduction_factor, taken.drop_last_layer) == (name, 8, False)
        assert other_shape(taken, shape, 4) == []
        assert with_shape(taken, shape, 4) == taken
    assert other_shape(TaskConfig(leave_out=(1,)), preset("pfeiffer", 8), 4) == ["leave_out"]


def test_a_head_of_another_kind_is_not_gone_on_with(backbone: Backbone, tmp_path: Path) -> None:
    start = task(backbone, kind="classification")
    with pytest.raises(AdapterMismatch, match=r"a classification head, and .* a tagging head"):
        train_task(backbone, tagging(20), over=None, out=tmp_path / "p", config=SHORT, init=start)


@pytest.mark.parametrize("length", [1, 2])
def test_inputs_without_room_for_text_are_refused(
    backbone: Backbone, tmp_path: Path, length: int
) -> None:
    for labelled in (tagging(20), TEXTS):
        with pytest.raises(ConfigError, match=rf"max_length {length}: leaves no room .* least 3"):
            train_task(
                backbone,
                labelled,
                over=None,
                out=tmp_path / "p",
                config=replace(SHORT, max_length=length),
            )
    with pytest.raises(ConfigError, match=rf"block_length {length}: leaves no room"):
        train_language(
            backbone, corpus(), out=tmp_path / "l", config=replace(LANGUAGE, block_length=length)
        )
    made = train_task(
        backbone, tagging(20), over=None, out=tmp_path / "q", config=replace(SHORT, max_length=3)
    )
    assert made.labels == LABELS


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"steps": 2.5}, "steps = 2.5: must be a whole number"),
        ({"steps": True}, "steps = True: must be a whole number"),
        ({"seed": "a"}, "seed = 'a': must be a whole number"),
        ({"batch_size": 16.0}, "batch_size = 16.0: must be a whole number"),
        ({"reduction_factor": "16"}, "reduction_factor = '16': must be a number"),
        ({"precision": "float16"}, "precision = 'float16': must be float32 or bfloat16"),
        ({"drop_last_layer": 1}, "drop_last_layer = 1: must be True or False"),
        ({"method": None}, "method = None: must be a name"),
    ],
)
def test_a_setting_of_another_kind_is_refused(setting: dict[str, Any], says: str) -> None:
    for kind in (LanguageConfig, TaskConfig):
        with pytest.raises(ConfigError, match=f"{kind.__name__} cannot be used:\n  {says}$"):
            kind(**setting)


@pytest.mark.parametrize("decay", [-0.1, float("nan"), float("inf")])
def test_a_weight_decay_below_zero_or_without_end_is_refused(decay: float) -> None:
    for kind in (LanguageConfig, TaskConfig):
        with pytest.raises(ConfigError, match=f"weight_decay = {decay}: must be 0 or more"):
            kind(weight_decay=decay)


def test_a_language_training_that_would_mask_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="masking = 0: must be above 0"):
        LanguageConfig(masking=0)


def test_lists_and_whole_numbers_do_for_tuples_and_numbers() -> None:
    leave_out: Any = [0, 1]
    assert TaskConfig(leave_out=leave_out, epochs=3, reduction_factor=8).epochs == 3
    for wrong in (2, ["a"], "01"):
        leave_out = wrong
        with pytest.raises(ConfigError, match=r"leave_out = .* must be a list of whole numbers"):
            TaskConfig(leave_out=leave_out)


def test_numbers_of_numpy_and_ranges_are_kept_as_plain_ones(
    backbone: Backbone, tmp_path: Path
) -> None:
    others: Any = {
        "seed": np.int64(1),
        "steps": np.int32(2),
        "learning_rate": np.float32(0.5),
        "epochs": Fraction(1, 2),
        "leave_out": range(1),
    }
    config = replace(SHORT, **others)
    assert config == replace(SHORT, seed=1, steps=2, learning_rate=0.5, epochs=0.5, leave_out=(0,))
    made = train_task(backbone, tagging(20), over=None, out=tmp_path / "p", config=config)
    assert json.dumps(made.provenance["config"]["seed"]) == "1"


def test_a_folder_in_the_home_is_written_where_it_is_read(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    train_task(backbone, tagging(20), over=None, out="~/pos", config=SHORT)
    save_composition(Stack(language(backbone), task(backbone)), "~/both")
    assert load_composition("~/both") == load_composition(tmp_path / "both")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both", "pos"]


def test_examples_are_refused_before_they_are_read_if_no_label_or_only_o_is_shared(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    head = HeadConfig("tagging", ("B-PER", "I-PER", "O"))
    shape = BottleneckConfig(4)
    ner = new_adapter("ner", shape, backbone=backbone.facts, kind="task", head=head)
    model = AdaptedModel(backbone, Stack(ner))

    def named(*tags: str) -> Tagging:
        return Tagging({"test": (TaggedSentence(("a",) * len(tags), tags),)}, "ner")

    assert evaluate(model, named("O", "O")).examples == 1
    assert not caplog.text
    assert evaluate(model, named("O", "B-PER", "B-MISC", "B-MISC")).main == "span_f1"
    assert "does not know 'B-MISC': 2 of 4 labels of the examples count as wrong" in caplog.text
    assert "it knows: B-PER, I-PER, O" in caplog.text
    monkeypatch.setattr("adapterkit.evaluation.answers", None)
    for tags in (("B-PERSON", "I-PERSON", "O"), ("NOUN",)):
        with pytest.raises(ConfigError, match="share no label") as caught:
            evaluate(model, named(*tags))
        assert f"the examples have: {', '.join(tags[:2])}" in str(caught.value)
    with pytest.raises(ConfigError, match="one composition, not Rows"):
        evaluate(AdaptedModel(backbone, Rows([Stack(ner)])), named("O"))


def test_predictions_and_scores_take_a_model_and_a_task(backbone: Backbone) -> None:
    model, stack, path = AdaptedModel(backbone, Stack(task(backbone))), Stack(), "cym.conllu"
    wrong: Any
    calls: list[Callable[[Any, Any], object]] = [predict, fill, evaluate]
    for wrong in (stack, path, backbone):
        for call in calls:
            with pytest.raises(ConfigError, match="a model is needed, not "):
                call(wrong, "a")
    wrong = path
    with pytest.raises(ConfigError, match=r"a task is needed, not str \('cym.conllu'\)"):
        evaluate(model, wrong)


def test_layers_that_another_setting_leaves_out_are_named(
    backbone: Backbone, tmp_path: Path
) -> None:
    every = tuple(range(backbone.layers - 1))
    with pytest.raises(
        ConfigError, match=rf"keep its bottleneck \(without one already: {backbone.layers - 1}\)"
    ):
        train_task(
            backbone, tagging(), over=None, out=tmp_path, config=replace(SHORT, leave_out=every)
        )


def test_what_no_folder_could_hold_is_refused_before_it_is_trained() -> None:
    for setting in ({"rank": 100_000}, {"reduction_factor": 1e9}):
        for config in (LanguageConfig, TaskConfig):
            with pytest.raises(ConfigError, match="no folder holds one above"):
                config(**setting)


def test_a_seed_is_a_whole_number(backbone: Backbone) -> None:
    model = AdaptedModel(backbone, Stack(task(backbone)))
    for seed in (None, "1", 1.5, True):
        with pytest.raises(ConfigError, match=r"seed = .*: must be 0 or more, and whole"):
            evaluate(model, tagging(), split="dev", seed=seed)  # type: ignore[arg-type]


def test_files_of_a_task_may_lie_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.txt").write_text("a\tX\n")
    assert Tagging.from_files(test="~/x.txt").examples("test")[0].words == ("a",)
