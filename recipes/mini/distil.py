"""Distillation: the student reads masked text, the teacher all of it.

    loss = 2 x distance of the last layers + 0.5 x mean distance of the middle ones + 0.5 x masked-LM cross entropy

where a distance is the squared one between hidden states of length 1, averaged over tokens, and the student's layer
``i`` is compared with the teacher's layer ``2 i``. The weights that compute are bfloat16, those that are trained
float32. The rate is constant and falls to zero over the last part of the run.
"""

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from recipes.mini.batches import IGNORED, Batch, Text
from recipes.mini.networks import hidden_states
from recipes.mini.vocabulary_loss import VocabularyLoss

PREDICTED = 0.15
"""Share of the tokens whose prediction counts in a step."""


@dataclass(frozen=True)
class Settings:
    """Of a run.

    Attributes:
        steps: In all; may be another when a run goes on.
        rows: A batch.
        rate: Of the layers.
        embedding_rate: Of the embeddings, as a fraction of ``rate``; 0 keeps them frozen.
        last: Weight of the last layers' distance.
        middle: Weight of the middle layers'.
        mlm: Weight of the masked-LM cross entropy.
        warmup: Steps over which the rate rises.
        fall: Share of the steps over which it falls.
        decay: Weight decay of matrices.
        seed: Of the batches.
    """

    steps: int
    rows: int = 64
    rate: float = 5e-4
    embedding_rate: float = 0.2
    last: float = 2.0
    middle: float = 0.5
    mlm: float = 0.5
    warmup: int = 100
    fall: float = 0.4
    decay: float = 0.01
    seed: int = 0


def rate_at(settings: Settings, step: int) -> float:
    """The learning rate of ``step`` (from 0)."""
    rise = min(1.0, (step + 1) / settings.warmup)
    fall = (settings.steps - step) / (settings.fall * settings.steps)
    return settings.rate * min(rise, fall, 1.0)


