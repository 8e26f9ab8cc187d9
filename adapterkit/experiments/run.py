"""`run`: a recipe's grid, from the file to the table."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapterkit.backbone.identity import canonical
from adapterkit.backbone.load import load_backbone
from adapterkit.errors import ConfigError, found, nearest
from adapterkit.experiments.check import Checked, check
from adapterkit.experiments.data import DataFolder
from adapterkit.experiments.grid import meets
from adapterkit.experiments.nodes import Cell, Node
from adapterkit.experiments.reading import parse_condition
from adapterkit.experiments.runner import Outcome, State, run_cells, state_of
from adapterkit.experiments.store import Store
from adapterkit.experiments.work import Worker
from adapterkit.table import Row

DATA = "ADAPTERKIT_DATA"


@dataclass(frozen=True)
class Run:
    """What a run left.

    Attributes:
        rows: The table: every row of the recipe that is done, in the table's order.
        outcome: How the run ended.
        state: What is done and what is left of the cells that were asked for.
        out: Where table, predictions and adapters are.
        table: The CSV file.
    """

    rows: list[Row]
    outcome: Outcome
    state: State
    out: Path
    table: Path


def run(
    recipe: str | Path,
    *,
    out: str | Path | None = None,
    table: str = "table",
    data: str | Path | None = None,
    only: Sequence[str] = (),
    max_minutes: float | None = None,
    fresh: bool = False,
    device: str | None = None,
    progress: bool | None = False,
    tell: Callable[[str], None] = lambda text: None,
) -> Run:
    """Run the cells of a recipe that are not done yet, and write the table.

    Args:
        recipe: A TOML file (``recipes/README.md`` explains it).
        out: Folder of the table and of all parts; by default ``runs/NAME``. Several processes may
            share it.
        table: Name of the table in it. Recipes that share a folder, and with it all parts that are the
            same, need a name each.
        data: Folder of the data; by default what the environment variable ``ADAPTERKIT_DATA`` names.
        only: Conditions ``KEY=VALUE,VALUE`` that cells must meet to be run.
        max_minutes: Begin nothing new after so long.
        fresh: Ignore unfinished trainings' checkpoints.
        device: Of the backbones; by default a GPU if there is one.
        progress: Show bars.
        tell: Called with what happens, in words.

    Returns:
        The table and how it went. A cell that failed does not keep others from being run.

    Raises:
        ConfigError: If anything is wrong with the recipe or its data: every problem at once, before
            anything starts.
    """
    folder = data_folder(data)
    checked = checked_recipe(recipe, folder)
    store = Store(place_of(recipe, out), table)
    cells = asked_for(checked, only)
    names = {facts.digest: name for name, facts in checked.backbones.items()}
    workers: dict[str, Worker] = {}

    def do(node: Node) -> None:
        digest = node.settings["digest"]
        if digest not in workers:
            backbone = load_backbone(names[digest], device=device)
            workers[digest] = Worker(store, folder, backbone, fresh=fresh, progress=progress)
        workers[digest].do(node)

    outcome = run_cells(
        store, cells, do, tell=tell, max_minutes=max_minutes, whole=checked.cells
    )  # fmt: skip
    return Run(store.rows(checked.cells), outcome, state_of(store, cells), store.root, store.table)


def checked_recipe(recipe: str | Path, data: DataFolder) -> Checked:
    """Check a recipe.

    Raises:
        ConfigError: With every problem.
    """
    checked = check(Path(recipe), data)
    if checked.problems:
        count = len(checked.problems)
        raise ConfigError(
            f"{recipe} cannot be run, {count} problem{'s' if count > 1 else ''}:{found(list(checked.problems))}"
        )
    return checked


def asked_for(checked: Checked, only: Sequence[str]) -> list[Cell]:
    """The cells that ``--only`` leaves.

    Raises:
        ConfigError: If there are none.
    """
    condition = parse_condition(only)
    if "backbone" in condition:
        known = checked.backbones
        wanted = (known[n].name if n in known else canonical(n) for n in condition["backbone"])
        condition = {**condition, "backbone": tuple(wanted)}
    for key, values in condition.items():
        there = sorted({str(cell.facts[key]) for cell in checked.cells})
        for value in values:
            if value not in there:
                raise ConfigError(f"--only {key}={value}: no cell has it{nearest(value, there)}")
    cells = [cell for cell in checked.cells if meets(cell.facts, condition)]
    if not cells:
        raise ConfigError(
            f"no cell is left of {len(checked.cells)}"
            + (f" with --only {' --only '.join(only)}" if only else ": see only and exclude")
        )
    return cells


def data_folder(data: str | Path | None) -> DataFolder:
    """The folder that was named, or the environment's.

    Raises:
        ConfigError: If it is no folder.
    """
    named = data or os.environ.get(DATA)
    if named is None:
        return DataFolder(None)
    if not Path(named).is_dir():
        raise ConfigError(f"{named}: there is no such data folder (--data, {DATA})")
    return DataFolder(Path(named))


def place_of(recipe: str | Path, out: str | Path | None) -> Path:
    """Where a run is: ``out``, or ``runs/NAME``."""
    return Path(out) if out is not None else Path("runs") / Path(recipe).stem
