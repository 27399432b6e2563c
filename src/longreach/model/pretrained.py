"""Saved models: config.json and model.safetensors, written and read without running anybody's code.

What is read is checked before anything is built of it: whose configuration it is and of which format, every key and its
type, every tensor and its shape. Pickled weights are never opened.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import torch
from huggingface_hub import constants, hf_hub_download
from safetensors import SafetensorError, safe_open
from torch import nn

from longreach.errors import ConfigError, ModelError
from longreach.files import write_json
from longreach.tensor_files import write_tensors

FORMAT = 1
"""Of config.json and the names of the weights; raised when an older longreach could not read what is written."""

_LIBRARY = "longreach"
_OURS = ("library", "format", "versions", "about")
_LATER = ("input_rate", "chrono")
"""Arguments that came after models were saved without them: those hold their defaults."""
_MOST_TOLD = 5
"""Names told of a list of keys or tensors; a model of another kind would fill pages."""

Model = TypeVar("Model", bound=nn.Module)


def plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as JSON gives them back: arrays and tuples as lists.

    Raises:
        ConfigError: one that JSON cannot hold.
    """
    found = {}
    for name, value in arguments.items():
        try:
            found[name] = json.loads(json.dumps(value, default=lambda array: array.tolist(), allow_nan=False))
        except (TypeError, ValueError, AttributeError):
            raise ConfigError(
                f"{name}: expected plain numbers, texts and lists, found {value!r}, which config.json cannot hold"
            ) from None
    return found


