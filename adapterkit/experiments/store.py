"""The folder of a grid: what is done, and where. Many processes may share it.

parts/DIGEST/        an adapter's folder (checkpoints in it while it is trained), or a fine-tuned backbone
parts/DIGEST.gone/   a part that is being deleted
parts/DIGEST.json    what it is and how long it took
cells/DIGEST.json    a cell's score and costs
predictions/DIGEST.jsonl   gold and predicted labels of its examples
claims/              who is doing what
table.csv, table.parquet   of the recipe; several recipes in one folder share parts and have a name each
"""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from adapterkit.errors import ConfigError
from adapterkit.experiments.claims import Claims
from adapterkit.experiments.nodes import Cell, Node
from adapterkit.files import create_once, read_json, write_bytes, write_json
from adapterkit.table import Row, has_parquet, ordered, write_table


class Store:
    """The folder of a grid.

    Args:
        root: The folder.
        table: Name of the tables in it, without ``.csv``.

    Raises:
        ConfigError: If that name is a path.
    """

    def __init__(self, root: Path, table: str = "table") -> None:
        if Path(table).name != table or table in ("", ".", ".."):
            raise ConfigError(f"table {table!r}: a name is needed, without folders")
        self.root = root
        self.table = root / f"{table}.csv"

    @property
    def claims(self) -> Claims:
        """The claims in it."""
        return Claims(self.root / "claims")

    def part(self, node: Node) -> Path:
        """Where a part is, or will be."""
        return self.root / "parts" / node.digest

    def is_done(self, node: Node) -> bool:
        """Whether a node needs no more work."""
        if node.kind == "given":
            return True
        if node.kind == "score":
            return self._cell(node).is_file()
        return (self.part(node).with_suffix(".json")).is_file() and self.part(node).is_dir()

    def finish_part(self, node: Node, record: dict[str, Any]) -> None:
        """Note that a part is done."""
        told = {
            "kind": node.kind,
            "label": node.label,
            "settings": node.settings,
            "table": self.table.stem,
        }
        write_json(self.part(node).with_suffix(".json"), {**told, **record})

    def predictions(self, node: Node) -> Path:
        """Where a cell's predictions are, relative to the folder."""
        return Path("predictions") / f"{node.digest}.jsonl"

    def finish_cell(self, node: Node, record: dict[str, Any]) -> None:
        """Note a cell's result."""
        write_json(self._cell(node), record)

    def note_seconds(self, node: Node, seconds: float) -> None:
        """Note how long a cell's scoring took, beside its result: it is no part of it."""
        write_json(self._cell(node).with_suffix(".time"), {"minutes": round(seconds / 60, 4)})

    def minutes(self, node: Node) -> float | None:
        """How long a node that is done took, where that is known."""
        if node.kind == "given" or not self.is_done(node):
            return None
        path = self._cell(node).with_suffix(".time")
        if node.kind == "score" and not path.is_file():
            return None
        record = read_json(path) if node.kind == "score" else self.record(node)
        return float(record["minutes"])

    def note_failure(self, node: Node, trace: str) -> Path:
        """Keep the trace of an error that nobody meant."""
        path = self.root / "failures" / f"{node.digest}.txt"
        write_bytes(path, trace.encode("utf-8"))
        return path

    def record(self, node: Node) -> dict[str, Any]:
        """What was noted of a node that is done."""
        path = self._cell(node) if node.kind == "score" else self.part(node).with_suffix(".json")
        return read_json(path)

    def row(self, cell: Cell) -> Row:
        """The table's row of a cell that is done."""
        values = {**self.record(cell.node), **cell.facts, "cell": cell.node.digest}
        return Row(**values)

    def rows(self, cells: Iterable[Cell]) -> list[Row]:
        """The rows of all cells that are done, in the table's order."""
        return ordered(self.row(cell) for cell in cells if self.is_done(cell.node))

    def write_tables(self, cells: Iterable[Cell]) -> None:
        """Write the table of all cells that are done: of two processes at once, whoever is last writes all."""
        cells, written = list(cells), None
        while (rows := self.rows(cells)) != written:
            write_table(self.table, rows)
            if has_parquet():
                write_table(self.table.with_suffix(".parquet"), rows)
            written = rows

    def settled(self, name: str, choose: Callable[[], str]) -> str:
        """A choice that was made once for the whole folder, by whoever came first."""
        path = self.root / "settled" / name
        if not path.is_file():
            create_once(path, json.dumps(choose()).encode())
        return str(json.loads(path.read_text()))

    def drop(self, node: Node) -> None:
        """Delete a part whose every use is over, or what a deletion that was cut off left of it."""
        gone = self._gone(node)
        shutil.rmtree(gone, ignore_errors=True)
        with contextlib.suppress(OSError):  # it is not there, or somebody was faster
            self.part(node).rename(gone)  # in one step: nobody finds half of it
        self.part(node).with_suffix(".json").unlink(missing_ok=True)
        shutil.rmtree(gone, ignore_errors=True)

    def is_others(self, node: Node) -> bool:
        """Whether a part that is done was made for another table, which may still need it."""
        return (
            self.is_done(node)
            and self.record(node).get("table", self.table.stem) != self.table.stem
        )

    def takes_room(self, node: Node) -> bool:
        """Whether anything of a part is there: done, begun or half deleted."""
        return self.part(node).exists() or self._gone(node).exists()

    def _gone(self, node: Node) -> Path:
        return self.part(node).with_suffix(".gone")

    def _cell(self, node: Node) -> Path:
        return self.root / "cells" / f"{node.digest}.json"
