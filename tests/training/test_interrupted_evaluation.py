"""A run that is stopped or killed in an evaluation does it when it goes on, and ends as the undisturbed one does."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Sized
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from small_runs import small, untimed

from longreach.errors import Interrupted
from longreach.training import bookkeeper as bookkeeping
from longreach.training.bookkeeper import Bookkeeper
from longreach.training.fit import fit
from longreach.training.metrics_file import read_metrics


def stop_in_evaluation(monkeypatch: pytest.MonkeyPatch, number: int, how: Callable[[], None]) -> None:
    """Something happens in mid-evaluation, in the given one of the test part."""
    plain, seen = bookkeeping.predict_logits, itertools.count(1)

    def predict(classifier: object, dataset: Sized, before_each: Callable[[], None]) -> torch.Tensor:
        stops = len(dataset) > 1_000 and next(seen) == number
        batches = itertools.count(1)

        def before() -> None:
            if stops and next(batches) == 3:
                how()
            before_each()

        return plain(classifier, dataset, before_each=before)

    monkeypatch.setattr(bookkeeping, "predict_logits", predict)


@pytest.mark.parametrize(
    ("number", "said"), [(2, "in update 15"), (4, "in update 25")], ids=["in mid-run", "at the end"]
)
def test_a_second_signal_in_an_evaluation_that_is_owed_leaves_at_once(
    number: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out = small(monitor=["test", "validation"], **{"phases.1.updates": 7}), tmp_path / "run"

    def twice() -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)

    for resume, place, how in ((False, number, lambda: os.kill(os.getpid(), signal.SIGTERM)), (True, 1, twice)):
        with monkeypatch.context() as patch:
            stop_in_evaluation(patch, place, how)
            with pytest.raises(Interrupted) as told:
                fit(config, out, resume=resume, progress=False, device="cpu")
    assert f"interrupted {said}, without saving; go on from the last checkpoint" in str(told.value)
    assert fit(config, out, resume=True, progress=False, device="cpu")["updates"] == 24


WINDOWS = {
    "stored": {"grid": 20, "burn_in": 10, "refresh_every": 3},
    "auxiliary": [],
    "phases": [{"name": "joint", "updates": 24}],
}
"""On stored states, which a checkpoint has files of."""


@pytest.mark.parametrize(("number", "update"), [(2, 14), (4, 24)], ids=["in mid-run", "after the last update"])
@pytest.mark.parametrize("changes", [{"phases.1.updates": 7}, WINDOWS], ids=["read anew", "stored states"])
def test_asked_to_leave_in_an_evaluation_it_is_done_when_the_run_goes_on(
    changes: dict[str, object], number: int, update: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out, whole = small(monitor=["test", "validation"], **changes), tmp_path / "run", tmp_path / "whole"
    record = fit(config, whole, progress=False, device="cpu")
    with monkeypatch.context() as patch:
        stop_in_evaluation(patch, number, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Interrupted, match=f"interrupted after update {update}, which is saved"):
            fit(config, out, progress=False, device="cpu")
    assert max(int(row["update"]) for row in read_metrics(out / "metrics.csv") if row["test_accuracy"]) < update
    with monkeypatch.context() as patch:
        # Again, before it is done: nothing is lost and nothing is trained.
        stop_in_evaluation(patch, 1, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Interrupted, match=f"interrupted after update {update}, which is saved"):
            fit(config, out, resume=True, progress=False, device="cpu")
    resumed = fit(config, out, resume=True, progress=False, device="cpu")
    assert resumed["resumed_at_updates"] == [update]
    assert untimed(resumed) == untimed(record)
    for name in ("metrics.csv", "model/model.safetensors"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.parametrize("changes", [{"phases.1.updates": 7}, WINDOWS], ids=["read anew", "stored states"])
@pytest.mark.parametrize("kill", ["in the evaluation", "after it"])
def test_killed_in_or_after_an_evaluation_that_came_when_a_checkpoint_was_due(
    kill: str, changes: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may take longer than the updates before it: they are saved first."""
    changes = {**changes, "monitor": ["test", "validation"], "checkpoint_every": 1_000, "checkpoint_minutes": 0.001}
    config, out, whole = small(**changes), tmp_path / "run", tmp_path / "whole"
    record = fit(config, whole, progress=False, device="cpu")

    def die() -> None:
        raise KeyboardInterrupt

    class After:
        """Saves of an update come before its evaluation and after it."""

        save, seen = Bookkeeper._save, 0

    def save(self: Bookkeeper, trainer: pl.Trainer, done: int) -> None:
        After.seen += done == 14
        if After.seen == 2:
            die()
        After.save(self, trainer, done)

    with monkeypatch.context() as patch:
        patch.setattr(Bookkeeper, "_is_time", lambda self: True)
        if kill == "after it":
            patch.setattr(Bookkeeper, "_save", save)
        else:
            stop_in_evaluation(patch, 2, die)
        with pytest.raises(Interrupted):
            fit(config, out, progress=False, device="cpu")
    resumed = fit(config, out, resume=True, progress=False, device="cpu")
    assert resumed["resumed_at_updates"] == [14]
    assert untimed(resumed) == untimed(record)
    assert (out / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
