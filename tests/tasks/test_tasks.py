from pathlib import Path

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import new_adapter
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.data.batches import Special, by_length, pad, text_windows, word_windows
from adapterkit.data.examples import LabelledText, TaggedSentence
from adapterkit.errors import ConfigError, CorpusError
from adapterkit.model import AdaptedModel
from adapterkit.prediction import predict
from adapterkit.tasks.base import Answer
from adapterkit.tasks.classification import Classification
from adapterkit.tasks.tagging import Tagging

SPECIAL = Special(start=0, end=2, padding=1)
WORDS = [[5, 6], [7], [8, 9, 10], [11]]


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


@pytest.mark.parametrize("limit", [5, 6, 7, 40])
def test_every_word_stands_in_exactly_one_window(limit: int) -> None:
    windows = word_windows([WORDS, [[12]]], SPECIAL, limit=limit)
    assert all(len(w.tokens) <= limit for w in windows)
    firsts = [w.tokens[place] for w in windows if w.example == 0 for place in w.first_pieces]
    assert firsts == [5, 7, 8, 11]
    assert windows[-1].example == 1


def test_a_word_of_more_pieces_than_fit_keeps_its_first_piece() -> None:
    (window,) = word_windows([[[5, 6, 7, 8, 9]]], SPECIAL, limit=4)
    assert window.tokens == (0, 5, 6, 2)


def test_a_long_text_becomes_several_windows_and_an_empty_one_still_one() -> None:
    windows = text_windows([[5, 6, 7, 8, 9], []], SPECIAL, limit=4)
    assert [w.tokens for w in windows] == [(0, 5, 6, 2), (0, 7, 8, 2), (0, 9, 2), (0, 2)]


def test_padding_and_batches_by_length_keep_every_window() -> None:
    windows = word_windows([WORDS, [[12]], [[3], [4]]], SPECIAL, limit=40)
    assert sorted(i for batch in by_length(windows, 2) for i in batch) == [0, 1, 2]
    ids, mask = pad(windows, SPECIAL)
    assert ids.shape == mask.shape == (3, 9)
    assert mask.sum(-1).tolist() == [9, 3, 4]
    assert (ids[mask == 0] == 1).all()


def test_targets_sit_on_first_pieces(backbone: Backbone) -> None:
    task = Tagging({"train": (TaggedSentence(("abc", "d"), ("A", "B")),)})
    examples = task.examples("train")
    windows = task.windows(examples, backbone, limit=40)
    targets = task.targets(windows, examples, {"A": 0, "B": 1}, len(windows[0].tokens))
    assert [int(t) for t in targets[0] if t >= 0] == [0, 1]
    assert targets[0, windows[0].first_pieces[1]] == 1


def test_targets_of_a_later_window_are_those_of_its_words(backbone: Backbone) -> None:
    words, tags = tuple("abcdefgh"), tuple("ABABABAB")
    task = Tagging({"train": (TaggedSentence(words, tags),)})
    windows = task.windows(task.examples("train"), backbone, limit=6)
    numbers = [
        int(t)
        for w in windows
        for t in task.targets([w], task.examples("train"), {"A": 0, "B": 1}, 6)[0]
        if t >= 0
    ]
    assert len(windows) > 1
    assert numbers == [0, 1] * 4


def test_answers_of_several_windows_are_joined(backbone: Backbone) -> None:
    task = Classification({"test": (LabelledText("a " * 90, "x"),)})
    windows = task.windows(task.examples("test"), backbone, limit=40)
    logits = [torch.tensor([4.0, 0.0])] + [torch.tensor([0.0, 0.1])] * (len(windows) - 1)
    (answer,) = task.answers(windows, logits, 1, ("x", "y"))
    assert len(windows) > 2
    assert answer.labels == ("x",)
    assert 0.5 < answer.scores[0] < 0.99


