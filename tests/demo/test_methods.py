"""What the demo runs."""

from __future__ import annotations

import pytest

from longreach.demo.methods import DEAREST_FIRST, METHODS, configurations, total_updates
from longreach.errors import ConfigError


@pytest.mark.parametrize("updates", [None, 4, 23, 7_500])
def test_all_methods_get_the_same_updates_and_seed(updates: int | None) -> None:
    configs = configurations(5, updates)
    assert set(configs) == {method.name for method in METHODS} == set(DEAREST_FIRST)
    lengths = {total_updates(config) for config in configs.values()}
    assert len(lengths) == 1
    if updates is not None:
        assert lengths == {updates}
    for config in configs.values():
        assert config.seed == 5
        assert not config.tensorboard
        assert all(phase.updates is not None and phase.updates >= 1 for phase in config.phases)


def test_the_truncated_methods_differ_from_full_bptt_in_truncation_alone() -> None:
    configs = configurations(0, None)
    assert configs["lstm-full"].truncation is None
    assert {configs[name].truncation for name in ("lstm-truncated", "r-lstm", "recall")} == {28}
    assert len({config.model.model_dump_json() for config in configs.values()}) == 1
    assert len({config.data.model_dump_json() for config in configs.values()}) == 1


def test_another_length_keeps_the_proportions() -> None:
    recipe, half = configurations(0, None)["r-lstm"], configurations(0, 3_000)["r-lstm"]
    share = [(phase.updates or 0) / total_updates(recipe) for phase in recipe.phases]
    assert [phase.updates for phase in half.phases] == [round(3_000 * part) for part in share]


def test_too_few_updates() -> None:
    with pytest.raises(ConfigError) as error:
        configurations(0, 3)
    assert str(error.value) == "demo updates: expected at least 4, found 3"
