"""Children get their task, fail loudly, and never outlive their parent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from longreach.children import failure, start, stop

CHILD = """
import os, sys, time
from longreach.children import receive_task
task = receive_task()
print(task["word"], os.environ["OMP_NUM_THREADS"], flush=True)
if task.get("fail"):
    sys.exit("no good")
time.sleep(60)
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "a_child.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return "a_child"


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_child_gets_its_task_and_its_threads(child: str, tmp_path: Path) -> None:
    process = start(child, {"word": "größe"}, log=tmp_path / "log", threads=3, answers=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "größe 3\n"
    stop([process])
    assert process.poll() is not None


def test_the_error_of_a_failed_child_ends_with_what_it_wrote(child: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(child, {"word": "x", "fail": True}, log=log, threads=1)
    status = process.wait(30)
    stop([process])
    assert str(failure("the training of x", status, log)) == (
        f"the training of x failed with status 1; all it wrote is in {log}, and the same command goes on from here. "
        "Its end:\n  x 1\n  no good"
    )


def test_the_error_of_a_killed_child_names_the_signal(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    assert str(failure("the training of x", -9, log)) == (
        f"the training of x was ended by signal 9; all it wrote is in {log}, and the same command goes on from here. "
        "Its end:\n  (it wrote nothing; a lack of memory ends it so)"
    )


def test_a_child_ends_when_its_parent_is_killed(child: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    parent = f"""
import os, signal
from pathlib import Path
from longreach.children import start
process = start({child!r}, {{"word": "x"}}, log=Path({str(log)!r}), threads=1)
while not Path({str(log)!r}).read_text():
    pass
print(process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, timeout=60)
    pid = int(done.stdout)
    until = time.perf_counter() + 20
    while not gone(pid) and time.perf_counter() < until:
        time.sleep(0.05)
    assert gone(pid)
