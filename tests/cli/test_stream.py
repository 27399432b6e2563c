"""Predicting from what arrives: standard input, files that grow, long arrays; one JSON line per chunk."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from longreach.data.idx import read_idx
from longreach.data.vocabulary import Vocabulary
from longreach.model.classifier import SequenceClassifier


@pytest.fixture(scope="module")
def pixels(mnist_folder: Path) -> np.ndarray:
    """(3, 64) grey levels of three test images."""
    return read_idx(mnist_folder / "t10k-images-idx3-ubyte.gz")[:3].reshape(3, 64)


def text_of(sequences: np.ndarray) -> str:
    return "\n\n".join("\n".join(map(str, sequence)) for sequence in sequences) + "\n"


def right_lines(run: Path, pixels: np.ndarray, chunk: int) -> list[dict]:
    """What each line must say, from the whole prefix at once."""
    model = SequenceClassifier.from_pretrained(run / "model").eval()
    lines = []
    for number, sequence in enumerate(pixels):
        for read in [*range(chunk, 64, chunk), 64]:
            values = (torch.tensor(sequence[None, :read, None], dtype=torch.float32) - model.input_mean[0]) / (
                model.input_std[0]
            )
            answer = model(values).softmax(-1)[0].tolist()
            lines.append(
                {
                    "sequence": number,
                    "steps": read,
                    "class": model.class_names[int(np.argmax(answer))],
                    "probability": pytest.approx(max(answer), abs=1e-5),
                    "probabilities": pytest.approx(dict(zip(model.class_names, answer, strict=True)), abs=1e-5),
                }
            )
    return lines


def read_lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("chunk", [1, 25, 64, 1_000])
def test_standard_input_is_read_and_answered_chunk_by_chunk(command, trained, pixels, chunk, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text_of(pixels)))
    done = command("predict", trained, "-", "--stream", "--chunk", str(chunk))
    assert done.returncode == 0, done.stderr
    assert read_lines(done.stdout) == right_lines(trained, pixels, chunk)


def test_a_text_and_arrays_give_the_same_lines(command, trained, pixels, tmp_path: Path) -> None:
    (tmp_path / "steps.txt").write_text("\n\n" + text_of(pixels).replace("\n\n", "\n \n\n") + "\n\n")
    np.save(tmp_path / "levels.npy", pixels)
    np.save(tmp_path / "steps.npy", pixels.astype(np.float64)[..., None])
    np.save(tmp_path / "one.npy", pixels[0])
    right = right_lines(trained, pixels, 25)
    for name in ("steps.txt", "levels.npy", "steps.npy", "one.npy"):
        done = command("predict", trained, tmp_path / name, "--stream", "--chunk", "25")
        assert done.returncode == 0, done.stderr
        assert read_lines(done.stdout) == (right[:3] if name == "one.npy" else right)


def test_a_named_pipe_is_read(command, trained, pixels, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(text_of(pixels),))
    writer.start()
    done = command("predict", trained, pipe, "--stream", "--chunk", "25")
    writer.join()
    assert done.returncode == 0, done.stderr
    assert read_lines(done.stdout) == right_lines(trained, pixels, 25)


def test_the_last_line_agrees_with_predicting_whole_images(command, trained, pixels, mnist_folder, tmp_path) -> None:
    np.save(tmp_path / "levels.npy", pixels)
    streamed = command("predict", trained, tmp_path / "levels.npy", "--stream", "--chunk", "64")
    whole = command("predict", trained, mnist_folder / "t10k-images-idx3-ubyte.gz")
    for mine, theirs in zip(read_lines(streamed.stdout), read_lines(whole.stdout), strict=False):
        assert mine["class"] == theirs["class"]
        assert mine["probability"] == pytest.approx(theirs["probability"], abs=1e-5)


def test_a_growing_file_is_followed(command, trained, pixels, tmp_path: Path) -> None:
    path = tmp_path / "growing.txt"
    path.write_text("")

    def grow() -> None:
        # Cut in the middle of numbers: half a line is no step yet.
        text = text_of(pixels[:1])
        for begin in range(0, len(text), 23):
            with path.open("a") as file:
                file.write(text[begin : begin + 23])
            time.sleep(0.02)

    writer = threading.Thread(target=grow)
    writer.start()
    done = command("predict", trained, path, "--stream", "--chunk", "16", "--follow", "1.5")
    writer.join()
    assert done.returncode == 0, done.stderr
    assert read_lines(done.stdout) == right_lines(trained, pixels[:1], 16)


def test_a_line_comes_as_soon_as_its_chunk_is_read_and_nobody_need_read_on(trained, pixels) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    arguments = [sys.executable, "-m", "longreach", "predict", str(trained), "-", "--stream", "--chunk", "4"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(arguments, text=True, env=environment, **pipes) as process:
        for begin in (0, 4):
            process.stdin.write("\n".join(map(str, pixels[0][begin : begin + 4])) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["steps"] == begin + 4
        process.stdout.close()
        process.stdin.write("0\n" * 400)
        process.stdin.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) != 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"1\n2\ntime,value\n",
            "steps.txt: line 3: expected 1 number parted by commas or blanks, found 'time,value'; leave headings and "
            "times out",
        ),
        (
            b"1, 2\n",
            "steps.txt: line 1: expected 1 number parted by commas or blanks, found '1, 2'; leave headings and times "
            "out",
        ),
        (
            b"\x89PNG\xff\n",
            "steps.txt: expected a text with one step a line, or a file named .npy, found other bytes",
        ),
        (
            b"1\n3\nnan\n",
            "steps.txt: sequence 0: stream chunk: expected finite numbers, found nan in row 0, step 2 since it began, "
            "channel 0; the state would not recover from it: fill or drop what is missing",
        ),
        (
            b"1\n1e300\n",
            "steps.txt: line 2: expected numbers within ±3.4e+38, found '1e300'; correct it",
        ),
    ],
)
def test_what_is_no_step_is_named(command, trained, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "steps.txt").write_bytes(content)
    done = command("predict", trained, "steps.txt", "--stream", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"longreach: {message}\n")


def test_arrays_that_do_not_fit_are_named(command, trained, tmp_path: Path) -> None:
    np.save(tmp_path / "three.npy", np.zeros((9, 3), np.float32))
    np.save(tmp_path / "words.npy", np.asarray(["a", "b"]))
    np.save(tmp_path / "code.npy", np.asarray([{"a": 1}], dtype=object), allow_pickle=True)
    wanted = (
        "expected (steps, 1) or (sequences, steps, 1) of real numbers, or the same without the last dimension, as the "
        "run was trained on, found"
    )
    # Nine sequences of three steps are what a two-dimensional array of one channel means.
    assert command("predict", trained, tmp_path / "three.npy", "--stream").returncode == 0
    done = command("predict", trained, "words.npy", "--stream", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, f"longreach: words.npy: {wanted} (2,) of <U1\n")
    done = command("predict", trained, "code.npy", "--stream", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "longreach: code.npy: expected an array of numbers as numpy.save writes it, found something else ("
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["nowhere.txt"],
            "nowhere.txt: no such file; give a text with one step a line, an .npy file, or - for standard input",
        ),
        (["-", "--chunk", "0"], "--chunk: expected at least 1 step, found 0"),
        (
            ["-", "--out", "x.jsonl"],
            "predict: --stream prints as it reads; leave --out out, and redirect with > FILE",
        ),
    ],
)
def test_arguments_that_do_not_go_together(command, trained, tmp_path: Path, arguments, message: str) -> None:
    done = command("predict", trained, *arguments, "--stream", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"longreach: {message}\n")


@pytest.mark.parametrize("option", ["--chunk", "--follow"])
def test_what_is_for_streams_needs_a_stream(command, trained, mnist_folder: Path, option: str) -> None:
    done = command("predict", trained, mnist_folder / "t10k-images-idx3-ubyte.gz", option, "100")
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        f"longreach: predict: {option} is for sequences read step by step; give --stream too, or leave it out\n",
    )


def run_on_text(kind: str, trained: Path, run: Path) -> tuple[Vocabulary, SequenceClassifier]:
    """A run whose model reads characters or bytes."""
    vocabulary = Vocabulary.of_characters(["abeilnrtwz \n"]) if kind == "characters" else Vocabulary("bytes")
    model = SequenceClassifier(
        classes=2, vocabulary=len(vocabulary), embedding_size=3, hidden_size=4, class_names=["x", "y"],
        input_vocabulary=vocabulary.plain(),
    ).eval()  # fmt: skip
    run.mkdir()
    config = (trained / "config.yaml").read_text()
    (run / "config.yaml").write_text(
        re.sub("source: .*", f"source: {'text' if kind == 'characters' else kind}", config)
    )
    model.save_pretrained(run / "model")
    return vocabulary, model


@pytest.mark.parametrize("kind", ["characters", "bytes"])
def test_a_model_of_text_reads_the_text_itself(kind: str, command, trained, tmp_path: Path, monkeypatch) -> None:
    text = "Straße\n\nzwei  Zeilen\n"
    run = tmp_path / "run"
    vocabulary, model = run_on_text(kind, trained, run)
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    tokens = torch.from_numpy(vocabulary.encode(text).astype(np.int64))[None]
    right = []
    for read in [*range(4, tokens.shape[1], 4), tokens.shape[1]]:
        answer = model(tokens[:, :read]).softmax(-1)[0].tolist()
        right.append((read, pytest.approx(dict(zip("xy", answer, strict=True)), abs=1e-5)))
    done = command("predict", run, path, "--stream", "--chunk", "4")
    assert done.returncode == 0, done.stderr
    assert [(line["steps"], line["probabilities"]) for line in read_lines(done.stdout)] == right
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", newline=""))
    assert command("predict", run, "-", "--stream", "--chunk", "4").stdout == done.stdout


@pytest.mark.parametrize("kind", ["characters", "bytes"])
def test_text_and_its_array_stream_to_what_predict_says(
    kind: str, command, trained, tmp_path: Path, monkeypatch
) -> None:
    text = "Straße,\r\nzwei  Zeilen\n"
    run = tmp_path / "run"
    run_on_text(kind, trained, run)
    points = [ord(character) for character in text] if kind == "characters" else list(text.encode())
    np.save(tmp_path / "text.npy", [points])
    (tmp_path / "text.txt").write_bytes(text.encode())
    whole = read_lines(command("predict", run, tmp_path / "text.txt").stdout)[0]
    names = ["text.npy", "text.txt", "-"]
    if kind == "characters":
        # To a model of bytes the mark is three bytes like any others.
        (tmp_path / "marked.txt").write_bytes(text.encode("utf-8-sig"))
        names.append("marked.txt")
        assert (
            read_lines(command("predict", run, tmp_path / "marked.txt").stdout)[0]["probability"]
            == (whole["probability"])
        )
    assert read_lines(command("predict", run, tmp_path / "text.npy").stdout)[0]["probability"] == whole["probability"]
    for name in names:
        raw = text.encode("utf-8-sig" if kind == "characters" else "utf-8")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="latin-1"))
        path = name if name == "-" else tmp_path / name
        last = read_lines(command("predict", run, path, "--stream", "--chunk", "5").stdout)[-1]
        assert (last["steps"], last["class"]) == (len(points), whole["class"]), name
        assert last["probability"] == pytest.approx(whole["probability"], abs=1e-5), name


def test_a_byte_order_mark_before_numbers_is_no_part_of_them(command, trained, pixels, tmp_path: Path) -> None:
    for name, mark in (("marked.txt", "\ufeff"), ("plain.txt", "")):
        (tmp_path / name).write_text(mark + text_of(pixels[:1]), encoding="utf-8")
    done = [command("predict", trained, tmp_path / name, "--stream") for name in ("marked.txt", "plain.txt")]
    assert done[0].returncode == 0, done[0].stderr
    assert done[0].stdout == done[1].stdout


def test_streams_and_files_of_values_with_a_large_offset_get_the_same_answers(command, trained, tmp_path: Path) -> None:
    """The second sequence has jumps beside which the file alone would not ask for double precision."""
    model = SequenceClassifier(
        classes=2, channels=1, hidden_size=4, class_names=["x", "y"], input_mean=[1.7e9], input_std=[3.0]
    ).eval()
    run = tmp_path / "run"
    run.mkdir()
    config = (trained / "config.yaml").read_text()
    (run / "config.yaml").write_text(re.sub("source: .*", "source: table", config))
    model.save_pretrained(run / "model")
    values = 1_700_000_000 + np.random.default_rng(0).integers(-5, 5, (2, 30))
    values[1, ::10] -= 1_000_000_000
    standardised = torch.from_numpy((values - 1.7e9) / 3.0).float()[..., None]
    right = [pytest.approx(row.max().item(), abs=1e-5) for row in model(standardised).softmax(-1)]
    (tmp_path / "x.csv").write_text("\n".join([",".join(f"t{step}" for step in range(30)), *(
        ",".join(map(str, row)) for row in values.tolist()
    )]))  # fmt: skip
    (tmp_path / "steps.txt").write_text(text_of(values))
    np.save(tmp_path / "whole.npy", values)
    np.save(tmp_path / "real.npy", values.astype(np.float64))
    for name in ("x.csv", "whole.npy", "real.npy"):
        lines = read_lines(command("predict", run, tmp_path / name).stdout)
        assert [line["probability"] for line in lines] == right, name
    for name in ("steps.txt", "whole.npy", "real.npy"):
        lines = read_lines(command("predict", run, tmp_path / name, "--stream", "--chunk", "30").stdout)
        assert [line["probability"] for line in lines] == right, name
