"""The commands as a user runs them: what they print, write and return."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from made_records import made_record

from longreach.commands import named_run, resolve_run
from longreach.config import load_config, parse_config
from longreach.recipes import OWN_RECIPES, PAPER_RECIPES, RECIPES, SMALL_RECIPES, find_recipe, recipe_name
from longreach.recipes.own_tables import own_runs
from longreach.reproduce.records import Results


def test_help_names_every_command(command) -> None:
    done = command("--help")
    assert done.returncode == 0
    for command in ("demo", "train", "evaluate", "predict", "inspect", "export", "recipes"):
        assert command in done.stdout


def test_the_version_and_the_short_way_to_help(command) -> None:
    from importlib.metadata import version

    done = command("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"longreach {version('longreach')}\n", "")
    assert command("train", "-h").stdout == command("train", "--help").stdout


@pytest.mark.parametrize("arguments", [["--help"], ["recipes"], ["recipes", "mnist-r"]])
def test_lists_and_help_import_nothing_heavy(arguments: list[str]) -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom longreach.cli import main\n"
        f"sys.argv = ['longreach', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'lightning', 'datasets', 'numpy', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_recipes_lists_every_recipe_by_its_functions_name(command) -> None:
    done = command("recipes")
    assert done.returncode == 0
    listed = [line.split()[0] for line in done.stdout.splitlines()[1:] if not line.startswith(" ")]
    own = [name for name, _ in own_runs()]
    assert listed == [*map(recipe_name, OWN_RECIPES), *own, *map(recipe_name, (*PAPER_RECIPES, *SMALL_RECIPES))]


def test_rows_of_our_own_tables_are_recipes_too(command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = list(own_runs())
    assert len(dict(runs)) == len(runs) > 90
    for name, run in runs:
        assert find_recipe(name) == run
    printed = command("recipes", "mnist14-cells/s4d")
    assert printed.returncode == 0
    assert parse_config(yaml.safe_load(printed.stdout), "recipe") == dict(runs)["mnist14-cells/s4d"]
    folders = {resolve_run(name, {}, None, resume=False)[1] for name, _ in runs}
    assert len(folders) == len(runs)
    assert Path("runs/noise-recall-seed0") in folders
    assert resolve_run("mnist14_cells/gru", {}, None, resume=False)[1] == Path("runs/mnist14-cells-gru-seed0")
    (tmp_path / "noise" / "recall").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert named_run("noise/recall") == dict(runs)["noise/recall"]
    done = command("recipes", "s4d-truncated")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "longreach: recipe 's4d-truncated': there is none of that name; near it are mnist784/s4d-truncated, "
        "noise/s4d-truncated; "
    )
    Results(tmp_path).save("noise", "recall", 0, made_record(find_recipe("noise/recall"), 0.25))
    own = command("recipes", "--scale", "own", "--results", str(tmp_path))
    (line,) = (line for line in own.stdout.splitlines() if line.startswith("noise/recall "))
    assert line.split()[:5] == ["noise/recall", "noise", "MNIST-14", "25.0", "(1)"]


@pytest.mark.parametrize("recipe", RECIPES, ids=recipe_name)
def test_a_printed_recipe_is_the_recipe(recipe, tmp_path: Path) -> None:
    config = recipe()
    assert config.name == recipe_name(recipe)
    path = tmp_path / "recipe.yaml"
    path.write_text(config.to_yaml())
    assert load_config(path) == config
    assert parse_config(yaml.safe_load(path.read_text()), "recipe") == find_recipe(config.name)


def test_train_leaves_a_whole_run_folder(trained: Path) -> None:
    files = sorted(
        str(p.relative_to(trained)) for p in trained.rglob("*") if p.is_file() and "tensorboard" not in str(p)
    )
    assert files == [
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "config.yaml",
        "metrics.csv",
        "model/README.md",
        "model/config.json",
        "model/model.safetensors",
        "record.json",
    ]
    assert list(trained.glob("tensorboard/events*"))
    record = json.loads((trained / "record.json").read_text())
    assert record["name"] == "mnist-recall"
    assert record["updates"] == 60
    assert record["test_accuracy"] > 0.5
    assert record["data"]["train_size"] == 100
    assert record["data"]["test_size"] == 37
    # Of a build for CUDA the package tells no more than the release.
    assert torch.__version__.startswith(record["environment"]["versions"]["torch"])
    assert record["config"] == load_config(trained / "config.yaml").model_dump(mode="json")
    assert record["curves"]["validation"][-1]["update"] == 60


def test_evaluate_repeats_what_training_measured_and_counts_every_sample(command, trained: Path) -> None:
    done = command("evaluate", trained, "--json")
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)
    record = json.loads((trained / "record.json").read_text())
    assert scores["accuracy"] == record["test_accuracy"]
    assert {key: scores[key] for key in record["test_best"]} == record["test_best"]
    assert scores["auroc"] > 0.8
    assert len(scores["f1_per_class"]) == 10
    assert scores["samples"] == 37
    assert sum(map(sum, scores["confusion"])) == 37
    assert sum(scores["confusion"][i][i] for i in range(10)) == round(scores["accuracy"] * 37)


def test_evaluate_takes_other_data_and_prints_for_reading(command, trained: Path, mnist_folder: Path) -> None:
    done = command("evaluate", trained, mnist_folder)
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout
    assert "samples 37" in done.stdout
    assert "rows: true class, columns: predicted class" in done.stdout.splitlines()
    assert "AUROC 0." in done.stdout or "AUROC 1." in done.stdout


def test_predict_prints_one_json_line_for_each_sequence(
    command, trained: Path, mnist_folder: Path, tmp_path: Path
) -> None:
    images = mnist_folder / "t10k-images-idx3-ubyte.gz"
    done = command("predict", trained, images)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["index"] for line in lines] == list(range(37))
    truth = np.arange(37) % 4
    right = np.mean([line["class"] == str(label) for line, label in zip(lines, truth, strict=True)])
    assert right == json.loads((trained / "record.json").read_text())["test_accuracy"]
    for line in lines:
        assert sum(line["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)
        assert line["probability"] == max(line["probabilities"].values()) == line["probabilities"][line["class"]]
    out = tmp_path / "classes.jsonl"
    assert command("predict", trained, images, "--out", out).stdout == ""
    assert out.read_text() == done.stdout


def test_predict_reads_a_folder_of_images_without_classes(
    command, trained: Path, mnist_folder: Path, tmp_path: Path
) -> None:
    from PIL import Image

    from longreach.data.idx import read_idx

    for i, image in enumerate(read_idx(mnist_folder / "t10k-images-idx3-ubyte.gz")[:6]):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    from_folder = command("predict", trained, tmp_path)
    from_idx = command("predict", trained, mnist_folder / "t10k-images-idx3-ubyte.gz")
    assert from_folder.returncode == 0, from_folder.stderr
    assert from_folder.stdout.splitlines() == from_idx.stdout.splitlines()[:6]


def test_budget_shrinks_the_schedule_and_the_record_says_so(command, mnist_folder: Path, tmp_path: Path) -> None:
    began = time.perf_counter()
    done = command(
        "train", "mnist-r", "--budget", "4s", "--out", tmp_path / "run",
        "--set", f"data.path={mnist_folder}", "--set", "model.hidden_size=8", "--set", "auxiliary.0.length=20",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert time.perf_counter() - began < 120
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["budget_seconds"] == 4.0
    assert 0.0 < record["budget_scale"] < 1.0
    phases = record["config"]["phases"]
    # 120 samples make one update of the recipe's 128; 100 and 900 epochs shrink alike.
    assert phases[0]["updates"] == max(1, round(100 * record["budget_scale"]))
    assert phases[1]["updates"] == max(1, round(900 * record["budget_scale"]))
    assert record["config"]["auxiliary"][0]["sampling_updates"] == max(1, round(100_000 * record["budget_scale"]))
    assert record["updates"] == phases[0]["updates"] + phases[1]["updates"]
