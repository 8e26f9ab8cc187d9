"""The backbones of a table side by side: one method on each, in the same languages."""

from collections.abc import Sequence
from dataclasses import dataclass

from adapterkit.metrics import Score
from adapterkit.pages.findings import Gain, PanelFacts, gain
from adapterkit.resampling import mean


@dataclass(frozen=True)
class BackboneFacts:
    """One method on several backbones, in the languages of one group.

    Attributes:
        task: The task.
        group: The group.
        method: The method.
        names: The backbones of the whole table; the first is the reference.
        scores: Of each backbone that was run here.
        gains: Of the reference over each other one.
    """

    task: str
    group: str
    method: str
    names: tuple[str, ...]
    scores: dict[str, Score]
    gains: dict[str, Gain | None]

    @property
    def reference(self) -> str:
        """The backbone whose gains are given."""
        return self.names[0]


def compare_backbones(
    facts: Sequence[PanelFacts], methods: Sequence[str], *, seed: int = 0
) -> list[BackboneFacts]:
    """Put the backbones of a table side by side; nothing, if it has only one.

    The reference is the backbone that most methods were run on; of several, the last by name, which
    of versions is the newest.
    """
    runs: dict[str, int] = {}
    for one in facts:
        runs[one.panel.key.backbone] = runs.get(one.panel.key.backbone, 0) + len(one.methods)
    names = tuple(sorted(runs, key=lambda name: (runs[name], name), reverse=True))
    if len(names) < 2:
        return []
    places: dict[tuple[str, str, str, str], dict[str, PanelFacts]] = {}
    for one in facts:
        key = one.panel.key
        places.setdefault((key.task, key.metric, key.split, key.group), {})[key.backbone] = one
    found = []
    for (task, _, _, group), panels in places.items():
        for method in methods:
            there = {name: p for name, p in panels.items() if method in p.panel.grids}
            if len(there) > 1:
                grids = {name: p.panel.grids[method] for name, p in there.items()}
                scores = {name: mean(grid, seed=seed) for name, grid in grids.items()}
                first = grids.get(names[0])
                gains = {
                    name: None if first is None else gain(first, grid, seed=seed)
                    for name, grid in grids.items()
                    if name != names[0]
                }
                found.append(BackboneFacts(task, group, method, names, scores, gains))
    return found
