"""Trainings in processes of their own: what is there already, what fails, what is interrupted."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from longreach.demo import trainings
from longreach.demo.methods import configurations
from longreach.demo.trainings import plan_trainings, train_all
from longreach.errors import RunError


class Silent:
    """In place of a `Watch`."""

    def started(self, name: str) -> None: ...
    def ended(self, name: str) -> None: ...
    def show(self) -> None: ...


class Interrupting(Silent):
    def show(self) -> None:
        raise KeyboardInterrupt


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[str]]:
    """Every process that is started."""
    held: list[subprocess.Popen[str]] = []
    start = trainings.start

    def keeping(*arguments: Any, **more: Any) -> subprocess.Popen[str]:
        held.append(start(*arguments, **more))
        return held[-1]

    monkeypatch.setattr(trainings, "start", keeping)
    return held


def test_a_folder_with_a_demo_of_other_settings_is_refused(tmp_path: Path) -> None:
    planned = plan_trainings(tmp_path, configurations(0, 100))
    planned[3].folder.begin(planned[3].config)
    assert [training.begun for training in plan_trainings(tmp_path, configurations(0, 100))] == [False] * 3 + [True]
    with pytest.raises(RunError) as error:
        plan_trainings(tmp_path, configurations(1, 200))
    assert str(error.value) == (
        f"{tmp_path}: holds a demo of other settings (expected mnist14-recall with seed 1 and 200 updates, "
        "found mnist14-recall with seed 0 and 100 updates in recall); give another folder with --out"
    )


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError) as error:
        plan_trainings(tmp_path / "file", configurations(0, 100))
    assert (
        str(error.value) == f"{tmp_path / 'file'}: cannot write there (Not a directory); give another folder with --out"
    )


def test_finished_runs_are_left_alone(tmp_path: Path, children: list[subprocess.Popen[str]]) -> None:
    planned = plan_trainings(tmp_path, configurations(0, 100))
    for training in planned:
        training.folder.begin(training.config)
        training.folder.save_record({})
    train_all(planned, Silent())  # type: ignore[arg-type]
    assert children == []


def test_a_training_that_fails_ends_the_others_and_names_its_log(
    tmp_path: Path, children: list[subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainings, "cores", lambda: 2)
    configs = configurations(0, 100_000)
    planned = plan_trainings(tmp_path, {name: configs[name] for name in ("lstm-truncated", "recall")})
    broken = planned[0]
    broken.folder.begin(broken.config)
    broken.folder.last.write_bytes(b"not a checkpoint")
    with pytest.raises(RunError) as error:
        train_all(planned, Silent())  # type: ignore[arg-type]
    log = tmp_path / "runs" / "lstm-truncated.log"
    assert str(error.value).startswith(
        f"demo: the training of lstm-truncated failed with status 2; all it wrote is in {log}, "
        "and the same command goes on from here. Its end:\n"
    )
    assert log.read_text().strip().splitlines()[-1] in str(error.value)
    assert len(children) == 2
    assert all(child.poll() is not None for child in children)


def test_an_interruption_ends_all_children(
    tmp_path: Path, children: list[subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainings, "cores", lambda: 2)
    with pytest.raises(KeyboardInterrupt):
        train_all(plan_trainings(tmp_path, configurations(0, 100_000)), Interrupting())  # type: ignore[arg-type]
    assert len(children) == 2
    assert all(child.poll() is not None for child in children)


def test_one_core_trains_one_after_the_other(
    tmp_path: Path, children: list[subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainings, "cores", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        train_all(plan_trainings(tmp_path, configurations(0, 100_000)), Interrupting())  # type: ignore[arg-type]
    assert len(children) == 1
