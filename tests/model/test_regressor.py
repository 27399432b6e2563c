"""The regressor: targets in their own units, whatever these are, and one mean and deviation for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from longreach import LongSequenceRegressor
from longreach.errors import ConfigError, ModelError
from longreach.model.regressor import SequenceRegressor


def make(**changes: Any) -> SequenceRegressor:
    torch.manual_seed(1)
    return SequenceRegressor(**{"targets": 2, "channels": 1, "hidden_size": 4, "head_size": 3, **changes}).eval()


@pytest.mark.parametrize(
    ("mean", "std", "dtype"),
    [
        ((-3.0, 50.0), (2.0, 0.5), torch.float32),
        # Times in seconds since 1970: float32 knows every 128th second.
        ((1.7e9, 50.0), (3_600.0, 0.5), torch.float64),
        # A hundredth of the deviation is what may be lost, as of what is read.
        ((1e6, 0.0), (6.3, 1.0), torch.float32),
        ((1e6, 0.0), (6.2, 1.0), torch.float64),
    ],
)
def test_targets_come_in_their_own_units_to_a_hundredth_of_their_deviation(
    mean: tuple[float, ...], std: tuple[float, ...], dtype: torch.dtype
) -> None:
    model, values = make(target_mean=mean, target_std=std), torch.randn(5, 9, 1)
    unit, offset = (torch.tensor(numbers, dtype=torch.float64) for numbers in (std, mean))
    right = model.head(model.read(values)[0][-1]).double() * unit + offset
    found = model(values)
    assert found.dtype == dtype
    assert model.answers_double == (dtype == torch.float64)
    tolerance = 0.01 if dtype == torch.float32 else 1e-9
    assert ((found.double() - right).abs() <= tolerance * unit).all()
    assert model.double()(values.double()).dtype == torch.float64


def test_the_estimators_model_answers_as_the_estimator_does() -> None:
    draws = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    estimator = LongSequenceRegressor(max_epochs=2, hidden_size=8, random_state=0)
    estimator.fit(draws, 1.7e9 + 3_600.0 * draws[:, -1])
    model = estimator.model_
    standard = (draws[..., None] - np.float32(model.input_mean)) / np.float32(model.input_std)
    with torch.no_grad():
        found = model(torch.from_numpy(standard).float())
    np.testing.assert_allclose(found[:, 0].numpy(), estimator.predict(draws), rtol=0, atol=0.1)


def test_means_and_deviations_of_other_targets_are_refused(tmp_path: Path) -> None:
    problem = (
        "{}: expected {}, one for each target, found {}; give 0 as mean and 1 as deviation of a target that is "
        "foretold as it is"
    )
    for name in ("target_mean", "target_std"):
        for targets, expected, numbers in ((1, "1 number", [1.0, 2.0]), (3, "3 numbers", [5.0]), (1, "1 number", [])):
            with pytest.raises(ConfigError) as error:
                make(targets=targets, **{name: numbers})
            assert str(error.value) == problem.format(name, expected, len(numbers))
        with pytest.raises(ConfigError, match=rf"^{name}: expected plain numbers, .*, found \[nan, 1\.0\]"):
            make(**{name: [float("nan"), 1.0]})
    for wrong in (0.0, -2.0):
        with pytest.raises(ConfigError) as error:
            make(target_std=np.asarray([1.0, wrong]))
        assert str(error.value) == (
            f"target_std: expected numbers above zero, found {wrong}; give 1 as deviation of a target that does not "
            "change"
        )
    make(target_mean=[0.5, 1.0]).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"target_mean": [0.5]}))
    with pytest.raises(ModelError) as refused:
        SequenceRegressor.from_pretrained(tmp_path)
    assert f"config.json: {problem.format('target_mean', '2 numbers', 1)}" in str(refused.value)


def test_saved_and_loaded_it_is_the_same_and_its_card_says_what_it_foretells(tmp_path: Path) -> None:
    model = make(target_mean=[1.7e9, 0.5], target_std=[3_600.0, 2.0], input_mean=[0.5], input_std=[2.0])
    model.save_pretrained(tmp_path)
    loaded, values = SequenceRegressor.from_pretrained(tmp_path), torch.randn(3, 7, 1)
    assert torch.equal(loaded(values), model(values))
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "# longreach regressor\n" in card
    assert "A regressor of long sequences, made with longreach: lstm, 1 layer of 4 units, regression, " in card
    assert (
        "It reads 1 real number a step and foretells 2 numbers of each sequence, of mean 1.7e+09, 0.5 and deviation "
        "3600, 2.\n"
    ) in card
    assert "from longreach.model.regressor import SequenceRegressor\n" in card
    assert "targets = model.stream().push(values)  # (1, steps, channels) as measured\n" in card
    assert "foretells 1 number of each sequence.\n" in make(targets=1).generate_model_card().content


def test_streamed_it_foretells_what_it_does_whole() -> None:
    model = make(target_mean=[1.7e9, 0.5], target_std=[3_600.0, 2.0], input_mean=[0.5], input_std=[2.0]).eval()
    raw, stream = torch.randn(3, 9, 1), model.stream(3)
    stream.push(raw[:, :4])
    right = model(model.standardise(raw))
    assert right.dtype == torch.float64
    torch.testing.assert_close(stream.push(raw[:, 4:]), right, rtol=1e-12, atol=1e-3)
