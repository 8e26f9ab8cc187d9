"""Encoder-decoders: mT5, mBART and NLLB (M2M100), on tiny random models."""

from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.backbone.frozen import Backbone, base_of
from adapterkit.backbone.load import load_backbone
from adapterkit.backbone.precision import with_plain_attention
from adapterkit.composition.average import Average
from adapterkit.composition.rows import Rows
from adapterkit.composition.stack import Stack
from adapterkit.config import BottleneckConfig, HeadConfig, preset
from adapterkit.data.batches import Batch
from adapterkit.data.corpus import Corpus
from adapterkit.errors import AdapterMismatch, ConfigError, FolderError
from adapterkit.files import read_json, write_json
from adapterkit.formats.adapterhub import load_adapter, save_adapter
from adapterkit.formats.inspection import inspect
from adapterkit.methods import low_rank
from adapterkit.model import AdaptedModel
from adapterkit.nn.twin import twin
from adapterkit.prediction import fill
from adapterkit.training.language import train_language
from tests.backbone.test_decoders import check_beams, made, without_head
from tests.tiny import lines, make_backbone, make_encoder_decoder

TYPES = ("mt5", "mbart", "m2m_100")
ENCODER, DECODER = 3, 2
IDS = torch.tensor([[0, 11, 12, 30, 44, 2], [0, 14, 40, 2, 1, 1], [0, 9, 21, 33, 50, 2]])
MASK = (IDS != 1).long()
TARGETS = torch.tensor([[2, 8, 19, 27], [2, 31, 6, 45], [2, 17, 22, 5]])


@pytest.fixture(scope="module", params=TYPES)
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder = make_encoder_decoder(tmp_path_factory.mktemp("s") / "backbone", request.param)
    return load_backbone(folder, dtype="float64", device="cpu")


def stacks(backbone: Backbone) -> list[Stack]:
    """Different shapes: with and without coupling, Houlsby, parallel, left-out layers, LoRA, an average."""
    language = made(backbone, 1)
    return [
        Stack(language, made(backbone, 2, BottleneckConfig(8, leave_out=(2, 3)))),
        Stack(
            made(backbone, 3, preset("houlsby", 4)), made(backbone, 4, low_rank(backbone, rank=2))
        ),
        Stack(made(backbone, 5, preset("parallel", 4, invertible=True))),
        Stack(Average(language, made(backbone, 6), weights=(0.7, 0.3))),
    ]


@torch.no_grad()
def test_the_bare_backbone_is_transformers_own(backbone: Backbone) -> None:
    model = AdaptedModel(backbone)
    expected = backbone.model(input_ids=IDS, attention_mask=MASK, decoder_input_ids=TARGETS)
    encoded = model.encode(IDS, MASK)
    assert encoded.shape == (3, 6, 32)
    assert (encoded - expected.encoder_last_hidden_state).abs().max() < 1e-12
    logits = model.mlm_logits(IDS, MASK, decoder_input_ids=TARGETS)
    assert logits.shape == (3, 4, backbone.vocabulary)
    assert (logits - expected.logits).abs().max() < 1e-12


@torch.no_grad()
def test_what_training_in_bfloat16_attends_by_computes_the_same(backbone: Backbone) -> None:
    plain = with_plain_attention(backbone.model)
    inputs = {"input_ids": IDS, "attention_mask": MASK, "decoder_input_ids": TARGETS}
    expected = backbone.model(**inputs, use_cache=False).logits
    assert (plain(**inputs, use_cache=False).logits - expected).abs().max() < 1e-12


def test_layers_are_numbered_through_encoder_and_decoder(backbone: Backbone) -> None:
    assert (backbone.layers, backbone.facts.decoder_layers) == (ENCODER + DECODER, DECODER)
    assert set(made(backbone).blocks) == {"0", "1", "2", "3", "4"}


