"""Texts as people give them, and masks: what cannot be predicted for is one clear error."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.average import Average
from adapterkit.composition.rows import Rows
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.data.examples import LabelledText, TaggedSentence
from adapterkit.data.writing import write_predictions
from adapterkit.errors import ConfigError
from adapterkit.evaluation import compare, evaluate
from adapterkit.model import AdaptedModel
from adapterkit.nn.heads import Head
from adapterkit.prediction import fill, predict
from adapterkit.tasks.classification import Classification
from adapterkit.tasks.tagging import Tagging

HALF = "ab \ud83d cd"


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder, device="cpu")


def made(backbone: Backbone, kind: str = "tagging", labels: str = "AB") -> Adapter:
    head = HeadConfig(kind, tuple(labels), layers=2 if kind == "classification" else 1)
    return new_adapter("t", BottleneckConfig(4), backbone=backbone.facts, kind="task", head=head)


@pytest.fixture(scope="module")
def models(backbone: Backbone) -> list[AdaptedModel]:
    """One of each of the ways that predict takes."""
    tagger, classifier = Stack(made(backbone)), Stack(made(backbone, "classification"))
    stacks = (tagger, classifier, Rows([tagger, classifier]))
    return [AdaptedModel(backbone, stack) for stack in stacks]


def rows_of(model: AdaptedModel, count: int) -> dict[str, Any]:
    return {"rows": [0, 1][:count]} if isinstance(model.stack, Rows) else {}


class Table:
    """A data frame, as far as going over one shows: the names of its columns."""

    columns = ("text", "label")

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ("ab", "takes a list of texts; for one text write"),
        (None, "takes a list of texts, not NoneType"),
        (3, "takes a list of texts, not int"),
        ({"text": ["ab"]}, "not dict; of a table give the column"),
        (Table(), "not Table; of a table give the column"),
        ([None], r"text 0 \(counted from 0\) is neither a string nor a list of words: None"),
        (["ab", float("nan")], r"text 1 .* nan"),
        ([[1, 2]], r"text 0 .* \[1, 2\]"),
        ([{"a": 1}], "text 0 .* neither"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(
    models: list[AdaptedModel], texts: Any, says: str
) -> None:
    for model in models:
        with pytest.raises(ConfigError, match=says):
            predict(model, texts, **rows_of(model, 2))


def test_a_label_of_nothing_is_warned_of(
    models: list[AdaptedModel], caplog: pytest.LogCaptureFixture
) -> None:
    tagger, classifier, _ = models
    predict(tagger, ["", "ab"])
    predict(classifier, ["ab", "cd"])
    assert not caplog.text
    assert len(predict(classifier, ["ab", "", " ", "\u200b"])) == 4
    predict(classifier, [""] * 6)
    assert "6 texts are empty (number 1, 2, 3, 4, 5, ...)" in caplog.text
    assert "3 texts are empty (number 2, 3, 4): what is predicted of nothing" in caplog.text


def test_parts_whose_heads_differ_are_said_to_have_none_in_common(backbone: Backbone) -> None:
    parts = [made(backbone), made(backbone, labels="AC")]
    model = AdaptedModel(backbone, Stack(Average(*parts)))
    with pytest.raises(ConfigError, match="ends with no head that its parts share"):
        predict(model, ["ab"])
    with pytest.raises(ConfigError, match="ends with no head, a tagging head is needed"):
        predict(AdaptedModel(backbone, Stack()), ["ab"])


def test_texts_may_come_in_any_order_of_things(models: list[AdaptedModel]) -> None:
    for model in models:
        expected = predict(model, ["ab cd", "ef"], **rows_of(model, 2))
        for given in (("ab cd", "ef"), iter(["ab cd", "ef"]), np.array(["ab cd", "ef"])):
            assert predict(model, given, **rows_of(model, 2)) == expected


def test_half_a_character_is_read_as_one_that_cannot_be_read(
    models: list[AdaptedModel], tmp_path: Path
) -> None:
    for model in models:
        found = predict(model, [HALF, [*HALF.split()]], **rows_of(model, 2))
        write_predictions(tmp_path / "p.jsonl", found, format="jsonl")
        assert "ab \ufffd cd" in (tmp_path / "p.jsonl").read_text(encoding="utf-8")
    tagger, classifier, _ = models
    sentence = TaggedSentence(tuple(HALF.split()), ("A", "B", "A"))
    assert evaluate(tagger, Tagging({"test": (sentence,)})).examples == 1
    assert evaluate(classifier, Classification({"test": (LabelledText(HALF, "A"),)})).examples == 1


def test_many_rows_equal_the_rows_apart(backbone: Backbone, models: list[AdaptedModel]) -> None:
    tagger, classifier, mixed = models
    long = "ab cd ef " * 40  # several windows
    texts = [long, "ab", "", long, "cd"]
    found = predict(mixed, texts, rows=[1, 0, 1, 0, 1])
    alone = [predict([tagger, classifier][row], [t])[0] for row, t in zip([1, 0, 1, 0, 1], texts)]  # noqa: B905
    assert [one.labels for one in found] == [one.labels for one in alone]


def test_the_mask_must_stand_where_the_backbone_reads(backbone: Backbone) -> None:
    model = AdaptedModel(backbone)
    with pytest.raises(ConfigError, match=r"behind the first 40 tokens of 'ab ab .*cut the text"):
        fill(model, "ab " * 60 + "<mask>")
    with pytest.raises(ConfigError, match=r"there is no <mask> in '.{79}; write"):
        fill(model, "ab " * 60)
    assert len(fill(model, "<mask> " + "ab " * 60)) == 1
    texts: Any = ["a <mask>"]
    with pytest.raises(ConfigError, match="fill takes one text, not list"):
        fill(model, texts)
    number: Any = 2.5
    with pytest.raises(ConfigError, match=r"guesses 2.5: must be from 1"):
        fill(model, "a <mask>", guesses=number)
    with pytest.raises(ConfigError, match="fill takes one composition, not Rows"):
        fill(AdaptedModel(backbone, Rows([Stack()])), "a <mask>")


def test_filling_masks_never_changes_how_the_backbone_reads_for_others(backbone: Backbone) -> None:
    long = ["ab cd ef gh " * 40]
    expected = backbone.token_ids(long)
    filling = threading.Event()

    def fills() -> None:
        while not filling.is_set():
            fill(AdaptedModel(backbone), "ab <mask>")

    thread = threading.Thread(target=fills)
    thread.start()
    try:
        assert all(backbone.token_ids(long) == expected for _ in range(100))
    finally:
        filling.set()
        thread.join()


def test_a_comparison_and_a_model_say_what_they_need(backbone: Backbone) -> None:
    name: Any = "mini"
    with pytest.raises(ConfigError, match=r"needs a backbone, got 'mini'; load one with"):
        AdaptedModel(name)
    one: Any = made(backbone)
    with pytest.raises(ConfigError, match="needs a Stack of a language adapter and a task adapter"):
        compare(backbone, one, Tagging({}), source=None)


def test_a_head_that_rows_share_is_told_apart_once(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = made(backbone)
    rows = Rows([Stack(task)] * 50)
    told: list[Head] = []
    digest = Head.digest

    def counted(head: Head) -> str:
        told.append(head)
        return digest(head)

    monkeypatch.setattr(Head, "digest", counted)
    assert rows.head is task.head
    assert len(told) <= 1
    assert Rows([Stack(task), Stack(made(backbone, "classification"))]).head is None
    assert Rows([Stack(task), Stack()]).head is None
