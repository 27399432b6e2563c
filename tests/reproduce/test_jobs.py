"""What is wanted, what is missing, what it takes."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest
from made_records import made_record

from longreach.config import RunConfig
from longreach.errors import ConfigError, RunError
from longreach.recipes import PAPER_RECIPES, RECIPES, SMALL_RECIPES, find_recipe, recipe_name
from longreach.recipes.duration import expected_seconds
from longreach.reproduce.attempt import Settings
from longreach.reproduce.jobs import (
    data_folder,
    make_jobs,
    wanted_runs,
)
from longreach.reproduce.records import Results
from longreach.reproduce.run import make_plan
from longreach.times import spoken

Tiny = Callable[..., RunConfig]

ROOT = Path(__file__).parents[2]


def test_every_recipe_is_wanted_once() -> None:
    for scale, recipes in (("paper", PAPER_RECIPES), ("small", SMALL_RECIPES)):
        runs = wanted_runs("all", scale)  # type: ignore[arg-type]
        assert [run.name for _, run in runs] == [recipe_name(recipe) for recipe in recipes]
        assert {folder.rpartition("-")[2] for folder, _ in runs} == {scale}


def test_a_figure_shares_the_records_of_a_table() -> None:
    folders = {run.name: folder for folder, run in wanted_runs("figure5", "small")}
    assert folders == {
        "small-mnist14-r": "table2-small",
        "small-mnist14-p": "table2-small",
        "small-mnist14-lstm-full": "table2-small",
    }


def test_tables_of_our_own() -> None:
    runs = wanted_runs("mnist14-ablation", "small")
    assert {folder for folder, _ in runs} == {"mnist14-ablation"}
    assert "recall" in {run.name for _, run in runs}
    with pytest.raises(
        ConfigError, match=r"^reproduce: no table or figure 'table9'; there are all, table2, .*, precision$"
    ):
        wanted_runs("table9", "small")


def test_jobs(tiny_run: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [("t", tiny_run("a-1")), ("t", tiny_run("a-2")), ("u", tiny_run("b"))]
    jobs = make_jobs(runs, seeds=2)
    assert [(job.folder, job.title) for job in jobs] == [
        ("t", "a-1-seed0"),
        ("t", "a-2-seed0"),
        ("u", "b-seed0"),
        ("t", "a-1-seed1"),
        ("t", "a-2-seed1"),
        ("u", "b-seed1"),
    ]
    assert [job.config.seed for job in jobs] == [0, 0, 0, 1, 1, 1]
    assert [job.title for job in make_jobs(runs, 1, ["b", "a-?"])] == ["a-1-seed0", "a-2-seed0", "b-seed0"]
    with pytest.raises(ConfigError, match=r"^--only c\*: names none of these runs: a-1, a-2, b$"):
        make_jobs(runs, 1, ["a-1", "c*"])
    recipe = [("t", find_recipe("small-wordnet14-lstm-full")), ("t", tiny_run("a"))]
    assert [job.config.data.path for job in make_jobs(recipe, 1)] == ["data/wordnet14", None]
    assert make_jobs(recipe, 1, data=tmp_path)[0].config.data.path == str(tmp_path / "wordnet14")
    monkeypatch.setenv("LONGREACH_DATA", "/there")
    assert data_folder(None) == Path("/there")
    assert data_folder(tmp_path) == tmp_path
    monkeypatch.delenv("LONGREACH_DATA")
    assert data_folder(None) is None


def test_a_plan(tiny_run: Tiny, results: Results) -> None:
    without_data = find_recipe("small-cifar16-r")
    runs = [("t", tiny_run("a")), ("t", tiny_run("b")), ("t", without_data)]
    jobs = make_jobs(runs, seeds=2)
    results.save("t", "a", 0, made_record(jobs[0].config, 0.5, seconds=7_200.0))
    plan = make_plan(jobs, results)
    assert [job.title for job in plan.missing] == ["b-seed0", "a-seed1", "b-seed1"]
    assert [job.title for job in plan.no_data] == ["small-cifar16-r-seed0", "small-cifar16-r-seed1"]
    # What was run before tells how long it takes; the rest is counted.
    counted = expected_seconds(tiny_run("b"))
    assert counted is not None
    assert plan.seconds == pytest.approx(7_200.0 + 2 * counted, rel=1e-12)
    assert plan.lines(2) == [
        "6 runs, 1 done, 3 to run",
        "about 2.0 h of one core, about 1.0 h with 2 side by side",
        "2 runs left out: no data at data/cifar10; put them there, or give their folder with --data",
    ]


def test_what_did_not_fit_into_memory_is_run_again_where_there_is_more_of_it(
    tiny_run: Tiny, results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = make_jobs([("t", tiny_run("a")), ("t", tiny_run("b"))], seeds=1)
    unfit = {"infeasible": True, "memory_limit_mb": 300.0, "memory_mb": 300.0, "environment": {"device": "cpu"}}
    results.save("t", "a", 0, made_record(jobs[0].config, 0.5, **unfit))
    results.save("t", "b", 0, made_record(jobs[1].config, 0.5))

    def missing(**how: object) -> list[str]:
        plan = make_plan(jobs, results, Settings(tmp_path, **how))  # type: ignore[arg-type]
        assert plan.again == len(plan.missing) == 2 - plan.done
        return [job.title for job in plan.missing]

    assert missing() == missing(memory=400_000_000) == ["a-seed0"]
    assert missing(memory=314_000_000) == missing(memory=300_000_000) == missing(memory=200_000_000) == []
    assert make_plan(jobs, results).missing == []
    plan = make_plan(jobs, results, Settings(tmp_path))
    assert plan.lines(1)[0] == "2 runs, 1 done, 1 to run"
    assert plan.lines(1)[2:] == ["1 of these did not fit into memory when they had less, or another device"]
    results.save("t", "a", 0, made_record(jobs[0].config, 0.5, **{**unfit, "memory_mb": None}))
    assert missing(memory=314_000_000) == []
    assert missing(memory=316_000_000) == ["a-seed0"]
    # Less of a GPU's is another memory all the same.
    monkeypatch.setattr("longreach.reproduce.attempt.on_gpu", lambda device: device == "cuda")
    monkeypatch.setattr(Settings, "memory_mb", 200.0)
    assert missing(device="cpu") == []
    assert missing(device="cuda") == ["a-seed0"]
    results.save("t", "a", 0, made_record(jobs[0].config, 0.5, **{**unfit, "environment": {"device": "NVIDIA"}}))
    assert missing(device="cuda") == []
    assert missing(device="cpu") == ["a-seed0"]
    monkeypatch.setattr(Settings, "memory_mb", 316.0)
    assert missing(device="cuda") == ["a-seed0"]


def test_a_broken_record_is_named(results: Results) -> None:
    place = results.place("t", "a", 0)
    place.parent.mkdir(parents=True)
    place.write_text("{")
    with pytest.raises(RunError, match=rf"^{re.escape(str(place))}: expected the record of a run, found no JSON"):
        results.of("t", "a")
    place.write_text("[]")
    with pytest.raises(RunError, match=r"found something else; run it again$"):
        results.of("t", "a")
    place.unlink()
    place.mkdir()
    with pytest.raises(RunError, match=rf"^{re.escape(str(place))}: expected the .*, which cannot be read \(Is a dir"):
        results.of("t", "a")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"environment": None}, "environment: expected keys and values, found nothing"),
        ({"test_accuracy": "0.9"}, "test_accuracy: expected a number, found '0.9'"),
        ({"test_accuracy": float("nan")}, "test_accuracy: expected a number, found nan"),
        ({"data": {"train_size": 3}}, "data.test_size: expected a whole number, found nothing"),
        ({"budget_scale": 0.1}, "budget_seconds: expected a number, found nothing"),
        ({"infeasible": True, "environment": {}}, "environment.device: expected words, found nothing"),
        (
            {"seed": True, "curves": []},
            "seed: expected a whole number, found True; curves: expected keys and values, found []",
        ),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_what_a_record_lacks_is_named(
    changed: dict[str, object], problem: str, tiny_run: Tiny, results: Results
) -> None:
    place = results.place("t", "a", 0)
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(made_record(tiny_run("a"), 0.5, **changed)))
    with pytest.raises(RunError) as refused:
        results.of("t", "a")
    assert str(refused.value) == f"{place}: not the whole record of a run: {problem}; put it right, or remove the file"


@pytest.mark.parametrize("points", [[{"x": 1}], [{"update": 3, "accuracy": None}], [3], {"update": 3}, "none"])
def test_evaluations_that_do_not_say_what_they_found_are_named(
    points: object, tiny_run: Tiny, results: Results
) -> None:
    results.save("t", "a", 0, made_record(tiny_run("a"), 0.5, curves={"test": points}))
    with pytest.raises(RunError, match=r"seed0\.json: not the whole evaluation of the test part: .*accuracy: expected"):
        results.of("t", "a")


def test_a_record_counts_as_that_of_its_own_run_and_seed_alone(tiny_run: Tiny, results: Results) -> None:
    """Copies beside it are none, and one in the place of another is refused."""
    place = results.place("t", "a", 0)
    results.save("t", "a", 0, made_record(tiny_run("a"), 0.5))
    for copied in ("seed0 (1).json", "seed0-old.json", "seedling.json", "failed-seed0 (1).json"):
        place.with_name(copied).write_bytes(place.read_bytes())
    assert len(results.of("t", "a")) == 1
    assert results.failures("t", "a") == []
    for other in (results.place("t", "a", 1), results.place("t", "b", 0)):
        other.parent.mkdir(exist_ok=True)
        other.write_bytes(place.read_bytes())
        name = other.parent.name
        with pytest.raises(RunError) as refused:
            results.of("t", name)
        assert str(refused.value) == (
            f"{other}: expected the record of {name}, {other.stem}, found that of a, seed0; put it in its place, or "
            "remove the file"
        )


def test_a_place_that_takes_no_records_is_refused_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RunError, match=f"^{place}: expected a folder for records, found a file; give another"):
            Results(place).check_free()
    Results(tmp_path / "new" / "one").check_free()
    assert not (tmp_path / "new").exists()
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    with pytest.raises(RunError, match=rf"^{tmp_path}/new: cannot write there \(Permission denied\); give another"):
        Results(tmp_path / "new").check_free()


def test_what_a_note_of_a_failure_lacks_is_named(results: Results) -> None:
    place = results.path / "t" / "a" / "failed-seed0.json"
    place.parent.mkdir(parents=True)
    place.write_text('{"reason": "a loss that is no number"}')
    with pytest.raises(
        RunError,
        match=rf"^{re.escape(str(place))}: not the whole note of a failed run: seed: expected a whole number, found ",
    ):
        results.failures("t", "a")


def test_seeds_come_in_order(tiny_run: Tiny, results: Results) -> None:
    for seed in (10, 2, 0):
        results.save("t", "a", seed, made_record(tiny_run("a", seed=seed), 0.5))
    assert [record["seed"] for record in results.of("t", "a")] == [0, 2, 10]
    results.save_failure("t", "b", 0, {"reason": "a loss that is no number"})
    assert list(results.names("t")) == ["a", "b"]


def test_times_for_reading() -> None:
    assert [spoken(s) for s in (0.4, 48, 60, 300, 3_600, 5_400, 100_000, 200_000, 2e6)] == [
        "0 s",
        "48 s",
        "1 min",
        "5 min",
        "1.0 h",
        "1.5 h",
        "28 h",
        "2.3 days",
        "23 days",
    ]


def test_every_expected_time_of_the_small_scale_is_short() -> None:
    """About ten minutes a run on one core, most of them less; a point of Figure 3, with its test, an hour at most."""
    times = {recipe_name(recipe): expected_seconds(recipe()) for recipe in SMALL_RECIPES}
    assert [name for name, seconds in times.items() if seconds is None] == []
    known = {name: seconds for name, seconds in times.items() if seconds is not None}
    points = {name: seconds for name, seconds in known.items() if name.startswith("small-digits")}
    assert [(name, seconds) for name, seconds in known.items() if name not in points and seconds > 740] == []
    assert statistics.median(known.values()) < 400
    assert max(points.values()) < 3_600
    assert [name for name in points if find_recipe(name).budget != 600.0] == []


def test_every_recipe_tells_how_long_it_takes() -> None:
    assert [recipe_name(recipe) for recipe in RECIPES if expected_seconds(recipe()) is None] == []


@pytest.mark.parametrize(
    ("name", "batch", "update", "reading"),
    [
        # Processor seconds of one core, beside other work: of an update, and of a sequence that is evaluated.
        ("small-mnist14-transformer", 32, 0.109, 0.0012),
        ("small-mnist14-t-dmca", 32, 0.160, 0.0018),
        ("small-cifar16-transformer", 32, 0.158, 0.0017),
        ("small-cifar16-t-dmca", 32, 0.184, 0.0022),
        ("small-mnist14-urnn", 32, 0.121, 0.00043),
        ("small-wordnet14-char-cnn", 32, 0.041, 0.00053),
        ("small-wordnet14-cnn-rnn", 32, 0.016, 0.00017),
        ("small-wordnet14-vdcnn9", 32, 0.118, 0.0011),
    ],
)
def test_expected_times_of_networks_are_near_measured_ones(
    name: str, batch: int, update: float, reading: float
) -> None:
    config = find_recipe(name)
    assert config.batch_size == batch
    (phase,) = config.phases
    assert phase.updates is not None
    assert config.evaluate_every is not None
    size = {"mnist14": 4_000, "cifar10": 10_000, "documents": 5_291}[config.data.source]
    measured = phase.updates * update + phase.updates / config.evaluate_every * (5_000 + size) * reading
    seconds = expected_seconds(config)
    assert seconds is not None
    assert 0.6 < seconds / measured < 1.7


def test_how_long_a_run_takes_is_the_median_of_those_that_were_trained(tiny_run: Tiny, results: Results) -> None:
    jobs = make_jobs([("t", tiny_run("a"))], seeds=5)
    for seed, seconds in enumerate((100.0, 300.0, 9_000.0)):
        results.save("t", "a", seed, made_record(jobs[seed].config, 0.5, seconds=seconds))
    # One that did not fit took no time that would tell.
    gone = made_record(jobs[3].config, 0.5, infeasible=True)
    results.save("t", "a", 3, {key: value for key, value in gone.items() if key != "seconds"})
    assert make_plan(jobs, results).seconds == 300.0