@torch.no_grad()
def test_a_pfeiffer_block_reads_the_sublayers_output_plus_residual(backbone: Backbone) -> None:
    # By hand, on the decoder's last layer alone: x + f(x + r), then the residual, then the rest.
    only = made(backbone, config=BottleneckConfig(4, leave_out=tuple(range(ENCODER + DECODER - 1))))
    t5 = backbone.facts.model_type == "mt5"
    decoder = backbone.twin().get_submodule("decoder" if t5 else "model.decoder")
    layer: Any = list(decoder.block if t5 else decoder.layers)[-1]  # type: ignore[arg-type]
    encoded = AdaptedModel(backbone).encode(IDS, MASK)
    caught: dict[str, torch.Tensor] = {}
    before = layer.layer[2].layer_norm if t5 else layer.final_layer_norm
    after = layer.layer[2].dropout if t5 else layer.fc2
    before.register_forward_pre_hook(lambda _, args: caught.update(r=args[0]))
    after.register_forward_hook(lambda _m, _a, out: caught.update(x=out))
    decoder(input_ids=TARGETS, encoder_hidden_states=encoded, encoder_attention_mask=MASK)
    x, r = caught["x"], caught["r"]
    block: Any = only.double().blocks["4"]
    last = x + block.up(torch.relu(block.down(x + r))) + r
    last = decoder.final_layer_norm(last) if t5 else decoder.layer_norm(last)  # type: ignore[operator]
    expected = backbone.model.lm_head(last)  # type: ignore[operator]
    found = AdaptedModel(backbone, only).mlm_logits(IDS, MASK, decoder_input_ids=TARGETS)
    assert (found - expected).abs().max() < 1e-12


@torch.no_grad()
def test_the_coupling_stands_on_the_encoder_and_its_inverse_before_the_vocabulary(
    backbone: Backbone,
) -> None:
    nothing = BottleneckConfig(4, invertible=True, leave_out=tuple(range(ENCODER + DECODER)))
    adapter = made(backbone, config=nothing)
    model, bare = AdaptedModel(backbone, adapter), AdaptedModel(backbone)
    assert (model.encode(IDS, MASK) - bare.encode(IDS, MASK)).abs().max() > 1e-3
    # The decoder's own embeddings stay as they are, also where it shares the encoder's module.
    tree = backbone.twin()
    caught: list[torch.Tensor] = []
    tree.get_submodule("lm_head").register_forward_pre_hook(lambda _, args: caught.append(args[0]))
    from transformers.modeling_outputs import BaseModelOutput

    encoded = BaseModelOutput(last_hidden_state=model.encode(IDS, MASK))
    tree(encoder_outputs=encoded, attention_mask=MASK, decoder_input_ids=TARGETS)
    invertible = adapter.double().invertible
    assert invertible is not None
    expected = tree.lm_head(invertible.inverse(caught[0]))  # type: ignore[operator]
    caught.clear()
    found = model.mlm_logits(IDS, MASK, decoder_input_ids=TARGETS)
    assert (found - expected).abs().max() < 1e-12


@pytest.mark.long
def test_a_cache_changes_nothing(backbone: Backbone) -> None:
    for stack in stacks(backbone):
        model = AdaptedModel(backbone, stack)
        for beams in (1, 3):
            kept = model.generate(IDS, MASK, max_new_tokens=7, num_beams=beams)
            anew = model.generate(IDS, MASK, max_new_tokens=7, num_beams=beams, use_cache=False)
            assert torch.equal(kept, anew)
        greedy = model.generate(IDS, MASK, max_new_tokens=7)
        with torch.no_grad():
            logits = model.mlm_logits(IDS, MASK, decoder_input_ids=greedy[:, :-1])
        wrote = greedy[:, 1:]
        ended = (wrote == 2).cumsum(-1) - (wrote == 2).long() > 0
        assert torch.equal(logits.argmax(-1).masked_fill(ended, 0), wrote.masked_fill(ended, 0))


def test_the_first_token_can_be_the_target_language(backbone: Backbone) -> None:
    out = AdaptedModel(backbone).generate(IDS, MASK, max_new_tokens=4, forced_bos_token_id=77)
    assert (out[:, 1] == 77).all()
    wrong: Any
    for wrong in (-1, backbone.vocabulary, 7.0, "fra"):
        with pytest.raises(ConfigError, match=r"forced_bos_token_id = .*: tokens go from 0 to 119"):
            AdaptedModel(backbone).generate(IDS, MASK, forced_bos_token_id=wrong)


