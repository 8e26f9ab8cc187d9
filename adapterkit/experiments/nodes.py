"""Pieces of work and what each stands on: a grid as a graph, addressed by what is in it.

A node's digest is over its settings (every one of them, decided; the data by its digest) and over the nodes it
needs. Two cells that need the same adapter need the same node, so it is trained once, whoever trains it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

KINDS = ("given", "language", "task", "self", "continued", "full", "score")


@dataclass(frozen=True, eq=False)
class Node:
    """One piece of work.

    Attributes:
        kind: ``given`` (an adapter that is there already), ``language``, ``task``, ``self`` (a task adapter
            that went on with its own labels), ``continued`` (the backbone trained on raw text), ``full``
            (fine-tuned whole), ``score``.
        settings: Plain JSON values.
        needs: What must be done before, by the part it plays.
        label: For people.
    """

    kind: str
    settings: dict[str, Any]
    needs: dict[str, "Node"] = field(default_factory=dict)
    label: str = ""

    @cached_property
    def digest(self) -> str:
        """Of kind, settings and needs; 24 hexadecimal digits."""
        record = {
            "kind": self.kind,
            "settings": self.settings,
            "needs": {role: node.digest for role, node in self.needs.items()},
        }
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:24]

    def all(self) -> Iterator["Node"]:
        """The nodes below it, then itself; one that is needed twice comes twice."""
        for node in self.needs.values():
            yield from node.all()
        yield self


@dataclass(frozen=True)
class Cell:
    """One row of the table to be: a score node, and where it stands in the grid.

    Attributes:
        node: Of kind ``score``.
        facts: The table's columns that the grid knows: task, dataset, language, group, split, method,
            seed, backbone, source and so on.
        own: The parts of ``node.needs`` that are trained for this language alone.
    """

    node: Node
    facts: dict[str, Any]
    own: tuple[str, ...] = ()


def in_order(nodes: Iterable[Node]) -> list[Node]:
    """All nodes below and among ``nodes``, each once, after those it needs."""
    return list({node.digest: node for top in nodes for node in top.all()}.values())
