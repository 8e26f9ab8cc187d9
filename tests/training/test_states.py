"""What lies below the first place that training changes: computed once, with the same losses and gradients."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.composition.base import frozen
from adapterkit.composition.fuse import Fuse
from adapterkit.composition.stack import Stack
from adapterkit.config import METHODS, BottleneckConfig, HeadConfig, preset
from adapterkit.data.batches import Batch, Window, pad
from adapterkit.data.examples import TaggedSentence
from adapterkit.errors import ConfigError
from adapterkit.evaluation import evaluate
from adapterkit.methods import low_rank
from adapterkit.model import AdaptedModel
from adapterkit.nn.embedding_rows import EmbeddingRows
from adapterkit.settings import TaskConfig
from adapterkit.tasks.base import special_of
from adapterkit.tasks.tagging import Tagging
from adapterkit.training.halves import Cut, halves_of
from adapterkit.training.states import States, states_of
from adapterkit.training.supervised import Source, with_states
from adapterkit.training.task import train_task
from tests.backbone.test_decoders import make_decoder
from tests.tiny import lines, make_backbone, make_encoder_decoder

HEAD = HeadConfig("tagging", ("a", "b", "c"))
MIB = 2**20
PLENTY = 64 * MIB
CLOSING = ("bert", "xlm-roberta", "distilbert", "deberta", "deberta-v2")
OTHERS = ("modernbert", "llama", "qwen3", "gemma3_text")
LENGTHS = (9, 4, 7, 3, 9, 5, 2, 8)


def made(folder: Path, model_type: str) -> Backbone:
    build = make_decoder if model_type in OTHERS[1:] else make_backbone
    return load_backbone(build(folder / model_type, model_type))


def windows(seed: int = 0) -> list[Window]:
    draw = torch.Generator().manual_seed(seed)
    return [
        Window(tuple(torch.randint(5, 60, (length,), generator=draw).tolist()), (), number)
        for number, length in enumerate(LENGTHS)
    ]


def language(backbone: Backbone) -> Adapter:
    shape = BottleneckConfig(2, invertible=True)
    return stirred(new_adapter("l", shape, backbone=backbone.facts, kind="language", seed=1))


def task(backbone: Backbone, shape: BottleneckConfig | None = None) -> Adapter:
    shape = shape or BottleneckConfig(4)
    return stirred(new_adapter("t", shape, backbone=backbone.facts, kind="task", head=HEAD, seed=2))


def stirred(adapter: Adapter) -> Adapter:
    torch.manual_seed(3)
    for parameter in adapter.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.1)
    return adapter


def batch_of(backbone: Backbone, chosen: list[int]) -> Batch:
    ids, mask = pad([windows()[number] for number in chosen], special_of(backbone))
    targets = torch.where(mask == 1, ids % 3, -100)
    return Batch(ids, mask, targets)


def learned(adapter: Adapter, loss: Tensor) -> dict[str, Tensor]:
    adapter.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: p.grad.clone() for name, p in adapter.named_parameters() if p.grad is not None}


def check(backbone: Backbone, adapter: Adapter, states: States) -> None:
    """Batches of all kinds have the loss and the gradients of the whole model."""
    for chosen in ([0, 1, 2], [3, 3, 4, 7], [6], [0, 1, 2]):
        batch = batch_of(backbone, chosen)
        whole, cut = states.model(batch), states.loss(chosen, batch)
        torch.testing.assert_close(cut, whole, rtol=0, atol=1e-6)
        torch.testing.assert_close(
            learned(adapter, cut), learned(adapter, whole), rtol=0, atol=2e-6
        )


@pytest.mark.long
@pytest.mark.parametrize("model_type", CLOSING)
def test_where_a_norm_closes_a_layer_it_is_cut_before_the_first_trained_bottleneck(
    tmp_path: Path, model_type: str
) -> None:
    backbone = made(tmp_path, model_type)
    for leave_out, layer in (((), 0), ((0,), 1), ((0, 1), 2)):
        adapter = task(backbone, BottleneckConfig(4, leave_out=leave_out))
        model = AdaptedModel(backbone, Stack(frozen(language(backbone)), adapter))
        states = states_of(model, windows(), room=PLENTY)
        assert states is not None
        assert states.halves.cut == Cut(layer, closing=True)
        check(backbone, adapter, states)


@pytest.mark.long
@pytest.mark.parametrize("model_type", OTHERS)
def test_elsewhere_it_is_cut_before_the_first_layer_that_is_trained(
    tmp_path: Path, model_type: str
) -> None:
    backbone = made(tmp_path, model_type)
    everywhere = AdaptedModel(backbone, Stack(frozen(language(backbone)), task(backbone)))
    assert halves_of(everywhere) is None, "it would save the embeddings alone"
    adapter = task(backbone, BottleneckConfig(4, leave_out=(0, 1)))
    model = AdaptedModel(backbone, Stack(frozen(language(backbone)), adapter))
    states = states_of(model, windows(), room=PLENTY)
    assert states is not None
    assert states.halves.cut == Cut(2, closing=False)
    check(backbone, adapter, states)


@pytest.fixture(scope="module")
def backbone(tiny_folder: Path) -> Backbone:
    return load_backbone(tiny_folder)


def test_without_a_language_adapter_and_over_a_stack_of_two(backbone: Backbone) -> None:
    for lower in ((), (frozen(language(backbone)), frozen(language(backbone)))):
        adapter = task(backbone)
        states = states_of(AdaptedModel(backbone, Stack(*lower, adapter)), windows(), room=PLENTY)
        assert states is not None
        check(backbone, adapter, states)


def test_embedding_rows_below_are_part_of_what_is_kept(backbone: Backbone) -> None:
    lower = language(backbone)
    lower.embedding_rows = EmbeddingRows(torch.arange(5, 40), backbone.width)
    lower.embedding_rows.deltas.data.normal_(generator=torch.Generator().manual_seed(4))
    adapter = task(backbone)
    with_rows = states_of(
        AdaptedModel(backbone, Stack(frozen(lower), adapter)), windows(), room=PLENTY
    )
    without = states_of(
        AdaptedModel(backbone, Stack(frozen(language(backbone)), adapter)), windows(), room=PLENTY
    )
    assert with_rows is not None
    assert without is not None
    check(backbone, adapter, with_rows)
    assert not torch.allclose(with_rows.at([0]), without.at([0]), atol=1e-3)


@pytest.mark.parametrize("method", ["houlsby", "parallel", "after attention"])
def test_bottlenecks_that_need_more_than_the_sum_are_cut_before_their_layer(
    backbone: Backbone, method: str
) -> None:
    made = preset(method, 4) if method in METHODS else BottleneckConfig(4, mh_adapter=True)
    shape = replace(made, leave_out=(0,))
    adapter = task(backbone, shape)
    model = AdaptedModel(backbone, Stack(frozen(language(backbone)), adapter))
    states = states_of(model, windows(), room=PLENTY)
    assert states is not None
    assert states.halves.cut == Cut(1, closing=False)
    check(backbone, adapter, states)


def test_a_lora_below_is_part_of_what_is_kept_and_a_trained_one_is_never(
    backbone: Backbone,
) -> None:
    lora = stirred(
        new_adapter("r", low_rank(backbone), backbone=backbone.facts, kind="language", seed=4)
    )
    adapter = task(backbone, BottleneckConfig(4, leave_out=(0,)))
    states = states_of(AdaptedModel(backbone, Stack(frozen(lora), adapter)), windows(), room=PLENTY)
    assert states is not None
    check(backbone, adapter, states)
    assert halves_of(AdaptedModel(backbone, Stack(frozen(adapter), lora))) is None


def test_fusion_layers_are_what_is_trained(backbone: Backbone) -> None:
    plain = [
        frozen(new_adapter(name, BottleneckConfig(4), backbone=backbone.facts, kind="task", seed=n))
        for n, name in enumerate("ab")
    ]
    fuse = Fuse(*plain, head=task(backbone).head)
    model = AdaptedModel(backbone, Stack(frozen(language(backbone)), fuse))
    states = states_of(model, windows(), room=PLENTY)
    assert states is not None
    assert states.halves.cut == Cut(0, closing=True)
    batch = batch_of(backbone, [0, 1, 2])
    torch.testing.assert_close(states.loss([0, 1, 2], batch), model(batch), rtol=0, atol=1e-6)


def test_it_is_off_where_nothing_is_saved_or_padding_counts(
    backbone: Backbone, tmp_path: Path
) -> None:
    below = frozen(language(backbone))
    gated = task(backbone, BottleneckConfig(4, use_gating=True))
    trained_coupling = Stack(language(backbone), task(backbone))
    nothing_trained = Stack(below, frozen(task(backbone)))
    above_a_gate = Stack(frozen(gated), task(backbone))
    for stack in (Stack(below, gated), above_a_gate, trained_coupling, nothing_trained):
        assert halves_of(AdaptedModel(backbone, stack)) is None
    assert states_of(AdaptedModel(backbone, Stack(below, task(backbone))), [], room=0) is None
    both = load_backbone(make_encoder_decoder(tmp_path / "mt5", "mt5"))
    assert halves_of(AdaptedModel(both, Stack(task(both)))) is None


def test_an_architecture_that_is_no_chain_of_layers_is_not_cut(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.xlm_roberta import modeling_xlm_roberta

    forward: Any = modeling_xlm_roberta.XLMRobertaEncoder.forward

    def beside(self: object, hidden: Tensor, *args: object, **options: object) -> Any:
        out = forward(self, hidden, *args, **options)
        # Something that looks at the embeddings again, as a convolution beside the first layer does.
        out.last_hidden_state = out.last_hidden_state + hidden.roll(1, 1)
        return out

    model = AdaptedModel(backbone, Stack(task(backbone)))
    assert halves_of(model) is not None
    monkeypatch.setattr(modeling_xlm_roberta.XLMRobertaEncoder, "forward", beside)
    assert halves_of(model) is None


def counted(states: States) -> Callable[[], int]:
    """How many rows the lower half has computed so far."""
    rows: list[int] = []
    layer = states.halves._lower.encoder.layer[0]
    layer.register_forward_pre_hook(lambda module, args: rows.append(len(args[0])))
    return lambda: sum(rows)


def test_each_window_is_computed_once_and_beyond_the_bound_each_time(backbone: Backbone) -> None:
    model = AdaptedModel(backbone, Stack(frozen(language(backbone)), task(backbone)))
    token = backbone.width * 4
    room = sum(LENGTHS[:4]) * token + token
    for limit, first, again in ((PLENTY, 8, 8), (room, 4 + 4, 8 + 4)):
        states = states_of(model, windows(), room=limit)
        assert states is not None
        rows = counted(states)
        states.at(list(range(8)))
        assert rows() == first
        states.at(list(range(8)))
        assert rows() == again
        held = sum(LENGTHS) if limit == PLENTY else sum(LENGTHS[:4])
        assert states.held_bytes == held * token


def test_what_a_state_is_computed_with_does_not_depend_on_when_it_is_asked_for(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapterkit.training.states.GROUP", 3)
    model = AdaptedModel(backbone, Stack(frozen(language(backbone)), task(backbone)))
    together: dict[int, set[tuple[int, ...]]] = {number: set() for number in range(6)}
    compute = States._compute

    def noted(states: States, numbers: list[int]) -> dict[int, Tensor]:
        for number in numbers:
            together.get(number, set()).add(tuple(numbers))
        return compute(states, numbers)

    monkeypatch.setattr(States, "_compute", noted)
    found = []
    for asked in ([[5, 1], [0, 2, 4], [7, 3]], [[0], [3, 5], [6, 4, 1, 2]]):
        # The last two are beyond the bound.
        states = states_of(model, windows(), room=sum(LENGTHS[:6]) * backbone.width * 4)
        assert states is not None
        for chosen in asked:
            states.at(chosen)
        found.append(states.at(list(range(8))))
    assert torch.equal(*found)
    assert all(len(groups) == 1 for groups in together.values())
    assert sorted(number for group in set.union(*together.values()) for number in group) == [
        *range(6)
    ]


TASK = TaskConfig(epochs=3, batch_size=8, learning_rate=1e-3, precision="float32", evaluate_every=4)


def tagging(count: int, seed: int = 9) -> Tagging:
    made = []
    for line in lines(count, seed=seed):
        words = tuple(line.split())
        made.append(TaggedSentence(words, tuple(str(len(word) % 3) for word in words)))
    return Tagging({"train": tuple(made[8:]), "dev": tuple(made[:8])})


@pytest.mark.long
def test_a_training_of_several_sources_and_languages_is_the_same_with_it_and_without(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[States | None] = []

    def noted(*args: Any, **options: Any) -> States | None:
        used.append(states_of(*args, **options))
        return used[-1]

    monkeypatch.setattr("adapterkit.training.supervised.states_of", noted)
    monkeypatch.setattr("adapterkit.training.judging.states_of", noted)
    over = [stirred(language(backbone)) for _ in range(2)]
    runs = []
    for name, room in (("with", 8), ("without", None)):
        adapter = train_task(
            backbone,
            [tagging(40), tagging(30, seed=4)],
            over=over,
            out=tmp_path / name,
            config=replace(TASK, epochs=5, evaluate_every=20, cache_mib=room),
            target_ready=[language(backbone)],
            name="t",
        )
        runs.append(adapter.provenance["run"])
    kept = [one for one in used[:5] if one is not None]
    assert len(kept) == 5, "two sources with two models each, and the judge"
    assert all(one.held_bytes > 0 for one in kept)
    assert used[5:] == [None] * 5
    assert [step for step, _ in runs[0]["looks"]] == [step for step, _ in runs[1]["looks"]]
    for what in ("training_losses", "looks"):
        near, whole = ([value for _, value in run[what]] for run in runs)
        assert near == pytest.approx(whole, abs=2e-5), "they are told to five places"


def test_read_once_nothing_is_kept(backbone: Backbone) -> None:
    task, config = tagging(40), replace(TASK, max_length=40)
    adapter = new_adapter(
        "t",
        BottleneckConfig(4),
        backbone=backbone.facts,
        kind="task",
        head=task.head(task.labels()),
    )
    model = AdaptedModel(backbone, Stack(adapter))
    inputs = tuple(task.windows(task.examples("train"), backbone, limit=40))
    source = Source(task, (model,), inputs, (None,))
    twice = -(-2 * len(inputs) // config.batch_size)
    for steps, kept in ((twice - 1, False), (twice, True)):
        (found,), judge = with_states([source], replace(config, steps=steps))
        assert (found.states[0] is not None) == kept
        assert judge.states is not None
        assert judge.score() == evaluate(model, task, split="dev").value


def test_layers_left_out_have_no_bottleneck_and_strange_ones_are_an_error(
    backbone: Backbone, tmp_path: Path
) -> None:
    config = replace(TASK, steps=1, evaluate_every=1)
    made = train_task(
        backbone, tagging(20), over=None, out=tmp_path / "t", config=replace(config, leave_out=(0,))
    )
    assert sorted(made.blocks) == ["1"]
    for wrong, method, said in (
        ((3,), "pfeiffer", "layers 0 to 2"),
        ((0, 1), "pfeiffer", "must keep its bottleneck"),
        ((0,), "lora", "no bottlenecks to leave out"),
    ):
        with pytest.raises(ConfigError, match=said):
            train_task(
                backbone,
                tagging(20),
                over=None,
                out=tmp_path / "no",
                config=replace(config, leave_out=wrong, method=method),
            )
    assert not (tmp_path / "no").exists()
