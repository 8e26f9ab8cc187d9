"""Training embedding rows with a language adapter."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.config import BottleneckConfig, HeadConfig
from adapterkit.data.blocks import Blocks
from adapterkit.data.corpus import Corpus
from adapterkit.data.examples import TaggedSentence
from adapterkit.errors import ConfigError, CorpusError
from adapterkit.files import sha256_of
from adapterkit.formats.adapterhub import load_adapter
from adapterkit.methods import low_rank
from adapterkit.nn.embedding_rows import EmbeddingRows
from adapterkit.settings import LanguageConfig, TaskConfig
from adapterkit.tasks.tagging import Tagging
from adapterkit.training.language import train_language
from adapterkit.training.masked_lm import vocabulary_of
from adapterkit.training.task import train_task
from tests.backbone.test_decoders import make_decoder
from tests.tiny import lines
from tests.training.stopping import stopped_before
from tests.training.test_training import LANGUAGE, corpus

CONFIG = replace(LANGUAGE, embedding_rows=True, embedding_rows_at_least=3)


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder, device="cpu")


def rows_of(adapter: Adapter) -> EmbeddingRows:
    assert adapter.embedding_rows is not None
    return adapter.embedding_rows


@pytest.mark.long
def test_rows_learn_and_the_backbone_stays_as_it_is(backbone: Backbone, tmp_path: Path) -> None:
    before = backbone.digest_in_memory()
    adapter = train_language(backbone, corpus(), out=tmp_path / "rows", config=CONFIG)
    assert backbone.digest_in_memory() == before
    rows = rows_of(adapter)
    assert rows.deltas.abs().sum(-1).min() > 0
    assert not set(rows.ids.tolist()) & set(vocabulary_of(backbone).special)
    assert adapter.provenance["embedding_rows"] == len(rows)
    assert adapter.provenance["config"]["embedding_rows_at_least"] == 3
    assert load_adapter(tmp_path / "rows").digest() == adapter.digest()
    plain = train_language(backbone, corpus(), out=tmp_path / "plain", config=LANGUAGE)
    assert plain.embedding_rows is None
    assert "embedding_rows" not in plain.provenance
    own, other = adapter.provenance["heldout_loss"], plain.provenance["heldout_loss"]
    assert own["backbone"] == other["backbone"]
    assert own["adapter"] < other["adapter"]
    # Before the first step deltas are zero, so both runs began at the same loss.
    first = [one.provenance["run"]["looks"][0] for one in (adapter, plain)]
    assert first[0] == first[1]


def test_only_pieces_that_occur_so_often_have_a_row(backbone: Backbone) -> None:
    tokens = torch.tensor([[0, 7, 7, 7, 9, 9, 2], [0, 7, 9, 8, 8, 1, 2]]).int().numpy()
    blocks = Blocks(tokens, vocabulary_of(backbone))
    assert blocks.plain_pieces(1).tolist() == [7, 8, 9]
    assert blocks.plain_pieces(3).tolist() == [7, 9]
    assert blocks.plain_pieces(5).tolist() == []
    assert blocks.pieces(2).tolist() == [0, 2, 7, 8, 9]


def test_a_text_without_frequent_pieces_is_refused(backbone: Backbone, tmp_path: Path) -> None:
    config = replace(CONFIG, embedding_rows_at_least=10**6)
    with pytest.raises(CorpusError, match="no piece occurs 1000000 times"):
        train_language(backbone, corpus(), out=tmp_path / "cym", config=config)


@pytest.mark.long
@pytest.mark.parametrize("restrict", [False, True])
def test_a_stopped_run_ends_with_the_same_bytes(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restrict: bool
) -> None:
    config = replace(CONFIG, restrict_vocabulary=restrict)
    with stopped_before(12, monkeypatch):
        train_language(backbone, corpus(), out=tmp_path / "cut", config=config)
    other = replace(config, embedding_rows_at_least=4)
    with pytest.raises(ConfigError, match="embedding_rows_at_least: the checkpoint has 3"):
        train_language(backbone, corpus(), out=tmp_path / "cut", config=other)
    resumed = train_language(backbone, corpus(), out=tmp_path / "cut", config=config)
    assert resumed.provenance["run"]["started_at_steps"] == [0, 12]
    train_language(backbone, corpus(), out=tmp_path / "whole", config=config)
    for name in ("embedding_rows.safetensors", "adapter.safetensors"):
        assert sha256_of(tmp_path / "cut" / name) == sha256_of(tmp_path / "whole" / name)


def test_rows_have_a_rate_of_their_own_and_no_decay(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[tuple[int, float, float]]] = []
    step = torch.optim.AdamW.step

    def spied(self: torch.optim.AdamW, *args: object) -> object:
        seen.append([(len(g["params"]), g["lr"], g["weight_decay"]) for g in self.param_groups])
        return step(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", spied)
    config = replace(CONFIG, steps=1, weight_decay=0.1, learning_rate=0.01, embedding_rows_rate=3)
    train_language(backbone, corpus(), out=tmp_path / "rows", config=config)
    others, rows = seen[0]
    assert rows == (1, 3 * others[1], 0.0)
    assert others[2] == 0.1
    train_language(
        backbone, corpus(), out=tmp_path / "plain", config=replace(config, embedding_rows=False)
    )
    assert [others] == seen[1]


def test_an_adapter_to_start_from_brings_its_rows_along(backbone: Backbone, tmp_path: Path) -> None:
    shape = BottleneckConfig(4, invertible=True, leave_out=(2,))
    start = new_adapter("eng", shape, backbone=backbone.facts, kind="language")
    start.embedding_rows = EmbeddingRows(torch.tensor([12, 117, 118]), backbone.width)
    torch.nn.init.ones_(start.embedding_rows.deltas)
    config = replace(CONFIG, steps=1, learning_rate=1e-9)
    both = rows_of(
        train_language(backbone, corpus(), out=tmp_path / "both", config=config, init=start)
    )
    places, there = both.table().places(torch.tensor([12, 117, 118]))
    assert there.all()
    torch.testing.assert_close(both.deltas[places], torch.ones(3, backbone.width))
    assert len(both) > 20
    assert float(both.deltas.detach().sum()) == pytest.approx(3 * backbone.width, abs=1e-3)
    plain = replace(config, embedding_rows=False)
    kept = train_language(backbone, corpus(), out=tmp_path / "kept", config=plain, init=start)
    assert rows_of(kept).ids.tolist() == [12, 117, 118]


def test_what_cannot_have_rows_is_refused_before_any_work(
    backbone: Backbone, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="embedding_rows: a lora adapter's folder has no place"):
        LanguageConfig(method="lora", embedding_rows=True)
    with pytest.raises(ConfigError, match="embedding_rows_rate = 0: must be above 0"):
        LanguageConfig(embedding_rows_rate=0)
    lora = new_adapter("l", low_rank(backbone), backbone=backbone.facts, kind="language")
    with pytest.raises(ConfigError, match="'l', to start from"):
        train_language(backbone, corpus(), out=tmp_path / "cym", config=CONFIG, init=lora)
    under = new_adapter("u", BottleneckConfig(4), backbone=backbone.facts, kind="language")
    under.embedding_rows = EmbeddingRows(torch.tensor([7]), backbone.width)
    with pytest.raises(ConfigError, match="'u', under the new one"):
        train_language(backbone, corpus(), out=tmp_path / "cym", config=CONFIG, over=under)
    head = HeadConfig("tagging", ("NOUN", "VERB"))
    task = new_adapter("p", BottleneckConfig(4), backbone=backbone.facts, kind="task", head=head)
    task.embedding_rows = EmbeddingRows(torch.tensor([7]), backbone.width)
    examples = Tagging({"train": (TaggedSentence(("ab", "cd"), ("NOUN", "VERB")),)})
    with pytest.raises(ConfigError, match="a task adapter trains none"):
        train_task(
            backbone, examples, over=None, out=tmp_path / "p", config=TaskConfig(steps=1), init=task
        )
    assert not any(path.suffix == ".safetensors" for path in tmp_path.rglob("*"))


def test_a_decoder_trains_rows_of_its_input_alone(tmp_path: Path) -> None:
    there = load_backbone(make_decoder(tmp_path / "b", "llama"), device="cpu")
    before = there.digest_in_memory()
    config = replace(CONFIG, steps=2)
    text = Corpus.from_lines(lines(60), language="cym")
    adapter = train_language(there, text, out=tmp_path / "cym", config=config)
    assert rows_of(adapter).deltas.any()
    assert there.digest_in_memory() == before
