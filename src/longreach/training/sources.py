"""The sequences that a configuration names, from wherever it says.

Each source brings its own libraries, so each is imported where it is asked for.
"""

from __future__ import annotations

from pathlib import Path

from longreach.config import DataConfig
from longreach.data.images import ImageSet, Split
from longreach.data.pixels import pixel_sequences
from longreach.data.sequences import Sequences


def read_sequences(config: DataConfig, split: Split) -> Sequences:
    """One split, not yet standardised.

    Raises:
        DataError: files that are missing, broken or inconsistent.
    """
    if config.source == "documents":
        from longreach.data.zhang_text import character_sequences

        return character_sequences(_path(config), split)
    # Photographs of many sizes are brought to one as they are read; all others keep theirs until here.
    size = None if config.source == "stanford_dogs" else config.resize
    return pixel_sequences(_images(config, split), size, config.scan, config.permutation_seed)


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

            return images_from_hub(_path(config), split)


def _path(config: DataConfig) -> str:
    assert config.path is not None, "the configuration sees to it"
    return config.path
