"""What a user can mend: one clear message on standard error, exit status 2, no traceback, nothing left behind."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def refused(command, tmp_path: Path):
    """The message of a command that must refuse its input."""

    def refuse(*arguments: str | Path) -> str:
        done = command(*arguments, cwd=tmp_path)
        assert done.returncode == 2, (done.returncode, done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        return done.stderr

    return refuse


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
            "--set: unknown key 'model.hiden_size'; `longreach recipes NAME` prints every key there is",
        ),
        (
            ["mnist14-recall", "--set", "modle.hidden_size=64"],
            "--set modle.hidden_size: no key 'modle'; there is name, seed, data, model, truncation, auxiliary, phases, "
            "optimiser, batch_size, evaluate_every, monitor, checkpoint_every, log_every, select, tensorboard, budget, "
            "budget_scale",
        ),
        (
            ["mnist14-recall", "--set", "auxiliary.1.weight=2"],
            "--set auxiliary.1.weight: no key '1'; there is 0 to 0",
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


def test_an_unknown_recipe_is_answered_with_those_there_are(refused) -> None:
    message = refused("train", "mnist-x")
    assert message.startswith(
        "longreach: recipe 'mnist-x': there is none of that name; there are mnist14-lstm-truncated,"
    )
    assert "mnist-recall (or give a YAML file)" in message


def test_all_problems_of_a_file_are_told_in_one_pass(refused, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("truncation: -1\nbatchsize: 3\nmodel: {layers: 0}\n")
    assert refused("train", path) == (
        f"longreach: {path}: model.layers: should be greater than or equal to 1, found 0\n"
        f"{path}: truncation: should be a number of steps, 0 for no gradient or null for full BPTT, found -1\n"
        f"{path}: unknown key 'batchsize'; `longreach recipes NAME` prints every key there is\n"
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
    assert message == "longreach: nowhere: no such folder; expected the folder that holds MNIST's four IDX files\n"
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
    assert "No such option: --bogus" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(command) -> None:
    done = command("--debug", "train", "mnist-x")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
