"""Checkpoints are whole or not there, and any change of a single bit is told."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longreach.errors import RunError
from longreach.training.checkpoints import newest_whole, read_checkpoint, write_checkpoint

CONTENT = {"weights": torch.arange(40.0), "update": 7, "names": ["a", "b"]}


def save(path: Path, update: int = 7, previous: Path | None = None) -> None:
    write_checkpoint(path, lambda aside: torch.save(CONTENT | {"update": update}, aside), previous)


def test_what_is_written_is_read_and_nothing_else_is_left(tmp_path: Path) -> None:
    save(tmp_path / "last.ckpt")
    found = read_checkpoint(tmp_path / "last.ckpt")
    assert torch.equal(found["weights"], CONTENT["weights"])
    assert (found["update"], found["names"]) == (7, ["a", "b"])
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
    # And by anybody who knows PyTorch alone.
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["update"] == 7


@pytest.mark.parametrize("links", [True, False])
def test_the_one_before_is_kept(links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a file cannot have two names, as on many a stick and share."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    if not links:
        monkeypatch.setattr("os.link", refuse)
    last, previous = tmp_path / "last.ckpt", tmp_path / "previous.ckpt"
    for update in (1, 2, 3):
        save(last, update, previous)
    assert read_checkpoint(last)["update"] == 3
    assert read_checkpoint(previous)["update"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.ckpt", "previous.ckpt"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_any_flipped_bit_and_any_cut_is_told(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "last.ckpt"
    save(path)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(content) * 8 - 1))
        content[place // 8] ^= 1 << place % 8
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path.write_bytes(content)
    with pytest.raises(RunError) as caught:
        read_checkpoint(path)
    assert str(caught.value) == f"{path}: the checkpoint is not as it was written (its checksum does not match)"


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    last, previous = tmp_path / "last.ckpt", tmp_path / "previous.ckpt"
    save(last, 1, previous)
    save(last, 2, previous)

    def fail(aside: Path) -> None:
        aside.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(last, fail, previous)
    assert read_checkpoint(last)["update"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.ckpt", "previous.ckpt"]


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch trapped",)


@pytest.mark.parametrize("content", [b"", b"r", b"\x80", b"q", b"\x80\x02r"])
def test_what_is_sealed_and_no_checkpoint_is_told(tmp_path: Path, content: bytes) -> None:
    write_checkpoint(tmp_path / "last.ckpt", lambda aside: aside.write_bytes(content) and None)
    with pytest.raises(RunError, match="the checkpoint cannot be read"):
        read_checkpoint(tmp_path / "last.ckpt")


def test_a_checkpoint_of_a_stranger_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for write in (
        lambda aside: torch.save({"weights": Trap()}, aside),
        lambda aside: aside.write_bytes(pickle.dumps(Trap(), protocol=2)),
    ):
        write_checkpoint(tmp_path / "last.ckpt", write)
        with pytest.raises(RunError) as caught:
            read_checkpoint(tmp_path / "last.ckpt")
        assert str(caught.value) == f"{tmp_path / 'last.ckpt'}: the checkpoint cannot be read (UnpicklingError)"
        assert not (tmp_path / "trapped").exists()
    # The trap is a real one.
    pickle.loads(pickle.dumps(Trap()))
    assert (tmp_path / "trapped").exists()


def test_the_newest_whole_one_is_taken_and_said_aloud(tmp_path: Path) -> None:
    last, previous, said = tmp_path / "last.ckpt", tmp_path / "previous.ckpt", []
    assert newest_whole([last, previous], said.append) is None
    save(last, 1, previous)
    save(last, 2, previous)
    assert newest_whole([last, previous], said.append) == last
    assert said == []
    last.write_bytes(last.read_bytes()[:-100])
    assert newest_whole([last, previous], said.append) == previous
    assert said == [
        f"{last}: the checkpoint is not as it was written (its checksum does not match); going on from previous.ckpt, "
        "the one before"
    ]
    previous.write_bytes(b"")
    with pytest.raises(RunError) as caught:
        newest_whole([last, previous], said.append)
    assert str(caught.value) == (
        f"{last}: the checkpoint is not as it was written (its checksum does not match); {previous}: the checkpoint is "
        "not as it was written (its checksum does not match); put a whole one in its place, or remove them to train "
        "from the start"
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        read_checkpoint(tmp_path / "none.ckpt")
    assert str(caught.value) == f"{tmp_path / 'none.ckpt'}: the checkpoint cannot be read (No such file or directory)"


def test_a_run_goes_on_only_from_what_fits_it(tmp_path: Path) -> None:
    whole = {
        "state_dict": {"a": torch.zeros(2, 3), "b": torch.zeros(4)},
        "optimizer_states": [{}],
        "callbacks": {},
        "loops": {},
        "global_step": 3,
        "pytorch-lightning_version": "2.6",
    }
    weights = {"a": torch.ones(2, 3), "b": torch.ones(4)}
    path = tmp_path / "last.ckpt"

    def refused(content: object) -> str:
        write_checkpoint(path, lambda aside: torch.save(content, aside))
        with pytest.raises(RunError) as error:
            newest_whole([path], print, weights)
        return str(error.value)

    write_checkpoint(path, lambda aside: torch.save(whole, aside))
    assert newest_whole([path], print, weights) == path
    mend = "; put a whole one in its place, or remove it to train from the start"
    assert refused({"state_dict": {}, "loops": [], "global_step": 3}) == (
        f"{path}: the checkpoint is not that of a run of longreach (missing: optimizer_states, callbacks, loops, "
        f"pytorch-lightning_version){mend}"
    )
    assert "(missing: state_dict, optimizer_states" in refused([1, 2])
    assert refused(whole | {"state_dict": {"a": torch.zeros(3, 2), "c": torch.zeros(1), "b": 5}}) == (
        f"{path}: the checkpoint's weights are not those of this run's model (different: a, b, c){mend}"
    )