class Masters:
    """Float32 weights that are trained, beside the bfloat16 ones that compute."""

    def __init__(self, model: nn.Module, trained_rows: Tensor, settings: Settings) -> None:
        """``trained_rows``: true for each row of the embeddings that is trained."""
        named = {
            name: parameter
            for name, parameter in model.named_parameters()
            if not name.startswith("bert.embeddings")
            or (settings.embedding_rate and "word_embeddings" in name)
        }
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in named)
        self.names = list(named)
        self.masters = [parameter.detach().float().clone() for parameter in named.values()]
        model.to(torch.bfloat16)
        computing = dict(model.named_parameters())
        self.computing = [computing[name] for name in self.names]
        self.frozen_rows = ~trained_rows
        self.optimizer = torch.optim.AdamW(
            [
                {
                    "params": [master],
                    "factor": settings.embedding_rate if "word_embeddings" in name else 1.0,
                    "weight_decay": settings.decay
                    if master.dim() > 1 and "embeddings" not in name
                    else 0.0,
                }
                for name, master in zip(self.names, self.masters, strict=True)
            ],
            betas=(0.9, 0.98),
            fused=True,
        )

    def step(self, rate: float) -> None:
        """Take the gradients of the weights that compute, move the masters, and copy them back."""
        for name, master, weight in zip(self.names, self.masters, self.computing, strict=True):
            assert weight.grad is not None, name
            master.grad = weight.grad.float()
            if "word_embeddings" in name:
                master.grad[self.frozen_rows] = 0.0
            weight.grad = None
        nn.utils.clip_grad_norm_(self.masters, 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        self.optimizer.step()
        self.copy_back()

    def copy_back(self) -> None:
        """The masters' values into the weights that compute."""
        with torch.no_grad():
            for master, weight in zip(self.masters, self.computing, strict=True):
                weight.copy_(master)


def losses(student: Any, teacher: Any, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Distance of the last layers, mean distance of the middle ones, masked-LM loss in nats."""
    with torch.no_grad():
        aims = hidden_states(teacher, batch.whole, batch.attended)
    states = hidden_states(student.bert, batch.masked, batch.attended)
    step = len(aims) // len(states)
    there = slice(None) if batch.attended is None else batch.attended.bool()
    apart = [
        distance(state[there], aims[step * number + step - 1][there])
        for number, state in enumerate(states)
    ]
    picked = positions(batch.targets)
    head = student.cls.predictions
    features = head.transform(states[-1].flatten(0, 1)[picked])
    mlm: Tensor = VocabularyLoss.apply(  # type: ignore[no-untyped-call]
        features, head.decoder.weight, head.decoder.bias, batch.targets.flatten()[picked]
    )
    return apart[-1], torch.stack(apart[:-1]).mean(), mlm


def positions(targets: Tensor) -> Tensor:
    """Places of `PREDICTED` targets in the flattened batch: some are left out, or come twice.

    The same number in each step: on a CPU a product's prepared kernel is kept for every shape that occurs.
    """
    found = (targets.flatten() != IGNORED).nonzero()[:, 0]
    return found[torch.arange(round(PREDICTED * targets.numel())) % len(found)]


def distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean over tokens of the squared distance of states of length 1; ``2 - 2 cos``."""
    return 2 - 2 * functional.cosine_similarity(one.float(), other.float(), dim=-1).mean()


def distil(
    student: Any,
    teacher: Any,
    text: Text,
    trained_rows: Tensor,
    settings: Settings,
    checkpoint: Path,
    every: int = 200,
) -> None:
    """Train ``student`` in place; goes on from ``checkpoint`` where there is one."""
    teacher.to(torch.bfloat16)
    masters = Masters(student, trained_rows, settings)
    first = 0
    if checkpoint.is_file():
        first = resumed(masters, checkpoint)
        print(f"goes on from step {first}", flush=True)
    began, seen = time.perf_counter(), 0
    means = torch.zeros(3)
    for step in range(first, settings.steps):
        batch = text.batch(settings.seed, step, settings.rows)
        last, middle, mlm = losses(student, teacher, batch)
        loss = settings.last * last + settings.middle * middle + settings.mlm * mlm
        torch.autograd.backward(loss)
        masters.step(rate_at(settings, step))
        seen += batch.whole.numel()
        means += torch.tensor([last.item(), middle.item(), mlm.item()]) / 50
        if (step + 1) % 50 == 0:
            speed = seen / (time.perf_counter() - began)
            print(
                f"step {step + 1}/{settings.steps}  distance {means[0]:.3f}  middle {means[1]:.3f}"
                f"  masked-LM {means[2]:.3f}  {speed:.0f} tokens/s",
                flush=True,
            )
            means.zero_()
        if (step + 1) % every == 0 or step + 1 == settings.steps:
            kept(masters, step + 1, settings, checkpoint)
    restore(student, masters)


def restore(student: nn.Module, masters: Masters) -> None:
    """Give the student the masters' float32 values."""
    student.float()
    parameters = dict(student.named_parameters())
    with torch.no_grad():
        for name, master in zip(masters.names, masters.masters, strict=True):
            parameters[name].copy_(master)


def kept(masters: Masters, step: int, settings: Settings, file: Path) -> None:
    """Write a checkpoint beside ``file`` and put it in its place."""
    state = {
        "step": step,
        "settings": asdict(settings),
        "masters": dict(zip(masters.names, masters.masters, strict=True)),
        "optimizer": masters.optimizer.state_dict(),
    }
    part = file.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, file)


def resumed(masters: Masters, file: Path) -> int:
    """Read a checkpoint; the number of the next step."""
    state = torch.load(file, weights_only=True)
    if list(state["masters"]) != masters.names:
        raise SystemExit(f"{file}: is of a run that trains other weights")
    with torch.no_grad():
        for name, master in zip(masters.names, masters.masters, strict=True):
            master.copy_(state["masters"][name])
    factors = [group["factor"] for group in masters.optimizer.param_groups]
    masters.optimizer.load_state_dict(state["optimizer"])
    for group, factor in zip(masters.optimizer.param_groups, factors, strict=True):
        group["factor"] = factor
    masters.copy_back()
    return int(state["step"])
