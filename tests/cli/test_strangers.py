"""A run or a model from a stranger runs no code, whatever command reads it."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from longreach import SequenceClassifier
from longreach.baselines.classifier import BaselineClassifier
from longreach.config import load_config
from longreach.data.array_pickle import read_array_pickle
from longreach.errors import ConfigError, LongreachError, ModelError
from longreach.training.checkpoints import write_checkpoint


class Trap:
    """Pickled, it makes a file when somebody unpickles it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch trapped",)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Traps spring in this folder; none may."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "trapped").exists()


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "run")


def test_the_trap_is_a_real_one(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap()))
    assert (tmp_path / "trapped").exists()
    (tmp_path / "trapped").unlink()
    torch.save({"x": Trap()}, "x.pt")
    torch.load("x.pt", weights_only=False)
    assert (tmp_path / "trapped").exists()
    (tmp_path / "trapped").unlink()


Spoil = Callable[[Path], None]


def pickled(name: str) -> Spoil:
    return lambda run: (run / name).write_bytes(pickle.dumps(Trap(), protocol=2))


def saved(name: str) -> Spoil:
    return lambda run: torch.save({"state_dict": Trap(), "x": Trap()}, run / name)


def sealed(name: str) -> Spoil:
    """With the checksum that belongs to it."""
    return lambda run: write_checkpoint(run / name, lambda aside: torch.save({"state_dict": Trap()}, aside))


def unfinished(spoil: Spoil) -> Spoil:
    """So that --resume has something to read."""

    def both(run: Path) -> None:
        (run / "record.json").unlink()
        spoil(run)

    return both


def yaml_tags(run: Path) -> None:
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text + "trap: !!python/object/apply:os.system ['touch trapped']\n")


MODEL = "model/model.safetensors"
READS_MODEL = ("predict", "evaluate", "inspect", "export", "stream")
SPOILED: list[tuple[str, Spoil, tuple[str, ...]]] = [
    ("pickle as weights", pickled(MODEL), READS_MODEL),
    ("PyTorch file as weights", saved(MODEL), READS_MODEL),
    ("pickle as config.json", pickled("model/config.json"), READS_MODEL),
    ("pickle as config.yaml", pickled("config.yaml"), (*READS_MODEL, "resume")),
    ("YAML tags in config.yaml", yaml_tags, (*READS_MODEL, "resume")),
    ("pickle as checkpoint", unfinished(pickled("checkpoints/last.ckpt")), ("resume",)),
    ("PyTorch file as checkpoint", unfinished(saved("checkpoints/last.ckpt")), ("resume",)),
    ("sealed checkpoint", unfinished(sealed("checkpoints/last.ckpt")), ("resume",)),
    ("pickle as record", pickled("record.json"), ("resume",)),
]
CASES = [(name, spoil, command) for name, spoil, commands in SPOILED for command in commands]


@pytest.mark.parametrize(("spoil", "name"), [(s, c) for _, s, c in CASES], ids=[f"{c}: {n}" for n, _, c in CASES])
def test_no_command_runs_what_a_run_folder_holds(
    command, run: Path, mnist_folder: Path, spoil: Spoil, name: str
) -> None:
    spoil(run)
    # The checkpoint before the last is not a way round.
    previous = run / "checkpoints" / "previous.ckpt"
    if not (run / "record.json").exists():
        shutil.copy(run / "checkpoints" / "last.ckpt", previous)
    np.save("steps.npy", np.zeros((64, 1), dtype=np.float32))
    arguments: dict[str, tuple[str | Path, ...]] = {
        "predict": ("predict", run, mnist_folder / "t10k-images-idx3-ubyte.gz"),
        "evaluate": ("evaluate", run),
        "inspect": ("inspect", run),
        "export": ("export", run),
        "stream": ("predict", run, "steps.npy", "--stream"),
        "resume": ("train", "--resume", "--out", run, "--quiet"),
    }
    done = command(*arguments[name])
    assert done.returncode == 2, done
    assert done.stderr.startswith("longreach: ")
    assert "Traceback" not in done.stderr
    assert not Path("trapped").exists()


def test_weights_beside_the_right_ones_are_never_opened(run: Path) -> None:
    for name in ("pytorch_model.bin", "model.bin", "model.pt", "modeling.py", "__init__.py"):
        (run / "model" / name).write_bytes(
            b"import os; os.system('touch trapped')" if name.endswith("py") else pickle.dumps(Trap())
        )
    SequenceClassifier.from_pretrained(run / "model")


@pytest.mark.parametrize("make", [SequenceClassifier, BaselineClassifier])
@pytest.mark.parametrize(
    "changes",
    [
        {"auto_map": {"AutoModel": "modeling.Model"}},
        {"architectures": ["os.system"]},
        {"_class": "os.system", "_target_": "os.system"},
        {"cell": "os.system"},
        {"class_names": [{"__reduce__": "os.system"}]},
        {"initialisation": "__import__('os').system('touch trapped')"},
        {"embedding": {"_target_": "os.system", "args": ["touch trapped"]}},
        {"options": {"_target_": "os.system"}},
        {"network": "os.system"},
        {"library": "os"},
        {"library": None, "model_type": "auto"},
    ],
    ids=str,
)
def test_a_configuration_with_a_class_or_keys_too_many(run: Path, make: type, changes: dict[str, Any]) -> None:
    path = run / "model" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    (run / "model" / "modeling.py").write_text("import os; os.system('touch trapped')")
    with pytest.raises(ModelError) as error:
        make.from_pretrained(run / "model")
    assert str(error.value).startswith(f"{run / 'model'}: the saved model cannot be used: ")


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch trapped']",
        "!!python/object/new:os.system ['touch trapped']",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/object:tests.Trap {}",
    ],
)
def test_a_configuration_with_tags(tmp_path: Path, command, tag: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"name: {tag}\n")
    with pytest.raises(ConfigError):
        load_config(path)
    for arguments in (("train", path), ("check", path), ("train", "mnist14-recall", "--set", f"name={tag}")):
        done = command(*arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_a_configuration_that_doubles_itself_costs_nothing(tmp_path: Path) -> None:
    """Ten levels of ten references each: ten billion entries if anybody wrote them out."""
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 11)]
    path = tmp_path / "run.yaml"
    path.write_text("\n".join(lines) + "\nname: *a10\n")
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert len(str(error.value)) < 1_000


@pytest.mark.parametrize("protocol", range(6))
def test_batches_of_pictures_are_not_unpickled(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps({b"data": Trap(), b"labels": [1]}, protocol=protocol))
    with pytest.raises(LongreachError, match="which could run code; nothing of it was run"):
        read_array_pickle(path)