@pytest.mark.long
def test_labels_in_spans_are_scored_as_spans() -> None:
    examples = (TaggedSentence(("Ann", "Lee", "sat"), ("B-PER", "I-PER", "O")),)
    task = Tagging({"test": examples}, column="tags")
    scores = task.scores(examples, [Answer(("B-PER", "O", "O"), (1.0, 1.0, 1.0))], seed=0)
    assert task.main_metric == "span_f1"
    assert scores["span_f1"].value == 0
    assert scores["accuracy"].value == pytest.approx(2 / 3)


def test_a_split_that_is_not_there_is_named() -> None:
    task = Tagging({"test": (TaggedSentence(("a",), ("A",)),)})
    with pytest.raises(CorpusError, match="no train examples"):
        task.labels()
    with pytest.raises(ConfigError, match="split 'best'"):
        task.examples("best")
    with pytest.raises(ConfigError, match="no file was given"):
        Tagging.from_files()


@pytest.mark.long
def test_a_datasets_object_with_class_labels_becomes_a_task() -> None:
    datasets = pytest.importorskip("datasets", reason="the datasets extra is not installed")
    features = datasets.Features(
        {
            "tokens": datasets.Sequence(datasets.Value("string")),
            "upos": datasets.Sequence(datasets.ClassLabel(names=["NOUN", "VERB"])),
        }
    )
    rows = datasets.Dataset.from_dict(
        {"tokens": [["cat", "sat"]], "upos": [[0, 1]]}, features=features
    )
    task = Tagging.from_dataset(datasets.DatasetDict({"train": rows, "validation": rows}))
    assert task.labels() == ("NOUN", "VERB")
    assert task.has("dev")
    assert not task.has("test")
    texts = datasets.Dataset.from_dict({"text": ["a b"], "label": ["x"]})
    assert Classification.from_dataset(texts).examples("test")[0].label == "x"


def test_the_splits_of_a_data_set_are_those_that_are_named() -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_dict({"text": ["a b"], "label": ["x"]})
    several = datasets.DatasetDict({"unsup": rows, "validation": rows})
    assert Classification.from_dataset(several, splits={"train": "unsup"}).has("train")
    with pytest.raises(ConfigError, match=r"splits= maps .* not 'validation': splits="):
        Classification.from_dataset(several, splits={"validation": "dev"})
    with pytest.raises(CorpusError, match=r"no split called train.* it has: unsup\n.*splits="):
        Classification.from_dataset(datasets.DatasetDict({"unsup": rows}))
    # A plain one is taken as what it is called, by default as the test set.
    assert repr(Classification.from_dataset(rows, splits={"train": "train"})) == (
        "Classification(label: 1 train)"
    )
    with pytest.raises(CorpusError, match=r"pass train= \(of a data set: splits="):
        Classification.from_dataset(rows).labels()


def test_a_task_shows_how_much_it_holds_and_not_all_of_it() -> None:
    sentence = TaggedSentence(("cat",), ("NOUN",))
    assert repr(Tagging({"dev": (sentence,), "train": (sentence,) * 1200})) == (
        "Tagging(upos: 1,200 train, 1 dev)"
    )
    assert repr(Tagging({})) == "Tagging(upos: no examples)"


def test_tags_of_files_without_names_are_named_by_what_they_are(tmp_path: Path) -> None:
    spans, words = tmp_path / "ner.txt", tmp_path / "pos.txt"
    spans.write_text("1\tAnn\tB-PER\n2\tsat\tO\n", encoding="utf-8")
    words.write_text("Ann\tPROPN\nsat\tVERB\n", encoding="utf-8")
    assert Tagging.from_files(test=spans, column="3").column == "tags"
    assert Tagging.from_files(test=words).column == "upos"
    assert Tagging.from_files(test=words, column="2").column == "upos"
    assert Tagging((Tagging.from_files(test=words)).splits, "ner").column == "ner"


def test_of_no_texts_a_classifier_says_nothing(backbone: Backbone) -> None:
    head = HeadConfig("classification", ("no", "yes"))
    topic = new_adapter(
        "topic", BottleneckConfig(4), backbone=backbone.facts, kind="task", head=head
    )
    assert predict(AdaptedModel(backbone, topic), []) == []
