"""adapterkit's own training, through the product's loop and problem, stopped between steps."""

import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapterkit.backbone.device import device_of
from adapterkit.backbone.frozen import Backbone
from adapterkit.backbone.load import load_backbone
from adapterkit.backbone.precision import choose_precision
from adapterkit.composition.adapter import new_adapter
from adapterkit.composition.base import placed
from adapterkit.composition.stack import Stack
from adapterkit.data.batches import Batch
from adapterkit.data.blocks import Blocks, pack_corpus
from adapterkit.data.corpus import Corpus
from adapterkit.demo.grammar import demo_data
from adapterkit.methods import shape_of_method
from adapterkit.model import AdaptedModel
from adapterkit.nn.losses import SomePieces
from adapterkit.settings import LanguageConfig
from adapterkit.training.loop import settings_of, train
from adapterkit.training.masked_lm import MaskedLanguageModelling, heldout_loss, vocabulary_of
from adapterkit.training.progress import Silent
from adapterkit.training.shape import left_out
from benchmarks.protocol import Done, Line, Message, Turnstile, main, serve
from benchmarks.workers.common import prepare, random_rows, waiting

NEVER = 1_000_000


class Stopping(Silent):
    """The loop's reporter, which waits between steps until the parent says go.

    The look before the first step, and the checkpoint after it, fall into the warm-up round.
    """

    def __init__(self, stile: Turnstile) -> None:
        self.stile = stile

    def step(self, step: int, loss: float, tokens: int) -> None:
        """A step was made."""
        self.stile.passing(tokens)

    def look(self, step: int, value: float, best: bool) -> None:
        """The look before the first step was made."""
        self.stile.passing(0)


def training(line: Line, spec: Message) -> None:
    """Train on random blocks, step by step as the parent says."""
    prepare()
    backbone = loaded(spec)
    config = config_of(backbone, spec, steps=NEVER, learning_rate=1e-4)
    # A text's own pieces are few; here they are the first ones.
    own = min(spec.get("own_pieces") or backbone.vocabulary, backbone.vocabulary)
    rows = random_rows(spec["blocks"], spec["length"], own)
    blocks = Blocks(rows, vocabulary_of(backbone))
    few = Blocks(rows[: spec["batch"]], blocks.vocabulary)
    problem = problem_of(backbone, config, blocks, few)
    stile = Turnstile(line, waiting(spec["device"]))
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(config)
        try:
            train(problem, settings, work=Path(folder), same={}, report=Stopping(stile))
        except Done:
            return


def quality(line: Line, spec: Message) -> None:
    """Train on real text and answer with the held-out loss in nats a masked token."""
    prepare()
    backbone = loaded(spec)

    def work(message: Message) -> Message:
        with tempfile.TemporaryDirectory() as folder:
            problem = _on_text(backbone, spec, int(message["seed"]), Path(folder))
            settings = settings_of(problem.config)
            run = train(problem, settings, work=Path(folder), same={}, report=Silent())
            return {
                "loss": run.looks[-1][1],
                "before": run.looks[0][1],
                "own_pieces": len(problem.training.pieces()),
            }

    serve(line, work)


def loaded(spec: Message) -> Backbone:
    """The backbone as the product's command line loads it: in the precision that is trained in."""
    device = device_of(spec["device"])
    precision = choose_precision(device, spec["precision"], torch.float32)
    backbone = load_backbone(spec["backbone"], device=device, dtype=precision)
    return backbone.for_training(precision)


def batches(line: Line, spec: Message) -> None:
    """Write down the batches that `quality` trains and looks at, to the file the message names."""
    prepare()
    backbone = load_backbone(spec["backbone"], device="cpu")

    def work(message: Message) -> Message:
        with tempfile.TemporaryDirectory() as folder:
            problem = _on_text(backbone, spec, int(message["seed"]), Path(folder))
            trained, heldout = written(problem, spec["steps"])
        np.savez(
            message["batches"],
            ids=np.stack([ids for ids, _ in trained]),
            targets=np.stack([targets for _, targets in trained]),
            heldout_ids=np.stack([ids for ids, _ in heldout]),
            heldout_targets=np.stack([targets for _, targets in heldout]),
        )
        return {"batches": len(trained), "heldout": len(heldout)}

    serve(line, work)


