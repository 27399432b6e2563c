"""Lightning's Trainer, killed anywhere and resumed from any kind of checkpoint, goes on with the very same batches."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from longreach.batch import SequenceBatch
from longreach.data.dataset import SequenceDataset
from longreach.data.loader import SequenceLoader
from longreach.data.order import EpochSampler

BATCHES = 4


class Killed(Exception):
    """Stands for the end of the process."""


class Recorder(pl.LightningModule):
    """Notes which sequences come in which update; dies before update `kill_at`."""

    def __init__(self, kill_at: int | None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.kill_at = kill_at
        self.seen: dict[int, list[int]] = {}
        self.validated: list[list[int]] = []

    def training_step(self, batch: SequenceBatch, batch_idx: int) -> torch.Tensor:
        if self.global_step == self.kill_at:
            raise Killed
        self.seen[self.global_step] = batch.values[:, 0, 0].int().tolist()
        return self.weight * 1.0

    def validation_step(self, batch: SequenceBatch, batch_idx: int) -> None:
        self.validated.append(batch.values[:, 0, 0].int().tolist())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def numbered(count: int) -> SequenceDataset:
    return SequenceDataset(np.arange(count, dtype=np.uint8).reshape(count, 1, 1))


def fit(
    folder: Path,
    trigger: str,
    limit: str,
    *,
    kill_at: int | None = None,
    ckpt: Path | None = None,
    workers: int = 0,
    limit_train_batches: int | None = None,
    max_steps: int = 10,
    train: SequenceLoader | None = None,
) -> Recorder:
    saves: dict[str, dict[str, Any]] = {
        "every update": {"every_n_train_steps": 1},
        "every third update": {"every_n_train_steps": 3},
        "after validation": {"save_on_train_epoch_end": False},
        "after the epoch": {"save_on_train_epoch_end": True},
    }
    callback = ModelCheckpoint(folder, filename="c-{step}", save_top_k=-1, save_last=True, **saves[trigger])
    trainer = pl.Trainer(
        max_epochs=3 if limit == "epochs" else -1,
        max_steps=-1 if limit == "epochs" else max_steps,
        limit_train_batches=limit_train_batches,
        callbacks=[callback],
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=1,
    )
    module = Recorder(kill_at)
    if train is None:
        train = SequenceLoader(numbered(15), 4, seed=3, shuffle=True, num_workers=workers)
    valid = SequenceLoader(numbered(5), 2)
    with contextlib.suppress(Killed):
        trainer.fit(module, train, valid, ckpt_path=ckpt, weights_only=True)
    return module


@pytest.mark.parametrize("limit", ["epochs", "updates"])
@pytest.mark.parametrize("trigger", ["every update", "every third update", "after validation", "after the epoch"])
def test_resume_sees_the_same_batches(tmp_path: Path, trigger: str, limit: str) -> None:
    whole = fit(tmp_path / "whole", trigger, limit).seen
    total = 3 * BATCHES if limit == "epochs" else 10
    assert sorted(whole) == list(range(total))
    for kill_at in (4, 5, 8, 9):
        folder = tmp_path / f"{kill_at}"
        killed = fit(folder, trigger, limit, kill_at=kill_at)
        assert killed.seen == {update: whole[update] for update in range(kill_at)}
        resumed = fit(folder, trigger, limit, ckpt=folder / "last.ckpt").seen
        assert max(resumed) == total - 1
        assert min(resumed) > 0
        assert resumed == {update: whole[update] for update in range(min(resumed), total)}, kill_at


@pytest.mark.filterwarnings("ignore:The dirpath has changed")
@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks used to create")
@pytest.mark.parametrize("then", ["every update", "after the epoch", "after validation"])
def test_resume_twice_after_a_miscounted_epoch(tmp_path: Path, then: str) -> None:
    """With updates as the limit and a checkpoint at an epoch's end Lightning counts one epoch too many ever after."""
    whole = fit(tmp_path / "whole", "every update", "updates", max_steps=18).seen
    folder = tmp_path / "cut"
    fit(folder, "after the epoch", "updates", kill_at=6, max_steps=18)
    again = folder / "again"
    second = fit(again, then, "updates", kill_at=11, max_steps=18, ckpt=folder / "last.ckpt").seen
    assert second == {update: whole[update] for update in range(4, 11)}
    third = fit(again, then, "updates", max_steps=18, ckpt=again / "last.ckpt").seen
    assert third == {update: whole[update] for update in range(11 if then == "every update" else 8, 18)}


@pytest.mark.parametrize("limit", ["epochs", "updates"])
@pytest.mark.parametrize("trigger", ["every update", "after validation", "after the epoch"])
def test_resume_with_epochs_cut_short(tmp_path: Path, trigger: str, limit: str) -> None:
    whole = fit(tmp_path / "whole", trigger, limit, limit_train_batches=3).seen
    total = len(whole)
    sampler = EpochSampler(15, 4, seed=3, shuffle=True, drop_last=False)
    assert whole == {
        update: sampler.order(update // 3)[update % 3 * 4 : update % 3 * 4 + 4].tolist() for update in range(total)
    }
    for kill_at in (3, 4, 6, 8):
        folder = tmp_path / f"{kill_at}"
        fit(folder, trigger, limit, limit_train_batches=3, kill_at=kill_at)
        resumed = fit(folder, trigger, limit, limit_train_batches=3, ckpt=folder / "last.ckpt").seen
        assert resumed == {update: whole[update] for update in range(min(resumed), total)}, kill_at


def test_resume_with_workers(tmp_path: Path) -> None:
    whole = fit(tmp_path / "whole", "every update", "updates").seen
    fit(tmp_path, "every update", "updates", kill_at=6, workers=2)
    resumed = fit(tmp_path, "every update", "updates", ckpt=tmp_path / "last.ckpt", workers=2).seen
    assert resumed == {update: whole[update] for update in range(6, 10)}


@pytest.mark.parametrize(
    ("trigger", "kill_at", "steps"), [("every update", 5, 7), ("after the epoch", 5, 7), ("every update", 2, 4)]
)
def test_a_second_fit_with_the_same_loader_does_not_depend_on_a_resume_in_the_first(
    tmp_path: Path, trigger: str, kill_at: int, steps: int
) -> None:
    def later_fits(folder: Path, ckpt: Path | None) -> list[dict[int, list[int]]]:
        loader = SequenceLoader(numbered(15), 4, seed=3, shuffle=True)
        fit(folder, trigger, "updates", ckpt=ckpt, train=loader, max_steps=steps)
        return [fit(folder / "next", trigger, "updates", train=loader, max_steps=more).seen for more in (6, 3)]

    undisturbed = later_fits(tmp_path / "whole", None)
    fit(tmp_path / "cut", trigger, "updates", kill_at=kill_at, max_steps=steps)
    assert later_fits(tmp_path / "cut", tmp_path / "cut" / "last.ckpt") == undisturbed


def test_validation_sees_every_sequence_in_order(tmp_path: Path) -> None:
    seen = fit(tmp_path, "after the epoch", "epochs").validated
    sanity, each = [[0, 1]], [[0, 1], [2, 3], [4]]
    assert seen == sanity + 3 * each
