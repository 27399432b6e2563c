"""The scripts in examples/ run from end to end, on tiny data made here; what they write is what they were given."""

from __future__ import annotations

import csv
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Loads a script as `python examples/NAME.py` would, with its neighbours in reach, in an empty folder."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.chdir(tmp_path)

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield load
    sys.modules.pop("recording", None)


def write_sources(folder: Path, places: int = 10, files: int = 6) -> None:
    """Python and C in small folders, so that whole folders can be held out."""
    for place in range(places):
        for number in range(files):
            name = f"f{place}_{number}"
            below = folder / f"package{place}"
            below.mkdir(parents=True, exist_ok=True)
            (below / f"{name}.py").write_text(f"def {name}(x):\n    return x + {number}\n" * 4)
            (below / f"{name}.c").write_text(f"int {name}(int x) {{ return x + {number}; }}\n" * 4)


def test_source_language(example, tmp_path: Path) -> None:
    write_sources(tmp_path / "code")
    written = tmp_path / "records" / "one.json"
    record = example("source_language").main(
        f"code --least 20 --epochs 12 --hidden 16 --bytes 120 --record {written}".split()
    )
    assert json.loads(written.read_text()) == record
    assert record["test_sizes"].keys() == {"C", "Python"}
    assert record["sizes"]["train"] + record["sizes"]["test"] == 120
    assert record["majority_accuracy"] == max(record["test_sizes"].values()) / record["sizes"]["test"]
    assert record["accuracy"] > 0.9
    assert record["steps"]["longest"] == 120


def test_source_files_are_taken_once_and_few_of_a_folder(example, tmp_path: Path) -> None:
    script = example("source_language")
    write_sources(tmp_path / "code", places=2, files=30)
    (tmp_path / "code" / "copies").mkdir()
    for path in (tmp_path / "code" / "package0").glob("*.py"):
        (tmp_path / "code" / "copies" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "code" / "package0" / "short.py").write_text("x = 1\n")
    (tmp_path / "code" / "package0" / "binary.py").write_bytes(b"\0" * 500)
    texts, languages, folders = script.collect([tmp_path / "code", tmp_path / "code"], 1_000, 20)
    again = script.collect([tmp_path / "code"], 1_000, 20)
    assert len(set(texts)) == len(texts)
    assert texts == again[0]
    assert all(b"\0" not in text and len(text) >= 100 for text in texts)
    for language in ("C", "Python"):
        names, counts = np.unique(folders[languages == language], return_counts=True)
        assert {"code/package0", "code/package1"} <= set(names) | {"code/package0"}
        assert counts.max() <= 20
    assert [text.startswith(b"int") for text in texts] == (languages == "C").tolist()
    with pytest.raises(SystemExit) as stopped:
        script.collect([tmp_path / "code"], 1_000, 1_000)
    assert str(stopped.value) == (
        "expected at least two languages with 1000 files each; name more folders, or lower --least"
    )


def write_topics(folder: Path) -> None:
    """Two classes in DBpedia's form, told apart by their letters."""
    folder.mkdir()
    (folder / "classes.txt").write_text("noun.plant\nnoun.animal\n")
    for part, count in (("train", 200), ("test", 40)):
        with (folder / f"{part}.csv").open("w", newline="") as stream:
            rows = csv.writer(stream, quoting=csv.QUOTE_ALL)
            rows.writerows(
                (1 + row % 2, "oak" if row % 2 else "cat", "leaf " * 3 + str(row % 7)) for row in range(count)
            )


def test_wordnet_topic(example, tmp_path: Path) -> None:
    write_topics(tmp_path / "topics")
    record = example("wordnet_topic").main([str(tmp_path / "topics"), "--epochs", "5", "--record", "out.json"])
    assert json.loads((tmp_path / "out.json").read_text()) == record
    assert record["example"] == "wordnet_topic"
    assert record["sizes"] == {"train": 180, "test": 40}
    assert record["majority_accuracy"] == 0.5
    assert record["test_sizes"] == {"noun.plant": 20, "noun.animal": 20}
    run = json.loads((tmp_path / "runs" / "wordnet-topic-0" / "record.json").read_text())
    assert run["test_accuracy"] == record["accuracy"]
    assert record["accuracy"] == pytest.approx(np.mean(list(record["f1_per_class"].values())), abs=0.2)


