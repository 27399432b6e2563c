"""Parts of epochs, and schedules that a budget shortens."""

from __future__ import annotations

import pytest

from longreach.config import PhaseConfig, PredictConfig, RecallConfig, ReconstructConfig, RunConfig
from longreach.training.phases import Plan, shrink, without_lengths


def plan(*phases: PhaseConfig, per_epoch: int = 10) -> Plan:
    return Plan.make(RunConfig(phases=phases), per_epoch)


def long_run() -> RunConfig:
    return RunConfig(
        phases=(
            PhaseConfig(name="pretrain", epochs=100, supervised=False, schedule="halving", halve_every=50),
            PhaseConfig(name="joint", epochs=900, schedule="halving", halve_every=300, warmup=400),
            PhaseConfig(name="more", updates=5_000, schedule="halving", halve_every=2_500),
        ),
        auxiliary=(
            ReconstructConfig(sampling_updates=100_000),
            PredictConfig(),
            RecallConfig(),
            RecallConfig(growth=50_000),
            PredictConfig(sampling="constant", sampling_k=0.3),
            ReconstructConfig(sampling="exponential", sampling_k=0.9999),
            ReconstructConfig(sampling="inverse_sigmoid", sampling_k=9_000.0),
        ),
    )


@pytest.mark.parametrize(("epochs", "updates"), [(0.29, 29), (0.286, 29), (0.284, 28), (1.15, 115)])
def test_parts_of_an_epoch_are_rounded_to_the_nearest_update(epochs: float, updates: int) -> None:
    """0.29 times 100 is a little less than 29, and 1.15 times 100 less than 115."""
    assert plan(PhaseConfig(epochs=epochs), per_epoch=100).updates == updates


def test_a_schedule_that_runs_fast_already_runs_faster_still() -> None:
    config = RunConfig(auxiliary=(ReconstructConfig(sampling="exponential", sampling_k=0.9, sampling_speed=4.0),))
    (loss,) = shrink(config, 0.25, 10).auxiliary
    assert isinstance(loss, ReconstructConfig)
    assert loss.sampling_speed == 16.0


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.037, 1e-6])
def test_a_shrunk_run_is_told_by_all_but_its_lengths(scale: float) -> None:
    """Of what it was made from it is the same; of what differs in anything else it is not."""
    short = without_lengths(shrink(long_run(), scale, 469))
    assert short == without_lengths(long_run())
    first, *others = long_run().phases
    slower = long_run().model_copy(update={"phases": (first.model_copy(update={"learning_rate": 0.5}), *others)})
    assert short != without_lengths(slower)
    loss, *rest = long_run().auxiliary
    heavier = long_run().model_copy(update={"auxiliary": (loss.model_copy(update={"weight": 0.5}), *rest)})
    assert short != without_lengths(heavier)
