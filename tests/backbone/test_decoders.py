"""Decoders: Llama, Qwen3 and Gemma3, on tiny random models."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.backbone.precision import with_plain_attention
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.base import Composition
from adapterkit.composition.rows import Rows
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig, preset
from adapterkit.data.blocks import next_tokens
from adapterkit.data.corpus import Corpus
from adapterkit.errors import ConfigError
from adapterkit.files import read_json, write_json
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.methods import low_rank
from adapterkit.model import AdaptedModel
from adapterkit.prediction import fill
from adapterkit.settings import LanguageConfig
from adapterkit.tensorfile import read_tensors, write_tensors
from adapterkit.training.language import train_language
from tests.tiny import LAYERS, WORDS, lines, make_backbone, save_tokenizer, stir

TYPES = ("llama", "qwen3", "gemma3_text")
IDS = torch.tensor([[0, 11, 12, 30, 44, 7], [0, 14, 40, 9, 8, 21]])


def make_decoder(folder: Path, model_type: str, *, seed: int = 0) -> Path:
    """Save a tiny random decoder."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(seed)
    sizes: dict[str, Any] = {
        "vocab_size": WORDS,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 64,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }
    config = AutoConfig.for_model(model_type, **sizes)
    model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    stir(model)
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


@pytest.fixture(scope="module", params=TYPES)
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder = make_decoder(tmp_path_factory.mktemp("d") / "backbone", request.param)
    return load_backbone(folder, dtype="float64", device="cpu")


def made(
    backbone: Backbone, seed: int = 1, config: Any = None, head: HeadConfig | None = None
) -> Adapter:
    shape = config or BottleneckConfig(4, invertible=True)
    kind = "task" if head else "language"
    adapter = new_adapter(
        f"a{seed}", shape, backbone=backbone.facts, kind=kind, head=head, seed=seed
    )
    with torch.no_grad():
        for parameter in adapter.parameters():
            draw = torch.Generator().manual_seed(seed)
            parameter.add_(torch.randn(parameter.shape, generator=draw) * 0.1)
    return adapter


@torch.no_grad()
def test_the_bare_backbone_is_transformers_own(backbone: Backbone) -> None:
    model = AdaptedModel(backbone)
    expected = backbone.model(input_ids=IDS, output_hidden_states=True)
    assert (model.encode(IDS) - expected.hidden_states[-1]).abs().max() < 1e-12
    assert (model.mlm_logits(IDS) - expected.logits).abs().max() < 1e-12
    assert model.mlm_logits(IDS).shape == (2, 6, WORDS)


@torch.no_grad()
def test_what_training_in_bfloat16_attends_by_computes_the_same(backbone: Backbone) -> None:
    plain = with_plain_attention(backbone.model)
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2])
    expected = backbone.model(input_ids=IDS, attention_mask=mask).logits
    found = plain(input_ids=IDS, attention_mask=mask).logits
    assert (found - expected)[mask.bool()].abs().max() < 1e-12


@torch.no_grad()
def test_a_pfeiffer_block_reads_the_sublayers_output_plus_residual(backbone: Backbone) -> None:
    # By hand, on the last layer alone: x + f(norm(x + r)), then the frozen rest.
    only = made(backbone, config=BottleneckConfig(4, leave_out=tuple(range(LAYERS - 1))))
    caught: dict[str, torch.Tensor] = {}
    base = backbone.twin().get_submodule("model")
    layer = base.get_submodule("layers")[LAYERS - 1]  # type: ignore[index]
    gemma = backbone.facts.model_type == "gemma3_text"
    before = layer.pre_feedforward_layernorm if gemma else layer.post_attention_layernorm
    before.register_forward_pre_hook(lambda _, args: caught.update(r=args[0]))
    layer.mlp.register_forward_hook(lambda _m, _a, out: caught.update(x=out))
    base(input_ids=IDS)
    x, r = caught["x"], caught["r"]
    block = only.double().blocks[str(LAYERS - 1)]
    h = layer.post_feedforward_layernorm(x + r) if gemma else x + r
    y = x + block.up(torch.relu(block.down(h)))  # type: ignore[operator]
    y = layer.post_feedforward_layernorm(y) if gemma else y
    expected = base.get_submodule("norm")(r + y)
    assert (AdaptedModel(backbone, only).encode(IDS) - expected).abs().max() < 1e-12


def stacks(backbone: Backbone) -> list[Stack]:
    return [
        Stack(made(backbone, 1), made(backbone, 2, BottleneckConfig(8))),
        Stack(
            made(backbone, 3, preset("houlsby", 4)), made(backbone, 4, low_rank(backbone, rank=2))
        ),
        Stack(made(backbone, 5, preset("parallel", 4, invertible=True))),
    ]


