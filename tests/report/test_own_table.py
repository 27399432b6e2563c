"""A table of our own: a page made of its records, every run beside the one that it varies."""

from __future__ import annotations

import copy
from pathlib import Path

from longreach.recipes.cells import mnist14_cells
from longreach.recipes.long_memory import mnist784
from longreach.report.own_table import base_of, changed, own_table_page
from longreach.reproduce.records import Record, Results

ROOT = Path(__file__).parents[2]


def test_the_committed_ablation() -> None:
    page = own_table_page("mnist14-ablation", Results(ROOT / "results"))
    assert page is not None
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert rows[0].startswith("| run | seeds | test accuracy |")
    assert any(line.startswith("| lstm-full | 3 | **0.943** ± 0.009 (0.942, 0.948, 0.941) |") for line in rows)
    assert "`longreach reproduce mnist14-ablation`" in page


def test_no_records_no_page(tmp_path: Path) -> None:
    assert own_table_page("mnist14-ablation", Results(tmp_path)) is None


def test_what_a_run_varies() -> None:
    names = ["recall", "recall-weight-10", "recall+p", "r-1x98", "r-1x98-forward"]
    assert [base_of(name, names) for name in names] == [None, "recall", "recall", None, "r-1x98"]


def test_what_is_changed_is_told_and_keys_that_came_later_are_not() -> None:
    results = Results(ROOT / "results")

    def first(name: str) -> Record:
        return results.of("mnist14-ablation", name)[0]

    # The first record is older than some keys.
    assert "channels_first" not in first("recall")["config"]["data"]
    assert changed(first("recall-anchors-16"), first("recall")) == "`auxiliary.0.anchors` = 16"
    assert changed(first("recall-blocks"), first("recall")) == "`auxiliary.0.blocks` = [1, 14]"
    assert changed(first("r-1x98-no-pretraining"), first("r-1x98")) == "without `pretrain`"
    assert changed(first("r-1x98"), first("r-1x98-no-pretraining")) == "with `pretrain`"
    assert changed(first("r-1x98"), first("r-1x98")) == "nothing"


def test_a_loss_more_than_a_base_without_any_is_told_alone() -> None:
    runs = {run.name: {"config": run.model_dump(mode="json")} for run in mnist14_cells()}
    assert changed(runs["gru-recall"], runs["gru"]) == "with `recall`"
    assert changed(runs["gru"], runs["gru-recall"]) == "without `recall`"
    assert changed(runs["gru-r-1x98"], runs["gru"]) == "with `reconstruct`, with `pretrain`"


def test_what_is_the_machines_is_no_change() -> None:
    record = {"config": mnist784()[0].model_dump(mode="json")}
    other = copy.deepcopy(record)
    other["config"]["data"] |= {"path": "/mnt/elsewhere/mnist", "workers": 4}
    assert changed(other, record) == "nothing"
