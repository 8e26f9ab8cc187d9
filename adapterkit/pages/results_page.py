"""The page of a report: one file, no script, nothing from the network, light and dark, from phone to desk."""

from adapterkit.pages import words
from adapterkit.pages.findings import PanelFacts
from adapterkit.pages.panel_pictures import PanelPictures
from adapterkit.pages.rendering import render
from adapterkit.pages.report import Report
from adapterkit.pages.svg import DARK, LIGHT, STYLE


def page_of(report: Report, *, resamples: int = 1000) -> str:
    """Give the HTML of a report."""
    return render(
        "results.html",
        {
            "title": title_of(report),
            "r": report,
            "w": words,
            "light": LIGHT,
            "dark": DARK,
            "style": STYLE.strip(),
            "tasks": _by_task(report),
            "contents": contents_of(report),
            "counts": {
                "languages": len({row.language for row in report.study.rows}),
                "methods": len({row.method for row in report.study.rows}),
                "seeds": len({row.seed for row in report.study.rows}),
                "backbones": len({row.backbone for row in report.study.rows}),
            },
            "overlap": words.overlap_sentence(report.overlap) if report.overlap else "",
            "provenance": provenance_of(report),
            "resamples": resamples,
        },
    )


def title_of(report: Report) -> str:
    """What the page is about."""
    tasks = list(dict.fromkeys(one.panel.key.task for one in report.facts))
    return f"Does it transfer? {words.upper_first(words.listed([words.task_name(task) for task in tasks]))}"


def contents_of(report: Report) -> list[tuple[str, str]]:
    """Anchors and names of the sections that are there."""
    tasks = [
        (f"task-{n}", words.upper_first(name)) for n, (name, _) in enumerate(_by_task(report), 1)
    ]
    rest = [
        ("matrix", "Source by target", report.matrices),
        ("backbones", "Backbones", report.backbones),
        ("gain", "Where the gain comes from", report.scatters),
        ("curves", "Learning curves", report.curves or report.ablations),
        ("confusion", "Confusions", report.confused),
        ("choices", "Choices on dev sets", report.choices),
        ("about", "How to read this", True),
    ]
    return tasks + [(anchor, name) for anchor, name, there in rest if there]


def provenance_of(report: Report) -> list[str]:
    """Recipes, backbones with digests and versions that the rows name, each once."""
    rows = report.study.rows
    facts = [
        *(f"recipe {row.recipe}" for row in rows if row.recipe),
        *(f"backbone {row.backbone} {row.backbone_digest}" for row in rows if row.backbone),
        *(f"torch {row.torch}" for row in rows if row.torch),
        *(f"transformers {row.transformers}" for row in rows if row.transformers),
        *(f"adapterkit {row.adapterkit}" for row in rows if row.adapterkit),
    ]
    return list(dict.fromkeys(facts))


def _by_task(report: Report) -> list[tuple[str, list[tuple[PanelFacts, PanelPictures]]]]:
    tasks: dict[str, list[tuple[PanelFacts, PanelPictures]]] = {}
    for one, pictures in zip(report.facts, report.pictures, strict=True):
        tasks.setdefault(words.task_name(one.panel.key.task), []).append((one, pictures))
    return list(tasks.items())
