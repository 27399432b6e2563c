"""A search over settings: what it tries, what it chooses by, and how it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from typer.testing import CliRunner

from longreach.cli import app
from longreach.config import load_config, parse_config
from longreach.config.tune import SearchConfig, load_search
from longreach.errors import ConfigError, RunError
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