@pytest.mark.long
def test_a_cache_changes_nothing(backbone: Backbone) -> None:
    for stack in stacks(backbone):
        model = AdaptedModel(backbone, stack)
        with_cache = model.generate(IDS, max_new_tokens=8)
        assert torch.equal(with_cache, model.generate(IDS, max_new_tokens=8, use_cache=False))
        with torch.no_grad():
            logits = model.mlm_logits(with_cache[:, :-1])
        found = logits.argmax(-1)[:, IDS.shape[1] - 1 :]
        ended = (with_cache[:, IDS.shape[1] :] == 2).cumsum(-1).bool()
        assert torch.equal(
            found.masked_fill(ended, 0), with_cache[:, IDS.shape[1] :].masked_fill(ended, 0)
        )


@pytest.mark.long
@torch.no_grad()
def test_mixed_rows_equal_rows_apart_also_with_beams(backbone: Backbone) -> None:
    parts = stacks(backbone)
    mixed = AdaptedModel(backbone, Rows(parts))
    for rows in ([0, 1], [2, 0]):
        found = mixed.mlm_logits(IDS, rows=rows)
        for row, number in enumerate(rows):
            alone = AdaptedModel(backbone, parts[number]).mlm_logits(IDS[row : row + 1])[0]
            assert (found[row] - alone).abs().max() < 1e-10
        out = mixed.generate(IDS, rows=rows, num_beams=3, max_new_tokens=5)
        for row, number in enumerate(rows):
            one = AdaptedModel(backbone, parts[number])
            alone = one.generate(IDS[row : row + 1], num_beams=3, max_new_tokens=5)[0]
            assert torch.equal(out[row, : len(alone)], alone)


def check_beams(backbone: Backbone, parts: Sequence[Composition]) -> None:
    """Mixed rows with beams equal rows apart, for texts where beams find what greedy search does not."""
    texts = torch.randint(5, WORDS, (32, 6), generator=torch.Generator().manual_seed(3))
    mixed = AdaptedModel(backbone, Rows(list(parts)))
    count = len(parts)
    together = mixed.generate(
        texts.repeat_interleave(count, 0),
        rows=list(range(count)) * len(texts),
        num_beams=3,
        max_new_tokens=5,
    )
    differ = 0
    for number, part in enumerate(parts):
        one = AdaptedModel(backbone, part)
        apart = one.generate(texts, num_beams=3, max_new_tokens=5)
        greedy = one.generate(texts, max_new_tokens=5)
        assert torch.equal(together[number::count, : apart.shape[1]], apart)
        length = min(apart.shape[1], greedy.shape[1])
        differ += int((apart[:, :length] != greedy[:, :length]).any(-1).sum())
    assert differ > 0


@pytest.mark.long
def test_beams_find_what_greedy_search_does_not(backbone: Backbone) -> None:
    check_beams(backbone, stacks(backbone))


def test_only_adapters_get_gradients_and_the_backbone_stays(backbone: Backbone) -> None:
    before = backbone.digest_in_memory()
    model = AdaptedModel(backbone, stacks(backbone)[0])
    loss = model(next_tokens(IDS))
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert all(p.grad is None for p in backbone.model.parameters())
    assert backbone.digest_in_memory() == before
    with torch.no_grad():
        logits = model.mlm_logits(IDS)[:, :-1].flatten(0, 1)
    expected = torch.nn.functional.cross_entropy(logits, IDS[:, 1:].flatten())
    assert abs(loss.item() - expected.item()) < 1e-12


def test_an_adapter_is_written_and_read_again(backbone: Backbone, tmp_path: Path) -> None:
    adapter = made(backbone)
    save_adapter(adapter, tmp_path / "a")
    assert load_adapter(tmp_path / "a").digest() == adapter.digest()
    assert Stack(load_adapter(tmp_path / "a")) == Stack(adapter)


@pytest.mark.long
def test_a_causal_language_adapter_trains(backbone: Backbone, tmp_path: Path) -> None:
    config = LanguageConfig(
        steps=20, batch_size=4, block_length=24, evaluate_every=10, heldout_blocks=4,
        learning_rate=1e-2, precision="float32",
    )  # fmt: skip
    corpus = Corpus.from_lines(lines(150), language="cym")
    adapter = train_language(backbone, corpus, out=tmp_path / "cym", config=config)
    loss = adapter.provenance["heldout_loss"]
    assert loss["adapter"] < loss["backbone"]


