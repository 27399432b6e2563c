"""Phases in updates, learning rates by a slow rule, and what a shorter run keeps."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from longreach.auxiliary.schedule import TruthSchedule
from longreach.config import PhaseConfig, PredictConfig, RecallConfig, ReconstructConfig, RunConfig, SegmentConfig
from longreach.training.phases import Plan, shrink, without_lengths


def plan(*phases: PhaseConfig, per_epoch: int = 10) -> Plan:
    return Plan.make(RunConfig(phases=phases), per_epoch)


def rates(phase: PhaseConfig, per_epoch: int = 10, before: int = 3) -> list[float]:
    """The rate at every update of a phase that does not come first."""
    made = plan(PhaseConfig(updates=before), phase, per_epoch=per_epoch).phases[1]
    return [made.learning_rate(update) for update in range(made.begin, made.end)]


def test_the_phase_changes_at_its_boundary_and_the_last_one_lasts() -> None:
    made = plan(PhaseConfig(name="a", epochs=2), PhaseConfig(name="b", updates=7), PhaseConfig(name="c", epochs=0.5))
    assert [(phase.begin, phase.end) for phase in made.phases] == [(0, 20), (20, 27), (27, 32)]
    assert made.updates == 32
    names = [made.at(update).config.name for update in range(40)]
    assert names == ["a"] * 20 + ["b"] * 7 + ["c"] * 13


def test_a_phase_has_at_least_one_update() -> None:
    assert plan(PhaseConfig(epochs=0.001)).updates == 1


def test_constant() -> None:
    assert set(rates(PhaseConfig(updates=9, learning_rate=0.002))) == {0.002}


def test_halving_each_n_epochs() -> None:
    """The paper's pretraining in small: halved half-way."""
    found = rates(PhaseConfig(epochs=4, learning_rate=0.001, schedule="halving", halve_every=2))
    assert found == [0.001] * 20 + [0.0005] * 20


def test_halving_each_n_updates() -> None:
    found = rates(PhaseConfig(updates=9, learning_rate=0.8, schedule="halving", halve_every=4))
    assert found == pytest.approx([0.8] * 4 + [0.4] * 4 + [0.2])


def test_cosine_falls_from_the_rate_towards_zero() -> None:
    found = rates(PhaseConfig(updates=8, learning_rate=0.5, schedule="cosine"))
    assert found == pytest.approx([0.25 * (1 + math.cos(math.pi * into / 8)) for into in range(8)])
    assert found[0] == 0.5
    assert found[4] == pytest.approx(0.25)
    assert all(earlier > later > 0 for earlier, later in itertools.pairwise(found))


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_warmup_rises_linearly_at_the_phases_start(schedule: Any) -> None:
    without = rates(PhaseConfig(updates=8, learning_rate=0.5, schedule=schedule))
    found = rates(PhaseConfig(updates=8, learning_rate=0.5, schedule=schedule, warmup=4))
    assert found[:4] == pytest.approx(
        [rate * share for rate, share in zip(without, (0.25, 0.5, 0.75, 1.0), strict=False)]
    )
    assert found[4:] == without[4:]


def test_each_phase_counts_from_its_own_start() -> None:
    phase = PhaseConfig(epochs=2, learning_rate=0.5, schedule="halving", halve_every=1, warmup=3)
    assert rates(phase, before=3) == rates(phase, before=17)


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


def truth(loss: SegmentConfig) -> TruthSchedule:
    return TruthSchedule(loss.sampling_updates, loss.sampling, loss.sampling_k, loss.sampling_speed)


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.037])
def test_a_shorter_run_keeps_its_proportions(scale: float) -> None:
    before = Plan.make(long_run(), 469)
    config = shrink(long_run(), scale, 469)
    after = Plan.make(config, 469)
    assert config.budget_scale == scale
    for old, new in zip(before.phases, after.phases, strict=True):
        assert new.begin == pytest.approx(scale * old.begin, abs=2)
        assert new.end == pytest.approx(scale * old.end, abs=2)
        assert new.config.warmup == pytest.approx(scale * old.config.warmup, abs=0.5)
        # The rate at a share of the way is the same, but at the very edges of a halving.
        for share in (0.1, 0.3, 0.45, 0.6, 0.9):
            at_old = old.begin + int(share * (old.end - old.begin))
            at_new = new.begin + int(share * (new.end - new.begin))
            assert new.learning_rate(at_new) == pytest.approx(old.learning_rate(at_old))
    reconstruct, predict, recall, growing = config.auxiliary[:4]
    assert isinstance(reconstruct, ReconstructConfig)
    assert reconstruct.sampling_updates == round(100_000 * scale)
    assert (predict, recall) == long_run().auxiliary[1:3]
    assert isinstance(growing, RecallConfig)
    assert growing.growth == round(50_000 * scale)
    # At a share of the way the truth is fed as often, however its probability falls.
    for old_loss, new_loss in zip(long_run().auxiliary, config.auxiliary, strict=True):
        if isinstance(old_loss, SegmentConfig):
            assert isinstance(new_loss, SegmentConfig)
            for share in (0.0, 0.01, 0.1, 0.2, 0.5, 1.0):
                at_old = truth(old_loss).probability(round(share * before.updates))
                assert truth(new_loss).probability(round(share * after.updates)) == pytest.approx(at_old, abs=0.002)
    # What is written into the run folder is read back as the same run.
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize("scale", [0.01, 0.0103, 0.02, 0.3])
def test_a_shorter_run_has_no_halving_more(scale: float) -> None:
    """Where the halvings divide a phase, the last of them would fall on its end: one update early is one too many."""
    for phase, halvings in zip(Plan.make(shrink(long_run(), scale, 469), 469).phases, (1, 2, 1), strict=True):
        assert phase.learning_rate(phase.end - 1) == phase.config.learning_rate * 0.5**halvings, phase.config.name


def test_a_distance_that_is_not_whole() -> None:
    """0.1 * 469 is a little above 46.9 in binary: the tenth halving still comes after one epoch."""
    phase = Plan.make(
        RunConfig(phases=(PhaseConfig(epochs=2, learning_rate=1.0, schedule="halving", halve_every=0.1),)), 469
    ).phases[0]
    assert [phase.learning_rate(update) for update in (46, 47, 468, 469)] == [1.0, 0.5, 0.5**9, 0.5**10]


def test_a_run_shrunk_to_nothing_still_has_every_phase_and_can_be_read_back() -> None:
    config = shrink(long_run(), 1e-9, 469)
    assert [phase.end for phase in Plan.make(config, 469).phases] == [1, 2, 3]
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config


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
