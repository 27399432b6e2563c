"""The package as it is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

import longreach


def python(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_imports_nothing_heavy() -> None:
    python("import sys, longreach; assert not {'torch', 'lightning', 'pydantic', 'numpy'} & set(sys.modules)")


def test_the_objective_needs_no_lightning() -> None:
    python("import sys; from longreach import Objective, Recall; assert 'lightning' not in sys.modules")


def test_an_estimator_that_only_predicts_needs_no_lightning() -> None:
    python("import sys; from longreach import LongSequenceClassifier; assert 'lightning' not in sys.modules")


@pytest.mark.parametrize("name", longreach.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(longreach, name).__name__ == name
    assert name in dir(longreach)


def test_public_functions_are_not_hidden_by_modules_of_their_name() -> None:
    import longreach.training.fit
    import longreach.unrolling

    assert callable(longreach.unroll)
    assert callable(longreach.fit)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(AttributeError) as caught:
        longreach.unrol  # noqa: B018
    names = ", ".join(longreach.__all__)
    assert str(caught.value) == f"module 'longreach' has no attribute 'unrol'; public names are {names}"


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert version("longreach") == longreach.__version__
