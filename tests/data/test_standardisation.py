"""Mean and deviation agree with numpy's in float64, and no value slips through that would spoil them."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from longreach.data import standardisation
from longreach.data.gaps import fit_present
from longreach.data.standardisation import Standardisation
from longreach.errors import DataError

SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(np.uint8, SHAPES))
def test_pixels_are_summed_exactly(values: np.ndarray) -> None:
    fitted = Standardisation.fit(values)
    for channel in range(values.shape[2]):
        held = [Fraction(int(value)) for value in values[..., channel].ravel()]
        mean = sum(held) / len(held)
        variance = sum((value - mean) ** 2 for value in held) / len(held)
        assert fitted.mean[channel] == float(mean)
        assert fitted.std[channel] == pytest.approx(math.sqrt(variance) if variance else 1.0, rel=1e-15)


@pytest.mark.parametrize("noise", [0.0, 1e-16, 1e-14])
@pytest.mark.parametrize("offset", [0.1, -3e8])
def test_what_rounding_leaves_of_a_constant_is_not_blown_up(noise: float, offset: float) -> None:
    """A channel that varies by less than anybody measures would drown the others once its changes are divided by it."""
    draw = np.random.default_rng(0)
    values = offset * (1.0 + noise * draw.normal(size=(300, 1)))
    wide = offset * (1.0 + 1e-10 * draw.normal(size=(300, 1)))
    parts = np.concatenate([values, wide], axis=1)
    for fitted in (
        Standardisation.fit_parts(lambda: iter([parts[:100], parts[100:]]), np.array([300])),
        fit_present(lambda: iter([parts[:100], parts[100:]])),
    ):
        assert fitted.std[0] == 1.0
        assert fitted.std[1] == pytest.approx(wide.std(), rel=1e-3)


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(np.float32, SHAPES, elements=st.floats(-100, 100, width=32)))
def test_floats_agree_with_numpy(values: np.ndarray) -> None:
    fitted = Standardisation.fit(values)
    wide = values.astype(np.float64)
    constant = (values == values[:1, :1]).all((0, 1))
    np.testing.assert_allclose(fitted.mean, wide.mean((0, 1)), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(fitted.std, np.where(constant, 1.0, wide.std((0, 1))), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_chunks_do_not_show(dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(0, 256, (37, 5, 2)).astype(dtype)
    whole = Standardisation.fit(values)
    monkeypatch.setattr(standardisation, "_CHUNK_VALUES", 40)
    parts = Standardisation.fit(values)
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-14)
    np.testing.assert_allclose(parts.std, whole.std, rtol=1e-14)


def test_a_large_offset_does_not_cancel() -> None:
    values: np.ndarray = (10_000 + np.array([0, 1] * 50)).astype(np.float32).reshape(10, 10, 1)
    assert Standardisation.fit(values) == Standardisation((10_000.5,), (0.5,))


@pytest.mark.parametrize("constant", [0.1, 1e8, 0.0])
def test_a_constant_channel_gets_one(constant: float) -> None:
    values = np.full((1001, 3, 1), constant, dtype=np.float32)
    assert Standardisation.fit(values).std == (1.0,)
    assert Standardisation.fit(np.full((7, 3, 1), 9, dtype=np.uint8)) == Standardisation((9.0,), (1.0,))


def test_apply_by_channel() -> None:
    values = np.array([[[2.0, 10.0], [4.0, 30.0]]], dtype=np.float32)
    Standardisation((3.0, 20.0), (0.5, 5.0)).apply_(values)
    np.testing.assert_array_equal(values, np.array([[[-2.0, -2.0], [2.0, 2.0]]], dtype=np.float32))


def test_double_precision_is_needed_where_single_moves_values_by_a_hundredth_of_their_deviation() -> None:
    apart = float(np.spacing(np.float32(1.7e9)))
    assert apart == 128
    assert not Standardisation((0.0, -1.7e9), (1.0, 12_800.0)).needs_double
    assert Standardisation((0.0, -1.7e9), (1.0, 12_799.0)).needs_double
    assert not Standardisation((0.13, 101_325.0, 9.81), (0.3, 900.0, 0.001)).needs_double
    assert Standardisation((1e300,), (1e290,)).needs_double


def test_applied_in_double_precision_keeps_what_a_large_offset_would_take() -> None:
    values = 1.7e9 + np.array([[-1.0], [0.5], [1.0]])
    assert Standardisation((1.7e9,), (0.5,)).applied(values).tolist() == [[-2.0], [1.0], [2.0]]


def test_faults() -> None:
    def refused(message: str, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
            Standardisation(mean, std)

    counts = "standardisation: expected one mean and one deviation for each channel, found "
    refused(counts + "2 means and 1 deviations", (0.0, 0.0), (1.0,))
    refused(counts + "0 means and 0 deviations", (), ())
    numbers = "standardisation: expected finite means and deviations above zero, found "
    mend = "; values so large or so small must be brought nearer to 1 first"
    refused(numbers + "mean 0.0 and deviation 0.0 in channel 1" + mend, (0.0, 0.0), (1.0, 0.0))
    refused(numbers + "mean nan and deviation 1.0 in channel 0" + mend, (math.nan,), (1.0,))
    refused(numbers + "mean 0.0 and deviation inf in channel 0" + mend, (0.0,), (math.inf,))


@pytest.mark.parametrize(("value", "name"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_what_is_not_finite_is_named_with_its_place(value: float, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standardisation, "_CHUNK_VALUES", 12)
    values = np.zeros((9, 3, 2), dtype=np.float32)
    values[7, 2, 1] = value
    message = (
        f"sequences: expected finite numbers, found {name} in sequence 7, step 2, channel 1; fill or drop what is "
        "missing"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        Standardisation.fit(values)


@pytest.mark.parametrize("values", [np.zeros((3, 4), dtype=np.int64), np.zeros((3, 4, 1)), np.zeros((0, 4, 1), "u1")])
def test_what_cannot_be_standardised(values: np.ndarray) -> None:
    message = (
        "standardisation: expected (sequences, steps, channels) of uint8 or float32, "
        f"found {values.shape} of {values.dtype}"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        Standardisation.fit(values)
