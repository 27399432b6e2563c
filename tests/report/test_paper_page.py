"""Ours beside what is printed: values, intervals, the order of methods, the claims, both pages and the drawings."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from longreach.data.bundled import mnist14
from longreach.data.pixels import pixel_sequences
from longreach.recipes import find_recipe
from longreach.recipes.paper import PaperTable, Row
from longreach.recipes.tables import TABLES, find_table
from longreach.report.claims import CLAIMS, first_evaluation, verdicts
from longreach.report.orderings import orderings
from longreach.report.paper_figures import draw, mean_curve
from longreach.report.paper_page import HEADER, html, markdown, outdated_pages, sections, write_report
from longreach.report.standing import printed_number, standing
from longreach.report.weights import count_weights
from longreach.reproduce.records import Results
from longreach.training.build import build_objective

Save = Callable[..., None]


def row_of(table: PaperTable, model: str, setting: str, dataset: str | None = None) -> Row:
    return next(r for r in table.rows if (r.model, r.setting) == (model, setting) and dataset in (None, r.dataset))


def test_mean_and_interval(results: Results, save: Save) -> None:
    table = find_table("table2")
    row = row_of(table, "r-LSTM", "truncate 300", "MNIST")
    save(table, row, 0.90, 0.92, 0.97)
    found = standing(table, row, "small", results)
    assert found is not None
    assert found.mean == pytest.approx(93.0)
    # Student's t with two degrees of freedom at 97.5 %.
    assert found.half == pytest.approx(4.302653 * statistics.stdev([90, 92, 97]) / math.sqrt(3), rel=1e-6)
    assert found.shown == "93.0 ± 9.0 (3 seeds)"
    assert found.device == "a processor, 1 thread"
    at_paper = standing(table, row, "paper", results)
    assert at_paper is not None
    assert at_paper.shown == "not run"


def test_errors_and_single_seeds_and_what_does_not_fit(results: Results, save: Save) -> None:
    table = find_table("table4")
    row = row_of(table, "p-LSTM", "truncate 100")
    save(table, row, 0.9)
    found = standing(table, row, "small", results)
    assert found is not None
    assert found.shown == "10.0 (1 seed)"
    other = row_of(table, "r-LSTM 20x15", "truncate 100")
    save(table, other, 0.5, infeasible=True)
    found = standing(table, other, "small", results)
    assert found is not None
    assert found.shown == "infeasible"


@pytest.mark.parametrize("name", ["table2", "table4", "table5", "table6"])
def test_the_order_of_methods(results: Results, save: Save, name: str) -> None:
    """Records that are as printed are in the order printed; turned round, none of them is."""
    table = find_table(name)
    error = "error" in table.metric
    for turned in (False, True):
        for row in table.rows:
            line = table.printed(row)
            assert line is not None
            value = float(line.value) / 100
            accuracy = 1 - value if error else value
            save(table, row, *([1 - accuracy if turned else accuracy] * 2))
        for order in orderings(table, "small", results):
            assert order.pairs
            assert order.missing == 0
            assert all(pair.agrees != turned and pair.clear for pair in order.pairs)
            assert len(order.contrary) == (len(order.pairs) if turned else 0)


def test_pairs_that_are_not_clear_or_lack_a_run(results: Results, save: Save) -> None:
    table = find_table("table4")
    r, p = row_of(table, "r-LSTM 20x15", "truncate 100"), row_of(table, "p-LSTM", "truncate 100")
    save(table, p, 0.90, 0.95)
    (order,) = orderings(table, "small", results)
    assert (order.pairs, order.missing > 0) == ((), True)
    assert order.words() == "DBpedia: not run"
    save(table, r, 0.91, 0.93)
    (order,) = orderings(table, "small", results)
    (pair,) = order.pairs
    assert (pair.agrees, pair.clear) == (True, False)
    assert pair.printed == pytest.approx(3.84 - 2.85)
    assert pair.ours == pytest.approx(0.5)
    assert order.words().startswith(
        "DBpedia: 1 of 1 pairs in the paper's order, 0 of them clearly; 0 clearly in the other"
    )


def fill(table: PaperTable, save: Save, accuracy: Callable[[Row], float], **changed: object) -> None:
    for row in table.rows:
        if row.small is not None:
            save(table, row, accuracy(row), accuracy(row) + 0.001, **changed)


def test_claims_on_figure_3(results: Results, save: Save) -> None:
    table = find_table("figure3")
    assert {verdict.holds for verdict in verdicts(table, "small", results)} == {None}
    as_printed = {"LSTM": 0.10, "Transformer": 0.2, "p-LSTM": 0.5, "r-LSTM": 0.55, "r-LSTM 20x30": 0.6}
    fill(table, save, lambda row: as_printed[row.model])
    for row in table.rows:
        if row.model == "LSTM" and row.small is not None:
            save(table, row, 0.1, seconds_per_update=2.0)
    assert [verdict.holds for verdict in verdicts(table, "small", results)] == [True] * 4
    fill(table, save, lambda row: 1 - as_printed[row.model])
    assert [verdict.holds for verdict in verdicts(table, "small", results)] == [False] * 4


def test_claims_on_figures_4_to_6(results: Results, save: Save) -> None:
    four, five, six = (find_table(name) for name in ("figure4", "figure5", "figure6"))
    # Figures 4 to 6 share runs, so one after the other, each with its own values.
    fill(four, save, lambda row: 0.6 if row.model == "LSTM" else 0.65)
    assert [v.holds for v in verdicts(four, "small", results)] == [True] * 3
    fill(four, save, lambda row: 0.6 if row.model == "LSTM" else 0.12)
    assert [v.holds for v in verdicts(four, "small", results)] == [False] * 3
    fill(five, save, lambda row: 0.5 if row.model == "LSTM" else 0.9)
    assert [v.holds for v in verdicts(five, "small", results)] == [True]
    fill(five, save, lambda row: 0.9 if row.model == "LSTM" else 0.3)
    assert [v.holds for v in verdicts(five, "small", results)] == [False]
    losses = {"all parts": 0.9, "without joint training": 0.5}
    fill(six, save, lambda row: losses.get(row.setting, 0.8))
    assert [v.holds for v in verdicts(six, "small", results)] == [True] * 8
    fill(six, save, lambda row: losses.get(row.setting, 0.95))
    assert [v.holds for v in verdicts(six, "small", results)] == [True] + [False] * 7
    assert {claim.where for claim in CLAIMS} == {"figure3", "figure4", "figure5", "figure6"}


def test_the_first_evaluation_after_pretraining() -> None:
    record = {
        "updates": 4_000,
        "config": {
            "phases": [
                {"updates": 700, "epochs": None, "supervised": False},
                {"updates": 3_300, "epochs": None, "supervised": True},
            ]
        },
        "curves": {"train": [{"update": u, "accuracy": u / 4_000} for u in range(400, 4_001, 400)]},
    }
    assert first_evaluation(record) == 800 / 4_000
    assert first_evaluation({**record, "curves": {}}) is None


def test_mean_curves_use_what_all_seeds_have() -> None:
    one = {"curves": {"test": [{"update": 1, "accuracy": 0.2}, {"update": 2, "accuracy": 0.4}]}}
    other = {"curves": {"test": [{"update": 2, "accuracy": 0.6}, {"update": 3, "accuracy": 1.0}]}}
    assert mean_curve([one, other], "test") == ([2.0], [0.5])
    assert mean_curve([one], "train") == ([], [])


def test_printed_numbers() -> None:
    assert [printed_number(text) for text in ("46.0", "about -2", "under 3", "best of all")] == [46.0, -2.0, 3.0, None]


@pytest.fixture
def whole(results: Results, save: Save) -> Results:
    for number, table in enumerate(TABLES):
        fill(table, save, lambda row, number=number: 0.5 + 0.01 * number)  # type: ignore[misc]
    return results


def test_both_pages_show_every_row(whole: Results) -> None:
    held = sections(whole)
    text, page = markdown(held, "images"), html(held)
    assert [section.table.name for section in held] == [table.name for table in TABLES]
    for section in held:
        assert len(section.rows) == len(section.table.rows)
        assert section.title in text
        for cells in section.rows:
            assert len(cells) == len(HEADER)
            assert "| " + " | ".join(cells) + " |" in text
    assert "Table 2. Pixel by pixel" in page
    for words in ("not run", "± 0.6 (2 seeds)", "in the paper&#39;s order", "167,434 + 296,705"):
        assert words in page
    assert "in the paper's order" in text
    # Nothing is fetched from anywhere.
    assert not re.findall(r"(?:src|href)=\"(?!data:)[^\"]*\"", page)


def test_drawings(whole: Results) -> None:
    drawn = {table.name: draw(table, whole) for table in TABLES}
    assert {name for name, svg in drawn.items() if svg is not None} == {"figure3", "figure4", "figure5", "figure6"}
    for name, words in {
        "figure3": ("r-LSTM 20x30", "Transformer", "about 8", "seconds per update", "MNIST, resized"),
        "figure4": ("46.1", "47", "37.7", "34.9", "LSTM, full backpropagation", "supervised truncation, steps"),
        "figure5": ("solid: training, dashed: test", "printed: LSTM at first, 10"),
        "figure6": ("without joint training", "only the immediate past", "printed: CIFAR10"),
    }.items():
        svg = drawn[name]
        assert svg is not None
        for word in words:
            assert word in svg, (name, word)
        assert draw(find_table(name), whole) == svg, "the same records make the same file"


def test_nothing_run_nothing_drawn(results: Results) -> None:
    held = sections(results)
    assert all(section.drawing is None and section.findings == [] for section in held)
    assert "Nothing of it has been run yet." in html(held)
    assert markdown(held, "images").count("Nothing of it has been run yet.") == len(TABLES)


def test_files_and_their_check(whole: Results, tmp_path: Path) -> None:
    out = tmp_path / "report"
    assert "paper.md" in outdated_pages(whole, out)
    written = write_report(whole, out)
    assert {path.relative_to(out).as_posix() for path in written} == {
        "paper.html",
        "paper.md",
        *(f"images/figure{number}.svg" for number in range(3, 7)),
    }
    linked = re.findall(r"\]\((images/.*?)\)", (out / "paper.md").read_text())
    assert len(linked) == 4
    assert all((out / name).is_file() for name in linked)
    assert outdated_pages(whole, out) == []
    (out / "paper.md").write_text("typed")
    assert outdated_pages(whole, out) == ["paper.md"]


def test_weights_are_those_of_the_networks_that_are_trained() -> None:
    config = find_recipe("small-mnist14-r")
    objective = build_objective(config, pixel_sequences(mnist14("test")))
    counted = count_weights(config)
    assert counted.classifier == sum(weight.numel() for weight in objective.classifier.parameters())
    assert counted.auxiliary == sum(weight.numel() for weight in objective.auxiliary.parameters())
    # Paper: section 4.1, "comparable number of parameters as our RNNs (0.5M weights)".
    for name in ("mnist-r", "mnist-transformer", "mnist-t-dmca"):
        paper = count_weights(find_recipe(name))
        assert 400_000 < paper.classifier + paper.auxiliary < 650_000
