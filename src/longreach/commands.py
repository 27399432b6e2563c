"""What the commands do before anything heavy is imported: read arguments, find the run, print lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from rich.console import Console
from rich.table import Table
from rich.text import Text

from longreach.config import RunConfig, load_config
from longreach.config.text import read_yaml
from longreach.errors import ConfigError
from longreach.recipes import RECIPES, find_recipe, recipe_name
from longreach.recipes.own_tables import own_runs
from longreach.recipes.paper import Scale

if TYPE_CHECKING:
    from longreach.data.files.report import CheckReport

_CLASSES_SHOWN = 20
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def assignments(texts: Sequence[str], option: str = "--set", example: str = "model.hidden_size=64") -> dict[str, Any]:
    """`a.b=c` texts as keys and YAML values.

    Args:
        texts: as they were typed.
        option: that they were given by.
        example: of one, for messages.

    Raises:
        ConfigError: a text without "=", or a value that is no YAML.
    """
    changes: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"{option} {text}: expected KEY=VALUE, such as {option} {example}")
        try:
            changes[key] = read_yaml(value)
        except ValueError:
            raise ConfigError(
                f"{option} {text}: {value!r} is not valid YAML; put text with special signs in quotes"
            ) from None
    return changes


def duration(text: str) -> float:
    """`90s`, `10m`, `1.5h` or `1d` in seconds.

    Raises:
        ConfigError: anything else, or nothing above zero.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if seconds <= 0.0:
        raise ConfigError(f"--budget: expected a time above zero such as 90s, 10m, 1h or 2d, found {text!r}")
    return seconds


def check_budget(what: str, scale: str) -> None:
    """Refuse `reproduce --budget` where it has no meaning.

    Raises:
        ConfigError: a table of our own, or another scale than the paper's.
    """
    if scale != "paper" or not (what == "all" or what.startswith(("table", "figure"))):
        raise ConfigError(
            f"--budget: shortens runs of the paper's scale, found {what} at the {scale} scale; give --scale paper with "
            "a table or figure of the paper, or train a single recipe with longreach train RECIPE --budget TIME"
        )


def check_cluster(cluster: str | None, jobs: int) -> None:
    """Refuse `reproduce --jobs` on a cluster, which runs as many at a time as it has room for.

    Raises:
        ConfigError: both are given.
    """
    if cluster is not None and jobs != 1:
        raise ConfigError(
            f"--jobs {jobs}: counts runs on this machine, and --cluster {cluster} runs as many at a time as the "
            "cluster has room for; leave one of them out"
        )


