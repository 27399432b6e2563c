"""The sequences that a configuration names, from wherever it says.

Each source brings its own libraries, so each is imported where it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from longreach.config import DataConfig
from longreach.config.data import FILE_SOURCES
from longreach.data.images import ImageSet, Split
from longreach.data.pixels import pixel_sequences
from longreach.data.sequences import Sequences
from longreach.errors import ConfigError, DataError

if TYPE_CHECKING:
    from longreach.data.files.collect import Collected
    from longreach.data.files.detect import FileKind
    from longreach.data.files.findings import Finding
    from longreach.data.files.options import ReadOptions

LABEL_KINDS = ("missing label", "no labels", "unknown class", "single class")
"""Findings that matter to who learns classes of the files' labels, and to nobody else."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a source holds, not yet split further and not standardised.

    Args:
        parts: "train", and "validation" and "test" where the source has them.
        told: how files were read, line by line; nothing of sources that are read in one way only.
        warnings: what looks wrong with them and does not keep from training.
        code_points: characters are still code points, without a vocabulary.
        channels: columns that are the channels of a table of steps, in order; None for anything else.
        cells: fewest and most in the rows of a CSV file that does not name its columns; None for anything else.
        groups: of each part, the group of each sequence; no entry where nothing tells which belong together.
        source: of the configuration, what `auto` found in its place; None for what is no file of sequences.
    """

    parts: dict[str, Sequences]
    told: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    code_points: bool = False
    channels: tuple[str, ...] | None = None
    cells: tuple[int, int] | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source: str | None = None


def resolved(config: DataConfig) -> DataConfig:
    """The same with the source that `auto` finds at the path.

    Raises:
        DataError: nothing there, or nothing that is known.
    """
    if config.source != "auto":
        return config
    from longreach.data.files.detect import detect

    return config.model_copy(update={"source": detect(_path(config), files_root=config.files_root)})


def check_effects(config: DataConfig) -> None:
    """Refuse keys that do nothing with the source that is found, and those that do harm together.

    Raises:
        DataError: nothing there, or nothing that is known.
        ConfigError: such keys.
    """
    if problem := resolved(config).without_effect:
        raise ConfigError(problem)
    if config.crops > 1 and config.validation:
        raise ConfigError(
            f"data.validation: expected 0 with data.crops above 1, found {config.validation}: crops of one photograph "
            "would be trained on and validated with; set data.validation to 0 or data.crops to 1"
        )


def read_parts(config: DataConfig, labelled: bool = True) -> Found:
    """All parts that a source has.

    Args:
        config: of the data.
        labelled: False: labels are not used, so that nothing that is wrong with them matters.

    Raises:
        DataError: files that are missing, broken or inconsistent, or sequences that must be mended; all at once.
    """
    config = resolved(config)
    if config.source in FILE_SOURCES:
        collected = read_files(config, labelled)
        # A part of which nothing could be read has findings of its own.
        refuse(grave_texts(collected.findings, labelled) or without_training(collected.parts), collected.told)
        return Found(
            dict(collected.parts),
            (collected.told,),
            tuple(collected.findings.light),
            collected.form == "characters",
            collected.channels,
            collected.cells,
            collected.groups,
            "tables" if collected.apart else config.source,
        )
    parts = {"train": read_sequences(config, "train")}
    if not _lacks_test(config):
        parts["test"] = read_sequences(config, "test")
    return Found(parts)


def read_files(config: DataConfig, labelled: bool = True) -> Collected:
    """Files of sequences with all that is wrong with them.

    Args:
        config: of the data.
        labelled: False: labels are not used.

    Raises:
        DataError: nothing that can be read there.
    """
    from longreach.data.files.collect import collect
    from longreach.data.files.open import open_files

    kind = cast("FileKind", resolved(config).source)
    options = replace(read_options(config), label_needed=labelled, group_needed=labelled)
    source = open_files(_path(config), kind, options, config.validation_path, config.test_path)
    return collect(source, config.vocabulary, gaps=config.missing == "mask")


def read_options(config: DataConfig) -> ReadOptions:
    """What the configuration says of columns and axes."""
    from longreach.data.files.options import ReadOptions

    return ReadOptions(
        values_columns=config.values_columns,
        files_column=config.files_column,
        files_root=config.files_root,
        label_column=config.label_column,
        id_column=config.id_column,
        time_column=config.time_column,
        split_column=config.split_column,
        group_column=config.group_column,
        channels_first=config.channels_first,
        tokens=config.tokens,
        subset=config.subset,
    )


def grave_texts(findings: Iterable[Finding], labelled: bool) -> list[str]:
    """What must be mended before training; where labels are not used, nothing that is of labels alone."""
    return [finding.text for finding in findings if finding.grave and (labelled or finding.kind not in LABEL_KINDS)]


def without_training(parts: Mapping[str, Sequences]) -> list[str]:
    """What must be mended where nothing is there to train on: parts may be named, and none of them be for training."""
    if "train" in parts or not parts:
        return []
    return [
        f"expected a training part, found {' and '.join(parts)} alone; name the part to train on train "
        "(`longreach evaluate` and `predict` read such data)"
    ]


def refuse(problems: list[str], told: str) -> None:
    """Refuse data that must be mended.

    Raises:
        DataError: there are problems; all of them, and how the data were read.
    """
    if problems:
        raise DataError("\n".join([*problems, f"read as {told}; `longreach check` lists all there is to mend"]))


def read_sequences(config: DataConfig, split: Split) -> Sequences:
    """One split of images or documents, not yet standardised.

    Raises:
        DataError: files that are missing, broken or inconsistent.
    """
    if config.source == "documents":
        from longreach.data.zhang_text import character_sequences

        return character_sequences(_path(config), split)
    # Photographs of many sizes are brought to one as they are read; all others keep theirs until here.
    size = None if config.source == "stanford_dogs" else config.resize
    return pixel_sequences(_images(config, split), size, config.scan, config.permutation_seed)


def read_test(config: DataConfig) -> Sequences:
    """The test part of images or documents; of images that come without one, all of them.

    Raises:
        DataError: files that are missing, broken or inconsistent.
    """
    config = resolved(config)
    return read_sequences(config, "train" if _lacks_test(config) else "test")


def holds_out_test(config: DataConfig) -> bool:
    """Whether the test part may have been made here, out of what is trained on."""
    config = resolved(config)
    return config.source in FILE_SOURCES or _lacks_test(config)


def _lacks_test(config: DataConfig) -> bool:
    if config.source != "hub":
        return False
    from longreach.data.hub import image_parts

    return "test" not in image_parts(_path(config))


def _images(config: DataConfig, split: Split) -> ImageSet:
    match config.source:
        case "mnist14":
            from longreach.data.bundled import mnist14

            return mnist14(split)
        case "idx":
            from longreach.data.idx import mnist_from_idx

            return mnist_from_idx(Path(_path(config)).expanduser(), split)
        case "cifar10":
            from longreach.data.cifar10 import cifar10

            return cifar10(_path(config), split)
        case "stanford_dogs":
            from longreach.data.dogs import stanford_dogs

            assert config.resize is not None, "the configuration sees to it"
            return stanford_dogs(_path(config), split, config.resize, config.crops, config.extra)
        case _:
            from longreach.data.hub import images_from_hub

            return images_from_hub(_path(config), split, label_column=config.label_column)


def _path(config: DataConfig) -> str:
    assert config.path is not None, "the configuration sees to it"
    return config.path