class Writer:
    """Stands in for a model: writes the batches down that it is given."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self.batches: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []

    def __call__(self, batch: Batch, *, pieces: SomePieces | None = None) -> Tensor:
        """Note ``batch``; the loss is 0."""
        pair = batch.input_ids.numpy(), batch.targets.numpy()
        self.batches.append((pair[0].astype(np.int32), pair[1].astype(np.int32)))
        return torch.zeros(())


def written(
    problem: MaskedLanguageModelling, steps: int
) -> tuple[list[tuple[Any, Any]], list[tuple[Any, Any]]]:
    """What the product's problem hands to its model: in ``steps`` steps, and in a look.

    Returns:
        Two lists of ids and targets, each of shape ``(batch, length)``.
    """
    trained, heldout = Writer(problem.model.backbone), Writer(problem.model.backbone)
    instead = MaskedLanguageModelling(
        cast(AdaptedModel, trained),
        problem.adapter,
        problem.training,
        problem.heldout,
        problem.config,
    )
    for step in range(steps):
        instead.loss(step)
    heldout_loss(cast(AdaptedModel, heldout), problem.heldout, problem.config)
    return trained.batches, heldout.batches


def _on_text(backbone: Backbone, spec: Message, seed: int, folder: Path) -> MaskedLanguageModelling:
    config = config_of(
        backbone, spec, steps=spec["steps"], learning_rate=spec["learning_rate"], seed=seed
    )
    training, heldout, _ = pack_corpus(
        _corpus(spec).lines(),
        backbone.token_ids,
        vocabulary_of(backbone),
        length=spec["length"],
        folder=folder,
        # Whole batches only, so that every contender's array has one shape.
        heldout_blocks=spec["batch"] * spec["heldout_batches"],
    )
    whole = max(1, len(heldout) // spec["batch"]) * spec["batch"]
    return problem_of(
        backbone, config, training, Blocks(heldout.tokens[:whole], heldout.vocabulary)
    )


def _corpus(spec: Message) -> Corpus:
    if spec["text"]:
        return Corpus.from_files(spec["text"], language="und")
    return Corpus.from_lines(demo_data("epo", seed=0, lines=spec["lines"]).text, language="epo")


def config_of(
    backbone: Backbone, spec: Message, *, steps: int, learning_rate: float, seed: int = 0
) -> LanguageConfig:
    """The settings of a run: an invertible adapter with reduction factor 2 in every layer, or as ``spec`` says."""
    return LanguageConfig(
        reduction_factor=2,
        invertible=spec.get("invertible", True),
        drop_last_layer=spec.get("drop_last", False),
        upper_layers=spec.get("upper"),
        restrict_vocabulary=spec.get("restricted", False),
        steps=steps,
        batch_size=spec["batch"],
        block_length=spec["length"],
        learning_rate=learning_rate,
        evaluate_every=steps,
        precision=choose_precision(backbone.device, spec["precision"], backbone.dtype),
        seed=seed,
    )


def problem_of(
    backbone: Backbone, config: LanguageConfig, training: Blocks, heldout: Blocks
) -> MaskedLanguageModelling:
    """What the product's loop trains."""
    shape = shape_of_method(
        backbone,
        config.method,
        reduction_factor=2,
        rank=8,
        invertible=config.invertible,
        leave_out=left_out(
            backbone.layers, drop_last=config.drop_last_layer, upper=config.upper_layers
        ),
    )
    made = new_adapter(
        "language", shape, backbone=backbone.facts, kind="language", seed=config.seed
    )
    adapter = placed(made, backbone.device, backbone.adapter_dtype)
    model = AdaptedModel(backbone, Stack(adapter))
    pieces = model.some_pieces(training.pieces()) if config.restrict_vocabulary else None
    return MaskedLanguageModelling(model, adapter, training, heldout, config, pieces)


if __name__ == "__main__":
    main({"training": training, "quality": quality, "batches": batches})
