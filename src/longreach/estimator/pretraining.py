"""Training the memory alone, on files without labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from longreach.config import DataConfig, RunConfig
from longreach.data.dataset import SequenceDataset
from longreach.data.gaps import check_finite
from longreach.data.parts import encoded
from longreach.data.ragged import RaggedDataset
from longreach.data.vocabulary import Vocabulary
from longreach.errors import ConfigError, RunError
from longreach.estimator.classifier import LongSequenceClassifier
from longreach.estimator.feeding import shuffled, threads
from longreach.estimator.fitting import settings_of
from longreach.estimator.pretrained import save
from longreach.estimator.reading import Reader
from longreach.estimator.settings import pretraining_config
from longreach.training.blend import InTurn
from longreach.training.build import build_objective
from longreach.training.in_memory import train_in_memory
from longreach.training.sources import read_parts

_BY_OPTION = {
    "random_state": "--seed",
    "device": "--device",
    "verbose": "--quiet",
    "max_epochs": "--epochs",
    "pretrain_epochs": "--epochs",
}
_OF_FITTING = (
    *("truncation", "recall", "drop_connect", "early_stopping", "validation_fraction", "patience", "class_weight"),
    *("pretrained", "warm_start"),
)
"""Parameters of the estimator that count once there are labels."""

_OF_RUNS = (
    *("noise", "train_samples", "validation", "validation_seed", "validation_path", "test", "test_seed", "test_path"),
    "workers",
)
"""Keys of `DataConfig` that do nothing where the whole training part is read once."""


def pretrain_files(
    data: str,
    out: Path,
    settings: dict[str, Any],
    *,
    epochs: int,
    reading: dict[str, Any],
    seed: int = 0,
    device: str = "auto",
    verbose: bool = False,
) -> dict[str, Any]:
    """Train the memory on the training part of some files, and write it for `LongSequenceClassifier(pretrained=out)`.

    Args:
        data: a file, a folder or a name on the hub; labels in it are not used.
        out: the folder to write.
        settings: parameters of the estimator that differ from its defaults.
        epochs: passes over the data.
        reading: keys of `DataConfig` that differ from its defaults, with or without `data.` before them.
        seed: of weights, order and anchors.
        device: "auto", "cpu" or "cuda".
        verbose: show progress on standard error.

    Returns:
        Facts: sequences, updates, and the recall loss at the end.

    Raises:
        ConfigError: parameters that there are not, that do nothing here, or that cannot be meant.
        DataError: data that cannot be used.
        RunError: a folder that holds something else.
    """
    if out.is_dir() and any(out.iterdir()):
        raise RunError(f"{out}: holds other files; give a new or an empty folder with --out")
    reading = {key.removeprefix("data."): value for key, value in reading.items()}
    _check_named(settings, reading)
    chosen = settings_of(LongSequenceClassifier(**settings, random_state=seed, device=device, verbose=int(verbose)))
    config = RunConfig(data=DataConfig(source="auto", path=data)).with_data_set(reading, "--data-set").data
    raw = _unlabelled(config.model_copy(update={"missing": chosen["missing"]}))
    settled = not chosen["standardise"]
    check_finite(raw, missing_allowed=chosen["missing"] == "mask", settled=settled, where=data)
    reader = Reader.fit([raw], standardise=chosen["standardise"], mark_gaps=chosen["missing"] == "mask")
    # The head is not trained and not kept; a network cannot be without one.
    prepared = reader.prepared(replace(raw, labels=None, class_names=("none",)))
    epoch = -(-len(prepared) // chosen["batch_size"])
    run = pretraining_config(chosen, prepared, seed=seed, epoch=epoch, epochs=epochs)
    objective = build_objective(run, prepared)
    with threads(chosen["n_jobs"]):
        trained = train_in_memory(
            objective,
            run,
            InTurn([(shuffled(prepared, chosen["batch_size"], seed), epochs * epoch)]),
            epoch=epoch,
            every=epoch,
            steps=round(chosen["batch_size"] * float(prepared.lengths.mean())),
            device=chosen["device"],
            verbose=bool(chosen["verbose"]),
        )
    done = {
        "data": data,
        "sequences": len(prepared),
        "updates": trained.updates,
        "recall": trained.history[-1]["recall"],
        "fingerprint": prepared.fingerprint(),
    }
    horizon = prepared.steps if chosen["horizon"] is None else min(chosen["horizon"], prepared.steps)
    try:
        out.mkdir(parents=True, exist_ok=True)
        save(out, objective, reader, chosen, horizon, done)
    except OSError as error:
        raise RunError(f"{out}: cannot write there ({error.strerror}); give another folder with --out") from None
    return done


def _check_named(settings: dict[str, Any], reading: dict[str, Any]) -> None:
    """Refuse what there is not, and what there is but would do nothing.

    Raises:
        ConfigError: all of it.
    """
    known = [name for name in LongSequenceClassifier().get_params() if name not in (*_BY_OPTION, *_OF_FITTING)]
    problems = []
    if unknown := sorted(set(settings) - {*known, *_BY_OPTION, *_OF_FITTING}):
        problems.append(f"--set: no parameter {', '.join(unknown)}; there is {', '.join(known)}")
    problems += [f"--set {name}: give {_BY_OPTION[name]} instead" for name in settings if name in _BY_OPTION]
    if "missing" in reading:
        problems.append("--data-set missing: give --set missing=mask, which the estimator has as well")
    problems += [
        f"--set {name}: does nothing before there are labels; give it to the estimator that begins with this memory"
        for name in settings
        if name in _OF_FITTING
    ]
    problems += [
        f"--data-set {name}: does nothing in pretraining, which reads the whole training part; leave it out"
        for name in reading
        if name in _OF_RUNS
    ]
    if problems:
        raise ConfigError("\n".join(problems))


def _unlabelled(config: DataConfig) -> RaggedDataset:
    """The training part, whatever it was read from."""
    found = read_parts(config, labelled=False)
    part = found.parts["train"]
    if found.code_points:
        return encoded(part, Vocabulary.of_code_points(part.parts(), config.character_least))
    if isinstance(part, RaggedDataset):
        return part
    if not isinstance(part, SequenceDataset):
        raise RunError(f"{config.path}: sequences of this source cannot be used for pretraining; give files of them")
    return RaggedDataset.from_array(np.asarray(part.values), vocabulary=part.vocabulary)
