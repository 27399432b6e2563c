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
from longreach.report.along import accuracy_at, first_evaluation, meeting_place, supervised_curve
from longreach.report.claim import short_name
from longreach.report.claims import CLAIMS, verdicts
from longreach.report.estimate import Estimate, above, together
from longreach.report.figure5 import mean_curve
from longreach.report.orderings import orderings
from longreach.report.paper_figures import draw
from longreach.report.paper_page import HEADER, html, markdown, outdated_pages, sections, write_report
from longreach.report.standing import printed_number, share_words, standing
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
    save(table, other, 0.5, infeasible=True, memory_limit_mb=16_000.0)
    found = standing(table, other, "small", results)
    assert found is not None
    assert found.shown == "infeasible (batch of one, 16 GB, a processor, 1 thread)"
    assert found.device == "a processor, 1 thread"


def test_an_infeasible_seed_among_others_is_told(results: Results, save: Save) -> None:
    table = find_table("table4")
    row = row_of(table, "p-LSTM", "truncate 100")
    save(table, row, 0.5, 0.5, 0.5, infeasible=True)
    save(table, row, 0.90, 0.92)
    found = standing(table, row, "small", results)
    assert found is not None
    assert found.shown == "9.0 ± 12.7 (2 seeds, 1 infeasible)"


def test_a_failed_run_is_told_until_it_succeeds(results: Results, save: Save) -> None:
    table = find_table("table4")
    row = row_of(table, "p-LSTM", "truncate 100")
    save(table, row, 0.90, 0.92)
    place = ("table4-small", "small-wordnet14-p-truncated", 2)
    results.save_failure(*place, {"reason": "a loss | that is no number", "update": 7, "when": "now"})
    found = standing(table, row, "small", results)
    assert found is not None
    assert found.shown == "9.0 ± 12.7 (2 seeds); 1 of 3 failed: a loss / that is no number"
    text = markdown(sections(results), "images")
    assert f"| {found.shown} |" in text
    save(table, row, 0.90, 0.92, 0.94)
    found = standing(table, row, "small", results)
    assert found is not None
    assert "failed" not in found.shown
    assert list((results.path / "table4-small").rglob("failed*")) == []


def test_only_failures(results: Results) -> None:
    table = find_table("table4")
    row = row_of(table, "p-LSTM", "truncate 100")
    results.save_failure("table4-small", "small-wordnet14-p-truncated", 0, {"reason": "x" * 300})
    found = standing(table, row, "small", results)
    assert found is not None
    assert found.shown == f"1 of 1 failed: {'x' * 119}…"
    assert "Nothing of it" not in markdown(sections(results)[2:3], "images")


def test_changes_are_paired_over_the_same_seeds(results: Results, save: Save) -> None:
    """Figure 6 prints changes, so ours are changes: each seed's own, not a difference of means."""
    table = find_table("figure6")
    save(table, row_of(table, "r-LSTM", "all parts"), 0.50, 0.70, 0.60)
    row = row_of(table, "r-LSTM", "without joint training")
    save(table, row, 0.46, 0.67)
    found = standing(table, row, "small", results)
    assert found is not None
    half = 12.706205 * statistics.stdev([-4.0, -3.0]) / math.sqrt(2)
    assert found.shown == f"-3.5 ± {half:.1f} (2 seeds)"
    assert found.brief == "-3.5 (2)"
    # So is the order of two changes: over the seeds, which differ by twenty points, the accuracies are not apart.
    save(table, row_of(table, "r-LSTM", "only the immediate past"), 0.48, 0.69)
    (order,) = orderings(table, "small", results)
    assert [(pair.agrees, pair.clear) for pair in order.pairs] == [(True, True)]
    whole = standing(table, row_of(table, "r-LSTM", "all parts"), "small", results)
    assert whole is not None
    assert whole.shown == "60.0 ± 24.8 accuracy (3 seeds)"