def test_a_second_text_ends_where_the_decoder_has_no_more_positions(tmp_path: Path) -> None:
    backbone = load_backbone(make_encoder_decoder(tmp_path / "b", "mbart"), device="cpu")
    settings: Any = backbone.model.generation_config
    settings.eos_token_id = None  # it would end by itself
    out = AdaptedModel(backbone).generate(IDS[:1], max_new_tokens=500)
    assert out.shape == (1, 1 + backbone.config.max_position_embeddings)


@pytest.mark.parametrize("model_type", TYPES[1:])  # transformers 5 ties every mT5's
def test_nothing_is_written_or_learned_through_a_head_that_was_never_trained(
    model_type: str, tmp_path: Path
) -> None:
    model = AdaptedModel(without_head(make_encoder_decoder(tmp_path / "b", model_type)))
    with pytest.raises(ConfigError, match="no trained language-model head"):
        model.generate(IDS, MASK)
    with pytest.raises(ConfigError, match="no trained language-model head"):
        model(Batch(IDS, MASK, TARGETS))


@pytest.mark.long
@torch.no_grad()
def test_mixed_rows_equal_rows_apart_also_with_beams(backbone: Backbone) -> None:
    parts = stacks(backbone)
    mixed = AdaptedModel(backbone, Rows(parts))
    for rows in ([0, 1, 2], [3, 0, 1]):
        hidden = mixed.encode(IDS, MASK, rows=rows)
        logits = mixed.mlm_logits(IDS, MASK, decoder_input_ids=TARGETS, rows=rows)
        wrote = mixed.generate(IDS, MASK, rows=rows, num_beams=3, max_new_tokens=5)
        for row, number in enumerate(rows):
            one, here = AdaptedModel(backbone, parts[number]), slice(row, row + 1)
            alone = one.mlm_logits(IDS[here], MASK[here], decoder_input_ids=TARGETS[here])
            assert (hidden[row] - one.encode(IDS[here], MASK[here])[0]).abs().max() < 1e-10
            assert (logits[row] - alone[0]).abs().max() < 1e-10
            beam = one.generate(IDS[here], MASK[here], num_beams=3, max_new_tokens=5)[0]
            assert torch.equal(wrote[row, : len(beam)], beam)


@pytest.mark.long
def test_beams_find_what_greedy_search_does_not(backbone: Backbone) -> None:
    check_beams(backbone, stacks(backbone))


@pytest.mark.long
@torch.no_grad()
@pytest.mark.parametrize("model_type", ["mt5", "m2m_100"])
def test_one_embeddings_module_for_both_sides_gets_a_coupling_on_the_encoders_only(
    model_type: str, tmp_path: Path
) -> None:
    # transformers 4.57 shares the module in mT5, 5 only the tensor: here both ways are made.
    folder = make_encoder_decoder(tmp_path / "b", model_type)
    found = []
    for shared in (False, True):
        backbone = load_backbone(folder, dtype="float64", device="cpu")
        base = base_of(backbone.model, backbone.architecture)
        embeddings = base.encoder.embed_tokens
        base.decoder.embed_tokens = embeddings if shared else twin(embeddings)
        model = AdaptedModel(backbone, made(backbone))
        found.append(model.mlm_logits(IDS, MASK, decoder_input_ids=TARGETS))
    assert (found[0] - found[1]).abs().max() < 1e-12


def test_only_adapters_get_gradients_and_the_backbone_stays(backbone: Backbone) -> None:
    before = backbone.digest_in_memory()
    model = AdaptedModel(backbone, stacks(backbone)[0])
    targets = TARGETS.clone()
    targets[0, -1] = -100
    loss = model(Batch(IDS, MASK, targets))
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert all(p.grad is None for p in backbone.model.parameters())
    assert backbone.digest_in_memory() == before
    plain = AdaptedModel(backbone)
    with torch.no_grad():
        expected = backbone.model(input_ids=IDS, attention_mask=MASK, labels=targets).loss
        assert abs(float(plain(Batch(IDS, MASK, targets)) - expected)) < 1e-12


