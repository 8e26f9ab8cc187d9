"""A task adapter goes on with its own labels: which sentences, which labels, what is kept after a stop."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone import precision
from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.data.corpus import Corpus
from adapterkit.errors import ConfigError, CorpusError
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.model import AdaptedModel
from adapterkit.prediction import predict
from adapterkit.settings import SelfTrainingConfig
from adapterkit.training import loop, self_training
from adapterkit.training.pseudo_labels import LONGEST, chosen, pseudo_labelled
from adapterkit.training.runs import planned_precision
from adapterkit.training.self_training import self_train
from tests.training.stopping import stopped_before
from tests.training.test_training import corpus

LABELS = ("A", "B", "C")
FEW = SelfTrainingConfig(
    sentences=20, rounds=2, epochs=4, batch_size=4, learning_rate=3e-2, precision="float32"
)


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder, device="cpu")


def adapter(backbone: Backbone, name: str, labels: tuple[str, ...] = (), **head: Any) -> Adapter:
    kind = "task" if labels else "language"
    shape = HeadConfig(**{"head_type": "tagging", "labels": labels, **head}) if labels else None
    made = new_adapter(name, BottleneckConfig(4), backbone=backbone.facts, kind=kind, head=shape)
    drawn = torch.Generator().manual_seed(len(name))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=drawn) * 0.3)
    return made


@pytest.fixture(scope="module")
def stack(backbone: Backbone) -> Stack:
    return Stack(adapter(backbone, "cym"), adapter(backbone, "pos", LABELS))


def test_the_same_sentences_are_drawn_in_whatever_order_lines_stand() -> None:
    lines = [line.text for line in corpus().lines()]
    there = Corpus.from_lines(lines, language="cym")
    back = Corpus.from_lines(lines[::-1], language="cym")
    drawn = chosen(there, 12, seed=0)
    assert drawn == chosen(back, 12, seed=0) != chosen(there, 12, seed=1)
    assert len(drawn) == 12
    assert chosen(there, 6, seed=0) == drawn[:6]
    assert len(chosen(there, 1000, seed=0)) == len(lines)


def test_short_lines_are_passed_over_and_long_ones_cut() -> None:
    lines = ["un dau tri", "one two three four", " ".join(["gair", "arall"] * 45)]
    found = chosen(Corpus.from_lines(lines, language="cym"), 5, seed=0)
    assert sorted(map(len, found)) == [4, LONGEST]
    with pytest.raises(CorpusError, match="no line of the text has 4 words or more"):
        chosen(Corpus.from_lines(["un dau tri", "dau tri un"], language="cym"), 5, seed=0)


def test_scripts_without_spaces_are_drawn_by_their_words() -> None:
    lines = ["ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอน", "ฉันอยากไปเที่ยวทะเล", "ไทย"]
    found = chosen(Corpus.from_lines(lines, language="tha"), 5, seed=0)
    assert sorted("".join(words) for words in found) == sorted(lines[:2])
    assert all(len(words) >= 4 for words in found)
    chinese = ["我今天很高兴见到你。", "他们在学校学习中文。", "你好"]
    found = chosen(Corpus.from_lines(chinese, language="zho"), 5, seed=0)
    assert sorted("".join(words) for words in found) == sorted(chinese[:2])


def test_by_place_the_labels_are_what_is_predicted(backbone: Backbone, stack: Stack) -> None:
    sentences = chosen(corpus(), 15, seed=0)
    model = AdaptedModel(backbone, stack)
    found = pseudo_labelled(model, sentences, by_word=0)
    expected = predict(model, sentences)
    assert [s.tags for s in found.examples("train")] == [one.labels for one in expected]


def test_by_word_a_label_counts_what_is_said_of_the_word_everywhere(
    backbone: Backbone, stack: Stack
) -> None:
    sentences = [("ab", "cd", "ef", "Ab"), ("cd", "ab"), ("gh", "ab", "cd")]
    model = AdaptedModel(backbone, stack)
    said: dict[str, list[torch.Tensor]] = {}
    here: list[list[torch.Tensor]] = []
    for sentence in sentences:
        pieces = backbone.word_pieces([sentence])[0]
        ids = torch.tensor([[0, *(p for word in pieces for p in word), 2]])
        starts = [1 + sum(map(len, pieces[:n])) for n in range(len(pieces))]
        with torch.no_grad():
            logits = model.logits(ids)
        assert isinstance(logits, torch.Tensor)
        chances = logits[0, starts].softmax(-1)
        here.append(list(chances))
        for word, chance in zip(sentence, chances, strict=True):
            said.setdefault(word.lower(), []).append(chance)
    for share in (0.0, 0.6, 1.0):
        expected = [
            tuple(
                LABELS[int(((1 - share) * p.log() + share * torch.stack(said[w.lower()]).mean(0).log()).argmax())]
                for w, p in zip(sentence, chances, strict=True)
            )
            for sentence, chances in zip(sentences, here, strict=True)
        ]  # fmt: skip
        found = pseudo_labelled(model, sentences, by_word=share)
        assert [one.tags for one in found.examples("train")] == expected
    whole = pseudo_labelled(model, sentences, by_word=1.0).examples("train")
    labels = {(word.lower(), tag) for s in whole for word, tag in zip(s.words, s.tags, strict=True)}
    assert len(labels) == len({word for word, _ in labels}), "one label a word"


def test_the_case_of_letters_makes_no_other_word(backbone: Backbone, stack: Stack) -> None:
    low = chosen(corpus(), 15, seed=0)
    high = [tuple(word.upper() for word in sentence) for sentence in low]
    found = pseudo_labelled(AdaptedModel(backbone, stack), [*low, *high], by_word=1.0)
    tags = [one.tags for one in found.examples("train")]
    assert tags[:15] == tags[15:]


@pytest.mark.long
def test_it_goes_on_from_what_it_was_and_changes_nothing_else(
    backbone: Backbone, stack: Stack, tmp_path: Path
) -> None:
    language, pos = stack.adapters
    before = [one.digest() for one in stack.adapters]
    made = self_train(backbone, corpus(), over=language, init=pos, out=tmp_path / "p", config=FEW)
    assert [one.digest() for one in stack.adapters] == before
    assert made.digest() not in before
    assert load_adapter(tmp_path / "p").digest() == made.digest()
    assert (made.name, made.labels, made.kind, made.language) == ("p", LABELS, "task", "cym")
    told = load_adapter(tmp_path / "p").provenance
    assert told["init"] == {"name": "pos", "digest": pos.digest()}
    assert told["over"] == [{"name": "cym", "digest": language.digest()}]
    assert told["self_training"]["sentences"] == 20
    assert told["self_training"]["config"]["by_word"] == 0.75
    rounds = told["self_training"]["rounds"]
    assert [one["steps"] for one in rounds] == [25, 25]  # a few sentences are two windows
    assert told["run"]["steps"] == 50
    assert told["run"]["seconds"] >= sum(one["labelling_seconds"] for one in rounds)
    assert told["self_training"]["corpus"]["coverage"]["bytes"] > 0
    assert not (tmp_path / "p" / ".training").exists()
    with pytest.raises(ConfigError, match="already holds an adapter"):
        self_train(backbone, corpus(), over=language, init=pos, out=tmp_path / "p", config=FEW)
    again = self_train(
        backbone, corpus(), over=Stack(language), init=pos, out=tmp_path / "q", config=FEW, name="p"
    )
    assert again.digest() == made.digest()


@pytest.mark.long
def test_a_stopped_one_goes_on_and_ends_with_the_same_bytes(
    backbone: Backbone, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    language, pos = stack.adapters
    given: dict[str, Any] = {"over": language, "init": pos, "config": FEW, "name": "p"}
    whole = self_train(backbone, corpus(), out=tmp_path / "whole", **given)
    with stopped_before(13, monkeypatch):
        self_train(backbone, corpus(), out=tmp_path / "cut", **given)
    work = tmp_path / "cut" / ".training"
    assert [path.name[-2:] for path in work.glob("round-*")] == ["-1"]
    # Stopped in the first round, then in the second, of which nothing is kept but the first's adapter.
    steps = loop._Run.step
    done: list[int] = []

    def counted(run: loop._Run) -> None:
        done.append(run.progress.step)
        if len(done) > 12 + 5:
            raise KeyboardInterrupt
        steps(run)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "step", counted)
        with pytest.raises(KeyboardInterrupt):
            self_train(backbone, corpus(), out=tmp_path / "cut", **given)
    assert sorted(path.name[-2:] for path in work.glob("round-*")) == ["-1", "-2"]
    resumed = self_train(backbone, corpus(), out=tmp_path / "cut", **given)
    assert resumed.digest() == whole.digest()


@pytest.mark.long
def test_stopped_between_a_round_and_its_record_it_goes_on(
    backbone: Backbone, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    language, pos = stack.adapters
    given: dict[str, Any] = {"over": language, "init": pos, "config": replace(FEW, rounds=1)}

    def stopping(*words: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(self_training, "save_adapter", stopping)
        with pytest.raises(KeyboardInterrupt):
            self_train(backbone, corpus(), out=tmp_path / "p", **given)
    resumed = self_train(backbone, corpus(), out=tmp_path / "p", **given)
    whole = self_train(backbone, corpus(), out=tmp_path / "q", **given, name="p")
    assert resumed.digest() == whole.digest()


@pytest.mark.long
def test_rounds_of_a_run_with_other_settings_are_not_gone_on_from(
    backbone: Backbone, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    language, pos = stack.adapters
    given: dict[str, Any] = {"over": language, "init": pos, "config": FEW, "name": "p"}
    with stopped_before(3, monkeypatch):
        self_train(backbone, corpus(), out=tmp_path / "other", **given)
    given["config"] = replace(FEW, by_word=0.25, rounds=1)
    other = self_train(backbone, corpus(), out=tmp_path / "other", **given)
    fresh = self_train(backbone, corpus(), out=tmp_path / "fresh", **given)
    assert other.digest() == fresh.digest() != pos.digest()


@pytest.mark.long
def test_the_last_weights_are_kept_however_they_agree_with_its_own_labels(
    backbone: Backbone, stack: Stack, tmp_path: Path
) -> None:
    language, pos = stack.adapters
    place = replace(FEW, by_word=0.0)  # nothing agrees more with these labels than what gave them
    made = self_train(backbone, corpus(), over=language, init=pos, out=tmp_path / "p", config=place)
    assert made.digest() != pos.digest()
    rounds = made.provenance["self_training"]["rounds"]
    assert [one["best_step"] for one in rounds] == [one["steps"] for one in rounds] == [25, 25]


@pytest.mark.long
def test_the_precision_is_settled_once(
    backbone: Backbone, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = iter([torch.float32, torch.bfloat16, torch.bfloat16, torch.bfloat16])
    monkeypatch.setattr(precision, "faster_dtype", lambda *words, **more: next(measured))
    language, pos = stack.adapters
    given: dict[str, Any] = {"over": language, "init": pos, "config": replace(FEW, precision=None)}
    with stopped_before(3, monkeypatch):
        self_train(backbone, corpus(), out=tmp_path / "p", **given)
    assert planned_precision(tmp_path / "p", torch.device("cpu"), None) == "float32"
    made = self_train(backbone, corpus(), out=tmp_path / "p", **given)
    assert made.provenance["config"]["precision"] == "float32"


@pytest.mark.parametrize(
    ("init", "says"),
    [
        ({"labels": ("B-PER", "I-PER", "O")}, "'t' has labels of spans$"),
        ({"labels": ("a", "b"), "head_type": "classification", "layers": 2}, "a classification head$"),
        ({}, "'t' has no head$"),
    ],
)  # fmt: skip
def test_only_tags_of_words_go_on_so(
    backbone: Backbone, tmp_path: Path, init: dict[str, Any], says: str
) -> None:
    start = adapter(backbone, "t", init.pop("labels", ()), **init)
    with pytest.raises(ConfigError, match=says):
        self_train(backbone, corpus(), over=None, init=start, out=tmp_path / "p", config=FEW)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_such_thing_is_refused(backbone: Backbone, stack: Stack, tmp_path: Path) -> None:
    language, pos = stack.adapters
    wrong: dict[str, Any] = {"init": "mini:pos", "over": language}
    with pytest.raises(ConfigError, match="init= takes an adapter, not str"):
        self_train(backbone, corpus(), out=tmp_path / "p", **wrong)
    wrong = {"init": pos, "over": "mini:eng"}
    with pytest.raises(ConfigError, match="over= takes an adapter"):
        self_train(backbone, corpus(), out=tmp_path / "p", **wrong)
    wrong = {"init": None, "over": None}
    with pytest.raises(ConfigError, match="takes a corpus of raw text and a task adapter"):
        self_train(backbone, corpus(), out=tmp_path / "p", **wrong)
    for wrong, says in (
        ({"init": pos, "over": pos}, "'pos' is a task adapter; self-training goes over"),
        ({"init": pos, "over": None, "name": "a/b"}, "cannot be an adapter's name"),
    ):
        with pytest.raises(ConfigError, match=says):
            self_train(backbone, corpus(), out=tmp_path / "p", **wrong)
    for setting in ("sentences", "rounds", "epochs"):
        values: dict[str, Any] = {setting: 0}
        with pytest.raises(ConfigError, match=f"{setting} = 0: must be above 0"):
            SelfTrainingConfig(**values)
    with pytest.raises(ConfigError, match=r"by_word = 1.5: must be between 0 and 1"):
        SelfTrainingConfig(by_word=1.5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_task_adapter_from_elsewhere_goes_on_too(
    backbone: Backbone, stack: Stack, tmp_path: Path
) -> None:
    """What has no provenance, as a folder of AdapterHub's has none."""
    save_adapter(stack.adapters[1], tmp_path / "hub")
    (tmp_path / "hub" / "adapterkit.json").unlink()
    start = load_adapter(tmp_path / "hub")
    made = self_train(backbone, corpus(), over=None, init=start, out=tmp_path / "p", config=FEW)
    assert made.provenance["task"] == "upos"
    assert made.provenance["over"] == []
