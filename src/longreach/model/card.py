"""The model card: what a stranger must know of a model to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def model_card(
    module: str,
    maker: str,
    kind: str,
    example: str,
    arguments: Mapping[str, Any],
    about: Mapping[str, Any],
    parameters: int,
    front: str,
) -> str:
    """README.md of a saved model.

    Args:
        module: where the model's class is imported from.
        maker: the class.
        kind: the network in a few words.
        example: a line of Python that uses `model` on `values`.
        arguments: that the class was called with.
        about: sections by title, each with its facts by name.
        parameters: how many numbers the model has.
        front: YAML for the hub, without its marks.

    Returns:
        Markdown.
    """
    what = "classifier" if "classes" in arguments else "regressor"
    name = about.get("Training", {}).get("name") or f"longreach {what}"
    step = f"{arguments['channels']} real number{'' if arguments['channels'] == 1 else 's'} a step"
    if arguments["vocabulary"] is not None:
        step = f"tokens 0 to {arguments['vocabulary'] - 1}"
    lines = [
        f"---\n{front.strip()}\n---",
        f"# {_plain(name)}",
        f"A {what} of long sequences, made with longreach: {kind}, {parameters:,} parameters. It reads {step} and "
        f"{_answers(arguments)}.",
        "## Use",
        f"```python\nfrom {module} import {maker}\n\n"
        f'model = {maker}.from_pretrained("PATH OR HUB NAME")\n{example}\n```',
        f"Standardisation, which travels with the model: {_standardisation(arguments)}. Loading reads JSON and "
        "safetensors, and runs nobody's code.",
    ]
    for title, facts in _sections(about).items():
        lines.append(f"## {title}")
        rows = [f"| {_plain(fact)} | {_plain(_shown(value))} |" for fact, value in facts.items()]
        lines.append("\n".join(["| | |", "|---|---|", *rows]) if rows else "Not known.")
    return "\n\n".join(lines) + "\n"


def _sections(about: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The four sections that every card has, whatever is known, and what else there is."""
    known = {title: about.get(title, {}) for title in ("Data", "Metrics", "Training", "Memory horizon")}
    return {**known, **{title: facts for title, facts in about.items() if title not in known}}


def _standardisation(arguments: Mapping[str, Any]) -> str:
    if arguments["vocabulary"] is not None:
        return "tokens need none"
    if arguments["input_mean"] is None:
        return "they are read as they are"
    return f"mean {_listed(arguments['input_mean'])} and deviation {_listed(arguments['input_std'])} by channel"


def _answers(arguments: Mapping[str, Any]) -> str:
    if "classes" in arguments:
        return f"tells {arguments['classes']} classes apart: {_classes(arguments['class_names'])}"
    numbers = f"foretells {arguments['targets']} number{'' if arguments['targets'] == 1 else 's'} of each sequence"
    if arguments["target_mean"] is None or arguments["target_std"] is None:
        return numbers
    return f"{numbers}, of mean {_listed(arguments['target_mean'])} and deviation {_listed(arguments['target_std'])}"


def _listed(numbers: Any) -> str:
    return ", ".join(f"{x:.6g}" for x in numbers)


def _classes(names: Any) -> str:
    return ", ".join(_plain(name) for name in names) or "they have no names"


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list):
        return ", ".join(_shown(one) for one in value)
    return str(value)


def _plain(text: Any) -> str:
    """Text that stays in its cell and makes no links, pictures or tags: names of classes and files can be anything."""
    flat = " ".join(str(text).split())
    for sign in "\\`|<>[]*_#":
        flat = flat.replace(sign, f"\\{sign}" if sign not in "<>" else {"<": "&lt;", ">": "&gt;"}[sign])
    return flat
