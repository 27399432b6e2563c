"""Two processes that share every batch end with the weights of one that has it to itself.

Shapes: B batch, N anchors.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cross_entropy

from longreach import ranks
from longreach.auxiliary.decoder import SegmentDecoder
from longreach.auxiliary.predict import Predict
from longreach.auxiliary.recall import Recall
from longreach.auxiliary.reconstruct import Reconstruct
from longreach.auxiliary.schedule import TruthSchedule
from longreach.baselines.classifier import BaselineClassifier
from longreach.batch import SequenceBatch
from longreach.config import PhaseConfig, PredictConfig, RecallConfig, ReconstructConfig, RunConfig, StoredConfig
from longreach.errors import ConfigError
from longreach.model.classifier import SequenceClassifier
from longreach.randomness import derived_generator
from longreach.ranks import own_rows, per_process, with_common_values, world_size
from longreach.recipes.mnist14 import mnist14_recall
from longreach.training.build import build_objective
from longreach.training.datasets import build_datasets
from longreach.training.objective import Objective
from longreach.training.parallel import check_parallel, trains_all_weights


def small_run() -> RunConfig:
    """Pretraining alone, then all losses; batches of 9, so that the two shares differ."""
    run = mnist14_recall()
    return run.model_copy(
        update={
            "name": "parallel",
            "data": run.data.model_copy(update={"train_samples": 62, "validation": 14}),
            "model": run.model.model_copy(update={"hidden_size": 12, "embedding_size": 6}),
            "truncation": 20,
            "auxiliary": (
                RecallConfig(anchors=2, queries=3, truncation=9),
                ReconstructConfig(length=12, truncation=9, head_size=8, decoder_embedding_size=4),
                PredictConfig(length=12, truncation=9, head_size=8, decoder_embedding_size=4, anchors_per="sequence"),
            ),
            "phases": (
                PhaseConfig(name="pretraining", updates=3, supervised=False),
                PhaseConfig(name="joint", updates=5),
            ),
            "batch_size": 9,
            "evaluate_every": 4,
            "log_every": 1,
            "tensorboard": False,
        }
    )


def train(config: RunConfig, folder: Path, devices: int) -> tuple[dict[str, Tensor], list[dict[str, str]]]:
    """The weights that the run ends with, and its metrics, from a process of its own."""
    file = folder.with_suffix(".yaml")
    file.write_text(config.to_yaml())
    command = [sys.executable, "-m", "longreach", "train", str(file), "--out", str(folder), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--quiet", "--devices", str(devices)], capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test accuracy") == 1
    with (folder / "metrics.csv").open() as table:
        rows = list(csv.DictReader(table))
    return load_file(folder / "model" / "model.safetensors"), rows


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    config = small_run()
    right, right_rows = train(config, tmp_path / "one", 1)
    found, rows = train(config, tmp_path / "two", 2)
    assert found.keys() == right.keys()
    for name, weight in right.items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-6, msg=lambda text, n=name: f"{n}: {text}")
    assert len(rows) == len(right_rows)
    for row, other in zip(rows, right_rows, strict=True):
        assert row.keys() == other.keys()
        for column, value in other.items():
            if column == "phase" or not value:
                assert row[column] == value
            else:
                assert float(row[column]) == pytest.approx(float(value), rel=1e-5, abs=1e-6), column
    records = [json.loads((tmp_path / run / "record.json").read_text()) for run in ("one", "two")]
    assert records[0]["test_accuracy"] == records[1]["test_accuracy"]
    assert {path.name for path in (tmp_path / "one").iterdir()} == {path.name for path in (tmp_path / "two").iterdir()}


def test_shares_of_a_batch_add_up_to_it() -> None:
    """What DDP does, by hand: each share's loss over the whole batch's count, added up; values and all gradients."""
    torch.manual_seed(0)
    classifier = SequenceClassifier(classes=3, channels=1, hidden_size=8, drop_connect=0.5)
    decoder = SegmentDecoder(channels=1, encoder_size=8, embedding_size=4, head_size=8)
    losses = [
        Recall(channels=1, state_size=16, horizon=40, anchors=2, queries=3, truncation=7, readout_size=8),
        Reconstruct(decoder, segments=2, length=9, truncation=7),
        Predict(decoder, segments=1, length=9, truncation=7),
    ]
    objective = Objective(classifier, losses, truncation=20, seed=4)
    batch = SequenceBatch.equal(torch.randn(7, 40, 1), torch.randint(3, (7,)))
    whole = objective(batch, 5)
    parts = [objective(batch, 5, rows=rows) for rows in (slice(0, 3), slice(3, 7))]
    parameters = list(objective.parameters())
    # Equal lengths: every row is asked as much as another, so that a share counts by its rows.
    for name, value in whole.items():
        shared = (3 * parts[0][name] + 4 * parts[1][name]) / 7
        torch.testing.assert_close(shared, value, rtol=1e-6, atol=1e-6)
    right = torch.autograd.grad(whole["loss"], parameters)
    found = torch.autograd.grad((3 * parts[0]["loss"] + 4 * parts[1]["loss"]) / 7, parameters)
    for part, other in zip(found, right, strict=True):
        torch.testing.assert_close(part, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("passes", [None, 2])
def test_what_is_sampled_is_that_of_one_process(tokens: bool, passes: int | None) -> None:
    """Each share has draws of its own, those that the whole batch has for its rows; so has the drop-connect mask."""
    torch.manual_seed(0)
    kind: dict[str, int] = {"vocabulary": 5} if tokens else {"channels": 1}
    classifier = SequenceClassifier(classes=3, hidden_size=8, embedding_size=4, **kind)
    half = TruthSchedule(decay="constant", k=0.5)

    def decoder() -> SegmentDecoder:
        return SegmentDecoder(encoder_size=8, embedding_size=4, head_size=8, sampling_passes=passes, **kind)

    losses = [
        # Of anchors of each row's own the longest segment of a share may be shorter than that of the batch.
        Reconstruct(
            decoder(), segments=2, length=30, truncation=7, schedule=half, place="immediate", anchors_per="sequence"
        ),
        Predict(decoder(), segments=3, length=9, truncation=7, schedule=half),
    ]
    objective = Objective(classifier, losses, truncation=20, seed=4).double()
    values = torch.randint(5, (7, 40)) if tokens else torch.randn(7, 40, 1).double()
    batch = SequenceBatch.equal(values, torch.randint(3, (7,)))
    names = ("reconstruct", "predict")
    for update in range(3):
        counts, sums = {}, {}
        whole = objective(batch, update)
        for rows in (slice(0, 3), slice(3, 7)):
            part = objective(batch, update, rows=rows)
            for place, (name, loss) in enumerate(zip(names, losses, strict=True)):
                anchors = loss.sample(batch.lengths, derived_generator(4, f"anchors {place}", update), update)
                own = int((anchors.lengths[:, rows] - 1).clamp(min=0).sum())
                counts[name] = counts.get(name, 0) + own
                sums[name] = sums.get(name, 0.0) + own * part[name]
        for name in names:
            torch.testing.assert_close(sums[name] / counts[name], whole[name], rtol=1e-10, atol=1e-10)


def test_gradients_of_equal_parts_add_up_to_that_of_the_whole_batch() -> None:
    torch.manual_seed(0)
    classifier = SequenceClassifier(classes=3, channels=1, hidden_size=8)
    decoder = SegmentDecoder(channels=1, cell="lstm", encoder_size=8, head_size=4)
    losses = [Reconstruct(decoder, segments=2, length=5, truncation=4), Recall(channels=1, state_size=16, horizon=40)]
    objective = Objective(classifier, losses, truncation=20).double()
    batch = SequenceBatch.equal(torch.randn(6, 40, 1).double(), torch.randint(3, (6,)))
    parameters = list(objective.parameters())
    whole = torch.autograd.grad(objective(batch, 2)["loss"], parameters)
    for rows in (slice(0, 2), slice(2, 4), slice(4, 6)):
        (objective(batch, 2, rows=rows)["loss"] / 3).backward()
    for parameter, right in zip(parameters, whole, strict=True):
        torch.testing.assert_close(parameter.grad, right, rtol=1e-10, atol=1e-10)


def test_a_share_of_unequal_sequences_is_a_batch_of_its_own() -> None:
    torch.manual_seed(0)
    classifier = SequenceClassifier(classes=3, channels=1, hidden_size=8)
    objective = Objective(classifier, [Recall(channels=1, state_size=16, horizon=9, truncation=3)], truncation=5)
    lengths = torch.tensor([9, 4, 7, 6])
    batch = SequenceBatch(torch.randn(4, 9, 1), lengths, torch.tensor([0, 1, 2, 0]))
    share = SequenceBatch(batch.values[1:3, 2:], lengths[1:3], torch.tensor([1, 2]))
    for name, value in objective(share, 2).items():
        assert torch.equal(objective(batch, 2, rows=slice(1, 3))[name], value), name


def test_without_gradient_one_process_may_look_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in validation on the first of several: to wait for the others would be to wait for ever."""
    monkeypatch.setattr(ranks, "world_size", lambda: 2)
    with torch.no_grad():
        assert per_process(torch.tensor(7)) == 7
        assert per_process(torch.tensor(0)) == 1
    with pytest.raises(ValueError, match="process group has not been initialized"):
        per_process(torch.tensor(7))