def test_figure_5_shows_the_first_evaluation_and_the_last(results: Results, save: Save) -> None:
    table = find_table("figure5")
    row = row_of(table, "LSTM", "first epochs")
    save(table, row, 0.80)
    found = standing(table, row, "small", results)
    assert found is not None
    assert found.shown == "test accuracy 8.0 after 400 updates with labels, 80.0 at the end (1 seed)"


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
    assert order.words() == "WordNet-14 in the place of DBpedia: no pair of which both rows were run"
    assert [order.words() for order in orderings(find_table("table6"), "small", results)] == [
        f"MNIST-14 in the place of CIFAR10, supervised truncation {k}: not run" for k in (1, 0)
    ]
    assert [order.words() for order in orderings(find_table("table6"), "paper", results)] == [
        f"CIFAR10, supervised truncation {k}: not run" for k in (1, 0)
    ]
    save(table, r, 0.91, 0.93)
    (order,) = orderings(table, "small", results)
    (pair,) = order.pairs
    assert (pair.agrees, pair.clear) == (True, False)
    assert pair.printed == pytest.approx(3.84 - 2.85)
    assert pair.ours == pytest.approx(0.5)
    assert pair.words() == (
        "p-LSTM, one segment of 100, truncated to 33 steps over r-LSTM, 20 segments of 5, truncated to 33 steps: "
        "printed +1.0, ours +0.5 (not clearly)"
    )
    assert order.words().startswith(
        "WordNet-14 in the place of DBpedia: 1 of 1 pairs in the paper's order, 0 of them clearly; 0 clearly in "
        "the other"
    )


@pytest.mark.parametrize("accuracies", [(0.4,), (0.4, 0.4), (0.4, 0.42)])
def test_a_tie_is_in_no_order(results: Results, save: Save, accuracies: tuple[float, ...]) -> None:
    """Of one seed, of seeds that are all the same, of seeds that are not."""
    table = find_table("table6")
    for model in ("r-LSTM 10x60", "r-LSTM 20x30"):
        save(table, row_of(table, model, "supervised truncation 1"), *accuracies)
    order, other = orderings(table, "small", results)
    assert other.words().endswith("supervised truncation 0: not run")
    (pair,) = order.pairs
    assert (pair.agrees, pair.tied, pair.clear, order.contrary) == (False, True, False, ())
    assert order.words() == (
        "MNIST-14 in the place of CIFAR10, supervised truncation 1: 0 of 1 pairs in the paper's order, 0 of them "
        "clearly; 0 clearly in the other; 1 tie; 13 pairs lack a run"
    )


def test_figures_without_intervals_are_apart_where_they_differ() -> None:
    exact = Estimate.exact
    assert above(exact(1.0), exact(0.5)).clear
    assert above(exact(0.5), exact(1.0)).clear
    assert not above(exact(1.0), exact(1.0)).clear
    # 65.9 - 58.9 is 7 but for rounding.
    assert not above(exact(65.9), exact(58.9), 7.0).clear
    tie = together([above(exact(65.9), exact(58.9), 7.0)], "")
    assert tie is not None
    assert tie.finding == "does not hold"


def fill(table: PaperTable, save: Save, accuracy: Callable[[Row], float], **changed: object) -> None:
    for row in table.rows:
        if row.small is not None:
            save(table, row, accuracy(row), accuracy(row) + 0.001, **changed)


def held(table: PaperTable, results: Results) -> list[bool | None]:
    return [verdict.holds for verdict in verdicts(table, "small", results)]


def said(table: PaperTable, results: Results, words: str) -> str:
    (shown,) = [v.shown for v in verdicts(table, "small", results) if v.words.startswith(words)]
    return shown


def test_claims_on_figure_3(results: Results, save: Save) -> None:
    table = find_table("figure3")
    assert {verdict.holds for verdict in verdicts(table, "small", results)} == {None}
    as_printed = {"LSTM": 0.10, "Transformer": 0.2, "p-LSTM": 0.5, "r-LSTM": 0.55, "r-LSTM 20x30": 0.6}
    fill(table, save, lambda row: as_printed[row.model])
    for row in table.rows:
        if row.model == "LSTM" and row.small is not None:
            save(table, row, 0.1, seconds_per_update=2.0)
    # Everything fits, so that the LSTM is not infeasible; the Transformer begins below, and is not run so far.
    assert held(table, results)[:7] == [True] * 4 + [False] * 2 + [None]
    fill(table, save, lambda row: 1 - as_printed[row.model])
    assert held(table, results)[:7] == [False] * 4 + [True, False, None]


