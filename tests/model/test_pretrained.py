"""Models that travel: saved whole, loaded whole or not at all, and nothing in a folder can run code.

Each thing that can be wrong with a saved model is tried with its full message.
"""

from __future__ import annotations

import json
import os
import pickle
import stat
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from longreach.errors import ConfigError, ModelError
from longreach.model.classifier import SequenceClassifier
from longreach.model.network import EncoderCell

CELLS = get_args(EncoderCell)
INPUTS = {
    "real": {"channels": 2},
    "embedded": {"channels": 2, "embedding_size": 3, "input_mean": [1.0, 0.5], "input_std": [2.0, 3.0]},
    "lookup": {"channels": 1, "embedding_size": 3, "embedding": "lookup"},
    "tokens": {"vocabulary": 5, "embedding_size": 3, "input_vocabulary": {"kind": "numbers", "symbols": "", "size": 5}},
}


def make(**changes: Any) -> SequenceClassifier:
    torch.manual_seed(1)
    sizes = {"classes": 2, "channels": 1, "hidden_size": 4, "head_size": 3, "class_names": ["no", "yes"]}
    return SequenceClassifier(**{**sizes, **changes}).eval()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    make().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    tree = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in tree.items() if value != "DROP"}))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as error:
        SequenceClassifier.from_pretrained(folder)
    message = str(error.value)
    start, end = f"{folder}: the saved model cannot be used: ", ". Expected what save_pretrained wrote, whole"
    assert message.startswith(start)
    assert message.endswith(end)
    return message[len(start) : -len(end)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_kind_of_model_comes_back_bit_for_bit(cell: str, inputs: str, dtype: torch.dtype, tmp_path: Path) -> None:
    model = make(**{"channels": None, "cell": cell, "layers": 2, **INPUTS[inputs]}).to(dtype)
    model.about = {"Data": {"source": "a test", "sequences": 3}}
    model.save_pretrained(tmp_path)
    loaded = SequenceClassifier.from_pretrained(tmp_path)
    assert not loaded.training
    assert loaded.about == model.about
    weights, right = loaded.state_dict(), model.state_dict()
    assert list(weights) == list(right)
    for name, value in weights.items():
        assert value.device.type == "cpu"
        assert value.dtype == right[name].dtype
        assert torch.equal(value, right[name])
    shape = (3, 7) if inputs == "tokens" else (3, 7, model.encoder.channels)
    values = torch.randint(5, shape) if inputs == "tokens" else torch.randint(256, shape).to(dtype)
    assert torch.equal(loaded.stream(3).push(values), model.stream(3).push(values))
    for name in ("class_names", "input_mean", "input_std", "input_steps", "input_vocabulary", "input_rate"):
        assert getattr(loaded, name) == getattr(model, name)
    # And once more: what was loaded saves the same files.
    loaded.save_pretrained(tmp_path / "again")
    for name in ("config.json", "README.md", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_the_folder_holds_three_files_that_all_may_read(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in saved.iterdir()}
    assert len(modes) == 1
    tree = json.loads((saved / "config.json").read_text())
    assert (tree["library"], tree["format"]) == ("longreach", 1)
    assert set(tree["versions"]) == {"longreach", "torch"}
    assert tree["class_names"] == ["no", "yes"]


@pytest.mark.parametrize(("name", "value"), [("input_rate", 8000), ("chrono", 300)])
def test_a_model_that_was_saved_before_an_argument_came_holds_its_default(
    tmp_path: Path, name: str, value: int
) -> None:
    make(**{name: value}).save_pretrained(tmp_path)
    assert SequenceClassifier.from_pretrained(tmp_path).arguments[name] == value
    tree = json.loads((tmp_path / "config.json").read_text())
    del tree[name]
    (tmp_path / "config.json").write_text(json.dumps(tree))
    assert SequenceClassifier.from_pretrained(tmp_path).arguments[name] is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"library": "DROP"}, "config.json: expected library 'longreach', found none"),
        (
            {"library": "DROP", "model_type": "bert", "hidden_act": "gelu"},
            "config.json: expected library 'longreach', found 'bert'",
        ),
        ({"format": "DROP"}, "config.json format: expected a whole number from 1, found None"),
        ({"format": "1"}, "config.json format: expected a whole number from 1, found '1'"),
        (
            {"format": 2, "versions": {"longreach": "9.9.9"}, "new_key": 1},
            "config.json: written by longreach 9.9.9 in format 2, this is longreach 0.1.0, which reads format 1; "
            "update longreach",
        ),
        (
            {"hiden_size": 4, "layers": "DROP", "classes": "DROP", "cell": "lstn", "forget_bias": True},
            "config.json unknown keys: hiden_size; config.json missing keys: classes, layers; config.json cell: "
            f"expected {' or '.join(map(repr, CELLS))}, found 'lstn'; config.json forget_bias: expected a number, "
            "found True",
        ),
        (
            {"channels": 1.5, "input_mean": [1, "two"], "class_names": "no", "input_vocabulary": 3},
            "config.json channels: expected a whole number or null, found 1.5; config.json class_names: expected a "
            "list (a text), found 'no'; config.json input_mean: expected a list (a number) or null, found [1, 'two']; "
            "config.json input_vocabulary: expected keys and values or null, found 3",
        ),
        ({"about": [1]}, "config.json about: expected sections"),
        ({"hidden_size": 0}, "config.json: encoder hidden_size: expected at least 1, found 0"),
        (
            {"hidden_size": 10**7},  # A weight of 4e14 numbers must be found wrong before it is made.
            "model.safetensors shapes: encoder.weight_ih_l0: expected (40000000, 1), found (16, 1), "
            "encoder.weight_hh_l0: expected (40000000, 10000000), found (16, 4), encoder.bias_ih_l0: expected "
            "(40000000,), found (16,), head.first.weight: expected (3, 10000000), found (3, 4)",
        ),
        ({"layers": 10**9}, "config.json tells of 1000000000 layers, model.safetensors has not"),
        (
            {"cell": "gru"},
            "model.safetensors missing tensors: encoder.bias_hh_l0; model.safetensors shapes: encoder.weight_ih_l0: "
            "expected (12, 1), found (16, 1), encoder.weight_hh_l0: expected (12, 4), found (16, 4), "
            "encoder.bias_ih_l0: expected (12,), found (16,)",
        ),
        (
            {"embedding_size": 1},
            "model.safetensors missing tensors: encoder.embedding.weight, encoder.embedding.bias",
        ),
    ],
)
def test_a_configuration_that_does_not_fit(saved: Path, changes: dict[str, Any], message: str) -> None:
    change_config(saved, **changes)
    assert refusal(saved) == message


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe", b"3"])
def test_a_configuration_that_is_none(saved: Path, content: bytes) -> None:
    (saved / "config.json").write_bytes(content)
    message = refusal(saved)
    assert message.startswith("config.json is not readable as JSON (") or message == (
        "config.json: expected library 'longreach', found none"
    )


