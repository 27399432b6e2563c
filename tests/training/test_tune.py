"""A search over settings: what it tries, what it chooses by, and how it goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from typer.testing import CliRunner

from longreach.cli import app
from longreach.config import RunConfig, load_config, parse_config
from longreach.config.tune import RangeConfig, SearchConfig, load_search
from longreach.errors import ConfigError, Diverged, Interrupted, OutOfMemory, RunError
from longreach.training import tune as tuning

RUN = {
    "name": "tiny",
    "data": {"train_samples": 160, "validation": 40},
    "model": {"hidden_size": 4, "embedding_size": None, "head_size": 4},
    "truncation": 7,
    "phases": [{"updates": 4, "learning_rate": 0.001}],
    "evaluate_every": 4,
    "checkpoint_every": 2,
    "tensorboard": False,
}
SPACE: dict[str, Any] = {
    "phases.0.learning_rate": {"low": 0.001, "high": 0.1, "log": True},
    "model.hidden_size": {"low": 2, "high": 6},
    "model.cell": ["lstm", "gru"],
}


def search(trials: int, out: Path, seed: int = 0) -> dict[str, Any]:
    base = parse_config(RUN, "test")
    return tuning.tune(base, SearchConfig(space=SPACE, seed=seed), out, trials=trials, progress=False, device="cpu")


def records(out: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(out.glob("trials/*/record.json"))}


def test_the_best_of_the_validation_part_is_kept_and_more_trials_go_on(tmp_path: Path) -> None:
    out = tmp_path / "search"
    best = search(2, out)
    before = records(out)
    assert best["finished"] == len(before) == 2
    best = search(3, out)
    after = records(out)
    assert best["finished"] == len(after) == 3
    assert {name: after[name] for name in before} == before
    assert best["validation_accuracy"] == max(record["best_validation_accuracy"] for record in after.values())
    chosen = load_config(out / "best.yaml")
    assert chosen.model_dump(mode="json") == after[Path(best["run"]).name]["config"]
    assert best["settings"] == {
        "phases.0.learning_rate": chosen.phases[0].learning_rate,
        "model.hidden_size": chosen.model.model_dump()["hidden_size"],
        "model.cell": chosen.model.model_dump()["cell"],
    }
    assert 0.001 <= chosen.phases[0].learning_rate <= 0.1
    # The same search from the start tries the same.
    assert search(3, tmp_path / "again")["settings"] == best["settings"]
    assert records(tmp_path / "again").keys() == after.keys()


def test_a_trial_that_was_broken_off_is_tried_again_in_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "search"
    calls: list[tuple[Path, bool]] = []
    real = tuning.fit

    def broken(config: Any, folder: Path, **arguments: Any) -> Any:
        calls.append((folder, arguments["resume"]))
        if len(calls) == 1:
            folder.mkdir(parents=True)
            (folder / "config.yaml").write_text(config.to_yaml())
            raise KeyboardInterrupt
        return real(config, folder, **arguments)

    monkeypatch.setattr(tuning, "fit", broken)
    with pytest.raises(KeyboardInterrupt):
        search(1, out)
    best = search(1, out)
    assert calls == [(calls[0][0], False), (calls[0][0], True)]
    assert best["finished"] == 1
    study = optuna.load_study(study_name="longreach", storage=f"sqlite:///{out}/study.db")
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE"]
    assert study.trials[0].params == study.trials[1].params


class Pretended:
    """Stands in for `fit`: diverges where it is told to, and scores by the learning rate."""

    def __init__(self, diverges: Callable[[RunConfig], bool]) -> None:
        self.diverges, self.tried = diverges, list[RunConfig]()

    def __call__(self, config: RunConfig, folder: Path, **_: Any) -> dict[str, Any]:
        self.tried.append(config)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(config.to_yaml())
        if self.diverges(config):
            raise Diverged(f"{folder}: the losses supervised became NaN")
        return {"best_validation_accuracy": config.phases[0].learning_rate}

    @property
    def rates(self) -> list[float]:
        return [config.phases[0].learning_rate for config in self.tried]


def trials_of(out: Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="longreach", storage=f"sqlite:///{out}/study.db").trials


def test_what_diverges_is_given_up_and_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = Pretended(lambda config: config.phases[0].learning_rate > 0.01)
    monkeypatch.setattr(tuning, "fit", fit)
    out = tmp_path / "search"
    best = search(8, out)
    assert best["finished"] == 8
    assert best["validation_accuracy"] == max(rate for rate in fit.rates if rate <= 0.01)
    trials = trials_of(out)
    gone = [trial for trial in trials if trial.state.name == "FAIL"]
    assert len(gone) == sum(rate > 0.01 for rate in fit.rates) > 0
    assert len(trials) == len(gone) + 8
    assert len(set(fit.rates)) == len(fit.rates)
    errors = capsys.readouterr().err
    for trial in gone:
        assert trial.user_attrs["diverged"].endswith(": the losses supervised became NaN")
        assert f"trial given up: {trial.user_attrs['diverged']}\n" in errors
    # Nothing of it is left for the next call.
    assert search(8, out) == best
    assert len(trials_of(out)) == len(trials)


def test_without_a_failure_the_proposals_are_those_of_the_seeded_sampler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = Pretended(lambda config: False)
    monkeypatch.setattr(tuning, "fit", fit)
    search(12, tmp_path / "search", seed=5)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    for place, rate in enumerate(fit.rates):
        study.sampler = optuna.samplers.TPESampler(seed=5 + place)
        trial = study.ask()
        assert trial.suggest_float("phases.0.learning_rate", 0.001, 0.1, log=True) == rate
        trial.suggest_int("model.hidden_size", 2, 6)
        trial.suggest_categorical("model.cell", ["lstm", "gru"])
        study.tell(trial, rate)


def test_a_search_of_which_ten_in_a_row_diverge_stops_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = Pretended(lambda config: True)
    monkeypatch.setattr(tuning, "fit", fit)
    out = tmp_path / "search"
    for call in (1, 2):
        with pytest.raises(RunError) as error:
            search(2, out)
        assert len(set(fit.rates)) == len(fit.rates) == 10 * call
        assert str(error.value) == (
            "tune: losses or gradients of 10 trials in a row became NaN or infinite. Search among lower learning "
            "rates, or set optimiser.clip, or on_nan to skip, in the run, with another --out; the same command tries "
            f"others. The last one was {trials_of(out)[-1].user_attrs['diverged']}"
        )


def test_settings_that_diverged_are_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, out = parse_config(RUN, "test"), tmp_path / "search"
    space = SearchConfig(space={"model.hidden_size": RangeConfig(low=2, high=4), "model.cell": ("lstm", "gru")})
    fit = Pretended(lambda config: not {("cell", "gru"), ("hidden_size", 3)} <= set(config.model.model_dump().items()))
    monkeypatch.setattr(tuning, "fit", fit)
    # Enough for the sampler to look for what it has not seen, which is what diverges.
    best = tuning.tune(base, space, out, trials=15, progress=False)
    assert best["settings"] == {"model.cell": "gru", "model.hidden_size": 3}
    gone = [config for config in fit.tried if fit.diverges(config)]
    assert len({config.name for config in gone}) == len(gone) <= 5


def test_a_search_of_which_everything_diverges_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, out = parse_config(RUN, "test"), tmp_path / "search"
    space = SearchConfig(space={"model.cell": ("lstm", "gru")})
    fit = Pretended(lambda config: True)
    monkeypatch.setattr(tuning, "fit", fit)
    for _ in range(2):
        with pytest.raises(RunError, match=r"^tune: losses or gradients of all 2 settings that there are to try b"):
            tuning.tune(base, space, out, trials=2, progress=False)
    assert len(fit.tried) == 2


@pytest.mark.parametrize("kind", [Interrupted, OutOfMemory, ConfigError, RunError])
def test_what_is_no_divergence_ends_the_search_and_is_tried_again(
    kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = Pretended(lambda config: False)

    def end(*arguments: Any, **more: Any) -> dict[str, Any]:
        fit(*arguments, **more)
        raise kind("the disk is full")

    out = tmp_path / "search"
    monkeypatch.setattr(tuning, "fit", end)
    with pytest.raises(kind, match=r"^the disk is full$"):
        search(1, out)
    monkeypatch.setattr(tuning, "fit", fit)
    search(1, out)
    assert fit.rates[0] == fit.rates[1]


def test_from_the_command_line_with_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "search.yaml"
    path.write_text(yaml.safe_dump({"run": "mnist14_recall", "search": {"auxiliary.0.weight": [1.0, 3.0]}, "seed": 4}))
    run, found = load_search(path)
    assert run == "mnist14_recall"
    assert found == SearchConfig(space={"auxiliary.0.weight": (1.0, 3.0)}, seed=4)
    path.write_text(yaml.safe_dump({"run": RUN, "search": SPACE}))
    done = CliRunner().invoke(
        app, ["tune", str(path), "--out", str(tmp_path / "out"), "--trials", "1", "--quiet"], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert json.loads(done.output)["finished"] == 1


def test_the_run_may_be_a_file_beside_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.yaml").write_text(yaml.safe_dump(RUN))
    (elsewhere / "search.yaml").write_text(yaml.safe_dump({"run": "mine.yaml", "search": SPACE}))
    arguments = ["tune", str(elsewhere / "search.yaml"), "--trials", "1", "--quiet"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out")], catch_exceptions=False)
    assert json.loads(done.output)["finished"] == 1
    # What lies here comes first.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("batch_size: 0")
    with pytest.raises(ConfigError, match=r"mine.yaml: batch_size: should be greater than or equal to 1"):
        CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "other")], catch_exceptions=False)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"run": "x"}, "{path}: expected the keys run and search, and maybe seed, found run"),
        (
            {"run": RUN, "search": {"seed": {"low": 3, "high": 1}}},
            "{path}: search: a range from 3 to 1 is empty; set high above low",
        ),
    ],
)
def test_a_search_that_cannot_be_meant(tree: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "search.yaml"
    path.write_text(yaml.safe_dump(tree))
    with pytest.raises(ConfigError) as caught:
        load_search(path)
    assert message.format(path=path) in str(caught.value)


def test_a_search_that_cannot_be_run(tmp_path: Path) -> None:
    base = parse_config(RUN, "test")
    space = SearchConfig(space={"model.width": (1, 2)})
    with pytest.raises(ConfigError, match="--set: unknown key 'model"):
        tuning.tune(base, space, tmp_path / "x", trials=1)
    last = base.model_copy(update={"select": "last"})
    with pytest.raises(ConfigError) as caught:
        tuning.tune(last, SearchConfig(space=SPACE), tmp_path / "x", trials=1)
    assert str(caught.value) == (
        "tune: expected a run that is selected by its validation part; set monitor to [validation] and select to best"
    )
    assert not (tmp_path / "x").exists()
    search(1, tmp_path / "x")
    with pytest.raises(RunError) as error:
        search(1, tmp_path / "x", seed=1)
    assert str(error.value) == (
        f"{tmp_path / 'x'}: holds another search; go on with its own configuration, or give another --out"
    )
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "letter").touch()
    with pytest.raises(RunError) as error:
        search(1, tmp_path / "y")
    assert str(error.value) == (
        f"{tmp_path / 'y'}: holds other files and no search; give a new or an empty folder with --out"
    )
