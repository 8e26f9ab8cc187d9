"""The one training loop: AdamW on an adapter's parameters, looks at a held-out value, the best kept, resume.

What is trained comes in as a `Problem`; language and task training differ only in that. Killed at any moment
and started again with the same settings, a run by steps ends with the same bytes; one that Ctrl-C stopped goes on
from the step at which it was.
"""

import logging
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from adapterkit.allocator import memory_kept
from adapterkit.errors import ConfigError
from adapterkit.seeds import derive
from adapterkit.settings import LanguageConfig, TaskConfig
from adapterkit.training.checkpoint import Progress, State, read_checkpoint, write_checkpoint
from adapterkit.training.embedding_rows import ROWS
from adapterkit.training.progress import Reporter
from adapterkit.training.telling import ending

logger = logging.getLogger("adapterkit")


class Problem(Protocol):
    """What the loop trains."""

    @property
    def trained(self) -> nn.Module: ...  # noqa: D102

    def loss(self, step: int) -> tuple[Tensor, int]:
        """Loss of step ``step`` (from 0), a scalar, and the tokens it read."""

    def look(self) -> float:
        """The held-out value: lower is better."""


HEAD = "head."
"""How the names of a head's parameters begin."""
CHECKPOINT_SECONDS = 300.0
"""Most time between two checkpoints: looks, which write one, may be hours apart."""


@dataclass(frozen=True)
class Settings:
    """Numbers of a run, all decided.

    Attributes:
        steps: Optimizer steps.
        learning_rate: Peak; linear warm-up, then linear to zero.
        warmup: Share of the steps.
        weight_decay: Of AdamW.
        clip: Largest norm of a step's gradients, or None.
        evaluate_every: Steps between looks.
        patience: Looks without a new best before stopping.
        max_minutes: Training time; with it the learning rate follows whichever runs out first.
        seed: Of everything random.
        precision: Of the frozen backbone, which the problem's models run on already.
        rows_rate: Factor on the learning rate of embedding rows, which have no weight decay.
        head_rate: Factor on the learning rate of a head.
        start_counts: Whether what is trained is of use before the first step, so that it may turn out the best; a
            head of random weights is not.
        drops: Whether what is trained drops out as its configuration says (by default adapters do not).
    """

    steps: int
    learning_rate: float
    warmup: float
    weight_decay: float
    clip: float | None
    evaluate_every: int
    patience: int
    max_minutes: float | None
    seed: int
    precision: str
    rows_rate: float = 1.0
    head_rate: float = 1.0
    start_counts: bool = True
    drops: bool = True


def settings_of(
    config: LanguageConfig | TaskConfig, *, start_counts: bool = True, drops: bool = True
) -> Settings:
    """The loop's numbers of a configuration in which everything is decided; the others as `Settings` has them."""
    assert config.steps is not None
    assert config.learning_rate is not None
    assert config.evaluate_every is not None
    return Settings(
        steps=config.steps,
        learning_rate=config.learning_rate,
        warmup=config.warmup,
        weight_decay=config.weight_decay,
        clip=config.clip,
        evaluate_every=config.evaluate_every,
        patience=config.patience,
        max_minutes=config.max_minutes,
        seed=config.seed,
        precision=str(config.precision),
        rows_rate=config.embedding_rows_rate if isinstance(config, LanguageConfig) else 1.0,
        head_rate=config.head_rate if isinstance(config, TaskConfig) else 1.0,
        start_counts=start_counts,
        drops=drops,
    )


