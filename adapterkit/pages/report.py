"""`report`: from a table of results to a page, its pictures, a text and a record of what was found.

Here everything is put together once, as a `Report`; the page, the text and the JSON record say the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapterkit.errors import ConfigError, CorpusError, FolderError
from adapterkit.files import read_json
from adapterkit.pages.backbones import BackboneFacts, compare_backbones
from adapterkit.pages.curves import find_ablations, find_curves
from adapterkit.pages.findings import (
    BLENDED,
    OWN,
    RIVALS,
    PanelFacts,
    find_facts,
)
from adapterkit.pages.panel_pictures import PanelPictures, draw_panel
from adapterkit.pages.record import panel_record
from adapterkit.pages.sections import (
    Confused,
    Matrix,
    find_confusion,
    find_matrices,
    find_scatters,
)
from adapterkit.pages.study import Study, make_study
from adapterkit.pages.svg import Picture, renamed
from adapterkit.pages.variants import rejoined, variants_of
from adapterkit.pages.words import group_name, in_several, summary_of, task_name
from adapterkit.table import SOURCE, read_table, read_tables


@dataclass(frozen=True)
class Report:
    """Everything that a page says.

    Attributes:
        table: The tables' file names.
        study: Its rows, in panels.
        backbones: The methods looked at, on each backbone; empty if there is only one.
        own: The method that is looked at closely.
        rivals: What it is measured against, of those that the table has.
        facts: Of the panels reported on: test sets, or whatever there is where there are none.
        choices: Of the other panels, on which things were chosen.
        pictures: The drawings of each panel of ``facts``.
        left_out: Why each section that is not there is not there.
        notes: What a reader has to know about the intervals.
        overlap: Test sentences counted in training text, as `recipes/overlap.py` wrote them.
    """

    table: str
    study: Study
    own: str
    rivals: tuple[str, ...]
    facts: tuple[PanelFacts, ...]
    choices: tuple[PanelFacts, ...]
    pictures: tuple[PanelPictures, ...]
    backbones: tuple[BackboneFacts, ...]
    matrices: tuple[Matrix, ...]
    scatters: tuple[Picture, ...]
    curves: tuple[Picture, ...]
    ablations: tuple[Picture, ...]
    confused: Confused | None
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    overlap: tuple[dict[str, Any], ...]

    def summary(self) -> list[list[str]]:
        """Sentences about each panel; one of a single language is left to its table."""
        targets = [one for one in self.facts if one.panel.key.group != SOURCE]
        several = [one for one in targets if len(one.panel.languages) > 1]
        keys = [one.panel.key for one in several or targets]
        backbones = len({key.backbone for key in keys}) > 1
        splits = len({key.split for key in keys}) > 1
        return [
            summary_of(one, self.own, self.rivals, backbone=backbones, split=splits)
            for one in several or targets
        ]

    def drawings(self) -> list[Picture]:
        """Every picture of the page, under names that differ."""
        panels = [p for one in self.pictures for p in (one.methods, one.scores, one.gains) if p]
        matrices = [matrix.picture for matrix in self.matrices]
        confused = [self.confused.picture] if self.confused else []
        rest = [*matrices, *self.scatters, *self.curves, *self.ablations, *confused]
        return renamed([*panels, *rest])

    def as_dict(self) -> dict[str, Any]:
        """As ``--json`` prints it; scores are fractions."""
        return {
            "table": self.table,
            "own": self.own,
            "rivals": list(self.rivals),
            "summary": [" ".join(sentences) for sentences in self.summary()],
            "panels": [panel_record(one) for one in self.facts],
            "choices": [panel_record(one) for one in self.choices],
            "left_out": list(self.left_out),
            "notes": list(self.notes),
        }


def make_report(
    tables: str | Path | Sequence[str | Path],
    *,
    own: str | None = None,
    rivals: Sequence[str] = RIVALS,
    cell: str | None = None,
    overlap: str | Path | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> Report:
    """Read a table and find out what it says.

    Args:
        tables: One or several, ``.csv`` or ``.parquet``, as `adapterkit run` writes them; predictions lie
            beside each. A cell that stands in several counts once.
        own: The method that is looked at closely; by default ``own-blended`` where the first table has it,
            else ``own``. Of a method in several settings one of these, by the name that it has in the report.
        rivals: What every method is measured against, as ``own`` is named; those that the table lacks are
            left out. A name that holds commas may come in the parts between them.
        cell: The cell whose confusions are shown, or the beginning of its digest; by default that
            of the worst language.
        overlap: The file that `recipes/overlap.py` wrote.
        seed: Of the bootstrap; the same table and seed give the same report.
        resamples: How many times everything is drawn anew.

    Raises:
        ConfigError: If the table, a prediction or a name is wrong.
    """
    files = [Path(tables)] if isinstance(tables, str | Path) else [Path(one) for one in tables]
    rows, folder = read_tables(files)
    own = own or usual_method(files[0])
    study = make_study(rows, folder=folder, seed=seed, resamples=resamples)
    tests = [p for p in study.panels if p.key.split == "test" and p.key.group != "dev"]
    reported = tests or list(study.panels)
    others = [panel for panel in study.panels if panel not in reported]
    rivals = rejoined(rivals, study.methods)
    present = tuple(r for r in rivals if r in study.methods and r != own)
    facts = find_facts(study, reported, own=own, rivals=present, seed=seed)
    plain = next((row.method for p in study.panels for row in p.rows.get(own, ())), own)
    looked_at = [row for panel in reported for row in panel.rows.get(own, ())]
    rival = present[0] if present else ""
    report = Report(
        table=" ".join(file.name for file in files),
        study=study,
        own=own,
        rivals=present,
        facts=facts,
        choices=find_facts(study, others, own=own, rivals=present, seed=seed),
        pictures=tuple(draw_panel(one, own, present) for one in facts),
        backbones=tuple(compare_backbones(facts, (own, *present), seed=seed)),
        matrices=tuple(find_matrices(study.panels, own)),
        scatters=tuple(find_scatters(facts, rival)) if rival else (),
        curves=tuple(find_curves(looked_at)),
        ablations=tuple(find_ablations(rows, plain)),
        confused=find_confusion(study.rows, folder=folder, facts=facts, own=own, cell=cell),
        left_out=(),
        notes=study.notes,
        overlap=tuple(read_overlap(Path(overlap))) if overlap else (),
    )
    return _with_reasons(report, rivals)


def usual_method(table: Path) -> str:
    """The method that a table is about where none is named: what training gives by default.

    Raises:
        ConfigError: As `read_table`.
    """
    return BLENDED if any(row.method == BLENDED for row in read_table(table)) else OWN


def read_overlap(path: Path) -> list[dict[str, Any]]:
    """Read the counts that `recipes/overlap.py` wrote.

    Raises:
        ConfigError: If the file is no such record.
    """
    try:
        sets = read_json(path)["sets"]
        return [
            {
                "name": str(one["name"]),
                "sentences": int(one["sentences"]),
                "repeated": int(one["repeated"]),
                "short": int(one["short"]),
                "sources": {str(k): int(v) for k, v in one["sources"].items()},
                "exempt": bool(one["exempt"]),
            }
            for one in sets
        ]
    except (FolderError, CorpusError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{path}: is no count of overlaps ({error}); `python recipes/overlap.py` writes one"
        ) from None


def _with_reasons(report: Report, wanted: Sequence[str]) -> Report:
    rows = report.study.rows
    reasons = {
        **dict.fromkeys(_missing_rivals(report, wanted), True),
        "Gap to the language of the labels: no method of the table was scored there": not any(
            one.home for one in report.facts
        ),
        "Transfer matrix: each task has labels of one source only": not report.matrices,
        "Gain against text size and tokenizer coverage: fewer than four languages have both a gain "
        "and a text": not report.scatters,
        "Learning curves: no cell has held-out losses from more than one step": not report.curves,
        "Scores against text size and steps: no language was run with several": not report.ablations,
        "Confusions: no cell of the method has predictions beside the table": report.confused
        is None,
        "Costs: no cell notes minutes, trained numbers or bytes": all(
            row.minutes is None and row.trained_parameters is None and row.bytes is None
            for row in rows
        ),
        "Choices on dev languages: the table has no such rows": not report.choices,
        "Overlap of test sets and training text: no count was given (--overlap)": not report.overlap,
    }
    return replace(report, left_out=tuple(f"{why}." for why, holds in reasons.items() if holds))


def _missing_rivals(report: Report, wanted: Sequence[str]) -> list[str]:
    """Why there is nothing over some of the rivals; those that the table lacks together."""
    known = report.study.methods
    missing = [r for r in wanted if r not in report.rivals and r != report.own]
    lacking = [r for r in missing if not variants_of(r, known)]
    said = [
        f"Gains over {r}: it {in_several(variants_of(r, known))}; choose one with --rivals"
        for r in missing
        if r not in lacking
    ]
    if lacking:
        names = "" if set(lacking) <= set(RIVALS) else f"; its methods are: {', '.join(known)}"
        said.append(f"Gains over {', '.join(lacking)}: the table has no such method{names}")
    for facts in report.facts:
        here = facts.panel.grids
        key = facts.panel.key
        where = f"{task_name(key.task)}, languages {group_name(key.group)}"
        said += [
            f"Gains over {r}, {where}: it {in_several(variants_of(r, here))}; choose one with --rivals"
            for r in report.rivals
            if r not in here and variants_of(r, here)
        ]
    return said
