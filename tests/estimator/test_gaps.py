"""Missing values: what the fitted model reads by itself is what the estimator reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from longreach import LongSequenceClassifier, LongSequenceRegressor
from longreach.errors import DataError
from longreach.model.classifier import SequenceClassifier
from longreach.model.export import export_onnx


def with_gaps(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """(60, 40, C) far from zero, a tenth missing, and classes."""
    draws = np.random.default_rng(0)
    values = draws.normal(5.0, 2.0, size=(60, 40, channels))
    values[draws.random(values.shape) < 0.1] = np.nan
    return values, np.arange(60) % 2


def as_measured(values: np.ndarray, model: SequenceClassifier) -> np.ndarray:
    """(N, T, 2 C): gaps filled by the mean of their channel, then for each channel whether its value is missing."""
    mean = np.asarray(model.input_mean)[: values.shape[2]]
    gaps = np.isnan(values)
    return np.concatenate([np.where(gaps, mean, values), gaps], axis=2).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("standardise", [True, False])
def test_stream_and_export_read_gaps_as_the_estimator_does(channels: int, standardise: bool, tmp_path: Path) -> None:
    X, y = with_gaps(channels)
    own = LongSequenceClassifier(
        hidden_size=8, max_epochs=3, random_state=0, missing="mask", standardise=standardise
    ).fit(X, y)
    model, wanted = own.model_, own.predict_proba(X)
    if standardise:
        np.testing.assert_allclose(model.input_mean, [*np.nanmean(X, (0, 1)), *[0.0] * channels])
        np.testing.assert_allclose(model.input_std, [*np.nanstd(X, (0, 1)), *[1.0] * channels])
        chunk = as_measured(X, model)
    else:
        chunk = np.concatenate([np.nan_to_num(X), np.isnan(X)], axis=2).astype(np.float32)
    np.testing.assert_allclose(model.stream(len(X)).push(chunk), wanted, atol=1e-5)
    assert np.ptp(wanted[:, 0]) > 0.01, "they are not all alike"
    export_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    beginning = {name: np.zeros((1, len(X), 8), np.float32) for name in "hc"}
    logits = session.run(None, {"x": chunk, **beginning})[0]
    np.testing.assert_allclose(torch.from_numpy(logits).softmax(-1), wanted, atol=1e-5)
    model.save_pretrained(tmp_path / "saved")
    loaded = SequenceClassifier.from_pretrained(tmp_path / "saved")
    np.testing.assert_allclose(loaded.stream(len(X)).push(chunk), wanted, atol=1e-5)


def test_the_regressors_model_knows_which_channels_mark_gaps() -> None:
    X, y = with_gaps(1)
    own = LongSequenceRegressor(hidden_size=8, max_epochs=2, random_state=0, missing="mask").fit(X, y)
    mean, std = own.model_.input_mean, own.model_.input_std
    assert (len(mean), mean[1], std[1]) == (2, 0.0, 1.0)
    values = torch.from_numpy((as_measured(X, own.model_) - np.asarray(mean)) / np.asarray(std)).float()
    np.testing.assert_allclose(own.model_(values)[:, 0].detach(), own.predict(X), atol=1e-5)


def hidden(values: np.ndarray, kind: type) -> np.ma.MaskedArray:
    """The same with something large behind each gap."""
    gaps = np.isnan(values)
    return np.ma.masked_array(np.where(gaps, 99, np.round(values)).astype(kind), gaps)


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.int64])
@pytest.mark.parametrize("form", [lambda X: X[..., 0], lambda X: X, lambda X: list(X), lambda X: list(X[..., 0])])
def test_what_a_masked_array_hides_is_missing(kind: type, form: Any) -> None:
    X, y = with_gaps(2)
    settings = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}
    masked, plain = form(hidden(X, kind)), form(np.round(X))
    with pytest.raises(DataError, match=rf"expected finite numbers, found {np.isnan(plain).sum()} NaN \(the first in "):
        LongSequenceClassifier(**settings).fit(masked, y)
    wanted = LongSequenceClassifier(**settings, missing="mask").fit(plain, y)
    model = LongSequenceClassifier(**settings, missing="mask").fit(masked, y)
    np.testing.assert_array_equal(model.predict_proba(masked), wanted.predict_proba(plain))
    np.testing.assert_allclose(model.model_.input_mean, wanted.model_.input_mean)


def test_what_is_masked_among_objects_is_missing_too() -> None:
    X, y = with_gaps(1)
    with pytest.raises(DataError, match="X: expected finite numbers, found "):
        LongSequenceClassifier(hidden_size=4, max_epochs=1).fit(hidden(X[..., 0], object), y)


def test_masks_that_hide_nothing_and_masked_weights() -> None:
    X, y = np.random.default_rng(0).normal(size=(20, 5)), np.arange(20) % 2
    wanted = LongSequenceClassifier(hidden_size=4, max_epochs=1, random_state=0).fit(X, y)
    model = LongSequenceClassifier(hidden_size=4, max_epochs=1, random_state=0).fit(np.ma.masked_array(X), y)
    np.testing.assert_array_equal(model.predict_proba(np.ma.masked_array(X)), wanted.predict_proba(X))
    with pytest.raises(DataError, match="sample_weight: expected finite weights from 0 on, found nan in row 3"):
        model.fit(X, y, sample_weight=np.ma.masked_array(np.ones(20), np.arange(20) == 3))
