"""The text of a report, `docs/results.md`: the same facts as the page, as Markdown.

What to do with them, the decision list, is for people to write; everything here is made from the table.
"""

from collections.abc import Iterable, Sequence

from adapterkit.pages import words
from adapterkit.pages.backbones import BackboneFacts
from adapterkit.pages.findings import LanguageFacts, PanelFacts
from adapterkit.pages.report import Report
from adapterkit.pages.results_page import provenance_of, title_of


def text_of(report: Report, *, resamples: int = 1000) -> str:
    """Give the Markdown of a report."""
    parts = [
        f"# {title_of(report)}",
        f"Made by `adapterkit report {report.table} --markdown`. Scores are per cent, differences points. Brackets "
        f"are 95 % intervals from {resamples} resamples of "
        f"{words.drawn(len(report.study.rows), report.study.unsampled)}. A difference whose interval holds 0 is no reliable gain. "
        "Differences are over the languages and seeds that both methods have. " + words.CAUTION,
        _bullets(" ".join(sentences) for sentences in report.summary()),
    ]
    for one in report.facts:
        parts += _panel(one, report)
    if report.backbones:
        parts += ["## Backbones side by side", _backbones(report.backbones)]
    if report.choices:
        parts += ["## What was chosen on dev sets", "Nothing here is a result."]
        for one in report.choices:
            parts += [f"### {_title(one)}", _methods(one, report.rivals)]
    if report.overlap:
        parts += ["## Test sentences in training text", *_overlap(report)]
    parts += [
        "## Notes",
        _bullets([*report.notes, *(f"Left out: {why}" for why in report.left_out)]),
    ]
    parts += ["Made from:", _bullets(f"`{fact}`" for fact in provenance_of(report))]
    return _plain("\n\n".join(part for part in parts if part) + "\n")


def _plain(markdown: str) -> str:
    """Without HTML and links: there are none in a report, but strangers may have named what is in its table."""
    return markdown.replace("<", "&lt;").replace("](", "]\\(")


def _panel(facts: PanelFacts, report: Report) -> list[str]:
    parts = [f"## {_title(facts)}", _methods(facts, report.rivals)]
    if not facts.languages:
        return parts
    if facts.worst is not None and len(facts.languages) > 1:
        worst = facts.worst
        parts.append(
            f"Worst language: **{worst.name}** ({worst.codes}) with "
            f"{words.percent(worst.scores[report.own])}{words.gap_to_home(facts)}."
        )
    for rival in report.rivals:
        lost = words.worst_named(facts.languages, rival)
        if lost:
            parts.append(f"Reliably worse than {rival} in {words.listed(lost)}.")
    return [*parts, _languages(facts, report), _costs(facts.languages)]


def _title(facts: PanelFacts) -> str:
    key = facts.panel.key
    name = words.upper_first(words.task_name(key.task))
    heading = words.lower_first(words.heading(key))
    return f"{name}: {heading}, {key.backbone or 'unnamed backbone'}"


def _methods(facts: PanelFacts, rivals: Sequence[str]) -> str:
    metric = words.metric_name(facts.panel.key.metric)
    rivals = facts.those_run(rivals)
    header = [
        *("method", metric, *(f"over {rival}" for rival in rivals), "languages", "seeds"),
        *("minutes", "trained numbers", "on disk"),
    ]
    return _table(
        header,
        (
            [
                f"`{m.method}`",
                words.scored(m.mean),
                *(words.gained(m.gains[rival], m.sets) for rival in rivals),
                words.languages_of(m),
                words.seeds_of(m),
                words.minutes(m.cost.minutes),
                words.amount(m.cost.parameters),
                words.sized(m.cost.bytes),
            ]
            for m in facts.methods
        ),
    )


def _languages(facts: PanelFacts, report: Report) -> str:
    header, rivals = ["language", report.own], facts.those_run(report.rivals)
    for rival in rivals:
        header += [rival, f"over {rival}"]
    rows = []
    for one in facts.languages:
        row = [f"{one.name} ({one.codes})", words.percent(one.scores[report.own])]
        for rival in rivals:
            row += [words.percent(one.scores.get(rival)), words.gained(one.gains[rival])]
        rows.append([*row, *([words.percent(one.to_home)] if facts.home else [])])
    return _table([*header, *([f"below {facts.home.name}"] if facts.home else [])], rows)


def _costs(languages: Iterable[LanguageFacts]) -> str:
    header = [
        "language",
        "minutes",
        "trained numbers",
        "on disk",
        "text",
        "unknown",
        "pieces a word",
    ]
    return _table(
        header,
        (
            [
                f"{one.name} ({one.codes})",
                words.minutes(one.cost.minutes),
                words.amount(one.cost.parameters),
                words.sized(one.cost.bytes),
                words.sized(one.text_bytes),
                words.share(one.unknown_share),
                words.number(one.pieces_per_word),
            ]
            for one in languages
        ),
    )


def _backbones(backbones: Sequence[BackboneFacts]) -> str:
    names = backbones[0].names
    over = [f"{names[0]} over {name}" for name in names[1:]]
    rows = (
        [
            f"{words.task_name(one.task)}, {one.group}, {one.method}",
            *(words.scored(one.scores[name]) if name in one.scores else "–" for name in names),
            *(words.gained(one.gains.get(name)) for name in names[1:]),
        ]
        for one in backbones
    )
    return _table(["task, group, method", *names, *over], rows)


def _overlap(report: Report) -> list[str]:
    found = [one for one in report.overlap if one["repeated"]]
    rows = (
        [
            one["name"] + (" (exempt)" if one["exempt"] else ""),
            f"{one['sentences']:,}",
            str(one["repeated"]),
            str(one["short"]),
            ", ".join(f"{name} {count}" for name, count in one["sources"].items()),
        ]
        for one in found
    )
    header = ["test set", "sentences", "repeated", "of these short", "where"]
    return [words.overlap_sentence(report.overlap), _table(header, rows) if found else ""]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(words_: str) -> str:
    return words_.replace("|", "\\|")


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
