"""The page about a run: whole, self-contained, its figures those of the files beside it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from longreach.config import DataConfig
from longreach.data.dataset import SequenceDataset
from longreach.data.ragged import RaggedDataset
from longreach.model.classifier import SequenceClassifier
from longreach.report.examples import picture_order, rebuilt_examples
from longreach.report.html import picture_uri
from longreach.report.readback import final_states
from longreach.report.rebuild import as_pictures, load_objective, rebuild
from longreach.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def run(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: inspecting writes into a run."""
    return shutil.copytree(trained, tmp_path_factory.mktemp("inspect") / "run")


@pytest.fixture(scope="module")
def inspected(command: Any, run: Path) -> tuple[Path, str]:
    done = command("inspect", run)
    assert done.returncode == 0, done.stderr
    return run, done.stdout


def test_the_page_loads_nothing_and_shows_every_part(inspected: tuple[Path, str]) -> None:
    run, said = inspected
    page = (run / "inspection.html").read_text()
    assert not re.search(r'(src|href)\s*=\s*"(?!data:|#)|@import|url\((?!#)|<script', page)
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "The memory horizon", "From memory", "Where the decision forms", "By class", "Scores", "How this was measured",
    ]  # fmt: skip
    assert page.count("<svg") == 4
    assert page.count('src="data:image/png;base64,') == 2 * 4  # Four of the ten classes occur.
    lines = said.splitlines()
    assert lines[-1] == f"open {run / 'inspection.html'}"
    for line in lines[:-1]:
        assert line in page.replace("\u00a0", " ")


def test_the_figures_are_told_to_the_card_and_the_json(inspected: tuple[Path, str]) -> None:
    run, _ = inspected
    figures = json.loads((run / "inspection.json").read_text())
    memory, forming = figures["memory"], figures["forming"]
    assert memory["lags"] == list(range(1, 65))
    assert len(memory["by_class"]) == 10
    assert memory["readout"].startswith("the recall loss")
    assert forming["accuracy"][-1] == pytest.approx(figures["scores"]["accuracy"], abs=1e-6)
    record = json.loads((run / "record.json").read_text())
    assert {key: figures["scores"][key] for key in record["test_best"]} == record["test_best"]
    about = SequenceClassifier.from_pretrained(run / "model").about["Memory horizon"]
    assert about["measured"] == f"{memory['horizon']:,} steps back (R² of at least 0.1 at the last state)"
    assert about["asked for in training"] == "tokens up to 64 steps back"
    card = (run / "model" / "README.md").read_text()
    assert f"| measured | {about['measured']} |" in card
    assert "| source | idx |" in card
    assert "| truncation of the classifier's gradient | the last 16 steps |" in card


def test_pictures_from_memory_are_those_that_rebuilding_gives(inspected: tuple[Path, str]) -> None:
    folder = RunFolder(inspected[0])
    objective, data = load_objective(folder)
    config = folder.load_config()
    recall = objective.auxiliary[0]
    order = picture_order(data.test, config.data, 64)
    assert order is not None
    assert order.tolist() == list(range(64))
    shown = rebuilt_examples(objective.classifier, recall.readout, data.test, [2, 5], 64, config.data)
    right = rebuild(objective, data.test, [2, 5])
    assert [one["predicted"] for one in shown] == right.predicted
    assert [one["label"] for one in shown] == right.labels
    for one, read, rebuilt in zip(shown, right.read, right.rebuilt, strict=True):
        assert one["read"] == picture_uri(as_pictures(read[None], order, 8, 8)[0])
        assert one["rebuilt"] == picture_uri(as_pictures(rebuilt[None], order, 8, 8)[0])


def test_a_probe_is_trained_where_it_is_asked_for_and_the_page_goes_where_it_is_sent(
    command: Any, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from longreach.report import inspection

    probe = inspection.train_probe
    monkeypatch.setattr(inspection, "train_probe", lambda *args, **named: probe(*args, updates=20, **named))
    done = command("inspect", run, "--probe", "--samples", "30", "--out", tmp_path / "new" / "page.html")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["page.html", "page.json"]
    figures = json.loads((tmp_path / "new" / "page.json").read_text())
    assert figures["memory"]["readout"].startswith("trained after the fact")
    moved = shutil.copytree(json.loads((run / "record.json").read_text())["config"]["data"]["path"], tmp_path / "moved")
    done = command("inspect", run, "--set", f"path={moved}", "--samples", "12", "--out", tmp_path / "few.html")
    assert done.returncode == 0, done.stderr
    assert "Only 12 test sequences: chance alone may reach as far." in done.stdout.splitlines()


def test_the_runs_own_page_is_made_again_when_it_is_gone(command: Any, inspected: tuple[Path, str]) -> None:
    run, said = inspected
    (run / "inspection.html").unlink()
    assert command("inspect", run).stdout == said


def test_curves_and_texts_are_shown_where_sequences_are_no_pictures() -> None:
    generator = np.random.default_rng(0)
    rows = [generator.normal(size=(length, 2)).astype(np.float32) for length in (30, 12)]
    real = RaggedDataset.from_list(rows, np.asarray([0, 1]), ("a", "b"))
    classifier = SequenceClassifier(classes=2, channels=2, hidden_size=4).eval()
    answer = lambda states, lags: states[:, None, :2] * lags[..., None]  # noqa: E731
    first, second = rebuilt_examples(classifier, answer, real, [0, 1], 20, DataConfig())
    assert first["kind"] == second["kind"] == "curve"
    assert "from memory" in first["drawing"]
    texts = SequenceDataset(generator.integers(0, 256, (2, 9), dtype=np.uint8), np.asarray([0, 1]), ("a", "b"))
    classifier = SequenceClassifier(classes=2, vocabulary=len(texts.vocabulary), embedding_size=2, hidden_size=4).eval()

    def told(_: Tensor, lags: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(lags, len(texts.vocabulary)).float()

    one = rebuilt_examples(classifier, told, texts, [1], 5, DataConfig())[0]
    assert one["kind"] == "text"
    assert one["read"] == " ".join(map(str, texts.values[1, -5:].tolist()))
    assert one["rebuilt"] == "5 4 3 2 1"
    assert final_states(classifier, texts.batch([0])).shape == (1, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no run there, expected a folder with config.yaml; `longreach train` makes one"),
        (["RUN", "--samples", "0"], "--samples: expected at least 1, found 0"),
        (
            ["RUN", "--out", "x.json"],
            "--out: expected a page named .html, found x.json; its figures go beside it, named .json",
        ),
        (
            ["RUN", "--out", "RUN/record.html"],
            "--out RUN/record.html: its figures would replace RUN/record.json, which is of something else; give "
            "another name",
        ),
    ],
)
def test_what_cannot_be_inspected_is_told(command: Any, run: Path, tmp_path: Path, arguments, message: str) -> None:
    arguments = [argument.replace("RUN", str(run)) for argument in arguments]
    done = command("inspect", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"longreach: {message.replace('RUN', str(run))}\n")