def train(
    problem: Problem, settings: Settings, *, work: Path, same: dict[str, Any], report: Reporter
) -> Progress:
    """Train ``problem`` and leave its best weights in it.

    Args:
        problem: What to train.
        settings: How.
        work: Folder of the checkpoint; a checkpoint found there is resumed.
        same: What must be equal on resuming, beside the settings.
        report: Told about progress.

    Returns:
        The run's record.

    Raises:
        ConfigError: If a checkpoint of another run is there, or the loss is not finite.
        KeyboardInterrupt: As it came; a checkpoint of the last finished step is written first.
    """
    names = dict(problem.trained.named_parameters())
    optimizer = torch.optim.AdamW(
        _groups(names, settings),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    state = read_checkpoint(work, same)
    if state is None:
        progress, best = Progress(), {}
    else:
        progress, best = state.progress, state.best
        _restore(names, optimizer, state)
    progress.starts.append(progress.step)
    report.start(progress.step, settings.steps)
    if progress.step:
        report.say(f"going on from step {progress.step} of {settings.steps}")
    run = _Run(problem, settings, work, same, report, names, optimizer, progress, best)
    with memory_kept():
        run.go()
    report.say(
        ending(
            progress,
            steps=settings.steps,
            patience=settings.patience,
            max_minutes=settings.max_minutes,
        )
    )
    with torch.no_grad():
        for name, parameter in names.items():
            parameter.copy_(run.best[name])
    if not progress.step:
        logger.warning(
            "max_minutes were over before the first step, with the look that comes before it: what is kept is what this "
            "training began with, and nothing was learned; give it more time"
        )
    elif not progress.best_step:
        logger.warning(
            "no step of this training made it better than it was before: what is kept is what it began with; "
            "try another learning rate"
        )
    return progress


def copy_of(names: dict[str, nn.Parameter]) -> dict[str, Tensor]:
    """Parameters as they are now, by name."""
    return {name: parameter.detach().clone() for name, parameter in names.items()}


def _groups(names: dict[str, nn.Parameter], settings: Settings) -> list[dict[str, Any]]:
    """The optimizer's parameters: apart what has a rate of its own, embedding rows and a head."""
    apart: dict[str, dict[str, Any]] = {ROWS: {"rate": settings.rows_rate, "weight_decay": 0.0}}
    if settings.head_rate != 1:
        apart[HEAD] = {"rate": settings.head_rate}
    groups = [{"params": [names[n] for n in names if not n.startswith(tuple(apart))]}]
    for start, how in apart.items():
        if found := [names[n] for n in names if n.startswith(start)]:
            groups.append({"params": found, **how})
    return groups


@dataclass
class _Run:
    problem: Problem
    settings: Settings
    work: Path
    same: dict[str, Any]
    report: Reporter
    names: dict[str, nn.Parameter]
    optimizer: torch.optim.Optimizer
    progress: Progress
    best: dict[str, Tensor]
    saved: float = field(default_factory=time.monotonic)
    whole: bool = True  # not in the middle of a change: weights, moments and record belong together

    def go(self) -> None:
        try:
            self.sit()
        except KeyboardInterrupt:
            if self.whole and self.progress.looks:
                self.save()
            raise

    def sit(self) -> None:
        now = self.progress
        if self.is_due():
            self.look()
        while (
            now.step < self.settings.steps
            and not self.out_of_time()
            and now.waited < self.settings.patience
        ):
            began = time.monotonic()
            self.step()
            now.seconds += time.monotonic() - began
            if self.is_due():
                self.look()
            elif time.monotonic() - self.saved > CHECKPOINT_SECONDS:
                self.save()
        if now.looks[-1][0] != now.step:
            self.look()

    def is_due(self) -> bool:
        """Whether a look belongs here and was not made; a run that was stopped in a look begins with it."""
        now = self.progress
        if now.looks and now.looks[-1][0] == now.step:
            return False
        return now.step % self.settings.evaluate_every == 0 or now.step == self.settings.steps

    def step(self) -> None:
        now = self.progress
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * self.rate() * group.get("rate", 1.0)
        self.problem.trained.train(self.settings.drops)
        with torch.random.fork_rng():
            torch.manual_seed(derive(self.settings.seed, "dropout", now.step))
            loss, tokens = self.problem.loss(now.step)
        loss.backward()  # type: ignore[no-untyped-call]
        value = loss.item()
        if not math.isfinite(value):
            raise ConfigError(
                f"the loss became {value} at step {now.step}; try a lower learning rate than {self.settings.learning_rate}"
            )
        if self.settings.clip is not None:
            nn.utils.clip_grad_norm_(self.names.values(), self.settings.clip)
        self.whole = False
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        now.step += 1
        now.tokens += tokens
        now.recent += value
        self.whole = True
        self.report.step(now.step, value, tokens)

    def rate(self) -> float:
        """Share of the peak learning rate at this moment."""
        done = self.progress.step / self.settings.steps
        if self.settings.max_minutes is not None:
            # The clock of the schedule starts with the first step: a long look before it takes no warm-up away.
            now, before = self.progress.seconds, self.progress.before
            whole = max(1e-9, 60 * self.settings.max_minutes - before)
            done = max(done, min(1.0, (now - before) / whole))
        rise = max(self.settings.warmup, 1 / self.settings.steps)
        # Half a step ahead: neither the first step nor the last has rate zero.
        return min((done + 0.5 / self.settings.steps) / rise, (1 - done) / max(1e-9, 1 - rise), 1.0)

    def out_of_time(self) -> bool:
        limit = self.settings.max_minutes
        return limit is not None and self.progress.seconds / 60 >= limit

    def look(self) -> None:
        now = self.progress
        began = time.monotonic()
        self.problem.trained.eval()
        with torch.no_grad():
            value = self.problem.look()
        self.whole = False
        if self.has_no_best() or value < now.best:
            now.best, now.best_step, now.waited = value, now.step, 0
            self.best = copy_of(self.names)
        else:
            now.waited += 1
        steps = now.step - (now.looks[-1][0] if now.looks else 0)
        if steps:
            now.losses.append((now.step, now.recent / steps))
        now.recent = 0.0
        now.looks.append((now.step, value))
        took = time.monotonic() - began
        now.seconds += took
        now.before += 0.0 if now.step else took
        self.whole = True
        self.report.look(now.step, value, now.waited == 0)
        self.save()

    def has_no_best(self) -> bool:
        """Whether the best so far is none that a later look must beat: random weights, or a score of zero.

        Span F1 is zero at first, as every word is called ``O``: patience does not run out meanwhile.
        """
        now = self.progress
        at_start = now.best_step == 0 and not self.settings.start_counts
        return not now.looks or at_start or now.best == 0

    def save(self) -> None:
        write_checkpoint(self.work, self.snapshot(), self.same)
        self.saved = time.monotonic()

    def snapshot(self) -> State:
        moments = {name: self.optimizer.state.get(p, {}) for name, p in self.names.items()}
        return State(
            self.progress,
            weights={name: p.detach() for name, p in self.names.items()},
            best=self.best,
            first_moments={name: m["exp_avg"] for name, m in moments.items() if m},
            second_moments={name: m["exp_avg_sq"] for name, m in moments.items() if m},
        )


def _restore(
    names: dict[str, nn.Parameter], optimizer: torch.optim.Optimizer, state: State
) -> None:
    with torch.no_grad():
        for name, parameter in names.items():
            parameter.copy_(state.weights[name])
            if name in state.first_moments:
                optimizer.state[parameter] = {
                    "step": torch.tensor(float(state.progress.step), device=parameter.device),
                    "exp_avg": state.first_moments[name].to(parameter.device),
                    "exp_avg_sq": state.second_moments[name].to(parameter.device),
                }