def write_model(folder: Path, model: nn.Module, arguments: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Write config.json and model.safetensors.

    Args:
        folder: there already.
        model: its weights are written as they are, in their precision.
        arguments: what its class was called with, plain.
        about: what is known of it, plain.
    """
    versions = {name: importlib.metadata.version(name) for name in (_LIBRARY, "torch")}
    header = {"library": _LIBRARY, "format": FORMAT, "versions": versions}
    config, weights = folder / constants.CONFIG_NAME, folder / constants.SAFETENSORS_SINGLE_FILE
    write_json(config, {**header, **arguments, "about": dict(about)})
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    write_tensors(weights, state, {"format": "pt"})
    # The writer leaves the weights to their owner alone; they are as readable as the files around them.
    shutil.copymode(config, weights)


def find_files(name: str, **how: Any) -> tuple[str, Path, Path]:
    """The configuration and the weights of a folder, or of a model on the hub; nothing else is fetched.

    Args:
        name: a folder or a hub name.
        how: passed on to `hf_hub_download`.

    Returns:
        How errors call it; config.json; model.safetensors.

    Raises:
        ModelError: not there.
    """
    names = (constants.CONFIG_NAME, constants.SAFETENSORS_SINGLE_FILE)
    if Path(name).is_dir():
        paths = [Path(name) / file for file in names]
        missing = [path.name for path in paths if not path.is_file()]
        if missing:
            pickled = constants.SAFETENSORS_SINGLE_FILE in missing and any(Path(name).glob("*.bin"))
            hint = "; pickled weights (*.bin) could run code and are never read" if pickled else ""
            if (Path(name) / "model" / constants.CONFIG_NAME).is_file():
                hint = f"; this is the folder of a run, whose model is {Path(name) / 'model'}"
            raise _unusable(name, [f"no {' and no '.join(missing)} there{hint}"])
        return name, paths[0], paths[1]
    if name.count("/") != 1 or name.startswith(("/", ".", "~")):
        # No name on the hub: asked there, a mistyped folder would be told of after half a minute of trying.
        raise _unusable(name, ["no such folder (a name on the hub has the form owner/name)"])
    try:
        config, weights = (Path(hf_hub_download(repo_id=name, filename=file, **how)) for file in names)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise _unusable(name, [f"neither a folder nor a model of longreach on the hub ({reason})"]) from None
    return name, config, weights


def read_model(make: Callable[..., Model], where: str, config: Path, weights: Path) -> tuple[Model, dict[str, Any]]:
    """Build a model and give it its weights, on the CPU and in the precision that they were saved in.

    Args:
        make: the model's class.
        where: names the model in errors.
        config: its config.json.
        weights: its model.safetensors.

    Returns:
        The model in evaluation mode, and what is known of it.

    Raises:
        ModelError: anything that does not fit; the message tells all of it.
    """
    arguments, about = _read_arguments(make, where, config)
    try:
        # safe_open reads a table of names and shapes, then numbers: there is nothing in the file that could run.
        with safe_open(weights, framework="pt", device="cpu") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            for layers in (arguments.get("layers"), arguments.get("options", {}).get("layers")):
                if isinstance(layers, int) and layers > len(shapes):
                    raise _unusable(where, [f"config.json tells of {layers} layers, {weights.name} has not"])
            wanted = _shapes_alone(make, where, arguments)
            problems = _differences({name: tuple(value.shape) for name, value in wanted.items()}, shapes)
            if problems:
                raise _unusable(where, problems)
            state = {name: file.get_tensor(name) for name in shapes}
    except ConfigError as error:
        raise _unusable(where, [f"config.json: {error}"]) from None
    except (SafetensorError, OSError) as error:
        raise _unusable(where, [f"{weights.name} is cut short or no safetensors file ({error})"]) from None
    numbers = [value for name, value in state.items() if wanted[name].is_floating_point()]
    kinds = {str(value.dtype) for value in numbers}
    if len(kinds) > 1 or not all(value.is_floating_point() for value in numbers):
        raise _unusable(where, [f"{weights.name}: expected weights of one real type, found {', '.join(sorted(kinds))}"])
    model = make(**arguments)
    model.to(numbers[0].dtype).load_state_dict(state)
    return model.eval(), about


def _shapes_alone(make: Callable[..., nn.Module], where: str, arguments: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors of a model without their numbers, so that a wrong size costs no memory before it is found."""
    try:
        with torch.device("meta"):
            return make(**arguments).state_dict()
    except ConfigError:
        raise
    # Sizes that are none fail wherever they are first used, and a network's own options are checked by nobody before.
    except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError, MemoryError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise _unusable(where, [f"config.json: its arguments make no model ({reason})"]) from None


def _read_arguments(make: Callable[..., Any], where: str, config: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        tree = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(where, [f"config.json is not readable as JSON ({error})"]) from None
    library = tree.get("library", tree.get("model_type")) if isinstance(tree, dict) else None
    if not isinstance(tree, dict) or library != _LIBRARY:
        found = "none" if library is None else repr(library)
        raise _unusable(where, [f"config.json: expected library '{_LIBRARY}', found {found}"])
    number = tree.get("format")
    if not isinstance(number, int) or number < 1:
        raise _unusable(where, [f"config.json format: expected a whole number from 1, found {number!r}"])
    if number > FORMAT:
        versions = tree.get("versions")
        author = versions.get(_LIBRARY) if isinstance(versions, dict) else None
        raise _unusable(
            where,
            [
                f"config.json: written by longreach {author or '(unknown)'} in format {number}, this is longreach "
                f"{importlib.metadata.version(_LIBRARY)}, which reads format {FORMAT}; update longreach"
            ],
        )
    hints = _hints(make)
    given = {name: value for name, value in tree.items() if name not in _OURS}
    unknown = [name for name in given if name not in hints]
    missing = [name for name in hints if name not in given and name not in _LATER]
    problems = [
        f"config.json {kind}: {_some(names)}"
        for kind, names in (("unknown keys", unknown), ("missing keys", missing))
        if names
    ]
    problems += [
        f"config.json {name}: expected {_told(hint)}, found {given[name]!r}"
        for name, hint in hints.items()
        if name in given and not _fits(given[name], hint)
    ]
    if not isinstance(tree.get("about", {}), dict):
        problems.append("config.json about: expected sections")
    if problems:
        raise _unusable(where, problems)
    return given, tree.get("about", {})


def _differences(wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> list[str]:
    unknown = [name for name in found if name not in wanted]
    missing = [name for name in wanted if name not in found]
    problems = [
        f"model.safetensors {kind}: {_some(names)}"
        for kind, names in (("unknown tensors", unknown), ("missing tensors", missing))
        if names
    ]
    wrong = [
        f"{name}: expected {wanted[name]}, found {found[name]}"
        for name in wanted
        if name in found and wanted[name] != found[name]
    ]
    return problems + ([f"model.safetensors shapes: {_some(wrong)}"] if wrong else [])


def _hints(make: Any) -> dict[str, Any]:
    """The arguments of a class and their types."""
    hints = get_type_hints(make.__init__)
    hints.pop("return", None)
    return hints


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value out of JSON is of the type that an argument is declared to have."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if origin is Sequence:
        return isinstance(value, list) and all(_fits(one, inner[0]) for one in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, hint) and not (hint is int and isinstance(value, bool))


def _told(hint: Any) -> str:
    """A type for reading."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_told(one) for one in inner)
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is Sequence:
        return f"a list ({_told(inner[0])})"
    if origin in (dict, Mapping):
        return "keys and values"
    return {int: "a whole number", float: "a number", str: "a text", type(None): "null"}[hint]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_TOLD} more" if len(names) > _MOST_TOLD else ""
    return ", ".join(names[:_MOST_TOLD]) + more


def _unusable(where: str, problems: Sequence[str]) -> ModelError:
    return ModelError(
        f"{where}: the saved model cannot be used: {'; '.join(problems)}. Expected what save_pretrained wrote, whole"
    )