def test_weights_that_do_not_fit(saved: Path) -> None:
    weights = load_file(saved / "model.safetensors")
    changed = {name: value for name, value in weights.items() if name != "head.first.bias"}
    changed["head.second.bias"] = torch.zeros(3)
    changed["head.third.weight"] = torch.zeros(1)
    save_file(changed, saved / "model.safetensors")
    assert refusal(saved) == (
        "model.safetensors unknown tensors: head.third.weight; model.safetensors missing tensors: head.first.bias; "
        "model.safetensors shapes: head.second.bias: expected (2,), found (3,)"
    )
    save_file({name: value.int() for name, value in weights.items()}, saved / "model.safetensors")
    assert refusal(saved) == "model.safetensors: expected weights of one real type, found torch.int32"
    mixed = {name: value.double() if "head" in name else value for name, value in weights.items()}
    save_file(mixed, saved / "model.safetensors")
    assert refusal(saved) == "model.safetensors: expected weights of one real type, found torch.float32, torch.float64"


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_weights_that_are_cut_short(saved: Path, keep: int) -> None:
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert refusal(saved).startswith("model.safetensors is cut short or no safetensors file (")


class Malice:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("writer", [pickle.dumps, "torch"], ids=["pickle", "torch"])
def test_pickled_weights_are_never_unpickled(saved: Path, writer: Any, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    evil = saved / "pytorch_model.bin"
    if writer == "torch":
        torch.save({"weight": Malice(mark)}, evil)
    else:
        evil.write_bytes(writer(Malice(mark)))
    # It does run where it is unpickled: the test would see it.
    (torch.load(evil, weights_only=False) if writer == "torch" else pickle.loads(evil.read_bytes()))
    assert mark.is_dir()
    mark.rmdir()
    SequenceClassifier.from_pretrained(saved)  # Beside good weights it is not looked at.
    good = (saved / "model.safetensors").read_bytes()
    (saved / "model.safetensors").write_bytes(evil.read_bytes())
    assert refusal(saved).startswith("model.safetensors is cut short or no safetensors file (")
    (saved / "model.safetensors").unlink()
    assert refusal(saved) == "no model.safetensors there; pickled weights (*.bin) could run code and are never read"
    (saved / "model.safetensors").write_bytes(good)
    (saved / "config.json").write_bytes(evil.read_bytes())
    assert refusal(saved).startswith("config.json is not readable as JSON (")
    assert not mark.exists()


def test_nothing_there(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "no config.json and no model.safetensors there"


def test_the_folder_of_a_run_tells_where_its_model_is(saved: Path) -> None:
    assert refusal(saved.parent) == (
        "no config.json and no model.safetensors there; this is the folder of a run, whose model is "
        f"{saved.parent / 'model'}"
    )


@pytest.mark.parametrize("name", ["nope", "runs/mine/model", "./mine", "/mine"])
def test_what_is_no_name_on_the_hub_is_not_asked_for_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longreach.model.pretrained.hf_hub_download", lambda **_: pytest.fail("asked the hub"))
    assert refusal(name) == "no such folder (a name on the hub has the form owner/name)"


def test_further_arguments_are_refused(saved: Path) -> None:
    with pytest.raises(ConfigError) as error:
        SequenceClassifier.from_pretrained(saved, hidden_size=9)
    assert str(error.value) == (
        "from_pretrained: expected no further arguments, found hidden_size; a saved model is loaded whole and as it is"
    )


def test_arrays_are_saved_as_lists_and_what_json_cannot_hold_is_refused_at_once(tmp_path: Path) -> None:
    model = make(input_mean=np.asarray([0.5], np.float32), input_std=(2.0,), class_names=np.asarray(["a", "b"]))
    model.save_pretrained(tmp_path)
    loaded = SequenceClassifier.from_pretrained(tmp_path)
    assert (loaded.input_mean, loaded.input_std, loaded.class_names) == ((0.5,), (2.0,), ("a", "b"))
    with pytest.raises(ConfigError) as error:
        make(input_mean=[float("nan")])
    assert str(error.value) == (
        "input_mean: expected plain numbers, texts and lists, found [nan], which config.json cannot hold"
    )


def test_standardisation_of_other_channels_is_refused(tmp_path: Path) -> None:
    problem = (
        "{}: expected 2 numbers, one for each channel that the model reads, found 1; give 0 as mean and 1 as deviation "
        "of a channel that is read as it is"
    )
    for name in ("input_mean", "input_std"):
        with pytest.raises(ConfigError) as error:
            make(channels=2, **({"input_mean": [0.0, 0.0], "input_std": [1.0, 1.0]} | {name: [0.5]}))
        assert str(error.value) == problem.format(name)
    model = make(channels=2, input_mean=[0.5, 0.0], input_std=[2.0, 1.0])
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"input_mean": [0.5]}))
    with pytest.raises(ModelError) as refused:
        SequenceClassifier.from_pretrained(tmp_path)
    assert f"config.json: {problem.format('input_mean')}" in str(refused.value)
    model.input_mean = (0.5,)  # as of a model that was pickled by an older version
    with pytest.raises(ModelError) as refused:
        model.stream().push(torch.zeros(1, 3, 2))
    assert str(refused.value) == problem.format("input_mean") + "; train it anew"


