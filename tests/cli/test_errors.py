"""What a user can mend: one clear message on standard error, exit status 2, no traceback, nothing left behind."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import datasets
import pytest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["mnist14-recall", "--set", "truncation=-1"],
            "--set: truncation: should be a number of steps, 0 for no gradient or null for full BPTT, found -1",
        ),
        (
            ["mnist14-recall", "--set", "auxiliary.0.truncation=-1"],
            "--set: auxiliary.0.truncation: should be a number of steps, 0 for no gradient or null for full BPTT, "
            "found -1",
        ),
        (
            ["mnist14-recall", "--set", "model.hiden_size=64"],
            "--set: unknown key 'model.hiden_size', perhaps model.hidden_size; `longreach recipes NAME` prints every "
            "key there is",
        ),
        (
            ["mnist14-recall", "--set", "modle.hidden_size=64"],
            "--set modle.hidden_size: no key 'modle'; there is name, seed, data, model, truncation, auxiliary, "
            "class_weight, phases, optimiser, batch_size, evaluate_every, monitor, recompute_every, prefix_precision, "
            "gradient_precision, stored, checkpoint_every, checkpoint_minutes, on_nan, log_every, select, tensorboard, "
            "budget, budget_scale",
        ),
        (
            ["mnist14-recall", "--set", "auxiliary.1.weight=2"],
            "--set auxiliary.1.weight: no key '1'; there is 0 to 0",
        ),
        (
            ["mnist14-recall", "--set", "recompute_every=40000"],
            "--set: recompute_every: should be less than or equal to 32768, found 40000",
        ),
        (
            ["mnist14-recall", "--set", "model.embedding=lookup", "--set", "data.noise=20"],
            "--set: data.noise: expected none with model.embedding 'lookup', which learns a vector for each of 256 "
            "levels where noise is any number, found 20; set data.noise to 0 or model.embedding to linear",
        ),
        (
            ["mnist14-recall", "--set", "optimiser.clip=.inf"],
            "--set: optimiser.clip: should be a finite number, found inf",
        ),
        (
            ["mnist14-recall", "--set", "data.validation_seed=4294967296"],
            "--set: data.validation_seed: should be less than 4294967296, found 4294967296",
        ),
        (["mnist14-recall", "--set", "seed"], "--set seed: expected KEY=VALUE, such as --set model.hidden_size=64"),
        (
            ["mnist14-recall", "--set", "model.hidden_size=many"],
            "--set: model.hidden_size: should be a valid integer, unable to parse string as an integer, found 'many'",
        ),
        (
            ["mnist14-recall", "--set", "data.validation=0"],
            "--set: monitor: 'validation' needs a validation split; set data.validation above 0 or take it out",
        ),
        (
            ["mnist14-recall", "--budget", "soon"],
            "--budget: expected a time above zero such as 90s, 10m, 1h or 2d, found 'soon'",
        ),
        (
            ["nowhere.yaml"],
            "nowhere.yaml: cannot read the configuration (No such file or directory); "
            "give a YAML file or a recipe's name",
        ),
        (
            ["--resume", "--out", "nowhere"],
            "nowhere: no run there, expected a folder with config.yaml; `longreach train` makes one",
        ),
        ([], "train: expected a recipe or a YAML file, or --resume with --out; `longreach recipes` lists them"),
    ],
)
def test_what_is_wrong_with_a_training_is_said_at_once(refused, tmp_path: Path, arguments, message: str) -> None:
    assert refused("train", *arguments) == f"longreach: {message}\n"
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_recipe_is_answered_with_those_near_it(refused) -> None:
    assert refused("train", "mnist-rr") == (
        "longreach: recipe 'mnist-rr': there is none of that name; near it are mnist-r, pmnist-r, mnist14-r; "
        "`longreach recipes` lists all (or give a YAML file)\n"
    )
    assert refused("train", "zebra").endswith(
        "there is none of that name; `longreach recipes` lists all (or give a YAML file)\n"
    )


def test_all_problems_of_a_file_are_told_in_one_pass(refused, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("truncation: -1\nbatchsize: 3\nmodel: {layers: 0}\n")
    assert refused("train", path) == (
        f"longreach: {path}: model.layers: should be greater than or equal to 1, found 0\n"
        f"{path}: truncation: should be a number of steps, 0 for no gradient or null for full BPTT, found -1\n"
        f"{path}: unknown key 'batchsize', perhaps batch_size; `longreach recipes NAME` prints every key there is\n"
    )


def test_what_is_no_list_and_no_way_to_meet_bad_numbers(refused, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("phases: 3\n")
    assert refused("train", path) == f"longreach: {path}: phases: should be a list, found 3\n"
    assert refused("train", "mnist14-recall", "--on-nan", "ignore") == (
        "longreach: --on-nan: expected stop or skip, found 'ignore'\n"
    )


def test_a_file_that_is_no_yaml(refused, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("a: [1,\n")
    assert refused("train", path).startswith(f"longreach: {path}: not valid YAML: ")
    path.write_bytes(b"\xff\xfe\x00")
    assert refused("train", path) == f"longreach: {path}: expected a YAML text in UTF-8, found other bytes\n"
    path.write_text("just words\n")
    assert refused("train", path) == (
        f"longreach: {path}: expected keys and values, found str; `longreach recipes NAME` prints an example\n"
    )


def test_missing_data_leave_no_run_folder(refused, tmp_path: Path) -> None:
    message = refused("train", "mnist-recall", "--out", "run", "--set", "data.path=nowhere")
    assert message == (
        f"longreach: nowhere: no such folder with MNIST's four IDX files, looked for at {tmp_path}/nowhere; put the "
        "data there, or say where they are, in a recipe or a run by --set data.path=FOLDER\n"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("recipe", "folder"),
    [
        ("cifar10-r", "data/cifar10"),
        ("dogs40-r", "data/stanford-dogs"),
        ("dbpedia-p-truncated", "data/dbpedia"),
        ("small-wordnet14-p-truncated", "data/wordnet14"),
    ],
)
def test_a_recipe_whose_data_are_missing_names_their_folder(
    refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str, folder: str
) -> None:
    """And asks nobody else for them."""
    monkeypatch.setattr(datasets, "load_dataset", lambda *asked, **settings: pytest.fail(f"asked the hub for {asked}"))
    assert refused("train", recipe, "--out", "run") == (
        f"longreach: {folder}: no such file or folder, looked for at {tmp_path}/{folder} (what begins with data/ is no "
        "name on the hub); put the data there, or say where they are, in a recipe or a run by --set data.path=FOLDER "
        "(or OWNER/NAME, their name on the hub)\n"
    )
    assert not (tmp_path / "run").exists()


def test_a_truncated_idx_file(refused, mnist_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(mnist_folder, tmp_path / "data")
    images = folder / "train-images-idx3-ubyte.gz"
    images.write_bytes(gzip.compress(gzip.decompress(images.read_bytes())[:-100]))
    message = refused("train", "mnist-recall", "--out", "run", "--set", "data.path=data")
    assert message.startswith("longreach: data/train-images-idx3-ubyte.gz: ")
    assert str(120 * 64) in message
    assert str(120 * 64 - 100) in message
    assert not (tmp_path / "run").exists()


def test_images_and_labels_of_different_counts(refused, mnist_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(mnist_folder, tmp_path / "data")
    shutil.copy(folder / "t10k-labels-idx1-ubyte.gz", folder / "train-labels-idx1-ubyte.gz")
    assert refused("train", "mnist-recall", "--out", "run", "--set", "data.path=data") == (
        "longreach: data/train-labels-idx1-ubyte.gz: expected one label for each of the 120 images in "
        "train-images-idx3-ubyte.gz, found 37; take both files from the same set\n"
    )


def test_evaluating_and_predicting_without_a_finished_run(refused, tmp_path: Path) -> None:
    expected = "no run there, expected a folder with config.yaml; `longreach train` makes one"
    assert refused("evaluate", "nowhere") == f"longreach: nowhere: {expected}\n"
    assert refused("predict", "nowhere", "x") == f"longreach: nowhere: {expected}\n"


def test_predicting_data_that_are_not_there(refused, trained: Path) -> None:
    assert refused("predict", trained, "nowhere") == (
        "longreach: nowhere: no such file or folder; give an IDX file of images, a Parquet file or an image folder\n"
    )


def test_a_folder_that_holds_a_run_is_not_overwritten(refused, trained: Path, mnist_folder: Path) -> None:
    before = (trained / "record.json").read_bytes()
    assert refused("train", "mnist-recall", "--out", trained, "--set", f"data.path={mnist_folder}") == (
        f"longreach: {trained}: already holds a run; go on with it by --resume, or give another folder with --out\n"
    )
    assert (trained / "record.json").read_bytes() == before


def test_an_unknown_option_is_answered_with_the_usage(command) -> None:
    done = command("train", "--bogus")
    assert done.returncode == 2
    # Whether a colon or quotes stand between differs with the version of typer.
    assert "No such option" in done.stderr
    assert "--bogus" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(command) -> None:
    done = command("--debug", "train", "mnist-x")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_data_of_another_kind_than_the_run_was_trained_on(refused, trained: Path, tmp_path: Path) -> None:
    from PIL import Image

    for size, mode, folder in ((4, "L", "small"), (8, "RGB", "colour")):
        (tmp_path / folder).mkdir()
        Image.new(mode, (size, size)).save(tmp_path / folder / "0.png")
    assert refused("predict", trained, "small") == (
        "longreach: small: expected sequences of 64 steps, as the run was trained on, found 16; "
        "give images of the same size, or a run that was trained on this one\n"
    )
    assert refused("predict", trained, "colour") == (
        "longreach: colour: expected 1 channels a step, as the run was trained on, found 3; "
        "convert the images (grey has 1 channel, RGB 3)\n"
    )


def test_a_model_that_cannot_be_read(refused, trained: Path, mnist_folder: Path, tmp_path: Path) -> None:
    images = mnist_folder / "t10k-images-idx3-ubyte.gz"
    for number, (name, content) in enumerate(
        [("model.safetensors", None), ("model.safetensors", b"\x08"), ("config.json", b"{"), ("config.json", b"{}")]
    ):
        folder = shutil.copytree(trained, tmp_path / f"run{number}")
        if content is None:
            (folder / "model" / name).unlink()
        else:
            (folder / "model" / name).write_bytes(content)
        message = refused("predict", folder, images, "--out", "classes.jsonl")
        assert message.startswith(f"longreach: {folder / 'model'}: the saved model cannot be used: ")
        assert message.endswith(". Expected what save_pretrained wrote, whole\n")
    assert not (tmp_path / "classes.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--set", "data.path=somewhere"],
            "--set: data.path: source 'mnist14' is bundled and takes no path, found 'somewhere'; set data.source to "
            "auto (told by the path), idx (MNIST's four files) or hub (Parquet, image folder, hub name)",
        ),
        (["--device", "gpu"], None),
        (
            ["--set", "auxiliary.0.kind=recal"],
            "--set: auxiliary.0.kind: should be 'reconstruct', 'predict', 'recall', 'language_model', "
            "'autoencoder', found 'recal'",
        ),
        (
            ["--set", "phases.0.updates=-4"],
            "--set: phases.0.updates: should be greater than or equal to 1, found -4",
        ),
        (
            ["--out", "."],
            ".: holds other files and no run; give a new or an empty folder with --out",
        ),
    ],
)
def test_more_of_what_is_refused_before_anything_is_made(refused, tmp_path: Path, arguments, message) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    found = refused("train", "mnist14-recall", *arguments)
    if message is None:
        assert found.startswith("longreach: --device: expected one of auto, cpu")
        assert found.endswith(" on this machine, found 'gpu'\n")
    else:
        assert found == f"longreach: {message}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_loss_that_is_no_number_stops_the_run(refused, mnist_folder: Path, tmp_path: Path) -> None:
    settings = [
        f"data.path={mnist_folder}", "data.validation=20", "model.hidden_size=8", "tensorboard=false", "log_every=5",
        "phases.0.learning_rate=1e30", "phases.0.schedule=constant", "phases.0.warmup=0", "optimiser.clip=null",
    ]  # fmt: skip
    message = refused("train", "mnist-recall", "--quiet", "--out", "run", *[p for s in settings for p in ("--set", s)])
    assert message == (
        "longreach: run: the losses supervised, recall became NaN or infinite at update 2, in phase 'joint' (from "
        "training sequences 34, 39, 64, 57, 65 and 27 more); the weights have not been touched by it. Lower the "
        "phase's learning_rate, set optimiser.clip, or leave such updates out with --on-nan skip\n"
    )
    assert not (tmp_path / "run" / "record.json").exists()


def test_classes_are_told_by_their_names_and_not_by_their_places(command, refused, mnist_folder, tmp_path) -> None:
    from PIL import Image

    from longreach.data.idx import mnist_from_idx

    images = mnist_from_idx(mnist_folder, "test")
    assert images.labels is not None
    parts = {"all/train": (0, 1, 2, 3), "all/test": (0, 1, 2, 3), "two/test": (1, 3), "odd/test": (1, 3)}
    for split, kept in parts.items():
        for row, (image, label) in enumerate(zip(images.images, images.labels, strict=True)):
            if label in kept:
                folder = tmp_path / split / (f"odd{label}" if split.startswith("odd") else str(label))
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image[..., 0]).save(folder / f"{row}.png")
    settings = [
        "data.source=hub", f"data.path={tmp_path}/all", "data.validation=8", "model.hidden_size=8", "tensorboard=false",
        "phases.0.epochs=null", "phases.0.updates=2", "phases.0.warmup=0",
    ]  # fmt: skip
    run = tmp_path / "runs" / "run"
    done = command("train", "mnist-recall", "--quiet", "--out", run, *[p for s in settings for p in ("--set", s)])
    assert done.returncode == 0, done.stderr
    whole, two = (json.loads(command("evaluate", run, *data, "--json").stdout) for data in ((), (tmp_path / "two",)))
    assert two["confusion"][1] == whole["confusion"][1]
    assert two["confusion"][3] == whole["confusion"][3]
    assert two["confusion"][0] == [0, 0, 0, 0]
    assert refused("evaluate", run, tmp_path / "odd") == (
        f"longreach: {tmp_path / 'odd'}: expected classes among 0, 1, 2, 3, as the run was trained on, "
        "found odd1, odd3; name them alike\n"
    )


@pytest.mark.parametrize("arguments", [["evaluate"], ["predict"], ["inspect"], ["export"]])
def test_a_name_that_no_file_can_have(refused, arguments: list[str]) -> None:
    name = "x" * 5_000
    more = ["x.csv"] if arguments == ["predict"] else []
    said = refused(*arguments, name, *more)
    assert said.startswith("longreach: ")
    assert said.endswith(": File name too long; give another place, or mend that\n")