@torch.no_grad()
def test_folders_of_the_incumbent_keep_the_norm_they_were_trained_with(tmp_path: Path) -> None:
    backbone = load_backbone(make_decoder(tmp_path / "b", "gemma3_text"), dtype="float64")
    adapter = made(backbone)
    save_adapter(adapter, tmp_path / "ours")
    save_adapter(adapter, tmp_path / "theirs")
    (tmp_path / "theirs" / "adapterkit.json").unlink()
    ours, theirs = load_adapter(tmp_path / "ours"), load_adapter(tmp_path / "theirs")
    assert isinstance(theirs.config, BottleneckConfig)
    assert not theirs.config.own_norms
    assert replace(theirs.config, own_norms=True) == ours.config
    a, b = (AdaptedModel(backbone, one).encode(IDS) for one in (ours, theirs))
    assert (a - b).abs().max() > 1e-6


@torch.no_grad()
def test_rows_of_the_incumbents_folders_keep_their_norm(tmp_path: Path) -> None:
    backbone = load_backbone(make_decoder(tmp_path / "b", "gemma3_text"), dtype="float64")
    shapes = [
        BottleneckConfig(4, invertible=True, own_norms=own_norms, mh_adapter=True)
        for own_norms in (False, True)
    ]
    parts = [Stack(made(backbone, config=shape)) for shape in shapes]
    mixed = AdaptedModel(backbone, Rows(parts)).encode(IDS, rows=[0, 1])
    apart = [AdaptedModel(backbone, part).encode(IDS) for part in parts]
    assert (apart[0] - apart[1]).abs().max() > 1e-6
    for row in (0, 1):
        assert (mixed[row] - apart[row][row]).abs().max() < 1e-10


def test_masks_are_filled_by_masked_language_models_only(tmp_path: Path) -> None:
    llama = load_backbone(make_decoder(tmp_path / "llama", "llama"))
    with pytest.raises(ConfigError, match="fills no masks: a llama is a decoder"):
        fill(AdaptedModel(llama), "a <mask> b")
    encoder = load_backbone(make_backbone(tmp_path / "x", "xlm-roberta"))
    encoder.tokenizer.mask_token = None
    with pytest.raises(ConfigError, match="its tokenizer has no mask token"):
        fill(AdaptedModel(encoder), "a <mask> b")


def test_an_encoder_does_not_generate(tmp_path: Path) -> None:
    encoder = load_backbone(make_backbone(tmp_path / "x", "xlm-roberta"))
    with pytest.raises(ConfigError, match="no decoder"):
        AdaptedModel(encoder).generate(IDS)


def without_head(folder: Path) -> Backbone:
    """What is in ``folder``, its vocabulary matrix untied and left out."""
    config, weights = folder / "config.json", folder / "model.safetensors"
    write_json(config, {**read_json(config), "tie_word_embeddings": False})
    tensors = read_tensors(weights)
    tensors.pop("lm_head.weight", None)
    if (shared := tensors.get("model.shared.weight")) is not None:
        tensors |= {f"model.{side}.embed_tokens.weight": shared for side in ("encoder", "decoder")}
    write_tensors(weights, tensors, {"format": "pt"})
    return load_backbone(folder, device="cpu")


@pytest.mark.parametrize("model_type", TYPES)
def test_nothing_is_written_or_learned_through_a_head_that_was_never_trained(
    model_type: str, tmp_path: Path
) -> None:
    model = AdaptedModel(without_head(make_decoder(tmp_path / "b", model_type)))
    with pytest.raises(ConfigError, match=r"no trained language-model head(.|\n)*lm_head\.weight"):
        model.generate(IDS)
    with pytest.raises(ConfigError, match="no trained language-model head"):
        model(next_tokens(IDS))


SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"num_beams": 0}, "num_beams = 0: must be a whole number above 0"),
    ({"num_beams": 1.5}, "num_beams = 1.5"),
    ({"num_beams": True}, "num_beams = True"),
    ({"max_new_tokens": 0}, "max_new_tokens = 0"),
    ({"max_new_tokens": -3, "num_beams": -1}, "max_new_tokens = -3(.|\n)*num_beams = -1"),
    ({"forced_bos_token_id": 5}, "only an encoder-decoder begins a text of its own"),
]


@pytest.mark.parametrize(("settings", "says"), SETTINGS)
def test_settings_of_generation_that_cannot_be_right_are_refused(
    backbone: Backbone, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        AdaptedModel(backbone).generate(IDS, **settings)


def test_texts_that_end_in_padding_are_not_continued(backbone: Backbone) -> None:
    model = AdaptedModel(backbone)
    right = torch.tensor([[0, 11, 12, 1, 1, 1], [0, 14, 40, 9, 8, 3]])
    with pytest.raises(ConfigError, match="padded on the left"):
        model.generate(right, (right != 1).long(), max_new_tokens=2)
    left = torch.tensor([[1, 1, 1, 0, 11, 12], [0, 14, 40, 9, 8, 3]])
    padded = model.generate(left, (left != 1).long(), max_new_tokens=4)
    alone = model.generate(left[:1, 3:], max_new_tokens=4)
    assert torch.equal(padded[0, 6:], alone[0, 3:])