def test_a_card_says_what_is_known_and_nothing_in_it_can_break_out() -> None:
    model = make(class_names=["a|b", "<img src=x>"], input_mean=[0.5], input_std=[2.0])
    model.about = {
        "Data": {"source": "sensors", "sequences to train on": 12_000},
        "Metrics": {"accuracy, test part": 0.98765, "AUROC, mean over classes": None},
        "Training": {"name": "mine [x](y)", "truncation of the classifier's gradient": "the last 28 steps"},
        "Memory horizon": {"R² of at least one half": "lags 1 to 57"},
        "Further": {"a list": ["x", 1.5]},
    }
    front, card = model.generate_model_card().content.split("---\n")[1:]
    assert yaml.safe_load(front)["library_name"] == "longreach"
    assert "# mine \\[x\\](y)\n" in card
    assert "a\\|b, &lt;img src=x&gt;." in card
    assert "lstm, 1 layer of 4 units, " in card
    assert "It reads 1 real number a step and tells 2 classes apart" in card
    assert "from longreach.model.classifier import SequenceClassifier\n" in card
    assert "mean 0.5 and deviation 2 by channel" in card
    sections = [line for line in card.splitlines() if line.startswith("## ")]
    assert sections == ["## Use", "## Data", "## Metrics", "## Training", "## Memory horizon", "## Further"]
    for row in (
        "| sequences to train on | 12,000 |",
        "| accuracy, test part | 0.9877 |",
        "| AUROC, mean over classes | - |",
        "| truncation of the classifier's gradient | the last 28 steps |",
        "| R² of at least one half | lags 1 to 57 |",
        "| a list | x, 1.5000 |",
    ):
        assert row in card.splitlines()
    assert make().generate_model_card().content.count("Not known.") == 4


