"""A run that is killed and resumed ends as the undisturbed one does, bit for bit."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
from small_runs import small, untimed

from longreach.config import RunConfig
from longreach.errors import Interrupted, RunError
from longreach.training import fit as fitting
from longreach.training.bookkeeper import Bookkeeper
from longreach.training.checkpoints import read_checkpoint, write_checkpoint
from longreach.training.fit import fit
from longreach.training.run_folder import RunFolder


def start(config: RunConfig, folder: Path, *more: str) -> subprocess.Popen[bytes]:
    path = folder.parent / "small.yaml"
    path.write_text(config.to_yaml())
    command = [sys.executable, "-m", "longreach", "train", str(path), "--out", str(folder), "--quiet", *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def kill_after(config: RunConfig, folder: Path, updates: int, *more: str) -> None:
    """Start a run and SIGKILL it once a checkpoint of at least `updates` updates is there."""
    process = start(config, folder, *more)
    last = folder / "checkpoints" / "last.ckpt"
    try:
        while process.poll() is None:
            if last.is_file() and torch.load(last, weights_only=True)["global_step"] >= updates:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.02)
    finally:
        process.kill()
        _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def optimiser(folder: Path) -> dict[str, torch.Tensor]:
    states = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["optimizer_states"][0]["state"]
    return {f"{i}.{name}": value for i, state in states.items() for name, value in state.items()}


def assert_same_tensors(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.mark.parametrize("optimiser_name", ["adam", "rmsprop_tf"])
def test_killed_in_pretraining_and_again_in_joint_training_then_resumed_equals_undisturbed(
    tmp_path: Path, optimiser_name: str
) -> None:
    # More work per update than needed, so that the kill lands before the end.
    config = small(**{"optimiser.name": optimiser_name, "model.hidden_size": 48})
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    kill_after(config, disturbed, 7)
    assert not (disturbed / "record.json").exists()
    kill_after(config, disturbed, 28, "--resume")
    resumed = fit(config, disturbed, resume=True, progress=False, device="cpu")
    whole = fit(config, undisturbed, progress=False, device="cpu")
    assert len(resumed["resumed_at_updates"]) == 2
    assert all(at % 10 for at in resumed["resumed_at_updates"]), "not in mid-epoch"
    assert whole["resumed_at_updates"] == []
    assert_same_tensors(weights(disturbed), weights(undisturbed))
    assert_same_tensors(optimiser(disturbed), optimiser(undisturbed))
    assert (disturbed / "metrics.csv").read_bytes() == (undisturbed / "metrics.csv").read_bytes()
    model = "model/model.safetensors"
    assert (disturbed / model).read_bytes() == (undisturbed / model).read_bytes()
    assert untimed(resumed) == untimed(whole)


@pytest.mark.parametrize("told", [True, False], ids=["as it is", "a checkpoint that does not tell"])
def test_the_seconds_of_a_run_are_those_of_all_its_processes(
    told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out = small(**{"phases.1.updates": 8}), tmp_path / "run"
    save = Bookkeeper._save

    def stop(self: Bookkeeper, trainer: pl.Trainer, done: int) -> None:
        self.seconds_in_updates += 900.0
        save(self, trainer, done)
        raise KeyboardInterrupt

    with monkeypatch.context() as first:
        # The first process seems to have begun long before.
        first.setattr(fitting, "time", SimpleNamespace(perf_counter=lambda: time.perf_counter() - 1_000.0))
        first.setattr(Bookkeeper, "_save", stop)
        with pytest.raises(Interrupted):
            fit(config, out, progress=False, device="cpu")
    if not told:
        last = out / "checkpoints" / "last.ckpt"
        content = read_checkpoint(last)
        (state,) = (state for state in content["callbacks"].values() if "seconds" in state)
        del state["seconds"]
        write_checkpoint(last, lambda aside: torch.save(content, aside))
    began = time.perf_counter()
    record = fit(config, out, resume=True, progress=False, device="cpu")
    own = time.perf_counter() - began
    assert record["resumed_at_updates"] == [7]
    assert record["seconds_per_update"] * record["updates"] > 900.0
    assert (1_000.0 if told else 900.0) < record["seconds"] < 1_000.0 + own + 300.0


def test_the_run_depends_on_its_seed_and_on_no_global_generator(tmp_path: Path) -> None:
    config = small(**{"phases.1.updates": 5})
    torch.manual_seed(1)
    one = fit(config, tmp_path / "one", progress=False, device="cpu")
    torch.manual_seed(2)
    fit(config, tmp_path / "two", progress=False, device="cpu")
    other = fit(small(**{"phases.1.updates": 5, "seed": 4}), tmp_path / "other", progress=False, device="cpu")
    assert_same_tensors(weights(tmp_path / "one"), weights(tmp_path / "two"))
    assert one["data"] == other["data"]
    assert not torch.equal(*(weights(tmp_path / n)["objective.classifier.head.first.weight"] for n in ("one", "other")))


def test_data_workers_change_nothing_and_may_change_on_the_way(tmp_path: Path) -> None:
    config = small(**{"phases.1.updates": 13})
    with_workers = config.with_set({"data.workers": 2})
    alone = fit(config, tmp_path / "alone", progress=False, device="cpu")
    made = fit(with_workers, tmp_path / "workers", progress=False, device="cpu")
    assert_same_tensors(weights(tmp_path / "alone"), weights(tmp_path / "workers"))
    assert (tmp_path / "alone" / "metrics.csv").read_bytes() == (tmp_path / "workers" / "metrics.csv").read_bytes()
    records = [untimed(record) for record in (alone, made)]
    assert records[0].pop("config")["data"].pop("workers") == 0
    assert records[1].pop("config")["data"].pop("workers") == 2
    assert records[0] == records[1]
    # The last checkpoint but one is in mid-epoch, where two batches more were made already.
    (tmp_path / "workers" / "record.json").unlink()
    (tmp_path / "workers" / "checkpoints" / "last.ckpt").unlink()
    resumed = fit(config, tmp_path / "workers", resume=True, progress=False, device="cpu")
    assert resumed["resumed_at_updates"] == [28]
    assert_same_tensors(weights(tmp_path / "alone"), weights(tmp_path / "workers"))


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    config = small(**{"phases.1.updates": 3})
    record = fit(config, tmp_path / "run", progress=False, device="cpu")
    before = (tmp_path / "run" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    assert fit(config, tmp_path / "run", resume=True, progress=False, device="cpu") == record
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before


@pytest.mark.parametrize("content", ["{}", "[]", "null", '{"name": "small"}'])
def test_a_record_that_is_none_is_told(content: str, tmp_path: Path) -> None:
    config, out = small(**{"phases.1.updates": 3}), tmp_path / "run"
    RunFolder(out).begin(config)
    (out / "record.json").write_text(content)
    with pytest.raises(RunError, match=rf"^{out}/record.json: expected the record of a run, found something else; rem"):
        fit(config, out, resume=True, progress=False, device="cpu")


def test_a_run_killed_after_its_last_update_is_tested_and_recorded_on_resuming(tmp_path: Path) -> None:
    config, out = small(**{"phases.1.updates": 8}), tmp_path / "run"
    record = fit(config, out, progress=False, device="cpu")
    metrics = (out / "metrics.csv").read_bytes()
    (out / "record.json").unlink()
    shutil.rmtree(out / "model")
    assert untimed(fit(config, out, resume=True, progress=False, device="cpu")) == untimed(record)
    assert (out / "metrics.csv").read_bytes() == metrics
    assert (out / "model" / "model.safetensors").is_file()


def test_other_training_data_are_noticed_on_resuming(tmp_path: Path) -> None:
    out = tmp_path / "run"
    fit(small(**{"phases.1.updates": 8}), out, progress=False, device="cpu")
    (out / "record.json").unlink()
    config = (out / "config.yaml").read_text()
    (out / "config.yaml").write_text(config.replace("train_samples: 420", "train_samples: 421"))
    changed = small(**{"phases.1.updates": 8, "data.train_samples": 421})
    with pytest.raises(RunError, match=r"the training data are not those that the run began with \(fingerprint "):
        fit(changed, out, resume=True, progress=False, device="cpu")


@pytest.mark.parametrize("broken", [b"", b"no checkpoint", None])
def test_where_the_last_checkpoint_is_broken_the_one_before_is_taken_aloud(
    tmp_path: Path, broken: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    out, config = tmp_path / "run", small(**{"phases.1.updates": 8})
    whole = fit(config, out, progress=False, device="cpu")
    expected = weights(out)
    (out / "record.json").unlink()
    last = out / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-500] if broken is None else broken)
    resumed = fit(config, out, resume=True, progress=False, device="cpu")
    assert capsys.readouterr().err == (
        f"longreach: {last}: the checkpoint is not as it was written (its checksum does not match); going on from "
        "previous.ckpt, the one before\n"
    )
    assert resumed["resumed_at_updates"] == [21]
    assert_same_tensors(weights(out), expected)
    assert untimed(resumed) == untimed(whole)


def test_where_all_checkpoints_are_broken_they_are_named_and_nothing_is_overwritten(tmp_path: Path) -> None:
    out, config = tmp_path / "run", small(**{"phases.1.updates": 8})
    fit(config, out, progress=False, device="cpu")
    (out / "record.json").unlink()
    files = [out / "checkpoints" / name for name in ("last.ckpt", "previous.ckpt")]
    for file in files:
        file.write_bytes(b"no checkpoint")
    with pytest.raises(RunError) as error:
        fit(config, out, resume=True, progress=False, device="cpu")
    assert str(error.value) == (
        f"{files[0]}: the checkpoint is not as it was written (its checksum does not match); {files[1]}: the "
        "checkpoint is not as it was written (its checksum does not match); put a whole one in its "
        "place, or remove them to train from the start"
    )
    assert all(file.read_bytes() == b"no checkpoint" for file in files)


def test_a_broken_best_checkpoint_costs_no_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, config = tmp_path / "run", small(**{"phases.1.updates": 8})
    whole = fit(config, out, progress=False, device="cpu")
    (out / "record.json").unlink()
    best = out / "checkpoints" / "best.ckpt"
    best.write_bytes(b"")
    with pytest.raises(RunError) as error:
        fit(config, out, resume=True, progress=False, device="cpu")
    assert str(error.value) == (
        f"{best}: the checkpoint is not as it was written (its checksum does not match); training is over and nothing "
        f"of it is lost: remove this file, and longreach train --resume --out {out} takes the last weights instead"
    )
    best.unlink()
    record = fit(config, out, resume=True, progress=False, device="cpu")
    assert (record["selected"], record["test_accuracy"]) == ("last", whole["test_last"]["accuracy"])
    assert "are gone; the last ones are taken" in capsys.readouterr().err


def test_what_a_kill_left_half_written_is_swept_away(tmp_path: Path) -> None:
    out, config = tmp_path / "run", small(**{"phases.1.updates": 8})
    fit(config, out, progress=False, device="cpu")
    (out / "record.json").unlink()
    (out / "model").mkdir(exist_ok=True)
    left = [out / ".metrics.csv.123", out / "checkpoints" / ".last.ckpt.99", out / "model" / ".config.json.7"]
    kept = [out / ".notes", out / "checkpoints" / ".hidden.ckpt"]
    for file in (*left, *kept):
        file.write_bytes(b"half")
    fit(config, out, resume=True, progress=False, device="cpu")
    assert not any(file.exists() for file in left)
    assert all(file.exists() for file in kept)


def test_a_folder_with_a_run_is_not_overwritten_and_not_resumed_by_another(tmp_path: Path) -> None:
    out = tmp_path / "run"
    fit(small(**{"phases.1.updates": 3}), out, progress=False, device="cpu")
    (out / "record.json").unlink()
    with pytest.raises(RunError) as error:
        fit(small(), out, progress=False, device="cpu")
    assert str(error.value) == (
        f"{out}: already holds a run; go on with it by --resume, or give another folder with --out"
    )
    with pytest.raises(RunError) as error:
        fit(small(truncation=5), out, resume=True, progress=False, device="cpu")
    assert str(error.value) == (
        f"{out}: holds a run of another configuration (different: truncation, phases); "
        "resume it with its own config.yaml, give another folder with --out, or remove this one to start anew"
    )
