"""A table of our own: a page made of its records, every run beside the one that it varies."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from made_records import made_record

from longreach.recipes.cells import mnist14_cells
from longreach.recipes.long_memory import mnist784
from longreach.recipes.own_tables import OWN_TABLES
from longreach.report.own_table import base_of, changed, own_table_page
from longreach.report.weights import count_weights
from longreach.reproduce.records import Record, Results

ROOT = Path(__file__).parents[2]


def test_the_committed_ablation() -> None:
    page = own_table_page("mnist14-ablation", Results(ROOT / "results"))
    assert page is not None
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert rows[0].startswith("| run | seeds | test accuracy |")
    assert any(line.startswith("| lstm-full | 3 | **0.943** ± 0.009 (0.942, 0.948, 0.941) |") for line in rows)
    assert "`longreach reproduce mnist14-ablation`" in page


def test_which_weights_were_tested_is_told() -> None:
    for table, weights in (
        ("equal-time", "last weights"),
        ("mnist784", "weights that were best on the validation part"),
    ):
        page = own_table_page(table, Results(ROOT / "results"))
        assert page is not None
        assert f"Test accuracy is that of the {weights}, on all " in page


def test_no_records_no_page(tmp_path: Path) -> None:
    assert own_table_page("mnist14-ablation", Results(tmp_path)) is None


def test_a_folder_without_words_has_its_page_all_the_same(tmp_path: Path) -> None:
    """Such as one that `reproduce --results` made."""
    results, run = Results(tmp_path), mnist14_cells()[0]
    results.save("mnist14-cells", run.name, 0, made_record(run, 0.5))
    page = own_table_page("mnist14-cells", results)
    assert page is not None
    assert page.startswith("# mnist14-cells\n\nTest accuracy is that of ")
    assert f"| {run.name} | 1 | **0.500** (0.500) |" in page


def test_what_did_not_succeed_is_shown(tmp_path: Path) -> None:
    results = Results(tmp_path)
    runs = {run.name: run for run in mnist784()}

    def keep(name: str, seed: int, accuracy: float, **changed: Any) -> None:
        curves = {"validation": [{"update": 4_000, "accuracy": accuracy, "loss": 1.0}]}
        run = runs[name].model_copy(update={"seed": seed})
        results.save("mnist784", name, seed, made_record(run, accuracy, curves=curves, **changed))

    gone = {"infeasible": True, "memory_mb": 2_000.0}
    results.save_failure("mnist784", "recall-fast", 0, {"reason": "a loss | that is no number", "update": 3})
    (tmp_path / "mnist784" / "README.md").write_text("# Words")
    page = own_table_page("mnist784", results)
    assert page is not None
    weights = count_weights(runs["recall-fast"]).shown
    assert f"| recall-fast | 0 | 1 of 1 failed: a loss / that is no number |  |  | {weights} |  |" in page.splitlines()
    assert "best on the validation part; mean" in page
    assert "\n0 runs; 1 failed. Made by" in page
    for seed in range(3):
        keep("recall", seed, 0.8)
    keep("lstm-full", 0, 0.0, **gone)
    keep("recall-weight-10", 0, 0.7)
    keep("recall-weight-10", 1, 0.0, **gone)
    results.save_failure("mnist784", "recall-weight-10", 2, {"reason": "disk full", "update": 3})
    page = own_table_page("mnist784", results)
    assert page is not None
    lines = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")][1:]
    assert [line[:3] for line in lines] == [
        ["| recall", "3", "**0.800** ± 0.000 (0.800, 0.800, 0.800)"],
        ["| recall-weight-10", "1", "**0.700** (0.700); 1 infeasible; 1 of 3 failed: disk full"],
        ["| lstm-full", "0", "infeasible (batch of one, 2 GB, a processor, 1 thread)"],
        ["| recall-fast", "0", "1 of 1 failed: a loss / that is no number"],
    ]
    assert lines[1][-1] == "recall, `auxiliary.0.weight` = 10.0 |"
    assert lines[2][-1] == "classifier's gradient through all steps |"
    assert "on all 100 test sequences" in page
    assert "\n4 runs; 2 infeasible; 2 failed; a processor, 1 thread. Made by" in page


def test_records_of_other_settings_are_left_out(tmp_path: Path) -> None:
    results = Results(tmp_path)
    (run,) = [run for run in mnist784() if run.name == "recall"]
    curves = {"validation": [{"update": 4_000, "accuracy": 0.8, "loss": 1.0}]}
    for seed, batch_size in enumerate((run.batch_size, 77, 78)):
        other = run.model_copy(update={"seed": seed, "batch_size": batch_size})
        results.save("mnist784", "recall", seed, made_record(other, 0.8 - 0.1 * seed, curves=curves))
    results.save("mnist784", "gone", 0, made_record(run.model_copy(update={"name": "gone"}), 0.9, curves=curves))
    (tmp_path / "mnist784" / "README.md").write_text("# Words")
    page = own_table_page("mnist784", results)
    assert page is not None
    lines = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")][1:]
    assert [line[:3] for line in lines] == [
        ["| recall", "1", "**0.800** (0.800); 2 records of other settings left out"],
        ["| gone", "0", "1 record of other settings left out"],
    ]
    assert "\n1 runs; 3 of other settings left out; a processor, 1 thread. Made by" in page
    # Of 9,000 updates, evaluated at 4,000 and at the end.
    record = {**results.of("mnist784", "recall")[0], "updates": 9_000}
    curve = [*curves["validation"], {"update": 9_000, "accuracy": 0.9, "loss": 1.0}]
    results.save("mnist784", "recall", 0, {**record, "curves": {"validation": curve}})
    page = own_table_page("mnist784", results)
    assert page is not None
    assert "| – 0.800 – 0.900 |" in page
    results.save("mnist784", "recall", 0, {**record, "curves": {}})
    page = own_table_page("mnist784", results)
    assert page is not None
    assert "**0.800** (0.800) |  | " in page


def test_weights_are_those_that_were_recorded() -> None:
    results = Results(ROOT / "results")
    seen = 0
    for table, runs in OWN_TABLES:
        page = own_table_page(table, results)
        for run in runs():
            for record in results.of(table, run.name)[:1]:
                counted, written = count_weights(run), record["parameters"]
                assert (counted.classifier, counted.auxiliary) == (written["classifier"], written["auxiliary"])
                assert page is not None
                (line,) = [line for line in page.splitlines() if line.startswith(f"| {run.name} |")]
                assert line.split(" | ")[-2] == counted.shown
                seen += 1
    assert seen > 50


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


def test_each_cell_of_a_row_tells_what_its_column_says(tmp_path: Path) -> None:
    """The best weights and the last ones apart; a dash where one seed was not looked at."""
    results = Results(tmp_path)
    (run,) = [run for run in mnist784() if run.name == "recall"]
    whole = [{"update": update, "accuracy": 0.5, "loss": 1.0} for update in (1_000, 2_000, 3_000, 4_000)]
    for seed, curve in enumerate((whole, whole[1:])):
        record = made_record(run.model_copy(update={"seed": seed}), 0.8, curves={"validation": curve})
        results.save("mnist784", "recall", seed, {**record, "test_last": {"accuracy": 0.6}})
    (tmp_path / "mnist784" / "README.md").write_text("# Words")
    page = own_table_page("mnist784", results)
    assert page is not None
    (line,) = [line.split(" | ") for line in page.splitlines() if line.startswith("| recall ")]
    assert line[2:5] == [
        "**0.800** ± 0.000 (0.800, 0.800)",
        "**0.600** ± 0.000 (0.600, 0.600)",
        "– 0.500 0.500 0.500",
    ]


def test_a_run_varies_the_longest_one_that_it_goes_on_from() -> None:
    names = ["r-1x98", "r-1x98-immediate", "r-1x98-immediate-lags"]
    assert base_of("r-1x98-immediate-lags", names) == "r-1x98-immediate"
