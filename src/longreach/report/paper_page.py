"""The paper's tables and figures with our figures beside the printed ones: one HTML page, one in Markdown."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from longreach.errors import RunError
from longreach.files import write_text
from longreach.recipes.own_tables import OWN_TABLES
from longreach.recipes.paper import PaperTable, Row, Scale, printed_lines
from longreach.recipes.tables import TABLES
from longreach.report.budget_runs import BUDGET_HEADER, BUDGET_IMAGE, BUDGET_TITLE, BUDGET_WORDS, NO_BUDGET_RUN, Budget
from longreach.report.claim import Verdict
from longreach.report.claims import verdicts
from longreach.report.html import render
from longreach.report.naming import about, data_name, label
from longreach.report.orderings import Ordering, orderings
from longreach.report.own_table import own_table_page
from longreach.report.paper_figures import draw
from longreach.report.standing import Standing, standing
from longreach.report.update_times import UpdateTimes
from longreach.report.weights import count_weights
from longreach.reproduce.records import Results

TITLE = "The paper's tables and figures, and ours"

INTRODUCTION = (
    "Made by longreach report from the records of runs. Ours: mean ± half of the 95 % interval (Student's t over "
    "seeds) on the test set, after the last update, in what the paper prints at that place: accuracy, error, in "
    "Figure 6 the change against all parts (paired over the same seeds), in Figure 5 the accuracy at the first "
    "evaluation and at the end. Weights: of the classifier, and + those of the auxiliary networks, which are left "
    "behind after training. The small scale uses other, smaller data and other numbers of steps than the paper, named "
    "in each section and in every row: what it can show is the order of the methods, not the printed value. A pair is "
    "clearly apart where the intervals are; what the paper says in words holds, does not hold, or is not clear, by the "
    "same rule, and is not known while a run that could overturn it is missing or has failed. What did not fit into "
    "memory has no figure: it is named, and cannot overturn what is said of others. A single seed has no interval: "
    "what rests on one is told as that seed's."
)

SCALES: tuple[Scale, ...] = ("paper", "small")

HEADER = (
    "data",
    "model",
    "printed",
    "ours, paper's scale",
    "weights",
    "device",
    "ours, small scale",
    "small run: data, setting",
    "weights",
    "device",
)

_SHOWN_CONTRARY = 6
"""Pairs in the other order that are named, the widest apart."""


@dataclass(frozen=True)
class Section:
    """A table or figure, ready to be written down.

    Args:
        table: of the paper.
        rows: cells under `HEADER`.
        drawing: an SVG file, or None.
        findings: for each scale that was run: its name, the order of each dataset, the claims with their verdicts.
        times: of single updates; None but for Figure 3.
        is_run: whether a row has anything to show.
    """

    table: PaperTable
    rows: list[tuple[str, ...]]
    drawing: str | None
    findings: list[tuple[Scale, list[Ordering], list[Verdict]]]
    times: UpdateTimes | None = None
    is_run: bool = False

    @property
    def nothing(self) -> str:
        """What is said where no row was trained; empty otherwise."""
        if self.findings or self.is_run:
            return ""
        if self.times is not None:
            return "No row of it has been run yet, so there is no accuracy; single updates were timed."
        return "Nothing of it has been run yet."

    @property
    def title(self) -> str:
        """The name as printed and what is shown."""
        name = self.table.name
        return f"{name[:-1].capitalize()} {name[-1]}. {self.table.title}"


def sections(results: Results, times: UpdateTimes | None = None) -> list[Section]:
    """Every table and figure of the paper.

    Args:
        results: the records.
        times: of single updates, for Figure 3.
    """
    return [_section(table, results, times if table.name == "figure3" else None) for table in TABLES]


def _section(table: PaperTable, results: Results, times: UpdateTimes | None) -> Section:
    rows: list[tuple[str, ...]] = []
    run: set[Scale] = set()
    is_run = False
    for row in table.rows:
        line = table.printed(row)
        cells: list[str] = []
        for scale in SCALES:
            found = standing(table, row, scale, results)
            cells += _cells(row, scale, found)
            if found is not None and (found.records or found.infeasible):
                run.add(scale)
            is_run |= found is not None and found.is_run
        rows.append((row.dataset, label(row), "" if line is None else line.value, *cells))
    findings = [
        (scale, orderings(table, scale, results), verdicts(table, scale, results)) for scale in SCALES if scale in run
    ]
    return Section(table, rows, draw(table, results, times), findings, times, is_run)


def _cells(row: Row, scale: Scale, found: Standing | None) -> list[str]:
    """What stands in a row for one scale; the small one says what was run, as it is not what the row is called."""
    recipe = row.recipe(scale)
    if recipe is None or found is None:
        return [""] * (4 if scale == "small" else 3)
    config = recipe()
    run = [f"{data_name(config.data)}: {about(recipe)}"] if scale == "small" else []
    return [found.shown, *run, count_weights(config).shown, found.device]


def markdown(held: Sequence[Section], images: str, budget: Budget | None = None) -> str:
    """The page in Markdown.

    Args:
        held: from `sections`.
        images: folder of the drawings, as the page names it.
        budget: from `Budget.of`; None for a page without that section.
    """
    lines = [f"# {TITLE}", "", INTRODUCTION, ""]
    for section in held:
        lines += [f"## {section.title}", ""]
        if section.drawing is not None:
            lines += [f"![{section.title}]({images}/{section.table.name}.svg)", ""]
        for scale, orders, claims in section.findings:
            lines += [f"{_heading(section.table, scale)}:", ""]
            lines += [f"- {words}" for words in _findings(orders, claims)]
            lines += [""]
        if section.nothing:
            lines += [section.nothing, ""]
        if section.times is not None:
            lines += [_times_words(section.times), "", *_table(*_times_table(section.times)), ""]
        lines += [*_table(HEADER, section.rows), ""]
        if section.table.note:
            lines += [section.table.note, ""]
    if budget is not None:
        lines += [f"## {BUDGET_TITLE}", "", BUDGET_WORDS, ""]
        if budget.drawing is not None:
            lines += [f"![{BUDGET_TITLE}]({images}/{BUDGET_IMAGE})", ""]
        lines += [*_table(BUDGET_HEADER, budget.rows), ""] if budget.rows else [NO_BUDGET_RUN, ""]
    return "\n".join(lines)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of Markdown."""
    return [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def html(held: Sequence[Section], budget: Budget | None = None) -> str:
    """The page in HTML, drawings embedded; arguments as for `markdown`."""
    entries = [
        {
            "title": section.title,
            "drawing": None if section.drawing is None else _data_uri(section.drawing),
            "findings": [
                (_heading(section.table, scale), _findings(orders, claims))
                for scale, orders, claims in section.findings
            ],
            "nothing": section.nothing,
            "rows": section.rows,
            "note": section.table.note,
            "times": None if section.times is None else (_times_words(section.times), *_times_table(section.times)),
        }
        for section in held
    ]
    return render(
        "paper.html",
        {
            "title": TITLE,
            "introduction": INTRODUCTION,
            "sections": entries,
            "header": HEADER,
            "budget": None
            if budget is None
            else {
                "title": BUDGET_TITLE,
                "words": BUDGET_WORDS if budget.rows else f"{BUDGET_WORDS} {NO_BUDGET_RUN}",
                "drawing": None if budget.drawing is None else _data_uri(budget.drawing),
                "header": BUDGET_HEADER,
                "rows": budget.rows,
            },
        },
    )


def _times_words(times: UpdateTimes) -> str:
    printed = [line for line in printed_lines() if (line.where, line.metric) == ("figure3", "seconds per update")]
    said = "; ".join(f"{line.model} at {line.setting}: {line.value}" for line in printed)
    return f"Seconds per update ({times.told}). Printed in the text: {said}."


def _times_table(times: UpdateTimes) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a model each, a column for each length."""
    steps = sorted({length for found in times.seconds.values() for length in found})
    rows = [[model, *(times.shown(model, length) for length in steps)] for model in times.seconds]
    return ["model", *(f"{length:,}" for length in steps)], rows


def write_report(results: Results, out: Path, times: UpdateTimes | None = None) -> list[Path]:
    """Write paper.html, paper.md with its drawings, and a page for each table of our own.

    Args:
        results: the records.
        out: folder of the pages.
        times: of single updates, for Figure 3.

    Returns:
        What was written.

    Raises:
        RunError: it cannot be written, or a record that is none.
    """
    pages = report_files(results, times)
    try:
        for name, text in pages.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            write_text(out / name, text)
    except OSError as error:
        raise RunError(f"{out}: cannot write there ({error.strerror}); give another folder with --out") from None
    return [out / name for name in pages]


def report_files(results: Results, times: UpdateTimes | None = None) -> dict[str, str]:
    """Every file of a report, by its name within the folder.

    Raises:
        RunError: no folder of records, or a record that is none.
    """
    results.check_folder()
    held, budget = sections(results, times), Budget.of(results)
    pages = {"paper.html": html(held, budget), "paper.md": markdown(held, "images", budget)}
    if budget.drawing is not None:
        pages[f"images/{BUDGET_IMAGE}"] = budget.drawing
    pages |= {f"images/{one.table.name}.svg": one.drawing for one in held if one.drawing is not None}
    for name, _ in OWN_TABLES:
        page = own_table_page(name, results)
        if page is not None:
            pages[f"{name}.md"] = page
    return pages


def outdated_pages(results: Results, out: Path, times: UpdateTimes | None = None) -> list[str]:
    """Files of a report that are missing, or other than the records make them."""
    made = report_files(results, times)
    return [
        name
        for name, text in made.items()
        if not (out / name).is_file() or (out / name).read_text(encoding="utf-8") != text
    ]


def _heading(table: PaperTable, scale: Scale) -> str:
    return f"At the {scale} scale" + (f" ({table.stand_in})" if scale == "small" else "")


def _findings(orders: Sequence[Ordering], claims: Sequence[Verdict]) -> list[str]:
    said: list[str] = []
    for order in orders:
        said.append(order.words())
        said += [f"in the other order: {pair.words()}" for pair in order.contrary[:_SHOWN_CONTRARY]]
        if len(order.contrary) > _SHOWN_CONTRARY:
            said.append(f"and {len(order.contrary) - _SHOWN_CONTRARY} more")
    return said + [f"{verdict.words}: {verdict.shown}" for verdict in claims]


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")
