"""A trained run put to use: its classifier on its test set, or on other data.

Shapes: N sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from longreach.baselines.classifier import Classifier
from longreach.batch import UNLABELLED
from longreach.config import DataConfig
from longreach.data.images import ImageSet
from longreach.data.pixels import pixel_sequences
from longreach.data.sequences import Sequences
from longreach.data.standardisation import Standardisation
from longreach.errors import ConfigError, DataError, RunError
from longreach.training.build import classifier_class
from longreach.training.datasets import build_test_set, padded, with_gaps
from longreach.training.evaluate import full_scores, predict_logits
from longreach.training.other_data import OtherData, is_of_files, other_sequences
from longreach.training.run_folder import RunFolder
from longreach.training.same_data import check_same


def load_classifier(folder: RunFolder) -> Classifier:
    """The classifier that a finished run saved, in evaluation mode on the CPU.

    Raises:
        RunError: no model there.
        ModelError: one that cannot be used.
    """
    config = folder.load_config()
    if not (folder.model / "config.json").is_file():
        raise RunError(f"{folder.path}: holds no trained model, so the run is not finished; go on with it by --resume")
    return classifier_class(config).from_pretrained(folder.model)


def evaluate_run(
    run: Path,
    data: Path | None = None,
    changes: dict[str, Any] | None = None,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Scores of a run's classifier on its test set, or on other data of the same kind.

    Args:
        run: the run folder.
        data: in place of the run's `data.path`, read the same way, its test part.
        changes: keys of the run's `data` to read otherwise, such as label_column.
        tell: is told how files were read.

    Returns:
        What `full_scores` tells, samples and class_names.

    Raises:
        RunError: no finished run there.
        DataError: data that are missing or broken, or have no labels; or a test set that changed since the run.
        ConfigError: a key that does not exist or a value that does not fit.
    """
    folder = RunFolder(run)
    classifier = load_classifier(folder)
    config = _data_of(folder, changes, data is not None)
    where = str(data or config.path or "the bundled data")
    if data is None:
        test = build_test_set(config, None)
        if not changes:
            check_same(folder, "test", test)
    elif is_of_files(config):
        test = _padded(_read(folder, config, data, classifier, True, changes, tell).sequences, config)
    else:
        test = build_test_set(_other_data(config, data), None, own=False)
    dataset = _fitting(test, classifier, where)
    labels = _labels_of(dataset, classifier, where)
    logits = _answers(classifier, dataset, where)
    return {
        **full_scores(logits, labels),
        "samples": len(dataset),
        "class_names": list(classifier.class_names),
    }


