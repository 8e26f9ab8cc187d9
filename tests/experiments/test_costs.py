"""What a cell's row says of its costs: what was trained, and how long."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.experiments.costs import costs_of
from adapterkit.experiments.nodes import Node
from adapterkit.experiments.store import Store
from adapterkit.settings import TaskConfig, as_record
from adapterkit.tensorfile import write_tensors


def scored(store: Store, config: TaskConfig) -> Node:
    """A score over a task adapter that was trained for the target's language."""
    task = Node("task", {"config": as_record(config)})
    store.part(task).mkdir(parents=True)
    run = {"steps": 6, "tokens": 60}
    provenance: dict[str, Any] = {
        "run": run,
        "config": {"learning_rate": 1e-3, "precision": "bfloat16"},
    }
    store.finish_part(task, {"minutes": 1.0, "provenance": provenance})
    return Node("score", {"own": ["task"]}, {"task": task})


@pytest.mark.parametrize(("steps", "epochs"), [(None, 10), (6, None)])
def test_epochs_are_noted_only_where_they_were_run(
    tmp_path: Path, steps: int | None, epochs: int | None
) -> None:
    costs = costs_of(Store(tmp_path), scored(Store(tmp_path), replace(TaskConfig(), steps=steps)))
    assert costs["epochs"] == epochs
    assert costs["steps"] == 6
    assert costs["precision"] == "bfloat16"


def test_token_ids_are_no_trained_parameters(tmp_path: Path) -> None:
    store = Store(tmp_path)
    cell = scored(store, TaskConfig())
    rows = {"ids": torch.arange(5), "deltas": torch.zeros(5, 4)}
    path = store.part(cell.needs["task"]) / "embedding_rows.safetensors"
    write_tensors(path, rows)
    costs = costs_of(store, cell)
    assert costs["trained_parameters"] == 5 * 4
    assert costs["bytes"] == path.stat().st_size