def write_series(folder: Path) -> None:
    """Two classes of short series of unequal length and two channels in the archive's form."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for part, count in (("TRAIN", 20), ("TEST", 12)):
        lines = ["@problemName Waves", "@timeStamps false", "@univariate false", "@dimensions 2", "@equalLength false"]
        lines += ["@classLabel true up down", "@data"]
        for row in range(count):
            sign = 1 if row % 2 else -1
            ramp = sign * np.arange(6 + row % 4) + random.normal(size=6 + row % 4)
            values = ",".join(f"{value:.3f}" for value in ramp)
            lines.append(f"{values}:{values}:{'up' if sign > 0 else 'down'}")
        (folder / f"{folder.name}_{part}.ts").write_text("\n".join(lines) + "\n")


def test_ucr_from_a_folder(example, tmp_path: Path) -> None:
    write_series(tmp_path / "Waves")
    record = example("ucr").main([str(tmp_path / "Waves"), "--updates", "40", "--seed", "3"])
    assert record["example"] == "ucr-Waves"
    assert record["settings"]["data"]["path"] == "Waves_TRAIN.ts"
    assert str(tmp_path) not in json.dumps(record)
    assert record["seed"] == 3
    assert record["sizes"] == {"train": 20, "test": 12}
    assert record["steps"] == {"shortest": 6, "median": 7, "longest": 9}
    assert record["accuracy"] == 1.0
    assert record["updates"] == 40
    # A finished run is not run again.
    assert example("ucr").main([str(tmp_path / "Waves"), "--updates", "40", "--seed", "3"]) == record


def test_ucr_without_aeon_says_what_to_do(example, monkeypatch: pytest.MonkeyPatch) -> None:
    script = example("ucr")
    monkeypatch.setattr(script, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stopped:
        script.main(["GunPoint"])
    assert str(stopped.value) == (
        "GunPoint: no such folder, and no aeon to look into; pip install --no-deps aeon, or name a folder that holds "
        "SET_TRAIN.ts and SET_TEST.ts"
    )


@pytest.mark.skipif(importlib.util.find_spec("aeon") is None, reason="needs aeon (pip install --no-deps aeon)")
def test_ucr_from_aeon(example) -> None:
    record = example("ucr").main(["ItalyPowerDemand", "--updates", "150"])
    assert record["sizes"] == {"train": 67, "test": 1029}
    assert record["accuracy"] > record["majority_accuracy"] + 0.2


def test_aeons_sets_are_listed_where_none_has_the_name(
    example, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = example("ucr")
    for name in ("Two", "One"):
        (tmp_path / "aeon" / "datasets" / "data" / name).mkdir(parents=True)
    spec = importlib.util.spec_from_loader("aeon", None, is_package=True)
    assert spec is not None
    spec.submodule_search_locations = [str(tmp_path / "aeon")]
    monkeypatch.setattr(script, "find_spec", lambda name: spec)
    assert script.place("One") == tmp_path / "aeon" / "datasets" / "data" / "One"
    with pytest.raises(SystemExit) as stopped:
        script.place("Three")
    assert str(stopped.value) == "Three: no such folder, and none of aeon's sets: One, Two"


def test_scores_are_those_of_scikit_learn(example) -> None:
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

    example("ucr")  # Puts the examples' own modules in reach.
    import recording

    random = np.random.default_rng(1)
    true, named = random.integers(0, 4, 50), random.integers(0, 4, 50)
    scores = recording.of_test(confusion_matrix(true, named).tolist(), list("abcd"))
    assert scores["accuracy"] == accuracy_score(true, named)
    assert scores["majority_accuracy"] == np.bincount(true).max() / 50
    assert list(scores["f1_per_class"].values()) == pytest.approx(f1_score(true, named, average=None), abs=5e-5)
    assert list(scores["test_sizes"].values()) == np.bincount(true).tolist()