def predict_run(
    run: Path,
    data: Path,
    changes: dict[str, Any] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """The class of every sequence of a file or folder.

    Args:
        run: the run folder.
        data: an IDX file of images, a Parquet file or an image folder; for a run on files of sequences, files of any
            format that holds sequences of the same kind.
        changes: keys of the run's `data` to read otherwise, such as id_column.
        tell: is told how files were read.

    Yields:
        index, class, probability and the probabilities of all classes of each sequence, in order; and its id, where
        the files name it: in a column of ids, or by the name of its own file.

    Raises:
        RunError: no finished run there.
        DataError: data that are missing or broken.
        ConfigError: a key that does not exist or a value that does not fit.
    """
    folder = RunFolder(run)
    classifier = load_classifier(folder)
    config = _data_of(folder, changes, True)
    ids: tuple[str, ...] | None = None
    if is_of_files(config):
        read = _read(folder, config, data, classifier, False, changes, tell)
        sequences, ids = read.sequences, read.ids
    else:
        sequences = pixel_sequences(read_images(data), config.resize, config.scan, config.permutation_seed)
    dataset = _fitting(_padded(sequences, config), classifier, str(data))
    probabilities = _answers(classifier, dataset, str(data)).softmax(-1)
    names = classifier.class_names
    for index, row in enumerate(probabilities):
        named = {} if ids is None else {"id": ids[index]}
        yield {"index": index, **named, **answer(row, names)}


def answer(probabilities: torch.Tensor, names: Sequence[str]) -> dict[str, Any]:
    """The likeliest class, its probability and those of all, to six digits.

    Args:
        probabilities: (classes,).
        names: of the classes.
    """
    rounded = [round(float(p), 6) for p in probabilities]
    best = int(probabilities.argmax())
    return {
        "class": names[best],
        "probability": rounded[best],
        "probabilities": dict(zip(names, rounded, strict=True)),
    }


def _answers(classifier: Classifier, dataset: Sequences, where: str) -> torch.Tensor:
    """(N, classes) scores.

    Raises:
        DataError: a sequence whose scores are no numbers.
    """
    logits = predict_logits(classifier, dataset)
    wrong = (~logits.isfinite()).any(-1).nonzero()
    if len(wrong):
        raise DataError(
            f"{where}: expected values that the model can answer for, found {len(wrong)} of {len(dataset)} sequences "
            f"(the first is sequence {int(wrong[0])}) whose class scores are no finite numbers: values that are far "
            "beyond those of training leave single precision; leave these sequences out, or mend their values"
        )
    return logits


def _padded(sequences: Sequences, config: DataConfig) -> Sequences:
    """With the noise that the run's own test part has; tokens, to which there is none, are refused by their kind."""
    return sequences if sequences.is_token else padded(sequences, config, "test")


def _data_of(folder: RunFolder, changes: dict[str, Any] | None, other: bool) -> DataConfig:
    """How a run's data are read, with changes; of other data than CSV files of a sequence each more may be said."""
    run = folder.load_config()
    for key, value in (changes or {}).items():
        if key.removeprefix("data.") == "missing" and value != run.data.missing:
            raise ConfigError(
                f"--set {key}: expected {run.data.missing}, as {folder.path} was trained, found {value}; leave it out"
            )
    found = {"source": "auto"} if other and run.data.source == "tables" else {}
    return run.with_data_set(found | (changes or {})).data


def _read(
    folder: RunFolder,
    config: DataConfig,
    data: Path,
    classifier: Classifier,
    labelled: bool,
    changes: dict[str, Any] | None,
    tell: Callable[[str], None] | None,
) -> OtherData:
    """Other files, with the channels that the run had, found by their names, and its label column, if it is there."""
    known = folder.known_data()
    named, counted = known.get("channels"), known.get("cells")
    channels = tuple(map(str, named)) if isinstance(named, list) else None
    said = {key.removeprefix("data.") for key in changes or ()}
    cells = (int(counted[0]), int(counted[1])) if isinstance(counted, list) and "label_column" not in said else None
    double = needs_double(classifier)
    if known.get("source") == "tables" and "source" not in said:
        # A folder or a file may as well be a table of many sequences.
        config = config.model_copy(update={"source": "tables"})
    found = other_sequences(config, str(data), classifier.input_vocabulary, labelled, channels, double, cells)
    if tell is not None:
        tell(found.told)
    return replace(found, sequences=with_gaps(found.sequences, config))


def read_images(path: Path) -> ImageSet:
    """Images of a file or folder, whatever of the known kinds it is.

    Raises:
        DataError: nothing there, or nothing that can be read.
    """
    if not path.exists():
        raise DataError(
            f"{path}: no such file or folder; give an IDX file of images, a Parquet file or an image folder"
        )
    if path.is_file() and "idx" in path.name:
        from longreach.data.idx import images_from_idx

        return images_from_idx(path)
    from longreach.data.hub import images_from_hub

    return images_from_hub(path, None, labelled=False)


def standardisation_of(classifier: Classifier) -> Standardisation | None:
    """What was done to the values that the classifier learned from."""
    if classifier.input_mean is None or classifier.input_std is None:
        return None
    return Standardisation(classifier.input_mean, classifier.input_std)


def needs_double(classifier: Classifier) -> bool:
    """Whether values are to be read in double precision until they are standardised."""
    standardisation = standardisation_of(classifier)
    return standardisation is not None and standardisation.needs_double


def _fitting(dataset: Sequences, classifier: Classifier, where: str) -> Sequences:
    """The data standardised as the classifier needs them, once it is sure that they are of its kind."""
    tokens = None if dataset.vocabulary is None else dataset.vocabulary.plain()
    if tokens != classifier.input_vocabulary:
        raise DataError(
            f"{where}: expected {_kind(classifier.input_vocabulary)}, as the run was trained on, "
            f"found {_kind(tokens)}; read the data as those of the run were read"
        )
    channels = classifier.channels
    if not dataset.is_token and dataset.channels != channels:
        raise DataError(
            f"{where}: expected {channels} channels a step, as the run was trained on, found {dataset.channels}; "
            + (
                "give the same channels in the same order"
                if dataset.fixed_steps is None
                else "convert the images (grey has 1 channel, RGB 3)"
            )
        )
    if classifier.input_steps is not None and dataset.steps != classifier.input_steps:
        raise DataError(
            f"{where}: expected sequences of {classifier.input_steps} steps, as the run was trained on, "
            f"found {dataset.steps}; give images of the same size, or a run that was trained on this one"
        )
    if None not in (classifier.input_rate, dataset.rate) and dataset.rate != classifier.input_rate:
        raise DataError(
            f"{where}: expected {classifier.input_rate} samples a second, as the run was trained on, found "
            f"{dataset.rate}; resample the recordings to {classifier.input_rate}"
        )
    return dataset.standardised(standardisation_of(classifier))


def _kind(vocabulary: dict[str, Any] | None) -> str:
    return "real values" if vocabulary is None else f"tokens ({vocabulary['size']} {vocabulary['kind']})"


def _labels_of(dataset: Sequences, classifier: Classifier, where: str) -> torch.Tensor:
    """(N,) labels counted as the classifier counts its classes: a class is told by its name, not by its place."""
    labels = np.full(len(dataset), UNLABELLED) if dataset.labels is None else np.asarray(dataset.labels)
    missing = np.flatnonzero(labels == UNLABELLED)
    if missing.size:
        first = f" (the first is sequence {missing[0]})" if missing.size < len(labels) else ""
        raise DataError(
            f"{where}: expected a label for each sequence, found {missing.size} of {len(labels)} without{first}; add "
            "them, name their column with --set label_column=NAME, or name the classes with `longreach predict`"
        )
    known = {name: place for place, name in enumerate(classifier.class_names)}
    there = set(labels.tolist())
    unknown = [name for place, name in enumerate(dataset.class_names) if place in there and name not in known]
    if unknown:
        raise DataError(
            f"{where}: expected classes among {', '.join(known)}, as the run was trained on, "
            f"found {', '.join(unknown)}; name them alike"
        )
    # Classes that occur in another part alone have no place here, and no sequence.
    places = torch.tensor([known.get(name, UNLABELLED) for name in dataset.class_names])
    return places[torch.from_numpy(labels)]


def _other_data(config: DataConfig, data: Path) -> DataConfig:
    if config.source == "mnist14":
        raise DataError("the run was trained on the bundled data, which lie in the package; leave DATA out")
    return config.model_copy(update={"path": str(data)})