def memory_size(text: str) -> int:
    """`16GB`, `800MB` in bytes.

    Raises:
        ConfigError: anything else, or nothing above zero.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(MB|GB)", text.strip())
    size = int(float(found[1]) * {"MB": 1e6, "GB": 1e9}[found[2]]) if found else 0
    if size <= 0:
        raise ConfigError(f"--memory: expected a size above zero such as 800MB or 16GB, found {text!r}")
    return size


def resolve_run(recipe: str | None, changes: dict[str, Any], out: Path | None, resume: bool) -> tuple[RunConfig, Path]:
    """The run that is meant and its folder.

    Raises:
        ConfigError: no recipe where one is needed, or something wrong in it.
        RunError: nothing to resume.
    """
    if recipe is None:
        if not (resume and out is not None):
            raise ConfigError(
                "train: expected a recipe or a YAML file, or --resume with --out; `longreach recipes` lists them"
            )
        from longreach.training.run_folder import RunFolder

        return RunFolder(out).load_config().with_set(changes), out
    config = named_run(recipe).with_set(changes)
    # Rows of several tables have the same name.
    row = recipe.replace("_", "-")
    name = row.replace("/", "-") if row in dict(own_runs()) else config.name
    return config, out if out is not None else Path("runs") / f"{name}-seed{config.seed}"


def named_run(name: str, beside: Path | None = None) -> RunConfig:
    """A recipe by its name, or a run from a YAML file.

    Args:
        name: of either.
        beside: where a file is looked for that is not here.

    Raises:
        ConfigError: neither, or something wrong in it.
    """
    path = Path(name)
    if beside is not None and not path.exists() and (beside / path).is_file():
        path = beside / path
    if name.endswith((".yaml", ".yml")):
        return load_config(path)
    if path.exists() and name not in map(recipe_name, RECIPES) and name not in dict(own_runs()):
        if (path / "config.yaml").is_file():
            raise ConfigError(f"{name}: a run's folder; go on with it by longreach train --resume --out {name}")
        try:
            return load_config(path)
        except ConfigError as error:
            if path.is_file() and path.suffix in ("", ".json", ".cfg", ".conf"):
                raise
            raise ConfigError(
                f"{error}. If these are data, train a run that names them, as in\n"
                f"data: {{source: auto, path: {name}}}\n"
                f"in a file of its own, such as run.yaml; `longreach check {name}` says how they are read"
            ) from None
    return find_recipe(name)


def chosen_list(text: str) -> Scale | Literal["own", "all"]:
    """Which recipes to list, by name.

    Raises:
        ConfigError: another name.
    """
    known = ("own", *get_args(Scale), "all")
    if text not in known:
        raise ConfigError(f"--scale: expected one of {', '.join(known)}, found {text!r}")
    return cast('Literal["own", "paper", "small", "all"]', text)


def chosen_scale(text: str) -> Scale:
    """A scale by its name.

    Raises:
        ConfigError: another name.
    """
    if text not in get_args(Scale):
        raise ConfigError(f"--scale: expected {' or '.join(get_args(Scale))}, found {text!r}")
    return cast("Scale", text)


def print_scores(scores: dict[str, Any]) -> None:
    """Scores and confusion matrix for reading."""
    console = Console()
    console.print(
        f"accuracy {scores['accuracy']:.4f}   F1 {scores['f1']:.4f}   "
        f"AUROC {_digits(scores['auroc'])}   loss {_digits(scores['loss'])}   "
        f"samples {scores['samples']}"
    )
    names = scores["class_names"]
    print("rows: true class, columns: predicted class")  # A title of the table would be broken at its width.
    table = Table(box=None)
    table.add_column("")
    for name in names:
        table.add_column(Text(str(name)), justify="right")  # A name in brackets is no mark-up.
    table.add_column("F1", justify="right")
    for name, row, f1 in zip(names, scores["confusion"], scores["f1_per_class"], strict=True):
        table.add_row(Text(str(name)), *map(str, row), f"{f1:.4f}")
    console.print(table)


def _digits(score: float | None) -> str:
    return "-" if score is None else f"{score:.4f}"


def print_check(report: CheckReport) -> None:
    """What is in data and what is wrong with them, for reading."""
    print(f"read as {report.told}")
    print("rows, steps and channels are counted from 0")
    for name, part in report.parts.items():
        shortest, middle, longest = part.steps
        steps = f"{shortest:,}" if shortest == longest else f"{shortest:,} to {longest:,} (median {middle:,})"
        kind = "tokens" if part.channels is None else f"{part.channels} channel{'' if part.channels == 1 else 's'}"
        print(f"{name}: {part.sequences:,} sequences of {steps} steps, {kind}")
        counts = [f"{label} {times:,}" for label, times in part.classes.items()]
        more = f", and {len(counts) - _CLASSES_SHOWN} more" if len(counts) > _CLASSES_SHOWN else ""
        if counts:
            print(f"  {len(counts)} classes: {', '.join(counts[:_CLASSES_SHOWN])}{more}")
        if part.unlabelled:
            print(f"  without a label: {part.unlabelled:,}")
        if part.groups is not None:
            print(f"  groups: {part.groups:,}")
    for text in report.grave:
        print(f"MEND  {text}")
    for text in report.light:
        print(f"look  {text}")
    if report.grave:
        print(f"{len(report.grave)} to mend before training, {len(report.light)} to look at")
    elif not ("train" in report.parts and report.parts["train"].classes):
        print(f"ready for `longreach pretrain` alone, without labels; {len(report.light)} to look at")
    else:
        print(f"ready to train; {len(report.light) or 'nothing'} to look at")
