"""Everything that computes, each as a function of a backbone, on whatever device that is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import adapterkit as ak
from adapterkit.backbone.frozen import Backbone
from adapterkit.composition.adapter import Adapter, new_adapter
from adapterkit.config import BottleneckConfig, HeadConfig, preset
from adapterkit.data.examples import TaggedSentence
from adapterkit.formats.adapterhub import save_adapter
from adapterkit.methods import low_rank
from adapterkit.settings import LanguageConfig, SelfTrainingConfig, TaskConfig
from adapterkit.tasks.tagging import Tagging
from adapterkit.training.full import continue_pretraining, fine_tune
from tests.tiny import TYPES, lines

IDS = torch.tensor([[0, 11, 12, 30, 44, 2], [0, 14, 40, 2, 1, 1], [0, 9, 2, 1, 1, 1]])
MASK = (IDS != 1).long()
LANGUAGE = LanguageConfig(
    steps=4,
    batch_size=4,
    block_length=16,
    evaluate_every=2,
    heldout_blocks=4,
    learning_rate=1e-2,
    precision="float32",
)
TASK = TaskConfig(epochs=1, batch_size=8, learning_rate=1e-2, precision="float32")
TAGS = HeadConfig("tagging", ("C", "V"))

Flow = Callable[[Backbone, Path], Any]
FLOWS: dict[str, tuple[Flow, str]] = {}


def flow(backbone: str = "xlm-roberta") -> Callable[[Flow], Flow]:
    """Run it over such a backbone; what it returns must be equal on both devices."""

    def keep(function: Flow) -> Flow:
        FLOWS[function.__name__] = function, backbone
        return function

    return keep


def made(backbone: Backbone, name: str, config: Any, head: HeadConfig | None = None) -> Adapter:
    kind = "task" if head else "language"
    adapter = new_adapter(name, config, backbone=backbone.facts, kind=kind, head=head)
    drawn = torch.Generator().manual_seed(len(name))
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=drawn) * 0.2)
    return adapter


def tagged() -> Tagging:
    words = [tuple(line.split()) for line in lines(24, seed=2)]
    found = tuple(
        TaggedSentence(w, tuple("V" if x[0] in "aeiou" else "C" for x in w)) for w in words
    )
    return Tagging({"train": found[:12], "dev": found[12:18], "test": found[18:]})


def corpus() -> ak.Corpus:
    return ak.Corpus.from_lines(lines(60), language="cym")


def language(backbone: Backbone) -> Adapter:
    return made(backbone, "cym", BottleneckConfig(2, invertible=True))


def pos(backbone: Backbone) -> Adapter:
    return made(backbone, "pos", BottleneckConfig(4), TAGS)


def outputs(backbone: Backbone, *parts: Any, **more: Any) -> list[Tensor]:
    model = ak.AdaptedModel(backbone, parts[0] if len(parts) == 1 else ak.Stack(*parts))
    ids, mask = IDS.to(backbone.device), MASK.to(backbone.device)
    with torch.no_grad():
        found = [model.encode(ids, mask, **more), model.logits(ids, mask, **more)]
        if backbone.architecture.kind != "seq2seq":
            found.append(model.mlm_logits(ids, mask, **more))
    return found


def forward(backbone: Backbone, place: Path) -> Any:
    return outputs(backbone, language(backbone), pos(backbone))


FLOWS |= {f"forward through {kind}": (forward, kind) for kind in TYPES}


@flow()
def tensors_of_two_devices_are_refused(backbone: Backbone, place: Path) -> Any:
    """What all the others rest on."""
    matrix = backbone.embedding_matrix()
    if matrix.device.type != "cpu":
        with pytest.raises(RuntimeError, match="two devices"):
            matrix + torch.ones(32)
        with pytest.raises(RuntimeError, match="two devices"):
            nn.functional.embedding(IDS, matrix)
    return matrix


@flow()
def adapters_of_other_shapes(backbone: Backbone, place: Path) -> Any:
    tasks = [made(backbone, n, preset(n, 4), TAGS) for n in ("houlsby", "parallel")]
    tasks += [made(backbone, "lora", low_rank(backbone, rank=2), TAGS)]
    return [outputs(backbone, language(backbone), task) for task in tasks]


@flow()
def rows(backbone: Backbone, place: Path) -> Any:
    first, second, third = (
        made(backbone, n, BottleneckConfig(2, invertible=True)) for n in ("a", "ab", "abc")
    )
    head = pos(backbone)
    parts = [ak.Stack(ak.Average(first, second), head), ak.Stack(ak.Fuse(second, third), head)]
    return outputs(backbone, ak.Rows(parts), rows=[0, 1, 0])


@flow("llama")
def a_decoder_with_a_class_for_a_text(backbone: Backbone, place: Path) -> Any:
    head = HeadConfig("classification", ("x", "y"), layers=2)
    topic = made(backbone, "topic", BottleneckConfig(4), head)
    model = ak.AdaptedModel(backbone, ak.Stack(made(backbone, "x", BottleneckConfig(4)), topic))
    with torch.no_grad():
        return model.logits(IDS.to(backbone.device), MASK.to(backbone.device))


@flow("mt5")
def an_encoder_decoder_generates(backbone: Backbone, place: Path) -> Any:
    model = ak.AdaptedModel(backbone, ak.Stack(made(backbone, "x", BottleneckConfig(4))))
    ids, mask = IDS.to(backbone.device), MASK.to(backbone.device)
    return model.generate(ids, mask, max_new_tokens=4, num_beams=2)


@flow()
def predict_and_evaluate(backbone: Backbone, place: Path) -> Any:
    model = ak.AdaptedModel(backbone, ak.Stack(language(backbone), pos(backbone)))
    found = [text.labels for text in ak.predict(model, lines(5), progress=False)]
    return found, ak.evaluate(model, tagged(), progress=False).as_dict()


@flow()
def a_pool(backbone: Backbone, place: Path) -> Any:
    pool = ak.AdapterPool(backbone, max_bytes=1 << 20)
    for name, adapter in (("cym", language(backbone)), ("pos", pos(backbone))):
        save_adapter(adapter, place / name)
        pool.add(name, place / name)
    found = pool.predict(lines(3), [("cym", "pos"), ("pos",), ("cym", "pos")])
    return [text.labels for text in found]


@flow()
def train_language(backbone: Backbone, place: Path) -> Any:
    return ak.train_language(backbone, corpus(), out=place, config=LANGUAGE, progress=False)


@flow()
def train_language_on_its_own_pieces(backbone: Backbone, place: Path) -> Any:
    config = replace(LANGUAGE, restrict_vocabulary=True, clip=1.0)
    return ak.train_language(backbone, corpus(), out=place, config=config, progress=False)


@flow()
def train_language_in_bfloat16(backbone: Backbone, place: Path) -> Any:
    config = replace(LANGUAGE, precision="bfloat16")
    trained = ak.train_language(backbone, corpus(), out=place, config=config, progress=False)
    return [p.isfinite().all().cpu() for p in trained.parameters()]


@flow()
def train_language_with_embedding_rows_from_a_start(backbone: Backbone, place: Path) -> Any:
    config = replace(LANGUAGE, embedding_rows=True, embedding_rows_at_least=1, reduction_factor=2)
    start_of = language(backbone)
    return ak.train_language(
        backbone, corpus(), out=place, config=config, init=start_of, progress=False
    )


@flow()
def train_task_and_go_on(backbone: Backbone, place: Path) -> Any:
    over = language(backbone)
    ak.train_task(backbone, tagged(), over=over, out=place / "a", config=TASK, progress=False)
    first = ak.load_adapter(place / "a")
    upper = replace(TASK, leave_out=(0,), clip=0.5)
    second = ak.train_task(
        backbone, tagged(), over=over, out=place / "b", config=upper, progress=False
    )
    third = ak.train_task(
        backbone, tagged(), over=over, out=place / "c", config=TASK, init=first, progress=False
    )
    return first, second, third


@flow()
def train_task_over_rows_of_languages(backbone: Backbone, place: Path) -> Any:
    other = made(backbone, "other", BottleneckConfig(2, invertible=True))
    config = replace(TASK, method="lora", rank=2)
    return ak.train_task(
        backbone,
        tagged(),
        over=language(backbone),
        target_ready=[other],
        out=place,
        config=config,
        progress=False,
    )


@flow()
def train_fusion(backbone: Backbone, place: Path) -> Any:
    fuse = ak.Fuse(pos(backbone), made(backbone, "other", BottleneckConfig(4)))
    trained = ak.train_fusion(
        backbone, tagged(), fuse, out=place, under=language(backbone), config=TASK, progress=False
    )
    return outputs(backbone, language(backbone), trained)


@flow()
def self_train(backbone: Backbone, place: Path) -> Any:
    config = SelfTrainingConfig(
        sentences=12, rounds=1, epochs=1, batch_size=4, learning_rate=1e-2, precision="float32"
    )
    return ak.self_train(
        backbone,
        corpus(),
        over=language(backbone),
        init=pos(backbone),
        out=place,
        config=config,
        progress=False,
    )


@flow()
def full_fine_tuning_after_more_pretraining(backbone: Backbone, place: Path) -> Any:
    further = continue_pretraining(
        backbone, corpus(), out=place / "further", config=LANGUAGE, progress=False
    )
    tuned = fine_tune(further.backbone, tagged(), out=place / "tuned", config=TASK, progress=False)
    assert tuned.adapter is not None
    return outputs(tuned.backbone, tuned.adapter)


@flow()
def fill_and_merge(backbone: Backbone, place: Path) -> Any:
    first, second = (
        language(backbone),
        made(backbone, "other", BottleneckConfig(2, invertible=True)),
    )
    merged = ak.merge([first, second], [0.5, 0.5])
    model = ak.AdaptedModel(backbone, ak.Stack(merged))
    return [[guess.token for guess in one] for one in ak.fill(model, "ab <mask> cd")]
