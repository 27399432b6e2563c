"""The paper's tables and figures with our figures beside the printed ones: one HTML page, one in Markdown."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from longreach.errors import RunError
from longreach.files import write_text
from longreach.recipes.paper import PaperTable, Scale
from longreach.recipes.tables import TABLES
from longreach.report.claims import Verdict, verdicts
from longreach.report.html import render
from longreach.report.orderings import Ordering, label, orderings
from longreach.report.own_table import own_table_page
from longreach.report.paper_figures import draw
from longreach.report.standing import standing
from longreach.report.update_times import UpdateTimes
from longreach.report.weights import count_weights
from longreach.reproduce.jobs import OWN_TABLES
from longreach.reproduce.records import Results

TITLE = "The paper's tables and figures, and ours"

INTRODUCTION = (
    "Made by longreach report from the records of runs. Ours: mean ± half of the 95 % interval (Student's t over "
    "seeds) on the test set, after the last update, in the unit that the paper prints. Weights: of the classifier, and "
    "+ those of the auxiliary networks, which are left behind after training. The small scale uses other, smaller data "
    "than the paper, named in each section and in the names of its recipes: what it can show is the order of the "
    "methods, not the printed value. A pair is clearly apart where the intervals are."
)

SCALES: tuple[Scale, ...] = ("paper", "small")

HEADER = ("data", "model", "printed", "paper's scale", "weights", "small scale", "weights", "device")

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
    """

    table: PaperTable
    rows: list[tuple[str, ...]]
    drawing: str | None
    findings: list[tuple[Scale, list[Ordering], list[Verdict]]]
    times: UpdateTimes | None = None

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
    for row in table.rows:
        line = table.printed(row)
        cells, devices = [], set()
        for scale in SCALES:
            recipe, found = row.recipe(scale), standing(table, row, scale, results)
            if recipe is None or found is None:
                cells += ["", ""]
                continue
            if found.records:
                run.add(scale)
                devices.add(found.device)
            cells += [found.shown, count_weights(recipe()).shown]
        printed = "" if line is None else line.value
        rows.append((row.dataset, label(row), printed, *cells, ", ".join(sorted(devices))))
    findings = [
        (scale, orderings(table, scale, results), verdicts(table, scale, results)) for scale in SCALES if scale in run
    ]
    return Section(table, rows, draw(table, results, times), findings, times)


def markdown(held: Sequence[Section], images: str) -> str:
    """The page in Markdown.

    Args:
        held: from `sections`.
        images: folder of the drawings, as the page names it.
    """
    lines = [f"# {TITLE}", "", INTRODUCTION, ""]
    for section in held:
        lines += [f"## {section.title}", ""]
        if section.drawing is not None:
            lines += [f"![{section.title}]({images}/{section.table.name}.svg)", ""]
        for scale, orders, claims in section.findings:
            lines += [f"At the {scale} scale{_stand_in(section.table, scale)}:", ""]
            lines += [f"- {words}" for words in _findings(orders, claims)]
            lines += [""]
        if not section.findings:
            lines += ["Nothing of it has been run yet.", ""]
        if section.times is not None:
            header, cells = _times_table(section.times)
            lines += [_times_words(section.times), "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
            lines += ["| " + " | ".join(row) + " |" for row in cells]
            lines += [""]
        lines += ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
        lines += ["| " + " | ".join(row) + " |" for row in section.rows]
        lines += [""]
    return "\n".join(lines)


def html(held: Sequence[Section]) -> str:
    """The page in HTML, drawings embedded."""
    entries = [
        {
            "title": section.title,
            "drawing": None if section.drawing is None else _data_uri(section.drawing),
            "findings": [
                (f"At the {scale} scale{_stand_in(section.table, scale)}", _findings(orders, claims))
                for scale, orders, claims in section.findings
            ],
            "rows": section.rows,
            "times": None if section.times is None else (_times_words(section.times), *_times_table(section.times)),
        }
        for section in held
    ]
    return render(
        "paper.html",
        {
            "title": "The paper's tables and figures, and ours",
            "introduction": INTRODUCTION,
            "sections": entries,
            "header": HEADER,
        },
    )


def _times_words(times: UpdateTimes) -> str:
    return f"Seconds per update ({times.told}):"


def _times_table(times: UpdateTimes) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a model each, a column for each length."""
    steps = sorted({length for found in times.seconds.values() for length in found})
    rows = []
    for model, found in times.seconds.items():
        taken = [found.get(length) for length in steps]
        rows.append([model, *("–" if seconds is None else f"{seconds:.2f}" for seconds in taken)])
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
    """Every file of a report, by its name within the folder."""
    held = sections(results, times)
    pages = {"paper.html": html(held), "paper.md": markdown(held, "images")}
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


def _stand_in(table: PaperTable, scale: Scale) -> str:
    return f" ({table.stand_in})" if scale == "small" else ""


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
