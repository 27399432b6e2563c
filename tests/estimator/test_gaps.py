"""Missing values: what the fitted model reads by itself is what the estimator reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from longreach import LongSequenceClassifier, LongSequenceRegressor
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
