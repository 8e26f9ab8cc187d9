"""Running a grid: which node next, by whom, until nothing is left.

What is done is kept and skipped; a process that was killed leaves its claim behind, which the next one takes
over, and the training inside goes on from its checkpoint. Several processes with one folder share the work.
"""

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adapterkit.errors import AdapterkitError
from adapterkit.experiments.nodes import Cell, Node, in_order
from adapterkit.experiments.store import Store

POLL_SECONDS = 2.0
HEAVY = ("full", "continued")
"""Parts as large as the backbone: deleted once all cells that use them are done."""


@dataclass(frozen=True)
class State:
    """Where a grid stands.

    Attributes:
        done: Nodes that are done, cells among them.
        running: Nodes that living processes have claimed.
        left: The others that are still needed.
        minutes_left: How long one process would need for what runs and what is left; None while
            nothing of some kind has been done yet.
    """

    done: tuple[Node, ...]
    running: tuple[Node, ...]
    left: tuple[Node, ...]
    minutes_left: float | None


@dataclass
class Outcome:
    """How a run ended.

    Attributes:
        failed: The error of each node that failed, by its label.
        out_of_time: Whether it stopped because its minutes were over.
    """

    failed: dict[str, str] = field(default_factory=dict)
    out_of_time: bool = False


def state_of(store: Store, cells: Sequence[Cell]) -> State:
    """Look at the folder: what is done, what runs, what is left."""
    needed = {node.digest: node for node in still_needed(store, cells)}
    everything = [node for node in in_order(cell.node for cell in cells) if node.kind != "given"]
    claims = store.claims
    done = [node for node in everything if store.is_done(node)]
    open_ones = [node for node in everything if node.digest in needed]
    running = [node for node in open_ones if claims.is_held(node.digest)]
    left = [node for node in open_ones if node not in running]
    means = {kind: _mean(store, done, kind) for kind in {node.kind for node in open_ones}}
    known = [means[node.kind] for node in open_ones]
    minutes = None if None in known else sum(value for value in known if value is not None)
    return State(tuple(done), tuple(running), tuple(left), minutes)


def still_needed(store: Store, cells: Sequence[Cell]) -> list[Node]:
    """Nodes to do for the cells that are not done, each after those it needs."""
    found: dict[str, Node] = {}

    def visit(node: Node) -> None:
        if node.digest not in found and not store.is_done(node):
            for below in node.needs.values():
                visit(below)
            found[node.digest] = node

    for cell in cells:
        visit(cell.node)
    return list(found.values())


def run_cells(
    store: Store,
    cells: Sequence[Cell],
    do: Callable[[Node], None],
    *,
    tell: Callable[[str], None],
    max_minutes: float | None = None,
    whole: Sequence[Cell] = (),
) -> Outcome:
    """Do what is left of ``cells``.

    Args:
        store: The folder.
        cells: What to do.
        do: Does one node whose needs are done.
        tell: Called with what happens, in words.
        max_minutes: Begin nothing new after so long.
        whole: The cells of the whole grid, for its table; by default ``cells``.

    Returns:
        How it ended. A node that fails keeps only the cells that need it from being done.
    """
    outcome, began = Outcome(), time.monotonic()
    whole = whole or cells
    waiting = False
    while True:
        needed = still_needed(store, cells)
        blocked = _blocked(needed, outcome)
        ready = [
            node
            for node in needed
            if node.digest not in blocked and all(map(store.is_done, node.needs.values()))
        ]
        if not ready:
            break
        if max_minutes is not None and time.monotonic() - began > 60 * max_minutes:
            outcome.out_of_time = True
            break
        if _do_first(store, ready, cells, do, outcome, tell):
            waiting = False
            _clear(store, whole)
            store.write_tables(whole)
            continue
        if not waiting:
            tell("waiting for what other processes are doing")
        waiting = True
        time.sleep(POLL_SECONDS)
    _clear(store, whole)
    store.write_tables(whole)
    return outcome


def _do_first(
    store: Store,
    ready: Sequence[Node],
    cells: Sequence[Cell],
    do: Callable[[Node], None],
    outcome: Outcome,
    tell: Callable[[str], None],
) -> bool:
    """Do the first node that nobody else does; False if there is none."""
    claims = store.claims
    for node in ready:
        with claims.taken(node.digest) as mine:
            if not mine:
                continue
            if store.is_done(node):  # by another, between our look and our claim
                return True
            tell(f"{_standing(store, cells)}  {node.label} ({node.digest[:8]})")
            if (failed := _failure(store, node, do)) is None:
                return True
            if all(map(store.is_done, node.needs.values())):
                outcome.failed[node.digest] = failed
                tell(f"failed: {failed}")
            else:
                tell("a part of it was deleted meanwhile: it is made again")
            return True
    return False


def _failure(store: Store, node: Node, do: Callable[[Node], None]) -> str | None:
    """Do a node; what went wrong, or None."""
    try:
        do(node)
    except AdapterkitError as error:
        return f"{node.label}: {error}"
    except Exception as error:  # a grid of a night goes on; the trace is kept
        path = store.note_failure(node, traceback.format_exc())
        return f"{node.label}: {error!r}, see {path}"
    return None


def _standing(store: Store, cells: Sequence[Cell]) -> str:
    """``[3/24, about 40 min left]``."""
    state = state_of(store, cells)
    count = len(state.running) + len(state.left)
    total = count + len(state.done)
    left = "" if state.minutes_left is None else f", about {state.minutes_left:.0f} min left"
    return f"[{len(state.done) + 1}/{total}{left}]"


def _blocked(needed: Sequence[Node], outcome: Outcome) -> set[str]:
    """Nodes that failed, or need one that did."""
    blocked = set(outcome.failed)
    for node in needed:
        if any(below.digest in blocked for below in node.needs.values()):
            blocked.add(node.digest)
    return blocked


def _clear(store: Store, cells: Sequence[Cell]) -> None:
    """Delete large parts that no open cell needs any more, also those that a killed process left.

    Those that were made for another table of the folder stay: its recipe deletes them.
    """
    wanted = {
        node.digest for cell in cells if not store.is_done(cell.node) for node in cell.node.all()
    }
    for node in in_order(cell.node for cell in cells):
        if node.kind in HEAVY and node.digest not in wanted and store.takes_room(node):
            with store.claims.taken(node.digest) as mine:
                # Not mine: a process with other cells is training it.
                if mine and not store.is_others(node):
                    store.drop(node)


def _mean(store: Store, done: Sequence[Node], kind: str) -> float | None:
    times = [store.minutes(node) for node in done if node.kind == kind]
    known = [value for value in times if value is not None]
    return sum(known) / len(known) if known else None
