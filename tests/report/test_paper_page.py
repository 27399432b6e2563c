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
from longreach.recipes.paper import Row
from longreach.recipes.tables import TABLES, find_table
from longreach.report.along import accuracy_at, first_evaluation, meeting_place, supervised_curve
from longreach.report.claim import row_of
from longreach.report.figure5 import mean_curve
from longreach.report.orderings import orderings
from longreach.report.paper_figures import draw
from longreach.report.paper_page import HEADER, html, markdown, outdated_pages, sections, write_report
from longreach.report.standing import Standing, printed_number, share_words, standing
from longreach.report.weights import count_weights
from longreach.reproduce.records import Results
from longreach.training.build import build_objective

Save = Callable[..., None]


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


def test_records_of_other_settings_are_left_out_and_told(results: Results, save: Save, keep: Save) -> None:
    table = find_table("figure6")
    whole, part = row_of(table, "r-LSTM", "all parts"), row_of(table, "r-LSTM", "without joint training")
    save(table, whole, 0.50, 0.70)
    save(table, part, 0.46)
    recipe = find_recipe("small-mnist14-r-no-joint")
    keep("figure6-small", recipe.model_copy(update={"seed": 1, "batch_size": 7}), 0.1)

    def found(row: Row) -> Standing:
        held = standing(table, row, "small", results)
        assert held is not None
        return held

    assert found(part).shown == "-4.0 (1 seed); 1 record of other settings left out"
    assert found(part).brief == "-4.0 (1)"
    # So are those that others are counted against, and that did not fit.
    base = find_recipe("small-mnist14-r")
    keep("table2-small", base.model_copy(update={"truncation": 7}), 0.9)
    keep("table2-small", base.model_copy(update={"seed": 1, "truncation": 7}), 0.0, infeasible=True)
    assert found(whole).shown == "not run; 2 records of other settings left out"
    assert (found(whole).brief, found(whole).device, found(whole).lack) == ("2 left out", "", "not run")
    assert found(part).shown == "no seed of all parts to compare with (1 seed); 1 record of other settings left out"
    assert "| not run; 2 records of other settings left out |" in markdown(sections(results), "images")


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
    # Seeds that all parts lack do not count.
    more = row_of(table, "r-LSTM", "without scheduled sampling")
    save(table, more, 0.48, 0.69, 0.60, 0.1)
    found = standing(table, more, "small", results)
    assert found is not None
    assert found.shown.endswith(" (3 seeds)")
    assert found.brief.endswith(" (3)")


def test_figure_5_shows_the_first_evaluation_and_the_last(results: Results, save: Save) -> None:
    table = find_table("figure5")
    row = row_of(table, "LSTM", "first epochs")
    save(table, row, 0.80)
    found = standing(table, row, "small", results)
    assert found is not None
    assert found.shown == "test accuracy 8.0 after 400 updates with labels, 80.0 at the end (1 seed)"


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
    # Student's t of one degree of freedom, times the deviation over the root of two.
    assert mean_curve([one, other], "test") == {2: (0.5, pytest.approx(12.7062 * 0.1, rel=1e-4))}
    assert mean_curve([one], "test") == {
        1: (0.2, pytest.approx(math.nan, nan_ok=True)),
        2: (0.4, pytest.approx(math.nan, nan_ok=True)),
    }
    assert mean_curve([one], "train") == {}


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
        for row in table.rows:
            if row.small is not None:
                save(table, row, 0.5 + 0.01 * number, 0.501 + 0.01 * number)
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


def test_why_t_dmca_has_more_weights_than_the_paper_says_is_told_below_its_table(results: Results) -> None:
    held = sections(results)
    text, page = markdown(held, "images"), html(held)
    table3 = text[text.index("## Table 3.") : text.index("## Table 4.")]
    assert table3.rstrip().splitlines()[-1] == find_table("table3").note
    assert find_table("table3").note.startswith("T-DMCA has more weights than the 0.5 M ")
    assert page.count("<p>T-DMCA has more weights than the 0.5 M ") == 1
    # As the note says: more than the paper's number, where r-LSTM and the Transformer are below it.
    named = [count_weights(find_recipe(name)) for name in ("mnist-t-dmca", "mnist-r-full", "mnist-transformer")]
    more, *others = [one.classifier + one.auxiliary for one in named]
    assert more > 500_000 > max(others)


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


def test_figure_6_names_our_bars_whichever_there_are(results: Results, save: Save) -> None:
    table = find_table("figure6")
    save(table, row_of(table, "r-LSTM", "all parts"), 0.5)
    save(table, table.rows[-1], 0.4)
    drawn = draw(table, results)
    assert drawn is not None
    assert drawn.count("ours, small scale") == 1


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
        assert 400_000 < paper.classifier + paper.auxiliary < 660_000


def test_a_change_is_against_the_same_seed_whichever_there_are(results: Results, save: Save, keep: Save) -> None:
    """All parts lack the first seed."""
    base = find_recipe("small-mnist14-r")
    for seed, accuracy in ((1, 0.50), (2, 0.70)):
        keep("table2-small", base.model_copy(update={"seed": seed}), accuracy)
    table = find_table("figure6")
    row = row_of(table, "r-LSTM", "without joint training")
    save(table, row, 0.10, 0.46, 0.67)
    found = standing(table, row, "small", results)
    assert found is not None
    assert found.brief == "-3.5 (2)"


def test_weights_of_the_dogs_are_of_120_breeds() -> None:
    counted = count_weights(find_recipe("dogs40-r")).classifier
    assert counted == (3 + 1) * 128 + 4 * 128 * (128 + 128 + 1) + (128 + 1) * 256 + (256 + 1) * 120
