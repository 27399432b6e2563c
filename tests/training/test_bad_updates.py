"""Trainings that meet numbers which are none, disks that take no more, and checkpoints by the clock."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from longreach.config import RunConfig, parse_config
from longreach.errors import Diverged, RunError
from longreach.training.checkpoints import read_checkpoint
from longreach.training.fit import fit
from longreach.training.metrics_file import read_metrics
from longreach.training.objective import Objective

SMALL = {
    "name": "small",
    "data": {"train_samples": 300, "validation": 100},
    "model": {"hidden_size": 8, "embedding_size": None, "head_size": 8},
    "truncation": 28,
    "auxiliary": [{"kind": "recall", "anchors": 1, "queries": 2, "readout_size": 8}],
    "phases": [{"name": "first", "updates": 12}],
    "checkpoint_every": 2,
    "log_every": 4,
    "tensorboard": False,
}


def small(**changes: object) -> RunConfig:
    return parse_config(SMALL, "small").with_set(dict(changes))


@pytest.fixture
def bad_at(monkeypatch: pytest.MonkeyPatch):
    """Makes the loss of one update NaN in one row's share, or its gradient infinite."""
    plain = Objective.forward

    def break_at(update: int, gradient: bool = False) -> None:
        def forward(self: Objective, batch, now: int, **more):
            terms = plain(self, batch, now, **more)
            if now == update and gradient:
                weight = self.classifier.head.second.bias
                terms["loss"] = terms["loss"] + (weight - weight.detach()).abs().sqrt().sum()
            elif now == update and (batch.rows is None or 17 in batch.rows or batch.size > 1):
                terms["supervised"] = terms["supervised"] * float("nan")
                terms["loss"] = terms["loss"] + terms["supervised"]
            return terms

        monkeypatch.setattr(Objective, "forward", forward)

    return break_at


def test_a_loss_that_is_no_number_stops_before_it_reaches_the_weights(bad_at, tmp_path: Path) -> None:
    bad_at(5)
    with pytest.raises(Diverged) as error:
        fit(small(), tmp_path / "run", progress=False, device="cpu")
    assert str(error.value) == (
        f"{tmp_path / 'run'}: the losses supervised became NaN or infinite at update 6, in phase 'first' (no sequence "
        "by itself makes them so); the weights have not been touched by it. Lower the phase's learning_rate, set "
        "optimiser.clip, or leave such updates out with --on-nan skip"
    )
    last = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert last["global_step"] == 4
    assert all(torch.isfinite(value).all() for value in last["state_dict"].values())


def test_a_gradient_that_is_no_number_stops_too(bad_at, tmp_path: Path) -> None:
    bad_at(5, gradient=True)
    with pytest.raises(Diverged) as error:
        fit(small(), tmp_path / "run", progress=False, device="cpu")
    assert str(error.value).startswith(
        f"{tmp_path / 'run'}: the gradients of classifier.head.second.bias became NaN or infinite at update 6, in phase"
    )


@pytest.mark.parametrize("gradient", [False, True])
def test_such_updates_can_be_left_out_and_the_record_says_which(bad_at, tmp_path: Path, gradient: bool) -> None:
    bad_at(5, gradient)
    record = fit(small(on_nan="skip"), tmp_path / "run", progress=False, device="cpu")
    assert record["skipped_updates"] == [6]
    rows = read_metrics(tmp_path / "run" / "metrics.csv")
    assert all(row["loss"] != "nan" for row in rows)
    assert record["updates"] == 12


def test_a_run_that_stopped_goes_on_without_the_bad_update(bad_at, tmp_path: Path) -> None:
    bad_at(5)
    out = tmp_path / "run"
    with pytest.raises(RunError):
        fit(small(), out, progress=False, device="cpu")
    resumed = fit(small(on_nan="skip"), out, resume=True, progress=False, device="cpu")
    straight = fit(small(on_nan="skip"), tmp_path / "straight", progress=False, device="cpu")
    assert resumed["skipped_updates"] == straight["skipped_updates"] == [6]
    assert resumed["test_last"] == straight["test_last"]