def test_pushing_uploads_what_saving_writes_and_loading_fetches_two_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = tmp_path / "hub"
    asked = []

    class Api:
        def __init__(self, token: str | None = None) -> None:
            pass

        def create_repo(self, repo_id: str, **_: Any) -> Any:
            return type("Made", (), {"repo_id": repo_id})

        def upload_folder(self, *, repo_id: str, folder_path: Path, **_: Any) -> str:
            (hub / repo_id).mkdir(parents=True)
            for path in Path(folder_path).iterdir():
                (hub / repo_id / path.name).write_bytes(path.read_bytes())
            return f"https://hub/{repo_id}"

    def download(repo_id: str, filename: str, **_: Any) -> str:
        asked.append(filename)
        if not (hub / repo_id / filename).is_file():
            raise FileNotFoundError(f"{repo_id} is not there\nand a long explanation")
        return str(hub / repo_id / filename)

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", Api)
    monkeypatch.setattr("longreach.model.pretrained.hf_hub_download", download)
    monkeypatch.chdir(tmp_path)
    model = make()
    assert model.push_to_hub("me/mine") == "https://hub/me/mine"
    loaded = SequenceClassifier.from_pretrained("me/mine")
    assert asked == ["config.json", "model.safetensors"]
    assert all(
        torch.equal(a, b) for a, b in zip(loaded.state_dict().values(), model.state_dict().values(), strict=True)
    )
    with pytest.raises(ModelError) as error:
        SequenceClassifier.from_pretrained("me/other")
    assert str(error.value) == (
        "me/other: the saved model cannot be used: neither a folder nor a model of longreach on the hub (me/other is "
        "not there). Expected what save_pretrained wrote, whole"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"class_names": ["a", "b", "c"]}, "class_names: expected 2, one for each class, or none, found 3"),
        ({"input_std": [1.0]}, "input_mean: expected beside the other of the two, found none"),
        ({"input_mean": [1.0]}, "input_std: expected beside the other of the two, found none"),
        (
            {"input_mean": [0.0], "input_std": [-1.0]},
            "input_std: expected finite numbers above zero, found -1.0; give 1 for a channel read as it is",
        ),
        (
            {"input_mean": [0.0], "input_std": [0.0]},
            "input_std: expected finite numbers above zero, found 0.0; give 1 for a channel read as it is",
        ),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        make(classes=2, channels=1, **arguments)
    assert str(error.value) == message