def test_what_does_not_fit(results: Results, save: Save) -> None:
    table = find_table("figure3")
    for row in table.rows:
        if row.small is not None and row.model in ("LSTM", "Transformer"):
            steps = int(row.setting.split()[0])
            gone = {"infeasible": True, "memory_limit_mb": 16_000.0} if steps > 12_544 else {"peak_memory_mb": 4_200.0}
            save(table, row, 0.5, **gone)
    assert said(table, results, "the LSTM with full backpropagation is") == (
        "holds (1,600 steps trained, 4.2 GB at most; 4,096 steps trained, 4.2 GB at most; 9,216 steps trained, "
        "4.2 GB at most; 16,384 steps infeasible (batch of one, 16 GB, a processor, 1 thread))"
    )
    longer = (
        "the Transformer is infeasible after the 9,200 mark (96 x 96 = 9,216 steps, longer than any run of it at this"
    )
    assert said(table, results, longer) == "not known, runs are missing"


def test_claims_on_figures_4_to_6(results: Results, save: Save) -> None:
    four, five, six = (find_table(name) for name in ("figure4", "figure5", "figure6"))
    # Figures 4 to 6 share runs, so one after the other, each with its own values.
    fill(four, save, lambda row: 0.6 if row.model == "LSTM" else 0.65)
    assert held(four, results) == [True] * 3
    assert [verdict.words for verdict in verdicts(four, "small", results)][:2] == [
        "with 50 of 75 supervised steps less, r-LSTM and p-LSTM are above the LSTM with full backpropagation",
        "with 12 supervised steps r-LSTM and p-LSTM are near the LSTM with full backpropagation (within five points, "
        "or above)",
    ]
    assert "with 200 of 300 supervised steps less" in verdicts(four, "paper", results)[0].words
    fill(four, save, lambda row: 0.6 if row.model == "LSTM" else 0.12)
    assert held(four, results) == [False] * 3
    fill(five, save, lambda row: {"LSTM": 0.5, "r-LSTM": 0.9}.get(row.model, 0.8))
    assert held(five, results)[:2] == [True] * 2
    # The curves of `save` begin at nothing and rise evenly: at 400 updates with labels, LSTM 5 % and r-LSTM 24.8 %.
    shown = said(five, results, "r-LSTM and p-LSTM start")
    assert shown.startswith("holds (r-LSTM: 24.8 ± 0.2; LSTM: 5.0 ± 0.1; p-LSTM: 22.0 ± 0.2; in training, after 400 ")
    fill(five, save, lambda row: {"LSTM": 0.9, "r-LSTM": 0.2}.get(row.model, 0.3))
    assert held(five, results)[:2] == [False] * 2
    losses = {"all parts": 0.9, "without joint training": 0.5, "without scheduled sampling": 0.7}
    fill(six, save, lambda row: losses.get(row.setting, 0.8))
    assert held(six, results) == [True, None] + [True] * 8
    losses["without scheduled sampling"] = 0.97
    fill(six, save, lambda row: losses.get(row.setting, 0.95))
    assert held(six, results) == [True, None] + [False] * 8
    assert {claim.where for claim in CLAIMS} == {table.name for table in TABLES}


def test_claims_on_the_tables(results: Results, save: Save) -> None:
    """Turned round none holds; as printed they do, see test_claims.py."""
    tables = [find_table(f"table{number}") for number in (2, 3, 4, 5, 6)]
    assert {holds for table in tables for holds in held(table, results)} == {None}
    for table in tables:
        for row in table.rows:
            line = table.printed(row)
            assert line is not None
            value = float(line.value) / 100
            accuracy = value if "error" in table.metric else 1 - value
            save(table, row, accuracy, accuracy)
    for table in tables:
        for verdict in verdicts(table, "small", results):
            # They still lie near one another.
            if "on par" not in verdict.words:
                assert verdict.holds is False, (verdict.words, verdict.shown)
    (printed,) = [v.words for v in verdicts(tables[4], "paper", results) if "peak" in v.words and "1" in v.words[-2:]]
    assert printed == "the peak is at r-LSTM 20x30, supervised truncation 1"


