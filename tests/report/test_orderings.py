"""Whether pairs of rows are in the paper's order: as printed, turned round, tied, with runs missing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from longreach.recipes.tables import find_table
from longreach.report.claim import row_of
from longreach.report.orderings import orderings
from longreach.reproduce.records import Results

Save = Callable[..., None]


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
    # Of Figure 4 alike: r against p, at either truncation that has numbers printed, whatever else was run.
    figure4 = find_table("figure4")
    save(figure4, row_of(figure4, "r-LSTM", "supervised truncation 100"), 0.5)
    save(figure4, row_of(figure4, "r-LSTM", "supervised truncation 0"), 0.4)
    save(figure4, row_of(figure4, "p-LSTM", "supervised truncation 0"), 0.3)
    assert [order.words() for order in orderings(figure4, "small", results)] == [
        "MNIST-14 in the place of CIFAR10, supervised truncation 1: not run",
        "MNIST-14 in the place of CIFAR10, supervised truncation 0: 1 of 1 pairs in the paper's order, 0 of them "
        "clearly; 0 clearly in the other",
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


def test_pairs_in_the_other_order_are_told_the_widest_apart_first(results: Results, save: Save) -> None:
    table = find_table("table4")
    for model, accuracy in (("p-LSTM", 0.80), ("r-LSTM 20x15", 0.85), ("SA-LSTM", 0.95)):
        save(table, row_of(table, model, "truncate 100"), accuracy, accuracy)
    (order,) = orderings(table, "small", results)
    assert [round(pair.ours, 1) for pair in order.contrary] == [-15.0, -10.0, -5.0]
