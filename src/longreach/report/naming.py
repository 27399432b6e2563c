"""How data and runs are called in lists and pages."""

from __future__ import annotations

from pathlib import Path

from longreach.config import DataConfig
from longreach.recipes.naming import Recipe
from longreach.recipes.paper import PaperTable, Row, Scale


def data_name(data: DataConfig) -> str:
    """The data in a word or two, with their length where the recipe sets it."""
    name = {
        "mnist14": "MNIST-14",
        "idx": "MNIST",
        "cifar10": "CIFAR-10",
        "stanford_dogs": "StanfordDogs",
        "documents": {"dbpedia": "DBpedia", "wordnet14": "WordNet-14"}.get(Path(data.path or "").name, "documents"),
    }.get(data.source, data.source)
    permuted = " permuted" if data.permutation_seed is not None else ""
    return name + permuted + (f" {data.resize}x{data.resize}" if data.resize is not None else "")


def about(recipe: Recipe) -> str:
    """What a recipe is, in one line."""
    return (recipe.__doc__ or "").splitlines()[0]


def label(row: Row, scale: Scale = "paper") -> str:
    """Model and setting; at the small scale those that were run, which are others than the printed ones."""
    if scale == "small" and row.small is not None:
        return about(row.small)
    return f"{row.model}, {row.setting}" if row.setting else row.model


def data_run(table: PaperTable, dataset: str, scale: Scale) -> str:
    """On what a dataset's rows are run: at the small scale the stand-in, and for what it stands."""
    if scale == "paper":
        return dataset
    names = dict.fromkeys(
        data_name(row.small().data) for row in table.rows if row.dataset == dataset and row.small is not None
    )
    return f"{', '.join(names)} in the place of {dataset}" if names else dataset