def test_names_in_claims_are_of_what_was_run() -> None:
    five, three, six = (find_table(name) for name in ("table5", "table3", "table6"))
    deep = row_of(five, "29-layer CNN", "")
    assert (short_name(deep, "paper"), short_name(deep, "small")) == (
        "29-layer CNN",
        "Conneau et al. 2016, 9 layers",
    )
    assert short_name(row_of(five, "char-CNN", ""), "small") == "char-CNN of Zhang et al. 2015, narrower"
    assert short_name(row_of(three, "T-DMCA", "", "MNIST"), "small").startswith("T-DMCA, 5 layers of 64")
    assert short_name(row_of(five, "LSTM", "full BPTT"), "small") == "LSTM, full BPTT"
    many = row_of(six, "r-LSTM 20x30", "supervised truncation 1")
    assert short_name(many, "small") == "r-LSTM 10x15, supervised truncation 1"


def test_claims_whose_intervals_overlap_are_not_clear(results: Results, save: Save) -> None:
    four = find_table("figure4")
    full = row_of(four, "LSTM", "full BPTT")
    rows = [row_of(four, model, "supervised truncation 100") for model in ("r-LSTM", "p-LSTM")]
    save(four, full, 0.60, 0.62)
    for row in rows:
        save(four, row, 0.63, 0.65)
    assert said(four, results, "with 50 of 75") == (
        "not clear (the intervals overlap; r-LSTM, supervised truncation 25: 64.0 ± 12.7; LSTM, full BPTT: "
        "61.0 ± 12.7; p-LSTM, supervised truncation 25: 64.0 ± 12.7)"
    )
    assert held(four, results)[0] is None


def test_claims_on_one_seed_say_so(results: Results, save: Save) -> None:
    four = find_table("figure4")
    save(four, row_of(four, "LSTM", "full BPTT"), 0.60)
    for model in ("r-LSTM", "p-LSTM"):
        save(four, row_of(four, model, "supervised truncation 100"), 0.64)
    assert said(four, results, "with 50 of 75").startswith(
        "holds (one seed, no interval; r-LSTM, supervised truncation"
    )


def test_the_first_evaluation_after_pretraining() -> None:
    """In updates with labels: those of pretraining teach the classifier nothing."""
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
    assert supervised_curve(record, "train")[:2] == [(100, 0.2), (500, 0.3)]
    assert first_evaluation(record, "train") == (100, 800 / 4_000)
    assert first_evaluation({**record, "curves": {}}, "train") is None
    # A run without pretraining is first evaluated after 400: there the two are compared, between two evaluations.
    alone = {**record, "config": {"phases": [{"updates": 4_000, "epochs": None, "supervised": True}]}}
    assert meeting_place([record, alone], "train") == 400
    assert accuracy_at(record, "train", 400) == pytest.approx(0.2 + 0.1 * 300 / 400)
    assert accuracy_at(alone, "train", 400) == pytest.approx(0.1)
    assert accuracy_at(record, "train", 50) is None
    assert accuracy_at(record, "train", 9_000) is None
    epochs = [
        {"updates": None, "epochs": 100.0, "supervised": False},
        {"updates": None, "epochs": 900.0, "supervised": True},
    ]
    assert first_evaluation({**record, "config": {"phases": epochs}}, "train") == (400, 0.2)


def test_mean_curves_use_what_all_seeds_have() -> None:
    one = {"curves": {"test": [{"update": 1, "accuracy": 0.2}, {"update": 2, "accuracy": 0.4}]}}
    other = {"curves": {"test": [{"update": 2, "accuracy": 0.6}, {"update": 3, "accuracy": 1.0}]}}
    assert mean_curve([one, other], "test") == ([2.0], [0.5])
    assert mean_curve([one], "train") == ([], [])


def test_shares_of_a_schedule() -> None:
    shares = (0.0004, 0.0021, 0.5, 0.994, 0.995, 0.998, 0.9997, 1.0)
    assert [share_words(share) for share in shares] == [
        "0.04 %",
        "0.21 %",
        "50 %",
        "99 %",
        "99.5 %",
        "99.8 %",
        "100 %",
        "100 %",
    ]


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
    for words in (
        "not run",
        "± 0.6 (2 seeds)",
        "in the paper&#39;s order",
        "167,434 + 296,705",
        "MNIST-14: r-LSTM, 5 segments of 30, the classifier&#39;s gradient through 1 step",
    ):
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
