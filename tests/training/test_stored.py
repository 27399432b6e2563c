"""Training from stored states: through the objective, killed and resumed, and what lies on the disk."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest
import small_runs
import torch

from longreach.auxiliary.recall import Recall
from longreach.batch import SequenceBatch
from longreach.config import RunConfig, parse_config
from longreach.errors import ConfigError, DataError, RunError
from longreach.model.classifier import SequenceClassifier
from longreach.training import budget
from longreach.training.bookkeeper import Bookkeeper
from longreach.training.datasets import Datasets
from longreach.training.fit import fit
from longreach.training.objective import Objective
from longreach.training.phases import Plan
from longreach.training.stored_files import StoredFiles
from longreach.unrolling import StoredStates

# 10 updates an epoch, so that within 36 updates a sequence is visited three or four times.
SMALL = small_runs.SMALL | {
    "auxiliary": [{"kind": "recall", "anchors": 2, "queries": 4, "readout_size": 16, "truncation": 20}],
    "phases": [
        {"name": "pretrain", "updates": 8, "supervised": False},
        {"name": "joint", "updates": 28},
    ],
    "stored": {"grid": 20, "burn_in": 10, "refresh_every": 3},
    "evaluate_every": 12,
}


def small(**changes: object) -> RunConfig:
    return parse_config(SMALL, "small").with_set(dict(changes))


def objective() -> Objective:
    torch.manual_seed(0)
    recall = Recall(channels=1, state_size=8, horizon=50, anchors=3, queries=4, truncation=6, readout_size=8)
    classifier = SequenceClassifier(classes=3, channels=1, hidden_size=4, embedding_size=3, head_size=5)
    return Objective(classifier, [recall], truncation=9).double()


def batch(rows: bool = True) -> SequenceBatch:
    values = torch.randn(5, 50, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    lengths = torch.tensor([50, 31, 7, 50, 44])
    return SequenceBatch(
        values, lengths, torch.tensor([0, 2, 1, 1, 0]), rows=torch.tensor([7, 0, 3, 1, 9]) if rows else None
    )


def test_an_objective_that_refreshes_at_every_visit_is_the_plain_one_and_one_that_does_not_is_stale() -> None:
    one = objective()
    every = StoredStates(sequences=10, steps=50, grid=7, burn_in=3, refresh_every=1)
    first = StoredStates(sequences=10, steps=50, grid=7, burn_in=3, refresh_every=None)
    for update in range(4):
        expected = one(batch(), update)
        found = one(batch(), update, stored=every)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-10)
        gap = float((one(batch(), update, stored=first)["loss"] - expected["loss"]).detach().abs())
        # The first visit reads everything; later ones go on from what it stored under other weights.
        assert gap < 1e-10 if update == 0 else gap > 1e-6
        weights = list(one.parameters())
        gradients = torch.autograd.grad(expected["loss"], weights, allow_unused=True)
        for weight, gradient in zip(weights, gradients, strict=True):
            if gradient is not None:
                weight.data -= 0.5 * gradient


def test_a_batch_without_rows_is_refused() -> None:
    with pytest.raises(DataError) as error:
        objective()(batch(rows=False), 0, stored=StoredStates(sequences=10, steps=50))
    assert str(error.value) == (
        "stored states: expected a batch with rows, the place of each sequence in its data set, found none; "
        "set `SequenceBatch.rows`, or train without stored states"
    )


@pytest.mark.parametrize("key", ["truncation", "auxiliary.0.truncation"])
def test_full_bptt_with_stored_states_is_refused(key: str) -> None:
    with pytest.raises(ConfigError) as error:
        small(**{key: None})
    assert str(error.value).endswith(
        f"stored: expected a truncation for every loss, found null (full BPTT) in {key}, which reads every sequence "
        "with gradient from its first step and begins from no state; give a number of steps, or set stored to null"
    )
    # Where the loss is not trained, its truncation does not matter.
    phases = [{"updates": 3, "supervised": False, "auxiliary": True}]
    assert parse_config({**SMALL, "truncation": None, "phases": phases}, "small").truncation is None


def test_noise_that_changes_from_visit_to_visit_cannot_be_remembered() -> None:
    with pytest.raises(ConfigError) as error:
        small(**{"data.noise": 30})
    assert str(error.value).endswith(
        "stored: expected sequences that stay as they are from visit to visit, found data.noise 30, which is drawn "
        "afresh at every update; set data.noise to 0 or stored to null"
    )


class Killed(Exception):
    pass


def break_off(config: RunConfig, out: Path, monkeypatch: pytest.MonkeyPatch, after: int, resume: bool = False) -> None:
    """Train, and die within an update, after what is on the disk was written in part."""
    with monkeypatch.context() as patched:
        begin = Bookkeeper.on_train_batch_start

        def die(self: Bookkeeper, trainer, module, batch, number) -> None:
            if trainer.global_step == after:
                raise Killed
            begin(self, trainer, module, batch, number)

        patched.setattr(Bookkeeper, "on_train_batch_start", die)
        with pytest.raises(Killed):
            fit(config, out, resume=resume, progress=False, device="cpu")


def last(out: Path) -> dict[str, dict[str, torch.Tensor]]:
    return torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)


def test_broken_off_twice_and_resumed_equals_undisturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small()
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    break_off(config, disturbed, monkeypatch, 17)
    assert sorted(file.name for file in (disturbed / "checkpoints" / "stored").iterdir()) == [
        "stored-14.safetensors",
        "stored-7.safetensors",
    ]
    break_off(config, disturbed, monkeypatch, 31, resume=True)
    resumed = fit(config, disturbed, resume=True, progress=False, device="cpu")
    whole = fit(config, undisturbed, progress=False, device="cpu")
    assert resumed["resumed_at_updates"] == [14, 28]
    for key, value in last(undisturbed)["state_dict"].items():
        assert torch.equal(last(disturbed)["state_dict"][key], value), key
    assert (disturbed / "metrics.csv").read_bytes() == (undisturbed / "metrics.csv").read_bytes()
    assert resumed["test_last"] == whole["test_last"]
    # What was stored is of no use to a finished run.
    assert list((disturbed / "checkpoints" / "stored").iterdir()) == []


def test_a_run_goes_on_from_the_checkpoint_before_a_broken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small(**{"phases.1.updates": 12})
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    break_off(config, disturbed, monkeypatch, 17)
    checkpoint = disturbed / "checkpoints" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-500])
    assert fit(config, disturbed, resume=True, progress=False, device="cpu")["resumed_at_updates"] == [7]
    fit(config, undisturbed, progress=False, device="cpu")
    for key, value in last(undisturbed)["state_dict"].items():
        assert torch.equal(last(disturbed)["state_dict"][key], value), key


def test_a_run_without_its_stored_states_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_off(small(), tmp_path / "run", monkeypatch, 8)
    file = tmp_path / "run" / "checkpoints" / "stored" / "stored-7.safetensors"
    content = file.read_bytes()
    for broken, reason in ((content[:-50], "SafetensorError"), (None, "FileNotFoundError")):
        if broken is None:
            shutil.rmtree(file.parent)
        else:
            file.write_bytes(broken)
        with pytest.raises(RunError) as error:
            fit(small(), tmp_path / "run", resume=True, progress=False, device="cpu")
        assert str(error.value) == (
            f"{file}: the stored states cannot be read ({reason}); put the whole file in its place, "
            "or remove the checkpoint last.ckpt to train from the start"
        )


def test_training_from_stored_states_differs_from_training_without(tmp_path: Path) -> None:
    short = {"phases.1.updates": 20}
    losses = []
    for name, changes in (("stored", {}), ("fresh", {"stored": None}), ("every", {"stored.refresh_every": 1})):
        fit(small(**short, **changes), tmp_path / name, progress=False, device="cpu")
        losses.append((tmp_path / name / "metrics.csv").read_text())
    assert losses[0] != losses[1]
    # The same to rounding: the first rows as they are printed, by their first digits.
    first = [float(text.splitlines()[1].split(",")[4]) for text in losses]
    assert first[1] == pytest.approx(first[2], rel=1e-4)


@pytest.mark.parametrize(
    ("stored", "seconds", "updates"),
    [
        # Ten updates of the first pass at 3 seconds, then one each.
        (True, 40.0, 20.0),
        (True, 15.0, 5.0),
        (True, 1_000.0, 36.0),
        (False, 60.0, 20.0),
    ],
)
def test_a_budget_counts_the_first_pass(
    monkeypatch: pytest.MonkeyPatch, stored: bool, seconds: float, updates: float
) -> None:
    def timed(config, plan, objective, train, first, with_stored) -> float:
        return 1.0 if with_stored else 3.0

    monkeypatch.setattr(budget, "_seconds_per_update", timed)
    config = small(monitor=[], select="last", **({} if stored else {"stored": None}))
    data = Datasets(train=None, validation=None, test=None)
    scale = budget.budget_scale(
        config, Plan.make(config, 10), objective(), data, 10, seconds / budget.SAFETY, torch.device("cpu")
    )
    assert scale * 36 == pytest.approx(updates)


def test_a_budget_times_updates_from_stored_states(tmp_path: Path) -> None:
    config = small(budget=0.5)
    record = fit(config, tmp_path / "run", progress=False, device="cpu")
    assert 0 < record["budget_scale"] <= 1.0


def filled(sequences: int = 20) -> StoredStates:
    stored = StoredStates(sequences=sequences, steps=50, grid=10)
    every = torch.cartesian_prod(torch.arange(sequences), torch.arange(10, 51, 10))
    write(stored, every, 0)
    return stored


def write(stored: StoredStates, places: torch.Tensor, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    states = tuple(torch.randn(2, len(places), 64, generator=generator) for _ in range(2))
    stored.write(places[:, 0], places[:, 1], states)
    stored.visit(places[:, 0].unique())


def test_files_of_changes_add_up_and_are_made_whole_in_time(tmp_path: Path) -> None:
    """At every save what is loaded equals what was stored, and the files hold never more than three whole ones."""
    stored = filled()
    files = StoredFiles(tmp_path, stored)
    whole, before = None, []
    for update in range(1, 12):
        files.save(update)
        files.tidy()
        # What this checkpoint needs and what the one before does.
        assert {file.name for file in tmp_path.iterdir()} == {*files.names, *before}
        before = files.names
        size = sum(file.stat().st_size for file in tmp_path.iterdir())
        whole = whole or size
        # Besides states, a file holds the places of its records, the visits and a header.
        assert size < 3.1 * whole
        again = StoredFiles(tmp_path, StoredStates(sequences=20, steps=50, grid=10))
        again.load(copy.copy(files.names))
        assert torch.equal(again.stored.visits, stored.visits)
        assert again.stored.types == stored.types == (torch.float32, torch.float32)
        for one, other in zip(again.stored.parts, stored.parts, strict=True):
            assert torch.equal(one, other)
        rows = torch.arange(update, update + 6) % 20
        write(stored, torch.cartesian_prod(rows, torch.tensor([10, 30, 50])), update)
    # 18 of 100 records changed at each of them: a whole file after five of them.
    assert files.names == [
        "stored-7.safetensors",
        *(f"stored-{n}.safetensors" for n in range(8, 12)),
    ]
    (tmp_path / "stored-99.safetensors").write_bytes(b"of a run that was killed before its checkpoint")
    files.finish()
    files.tidy()
    assert list(tmp_path.iterdir()) == []


def test_a_phase_whose_loss_stops_nowhere(tmp_path: Path) -> None:
    """A language model reads the whole sequence by itself, so its pretraining asks for no state."""
    losses = [{"kind": "language_model", "truncation": 20, "head_size": 16}]
    phases = [{"name": "pretrain", "updates": 3, "supervised": False}, {"name": "joint", "updates": 5}]
    record = fit(small(auxiliary=losses, phases=phases), tmp_path / "run")
    assert record["updates"] == 8
