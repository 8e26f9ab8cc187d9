"""What a training says of itself in a line: what it is about to do, and how it ended."""

from adapterkit.composition.adapter import Adapter
from adapterkit.settings import LanguageConfig, TaskConfig
from adapterkit.training.checkpoint import Progress


def plan(config: LanguageConfig | TaskConfig, start: Adapter | None) -> str:
    """What a training does.

    Args:
        config: In which everything is decided.
        start: The adapter it starts from, if any.
    """
    if isinstance(config, LanguageConfig):
        batch, kept = (
            f"{config.batch_size} blocks of {config.block_length} tokens",
            config.keep_start,
        )
    else:
        batch, kept = f"{config.batch_size} examples", None
    time = "" if config.max_minutes is None else f" or {config.max_minutes:g} minutes"
    origin = "random weights" if start is None else f"adapter {start.name!r}"
    stays = f", of which {100 * kept:.0f} % stays in the result" if kept else ""
    return f"plan: {config.steps} steps{time}, {batch} a step, {config.precision}, from {origin}{stays}"


def ending(run: Progress, *, steps: int, patience: int, max_minutes: float | None) -> str:
    """Why a training ended, and which of its steps is kept.

    Args:
        run: The run at its end.
        steps: As many were planned.
        patience: Looks without a new best that end it.
        max_minutes: Time that ends it.
    """
    why = ""
    if run.step < steps:
        stopped = run.waited >= patience
        why = (
            f", as {patience} looks in a row found nothing better"
            if stopped
            else f", as its {max_minutes or 0:g} minutes (max_minutes) were over"
        )
    return f"ended at step {run.step} of {steps}{why}; best: step {run.best_step}"
