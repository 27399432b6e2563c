"""Data looked through before anything is trained on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from longreach.batch import UNLABELLED
from longreach.config import DataConfig, RunConfig, load_config
from longreach.config.data import FILE_SOURCES
from longreach.data.dataset import SequenceDataset
from longreach.data.files.collect import Collected, collect
from longreach.data.files.report import CheckReport, check_report
from longreach.data.files.sample import Form, Sample, Samples, Source
from longreach.data.ragged import RaggedDataset
from longreach.errors import ConfigError, DataError
from longreach.training.class_weights import class_weights
from longreach.training.datasets import hold_out
from longreach.training.sources import check_effects, read_files, read_parts, resolved, without_training


def check_data(data: str, changes: dict[str, Any]) -> CheckReport:
    """Everything that is wrong with some data, found in one pass.

    Args:
        data: file, folder, name on the hub, or the YAML file of a run.
        changes: keys of `data` in a configuration, such as label_column, or data.label_column as `train` calls it.

    Raises:
        DataError: nothing that can be read there.
        ConfigError: a key that does not exist or a value that does not fit.
    """
    if data.endswith((".yaml", ".yml")):
        run = load_config(Path(data))
    else:
        run = RunConfig(data=DataConfig(source="auto", path=data))
    config = resolved(run.with_data_set(changes).data)
    check_effects(config)
    collected = read_files(config) if config.source in FILE_SOURCES else _collect_others(config)
    report = check_report(collected)
    grave = report.grave or without_training(collected.parts) or _without_hold_out(run, config, collected)
    return replace(report, grave=grave)


def _without_hold_out(run: RunConfig, config: DataConfig, collected: Collected) -> list[str]:
    """Why parts that are missing cannot be held out of the training part, or classes weighed, as in training."""
    train = collected.parts.get("train")
    if train is None or train.labels is None or not (train.labels != UNLABELLED).any():
        return []
    try:
        parts = hold_out(dict(collected.parts), config, collected.groups)
        class_weights(run, parts.train)
    except (DataError, ConfigError) as error:
        return [f"to train with labels: {error}"]
    return []


def _collect_others(config: DataConfig) -> Collected:
    """Images and documents, looked at as sequences."""
    parts: dict[str, Samples] = {}
    arrays: dict[str, np.ndarray] = {}
    told = []
    for name, part in read_parts(config).parts.items():
        if isinstance(part, SequenceDataset):
            arrays[name] = part.values
            told.append(f"{name} {part.values.shape} of {part.values.dtype} as (sequences, steps, channels)")
        assert isinstance(part, (SequenceDataset, RaggedDataset))
        parts[name] = partial(_samples, part, name)
    form: Form = "real" if arrays else "numbers"
    where = f"{config.path or 'the bundled data'}: {config.source}, {', '.join(told) or 'documents'}"
    return collect(Source(where, form, parts, where, arrays))


def _samples(part: SequenceDataset | RaggedDataset, name: str) -> Iterator[Sample]:
    for row in range(len(part)):
        values = part.values[row] if isinstance(part, SequenceDataset) else part.sequence(row)
        label = None if part.labels is None or part.labels[row] < 0 else part.class_names[part.labels[row]]
        yield Sample(values, label, f"{name}: row {row}")