def test_alone_nothing_is_shared() -> None:
    assert world_size() == 1
    assert own_rows(9) is None
    assert per_process(torch.tensor(0)) == 1
    assert per_process(torch.tensor(7)) == 7
    losses = {"loss": torch.tensor(2.0)}
    assert with_common_values(losses) is losses


@pytest.mark.parametrize(
    ("changes", "devices", "nodes", "message"),
    [
        ({}, 0, 1, "--devices: expected at least 1, found 0"),
        ({}, 1, 0, "--nodes: expected at least 1, found 0"),
        ({"batch_size": 3}, 4, 1, "batch_size: expected at least one sequence for each of 4 processes, found 3"),
        (
            {"budget": 60.0},
            2,
            1,
            "budget: expected none on several processes, which would each measure another; leave it out",
        ),
        (
            {"stored": StoredConfig()},
            2,
            1,
            "stored: expected no stored states on several processes, which would each know some of them; leave it out",
        ),
        (
            {},
            1,
            2,
            "--nodes 2: expected to be started on every machine by torchrun or srun, found neither's variables; "
            "docs/scaling.md shows how",
        ),
    ],
)
def test_what_several_processes_cannot_do(
    changes: dict[str, object], devices: int, nodes: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    config = small_run().model_copy(update=changes)
    with pytest.raises(ConfigError) as caught:
        check_parallel(config, devices, nodes)
    assert str(caught.value) == message
    check_parallel(small_run(), 1, 1)
    monkeypatch.setenv("RANK", "1")
    check_parallel(small_run(), 2, 2)


def test_rows_of_a_batch_take_all_that_belongs_to_them() -> None:
    batch = SequenceBatch(
        torch.randn(4, 9, 1), torch.tensor([9, 4, 7, 6]), torch.arange(4), rows=torch.tensor([8, 6, 4, 2])
    )
    part = batch.of_rows(slice(1, 3))
    assert torch.equal(part.values, batch.values[1:3])
    assert part.lengths.tolist() == [4, 7]
    assert part.labels is not None
    assert part.labels.tolist() == [1, 2]
    assert part.rows is not None
    assert part.rows.tolist() == [6, 4]
    assert replace(batch, labels=None).of_rows(slice(0, 1)).labels is None


@pytest.mark.parametrize(
    ("changes", "trains"),
    [
        ({}, True),
        ({"phases.0.auxiliary": False}, False),
        ({"phases.0.supervised": False}, False),
        ({"model.cell": "urnn", "auxiliary": ()}, False),  # Its beginning lies before the window.
        ({"truncation": 0}, True),
        ({"truncation": 0, "auxiliary": ()}, False),
    ],
    ids=str,
)
def test_whether_every_weight_gets_a_gradient(changes: dict[str, object], trains: bool) -> None:
    """As it comes out of an update of each phase; Lightning waits for gradients that it is not told to miss."""
    config = small_run().with_set({"phases": [{"updates": 1}], **changes})
    assert trains_all_weights(config) is trains
    data = build_datasets(config.data)
    objective = build_objective(config, data.train)
    (phase,) = config.phases
    batch = data.train.batch(np.arange(4))
    losses = objective(batch, 0, supervised=phase.supervised, auxiliary=phase.auxiliary)
    losses["loss"].backward()
    assert all(parameter.grad is not None for parameter in objective.parameters()) is trains


def test_without_a_state_a_share_is_its_rows_alone() -> None:
    torch.manual_seed(0)
    options = RunConfig.model_validate({"model": {"network": "transformer"}}).model.model_dump(mode="json")
    options.pop("network")
    classifier = BaselineClassifier(network="transformer", options=options, classes=3, channels=1, input_steps=20)
    objective = Objective(classifier.double().eval(), seed=4)
    values, labels = torch.randn(7, 20, 1).double(), torch.tensor([0, 1, 2, 0, 1, 1, 2])
    rows = cross_entropy(torch.cat([classifier(row.unsqueeze(0), None) for row in values]), labels, reduction="none")
    parameters = list(objective.parameters())
    for share in (slice(0, 3), slice(3, 7)):
        found, right = objective(SequenceBatch.equal(values, labels), 5, rows=share)["loss"], rows[share].mean()
        torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-10)
        for part, other in zip(
            torch.autograd.grad(found, parameters),
            torch.autograd.grad(right, parameters, retain_graph=True),
            strict=True,
        ):
            torch.testing.assert_close(part, other, rtol=1e-9, atol=1e-10)
