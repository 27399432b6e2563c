"""What every classifier that is saved has in common: plain arguments, facts about itself, and how it travels."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from huggingface_hub import ModelCard, PyTorchModelHubMixin
from torch import nn

from longreach.errors import ConfigError
from longreach.model.card import model_card
from longreach.model.pretrained import find_files, plain, read_model, write_model


def wrong_length(name: str, numbers: Sequence[float] | None, channels: int | None) -> str:
    """What is wrong with numbers that are not one for each channel; empty where nothing is.

    Args:
        name: of the argument.
        numbers: of the channels, or None.
        channels: C, None of tokens.
    """
    if numbers is None or channels is None or len(numbers) == channels:
        return ""
    return (
        f"{name}: expected {channels} number{'' if channels == 1 else 's'}, one for each channel that the model reads, "
        f"found {len(numbers)}; give 0 as mean and 1 as deviation of a channel that is read as it is"
    )


def _contradiction(arguments: Mapping[str, Any]) -> str:
    """What is wrong with a model's arguments beside one another; empty where nothing is."""
    mean, std, channels = (arguments[name] for name in ("input_mean", "input_std", "channels"))
    for name, numbers in (("input_mean", mean), ("input_std", std)):
        if problem := wrong_length(name, numbers, channels):
            return problem
    if channels is not None and (mean is None) != (std is None):
        return f"{'input_mean' if mean is None else 'input_std'}: expected beside the other of the two, found none"
    if std is not None and (wrong := [number for number in std if not 0 < number < math.inf]):
        return f"input_std: expected finite numbers above zero, found {wrong[0]}; give 1 for a channel read as it is"
    names = arguments.get("class_names")
    if names and len(names) != arguments["classes"]:
        return f"class_names: expected {arguments['classes']}, one for each class, or none, found {len(names)}"
    return ""


class SavedModel(nn.Module, PyTorchModelHubMixin, library_name="longreach"):
    """A model that `save_pretrained` writes and `from_pretrained` reads without running anybody's code.

    Args:
        arguments: all that the class was called with, by name.

    Raises:
        ConfigError: an argument that JSON cannot hold, or a mean or deviation that is not one for each channel.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.arguments = plain(arguments)
        """What the model was made with, for config.json."""
        if problem := _contradiction(self.arguments):
            raise ConfigError(problem)
        self.about: dict[str, dict[str, Any]] = {}
        """Sections of facts by title, plain values; goes with the model and fills its card."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """The network in a few words, for the card."""

    @property
    @abstractmethod
    def example(self) -> str:
        """A line of Python that uses `model` on `values`, for the card."""

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        **model_kwargs: Any,
    ) -> Self:
        """The model that `save_pretrained` wrote, on the CPU, in evaluation mode, in the precision it was saved in.

        Args:
            pretrained_model_name_or_path: a folder, or a name on the hub.
            force_download: of a hub name, though it is there already.
            token: for the hub.
            cache_dir: where files of the hub are kept.
            local_files_only: ask the hub for nothing.
            revision: branch, tag or commit on the hub.
            model_kwargs: none; a saved model is loaded as it is.

        Raises:
            ModelError: nothing there, or anything that does not fit, all of it in one message.
            ConfigError: further arguments.
        """
        if model_kwargs:
            raise ConfigError(
                f"from_pretrained: expected no further arguments, found {', '.join(model_kwargs)}; a saved model is "
                "loaded whole and as it is"
            )
        files = find_files(
            str(pretrained_model_name_or_path),
            force_download=force_download,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            revision=revision,
        )
        model, about = read_model(cls, *files)
        model.about = about
        return model

    def _save_pretrained(self, save_directory: Path) -> None:
        write_model(save_directory, self, self.arguments, self.about)
        # Always anew: the card of a model that was trained again must not tell the old figures.
        self.generate_model_card().save(save_directory / "README.md")

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """The card made of `about` and of the model itself."""
        front = self._hub_mixin_info.model_card_data.to_yaml()
        parameters = sum(parameter.numel() for parameter in self.parameters())
        maker = type(self)
        return ModelCard(
            model_card(
                maker.__module__,
                maker.__name__,
                self.kind,
                self.example,
                self.arguments,
                self.about,
                parameters,
                front,
            )
        )