def test_checkpoints_come_by_the_clock_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from longreach.training import bookkeeper

    saved: list[int] = []
    plain = bookkeeper.Bookkeeper._save
    monkeypatch.setattr(
        bookkeeper.Bookkeeper, "_save", lambda self, trainer, done: (saved.append(done), plain(self, trainer, done))
    )
    fit(small(checkpoint_every=1_000, checkpoint_minutes=1e-9), tmp_path / "often", progress=False, device="cpu")
    # Before an evaluation too, at the end of the first epoch and at the end.
    assert saved == sorted([*range(1, 13), 7, 12])
    saved.clear()
    fit(small(checkpoint_every=1_000, checkpoint_minutes=1e9), tmp_path / "seldom", progress=False, device="cpu")
    assert saved == [12, 12]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A mounted file system of 600 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize(
    ("writes", "message"),
    [
        (
            3,
            "cannot save update 4 (No space left on device); the checkpoints that are there stay as they are. Mend "
            "that, and go on with longreach train --resume --out {out}",
        ),
        (
            9,
            "cannot write the results (No space left on device); training is over and its last checkpoint is there. "
            "Mend that, and get them with longreach train --resume --out {out}",
        ),
    ],
)
def test_a_full_disk_ends_the_run_with_what_to_do_and_keeps_what_is_there(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, writes: int, message: str
) -> None:
    out, whole = small_disk / "run", small_disk.parent / "whole"
    config = small(**{"phases.0.updates": 8, "checkpoint_every": 2, "evaluate_every": 8})
    expected = fit(config, whole, progress=False, device="cpu")
    filler, plain, done = small_disk / "filler", os.fsync, []

    def fill(descriptor: int) -> None:
        """Once so many files are whole, somebody else takes the rest of the disk."""
        plain(descriptor)
        done.append(descriptor)
        if len(done) == writes:
            left = os.statvfs(small_disk)
            filler.write_bytes(b"x" * ((left.f_bavail - 1) * left.f_frsize))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fill)
        with pytest.raises(RunError) as error:
            fit(config, out, progress=False, device="cpu")
    assert str(error.value) == f"{out}: {message.format(out=out)}"
    filler.unlink()
    record = fit(config, out, resume=True, progress=False, device="cpu")
    assert record["test_last"] == expected["test_last"]
    model = "model/model.safetensors"
    assert (out / model).read_bytes() == (whole / model).read_bytes()


def test_a_loss_without_bounds_stops_also_where_its_gradient_has_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Objective.forward

    def forward(self: Objective, batch, now: int, **more):
        terms = plain(self, batch, now, **more)
        return {**terms, "loss": terms["loss"] + torch.inf} if now == 2 else terms

    monkeypatch.setattr(Objective, "forward", forward)
    config = small(phases=[{"updates": 4}])
    with pytest.raises(Diverged, match="the losses loss became NaN or infinite at update 3,"):
        fit(config, tmp_path / "stop", progress=False, device="cpu")
    record = fit(config.with_set({"on_nan": "skip"}), tmp_path / "skip", progress=False, device="cpu")
    assert record["skipped_updates"] == [3]


def test_what_normalisation_keeps_of_batches_forgets_those_that_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is the one of a training that never read the bad batch."""
    plain = Objective.forward
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "noise.npz", X=draw.normal(size=(40, 60)), y=np.arange(40) % 2)
    config = parse_config(
        {
            "name": "vdcnn",
            "data": {"source": "auto", "path": str(tmp_path / "noise.npz"), "validation": 8},
            "model": {"network": "vdcnn", "depth": 9, "length": 57, "dense_size": 8},
            "phases": [{"updates": 4}],
            "batch_size": 4,
            "on_nan": "skip",
            "tensorboard": False,
        },
        "vdcnn",
    )

    def reads(self: Objective, batch, now: int, **more):
        return plain(self, replace(batch, values=batch.values * torch.nan) if now == 2 else batch, now, **more)

    def leaves(self: Objective, batch, now: int, **more):
        if now != 2:
            return plain(self, batch, now, **more)
        loss = sum(weight.sum() for weight in self.parameters()) * torch.nan
        return {"loss": loss, "supervised": loss}

    models = []
    for forward in (reads, leaves):
        monkeypatch.setattr(Objective, "forward", forward)
        out = tmp_path / forward.__name__
        assert fit(config, out, progress=False, device="cpu")["skipped_updates"] == [3]
        models.append(load_file(out / "model/model.safetensors"))
    assert sum("running_var" in name for name in models[0]) == 8
    assert all(torch.equal(tensor, models[1][name]) for name, tensor in models[0].items())
