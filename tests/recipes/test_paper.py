"""The recipes against what the paper prints: every line has its recipe, and every recipe is what its line says."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny_data import data_of

from longreach.config import (
    AutoencoderConfig,
    CharCNNConfig,
    CNNRNNConfig,
    LanguageModelConfig,
    ModelConfig,
    PredictConfig,
    ReconstructConfig,
    RunConfig,
    SegmentConfig,
    TDMCAConfig,
    TransformerConfig,
    VDCNNConfig,
    parse_config,
)
from longreach.recipes import OWN_RECIPES, PAPER_RECIPES, RECIPES, SMALL_RECIPES, recipe_name
from longreach.recipes.duration import training_size
from longreach.recipes.figures456 import FIGURE6
from longreach.recipes.paper import PaperTable, Printed, Row, Scale, printed_lines, rows_of
from longreach.recipes.tables import TABLES, find_table, home_of
from longreach.report.own_table import flat
from longreach.training.build import build_objective, build_optimiser

LINES = [line for line in printed_lines() if line.where != "table1"]
NETWORKS = {
    "Transformer": TransformerConfig,
    "T-DMCA": TDMCAConfig,
    "char-CNN": CharCNNConfig,
    "CNN+RNN": CNNRNNConfig,
    "29-layer": VDCNNConfig,
}

SOURCES = {
    "MNIST": ("idx", None),
    "pMNIST": ("idx", 0),
    "CIFAR10": ("cifar10", None),
    "StanfordDogs": ("stanford_dogs", None),
    "DBpedia": ("documents", None),
}


# Table 3 prints once more what Table 2 has for r-LSTM; the list beside the checkout names it there alone.
REPEATED = {("table3", dataset, "r-LSTM", "full BPTT") for dataset in ("MNIST", "pMNIST", "CIFAR10")}


def test_what_is_printed_is_what_was_read_in_the_paper() -> None:
    """Against the list of all figures that lies beside the checkout."""
    place = Path(__file__).parents[3] / "shared" / "paper" / "results.csv"
    if not place.is_file():
        pytest.skip("the paper's figures are not in ../shared/paper/results.csv")
    with place.open(encoding="utf-8", newline="") as file:
        listed = {tuple(row) for row in csv.reader(file)}
    with as_file(files("longreach.recipes") / "paper.csv") as packaged, packaged.open(encoding="utf-8") as file:
        kept = {tuple(row) for row in csv.reader(file)}
    assert len(listed) > 80
    assert listed - kept == set()
    assert {row[:4] for row in kept - listed} == REPEATED


def test_table_1_is_what_the_recipes_train_on() -> None:
    printed = {(line.dataset, line.setting): line.value for line in printed_lines() if line.where == "table1"}
    sets: dict[str, set[tuple[int, float]]] = {dataset: set() for dataset in SOURCES}
    for row in [row for table in TABLES for row in table.rows]:
        size = training_size(row.paper().data)
        assert size is not None
        sets[row.dataset].add(size)
    for dataset, sizes in sets.items():
        steps = sorted({int(size[1]) for size in sizes})
        longest = "" if len(steps) == 1 else f"-{steps[-1]}"
        assert printed[dataset, "mean length"] == f"{steps[0]}{longest}"
        # Of the same images in another order the paper says no number; of StanfordDogs we have 144,000 pictures.
        if dataset != "pMNIST":
            (count,) = {size[0] for size in sizes}
            assert count == pytest.approx(int(printed[dataset, "training set"]), rel=0.05 * (dataset == "StanfordDogs"))


def line_name(line: Printed) -> str:
    return " ".join(line[:4])


@pytest.mark.parametrize("line", LINES, ids=line_name)
def test_every_printed_line_has_its_recipes(line: Printed) -> None:
    rows = rows_of(line, TABLES)
    assert rows, f"no recipe for {line}"
    assert {row.model for row in rows} == set(line.model.split(" and "))
    for row in rows:
        check(line, row, row.paper())


def check(line: Printed, row: Row, config: RunConfig) -> None:
    """Dataset, model, truncation, n, l, layers and width, read out of the printed words."""
    source, permutation = SOURCES[line.dataset]
    assert (config.data.source, config.data.permutation_seed) == (source, permutation)
    kinds = [type(loss) for loss in config.auxiliary]
    model = row.model.split(" ")[0]
    expected = {"r-LSTM": [ReconstructConfig], "p-LSTM": [PredictConfig]}
    whole = {"LM-LSTM": [LanguageModelConfig], "SA-LSTM": [AutoencoderConfig]}
    if model in whole:
        assert kinds == whole[model]
        assert config.auxiliary[0].truncation == config.truncation
        assert [(p.supervised, p.auxiliary) for p in config.phases] == [(False, True), (True, False)]
    if model in expected:
        assert kinds == expected[model]
    if "LSTM" in model:
        assert isinstance(config.model, ModelConfig)
        assert config.model.cell == "lstm"
    if model in NETWORKS:
        assert isinstance(config.model, NETWORKS[model])
        assert kinds == []
    if model == "iRNN":
        assert (config.model.cell, config.model.initialisation) == ("rnn_relu", "identity")
    if model == "uRNN":
        assert config.model.cell == "urnn"
    words = f"{line.model} {line.setting}"
    if found := re.search(r"(?:truncate|supervised truncation) (\d+)", words):
        assert config.truncation == int(found[1])
    if "full BPTT" in words:
        assert config.truncation is None
        assert all(loss.truncation is None for loss in config.auxiliary)
    if found := re.search(r"(\d+)x(\d+)", row.model):
        (loss,) = config.auxiliary
        assert isinstance(loss, SegmentConfig)
        assert (loss.segments, loss.length) == (int(found[1]), int(found[2]))
    elif kinds and model in expected:
        (loss,) = config.auxiliary
        assert (loss.segments, loss.length) == (1, 300 if line.dataset == "DBpedia" else 600)
    if found := re.search(r"(\d+) layers of (\d+)", words):
        assert (config.model.layers, config.model.hidden_size) == (int(found[1]), int(found[2]))
    elif "LSTM" in model:
        assert (config.model.layers, config.model.hidden_size) == (1, 128)
    if line.dataset == "StanfordDogs":
        steps = int(row.setting.removesuffix(" steps"))
        assert config.data.resize is not None
        assert config.data.resize**2 == steps
    check_figure_6(line, config)


def check_figure_6(line: Printed, config: RunConfig) -> None:
    if line.setting == "without joint training":
        assert [(phase.supervised, phase.auxiliary) for phase in config.phases] == [(False, True), (True, False)]
    if line.setting == "only the immediate past":
        assert [loss.place for loss in config.auxiliary] == ["immediate"]


# What each variant of Figure 6 changes of r-LSTM, and nothing else.
LEFT_OUT: dict[str, dict[str, object]] = {
    "all parts": {},
    "without joint training": {"phases.1.auxiliary": False, "phases.1.name": "supervised"},
    "without scheduled sampling": {"auxiliary.0.sampling_updates": None},
    "without pretraining": {},  # But for its phases, which the test looks at.
    "only the immediate past": {"auxiliary.0.place": "immediate"},
    "not past the anchor": {"auxiliary.0.place": "past"},
    "without input embedding": {"model.embedding_size": None, "auxiliary.0.decoder_embedding_size": None},
    "not reversed": {"auxiliary.0.reverse": False},
    "one auxiliary layer": {"auxiliary.0.decoder_layers": 1},
}


@pytest.mark.parametrize("scale", ["paper", "small"])
@pytest.mark.parametrize("setting", LEFT_OUT)
def test_every_variant_of_figure_6_leaves_out_its_part_and_nothing_else(setting: str, scale: str) -> None:
    (row,) = [row for row in FIGURE6.rows if row.setting == setting]
    assert len(FIGURE6.rows) == len(LEFT_OUT)
    base, config = ({"paper": at.paper, "small": at.small}[scale]() for at in (FIGURE6.rows[0], row))
    assert recipe_name(FIGURE6.rows[0].paper) == "cifar10-r"
    assert recipe_name(FIGURE6.rows[0].small) == "small-mnist14-r"
    if setting == "without pretraining":
        # The one phase that is left lasts as long as both, under the same rate.
        (alone,), (before, joint) = config.phases, base.phases
        unit = "epochs" if scale == "paper" else "updates"
        length = getattr(before, unit) + getattr(joint, unit)
        assert length == (1_000 if scale == "paper" else 4_000)
        assert alone == joint.model_copy(update={unit: length})
        config = config.model_copy(update={"phases": base.phases})
    trees = [flat(one.model_dump(mode="json", exclude={"name"})) for one in (base, config)]
    assert trees[0].keys() == trees[1].keys()
    assert {key: trees[1][key] for key in trees[0] if trees[0][key] != trees[1][key]} == LEFT_OUT[setting]


def test_curves_that_are_drawn_and_not_printed_are_the_runs_of_table_2() -> None:
    """Figure 4's dashed level and Figure 5's three curves: no line of the list says which runs they are."""
    found = {
        (name, row.model, row.setting): (recipe_name(row.paper), recipe_name(row.small))
        for name in ("figure4", "figure5")
        for row in find_table(name).rows
        if not row.setting.startswith("supervised truncation") and row.small is not None
    }
    r, p, full = (
        ("cifar10-r", "small-mnist14-r"),
        ("cifar10-p", "small-mnist14-p"),
        ("cifar10-lstm-full", "small-mnist14-lstm-full"),
    )
    assert found == {
        ("figure4", "LSTM", "full BPTT"): full,
        ("figure5", "r-LSTM", "truncate 300"): r,
        ("figure5", "p-LSTM", "truncate 300"): p,
        ("figure5", "LSTM", "first epochs"): full,
    }


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_row_of_a_table_is_printed(table: PaperTable) -> None:
    """Figures also have points that the paper only draws."""
    for row in table.rows:
        printed = table.printed(row)
        assert (printed is not None) or not table.name.startswith("table"), row
        if printed is not None:
            float(printed.value.removeprefix("about "))


def test_the_paper_says_of_every_recurrent_row() -> None:
    """Section 4.1, where nothing else is said of a row."""
    for recipe in PAPER_RECIPES:
        config = recipe()
        assert config.batch_size == 128
        assert config.select == "last"
        assert config.data.validation == 0
        if config.auxiliary:
            assert (config.optimiser.name, config.optimiser.clip) == ("rmsprop_tf", None)
            assert all(loss.weight == 1.0 and loss.head_size == 256 for loss in config.auxiliary)
            assert all(phase.learning_rate == 0.001 and phase.schedule == "halving" for phase in config.phases)


def test_the_schedules() -> None:
    """Pretraining of 100 epochs, halved half-way; then halved every 300 until epoch 1,000; 20 + 100 for the dogs."""
    by_name = {recipe_name(recipe): recipe() for recipe in PAPER_RECIPES}
    pretrain, joint = by_name["mnist-r"].phases
    assert (pretrain.epochs, pretrain.halve_every, pretrain.supervised) == (100, 50, False)
    assert (joint.epochs, joint.halve_every, joint.supervised, joint.auxiliary) == (900, 300, True, True)
    assert [phase.epochs for phase in by_name["mnist-lstm-full"].phases] == [1_000]
    assert [phase.epochs for phase in by_name["dogs40-p"].phases] == [20, 100]
    # DBpedia: "we did not perform joint-training".
    assert [(p.supervised, p.auxiliary) for p in by_name["dbpedia-p-truncated"].phases] == [
        (False, True),
        (True, False),
    ]
    (loss,) = by_name["cifar10-r"].auxiliary
    assert isinstance(loss, ReconstructConfig)
    assert (loss.sampling, loss.sampling_updates, loss.truncation, loss.reverse, loss.place) == (
        "linear",
        100_000,
        300,
        True,
        "overlap",
    )
    # Table 6 sets the auxiliary truncation to l; Figure 4 leaves it.
    assert by_name["cifar10-r-20x30-k1"].auxiliary[0].truncation == 30
    assert by_name["cifar10-r-k1"].auxiliary[0].truncation == 300


def test_no_two_recipes_are_the_same_run() -> None:
    """What the paper shows twice, in a table and a figure, is one recipe."""
    names = defaultdict(list)
    for recipe in RECIPES:
        names[recipe().model_copy(update={"name": ""}).to_yaml()].append(recipe_name(recipe))
    assert [same for same in names.values() if len(same) > 1] == []
    assert len({recipe_name(recipe) for recipe in RECIPES}) == len(RECIPES)


def test_names_and_documentation() -> None:
    for recipe in RECIPES:
        assert recipe().name == recipe_name(recipe)
        assert recipe.__doc__
    for recipe in SMALL_RECIPES:
        assert recipe_name(recipe).startswith("small-")
    # A stand-in is named as such.
    for table in TABLES:
        for row in table.rows:
            if row.small is not None:
                data = re.match(r"small-(p?mnist14|cifar16|digits\d+|wordnet14)-", recipe_name(row.small))
                assert data, recipe_name(row.small)


def test_table_3_has_the_best_recurrent_runs_of_table_2() -> None:
    held = find_table("table3")
    rows = [row for row in held.rows if row.model == "r-LSTM"]
    printed = [held.printed(row) for row in rows]
    assert [line and (line.dataset, line.value) for line in printed] == [
        ("MNIST", "98.4"),
        ("pMNIST", "95.2"),
        ("CIFAR10", "72.2"),
    ]
    scales: tuple[Scale, ...] = ("paper", "small")
    for scale in scales:
        there = {
            row.dataset: row.recipe(scale)
            for row in find_table("table2").rows
            if (row.model, row.setting) == ("r-LSTM", "full BPTT")
        }
        assert {row.dataset: row.recipe(scale) for row in rows} == there


def test_a_recipe_lies_with_the_first_table_that_has_it() -> None:
    by_name = {recipe_name(recipe): recipe for recipe in RECIPES}
    assert home_of(by_name["cifar10-r"], "paper").name == "table2"
    assert home_of(by_name["small-mnist14-r"], "small").name == "table2"
    assert home_of(by_name["small-mnist14-r-immediate"], "small").name == "figure6"


@pytest.mark.parametrize("recipe", RECIPES, ids=recipe_name)
def test_every_recipe_does_two_updates(tiny: Path, recipe) -> None:
    """Of each of its phases, on tiny data of the form that it names; and it survives its own YAML."""
    config = recipe()
    assert parse_config(yaml.safe_load(config.to_yaml()), "yaml") == config
    data = data_of(tiny, config)
    objective = build_objective(config, data.train)
    optimiser = build_optimiser(config, objective.parameters())
    batch = data.train.batch(np.arange(min(2, len(data.train))))
    before = [parameter.detach().clone() for parameter in objective.parameters()]
    for update, phase in enumerate([config.phases[0], config.phases[-1]]):
        losses = objective(batch, update, supervised=phase.supervised, auxiliary=phase.auxiliary)
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()
        assert torch.isfinite(losses["loss"])
    after = list(objective.parameters())
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert all(bool(torch.isfinite(parameter).all()) for parameter in after)


def test_own_recipes_are_tuned_on_a_validation_part() -> None:
    assert all(recipe().data.validation > 0 for recipe in OWN_RECIPES)


def test_marks_of_figure_3_speak_of_their_lengths() -> None:
    """12,544 steps are the 12,000 mark, not over it; seconds of an update are no accuracy."""
    spoken = {
        (line.model, line.setting, line.value): [row.setting for row in rows_of(line, TABLES) if row.model == "LSTM"]
        for line in LINES
        if line.where == "figure3" and line.model == "LSTM"
    }
    assert spoken == {
        ("LSTM", "1600 steps", "4"): ["1600 steps"],
        ("LSTM", "12000 steps", "26"): ["12544 steps"],
        ("LSTM", "over 12000 steps", "out of memory"): ["16384 steps"],
        ("LSTM", "9000 steps", "random"): ["9216 steps"],
    }
    assert [row for row in find_table("figure3").rows if find_table("figure3").printed(row) is not None] == []