@pytest.mark.long
@pytest.mark.parametrize(
    "leave_out", [(), (0,), (2,), (3,), (4,), (0, 1), (2, 4), (0, 2, 3), (3, 4), (0, 1, 2)]
)
def test_an_adapter_is_written_and_read_again(
    backbone: Backbone, tmp_path: Path, leave_out: tuple[int, ...]
) -> None:
    adapter = made(backbone, config=BottleneckConfig(4, invertible=True, leave_out=leave_out))
    save_adapter(adapter, tmp_path / "a")
    assert load_adapter(tmp_path / "a").digest() == adapter.digest()
    assert load_adapter(tmp_path / "a").backbone == adapter.backbone
    (tmp_path / "a" / "adapterkit.json").unlink()  # as another library leaves it
    again = load_adapter(tmp_path / "a")
    if leave_out != (3, 4):  # without any of the decoder's layers, its depth is anybody's guess
        assert (again.backbone.layers, again.backbone.decoder_layers) == (5, 2)
        assert again.digest() == adapter.digest()
        AdaptedModel(backbone, again)


def test_low_rank_adapters_are_written_and_read_again(backbone: Backbone, tmp_path: Path) -> None:
    adapter = made(backbone, config=low_rank(backbone, rank=2))
    save_adapter(adapter, tmp_path / "lora")
    again = load_adapter(tmp_path / "lora")
    assert again.digest() == adapter.digest()
    AdaptedModel(backbone, again)


@pytest.mark.long
def test_another_depth_is_refused(backbone: Backbone, tmp_path: Path) -> None:
    kind = backbone.facts.model_type
    other = make_encoder_decoder(tmp_path / "other", kind, encoder=2, decoder=3)
    with pytest.raises(
        AdapterMismatch, match="layers in the decoder: the adapter has 2, the backbone has 3"
    ):
        AdaptedModel(load_backbone(other), made(backbone))
    save_adapter(made(backbone), tmp_path / "a")
    assert inspect(tmp_path / "a")["backbone"]["decoder_layers"] == 2
    own = read_json(tmp_path / "a" / "adapterkit.json")
    own["backbone"]["decoder_layers"] = 5
    write_json(tmp_path / "a" / "adapterkit.json", own)
    with pytest.raises(FolderError, match="5 in a decoder"):
        load_adapter(tmp_path / "a")


@torch.no_grad()
def test_tagging_heads_read_the_encoder_and_others_are_refused(backbone: Backbone) -> None:
    tags = made(backbone, 7, BottleneckConfig(4), HeadConfig("tagging", ("A", "B")))
    model = AdaptedModel(backbone, Stack(made(backbone), tags))
    hidden = model.encode(IDS, MASK)
    assert tags.head is not None
    expected = tags.double().head(hidden, None, epsilon=1e-5)  # type: ignore[misc]
    assert (model.logits(IDS, MASK) - expected).abs().max() < 1e-12
    topic = made(backbone, 8, BottleneckConfig(4), HeadConfig("classification", ("x", "y")))
    with pytest.raises(
        ConfigError, match="classification are not supported over an encoder-decoder"
    ):
        AdaptedModel(backbone, topic).logits(IDS, MASK)


def test_what_makes_no_sense_is_refused(backbone: Backbone, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs decoder_input_ids"):
        AdaptedModel(backbone).mlm_logits(IDS, MASK)
    ids: Any
    for ids, why in (
        (TARGETS + 100, r"token ids 0 to 119, got 102 to 145"),
        (TARGETS.tolist(), "decoder_input_ids are a tensor"),
        (TARGETS[0], "decoder_input_ids are whole numbers"),
        (TARGETS[:1], "a row for each of input_ids, 3, got 1"),
    ):
        with pytest.raises(ConfigError, match=why):
            AdaptedModel(backbone).mlm_logits(IDS, MASK, decoder_input_ids=ids)
    with pytest.raises(ConfigError, match=r"positions are booleans, .* shape \(3, 4\)"):
        AdaptedModel(backbone).mlm_logits(
            IDS, MASK, decoder_input_ids=TARGETS, positions=MASK.bool()
        )
    corpus = Corpus.from_lines(lines(50), language="cym")
    with pytest.raises(ConfigError, match="no objective for raw text"):
        train_language(backbone, corpus, out=tmp_path / "x")
    encoder = load_backbone(make_backbone(tmp_path / "x", "xlm-roberta"))
    with pytest.raises(ConfigError, match=r"fills no masks: .* is an encoder-decoder"):
        fill(AdaptedModel(backbone), "a <mask> b")
    with pytest.raises(ConfigError, match="takes no decoder_input_ids"):
        AdaptedModel(encoder).mlm_logits(IDS, MASK, decoder_input_ids=TARGETS)
