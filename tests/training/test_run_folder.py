"""What a run's folder may hold when the run begins, and where its data lie when it goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from longreach.config import DataConfig, ModelConfig, PhaseConfig, RunConfig, load_config
from longreach.errors import DataError, RunError
from longreach.training.fit import fit

SHORT = RunConfig(
    name="short",
    data=DataConfig(train_samples=40, validation=0),
    model=ModelConfig(hidden_size=4, embedding_size=4, head_size=8),
    truncation=7,
    phases=(PhaseConfig(updates=3),),
    monitor=(),
    select="last",
    tensorboard=False,
)


@pytest.mark.parametrize("left", ["empty", "half"])
def test_a_run_killed_before_its_configuration_was_written_begins_anew(left: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    (out / "checkpoints").mkdir(parents=True)
    if left == "half":
        (out / ".config.yaml.99").write_text("name: ha")
    fit(SHORT, out, progress=False, device="cpu")
    assert not (out / ".config.yaml.99").exists()


@pytest.mark.parametrize("place", ["checkpoints/last.ckpt", ".hidden"])
def test_a_folder_with_anything_else_is_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / place).write_text("precious")
    with pytest.raises(RunError, match="holds other files and no run"):
        fit(SHORT, tmp_path, progress=False, device="cpu")
    assert (tmp_path / place).read_text() == "precious"


def test_data_that_were_moved_are_found_at_their_new_place(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)

    def save(place: str) -> None:
        parts = {"train": 20, "test": 10}
        arrays = {f"x_{part}": generator.normal(size=(size, 9, 1)) for part, size in parts.items()}
        np.savez(tmp_path / place, **arrays, **{f"y_{part}": np.arange(size) % 2 for part, size in parts.items()})

    def at(place: str) -> RunConfig:
        return RunConfig(
            name="moved",
            data=DataConfig(source="arrays", path=str(tmp_path / place), validation=0),
            phases=(PhaseConfig(updates=4),),
            monitor=(),
            select="last",
            tensorboard=False,
            checkpoint_every=2,
        )

    out = tmp_path / "run"
    save("here.npz")
    whole = fit(at("here.npz"), out, progress=False, device="cpu")
    (out / "record.json").unlink()
    (tmp_path / "here.npz").rename(tmp_path / "there.npz")
    with pytest.raises(DataError):
        fit(at("here.npz"), out, resume=True, progress=False, device="cpu")
    with pytest.raises(DataError):
        fit(at("typo.npz"), out, resume=True, progress=False, device="cpu")
    assert load_config(out / "config.yaml").data.path == str(tmp_path / "here.npz")
    # A checkpoint in mid-run, so that there is something to train.
    (out / "checkpoints" / "previous.ckpt").replace(out / "checkpoints" / "last.ckpt")
    record = fit(at("there.npz"), out, resume=True, progress=False, device="cpu")
    assert record["test_last"] == whole["test_last"]
    assert load_config(out / "config.yaml").data.path == str(tmp_path / "there.npz")
    # Other data at that place are no continuation.
    (out / "record.json").unlink()
    save("there.npz")
    with pytest.raises(RunError, match="the training data are not those that the run began with"):
        fit(at("there.npz"), out, resume=True, progress=False, device="cpu")
