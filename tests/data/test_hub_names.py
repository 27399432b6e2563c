"""What can only be a path of this machine is refused where nothing is, and never asked of the hub."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest

from longreach.data.cifar10 import cifar10
from longreach.data.dogs import stanford_dogs
from longreach.data.files.detect import detect
from longreach.data.files.load_table import load_table
from longreach.data.files.options import ReadOptions
from longreach.data.hub import image_parts, images_from_hub
from longreach.data.hub_names import check_there
from longreach.data.zhang_text import documents
from longreach.errors import DataError

MEND = (
    "put the data there, or say where they are, in a recipe or a run by --set data.path=FOLDER (or OWNER/NAME, their "
    "name on the hub)"
)
READERS: dict[str, Callable[[str], object]] = {
    "images": lambda source: images_from_hub(source, "train"),
    "parts of images": image_parts,
    "CIFAR-10": lambda source: cifar10(source, "train"),
    "StanfordDogs": lambda source: stanford_dogs(source, "train", 40),
    "StanfordDogs with crops": lambda source: stanford_dogs(source, "train", 40, crops=12),
    "documents": lambda source: documents(source, "train"),
    "whatever it is": detect,
    "tables": lambda source: load_table(source, ReadOptions()),
}


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The current one; who loads anything there asks the hub."""

    def load(path: str, *arguments: object, **settings: object) -> None:
        raise AssertionError(f"{path} was asked of the hub")

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(message: str, call: Callable[[], object]) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("reader", READERS)
def test_a_folder_of_a_recipe_is_never_asked_of_the_hub(reader: str, empty_folder: Path) -> None:
    refused(
        f"data/none: no such file or folder, looked for at {empty_folder}/data/none (what begins with data/ is no name "
        f"on the hub); {MEND}",
        lambda: READERS[reader]("data/none"),
    )


@pytest.mark.parametrize("reader", READERS)
def test_other_paths(reader: str, empty_folder: Path) -> None:
    for source, whole in (
        ("./none", empty_folder / "none"),
        ("../none", empty_folder / "../none"),
        ("~/none", Path.home() / "none"),
        ("a/b/c", empty_folder / "a/b/c"),
        ("animals", empty_folder / "animals"),
        ("a/none.parquet", empty_folder / "a/none.parquet"),
    ):
        refused(
            f"{source}: no such file or folder, looked for at {whole}; {MEND}",
            lambda source=source: READERS[reader](source),
        )
    refused(f"/none/at/all: no such file or folder; {MEND}", lambda: READERS[reader]("/none/at/all"))


def test_names_on_the_hub_and_paths_that_are_there_pass(empty_folder: Path) -> None:
    (empty_folder / "data" / "here").mkdir(parents=True)
    for source in ("someone/animals", "database/animals", "someone/data", "data/here", Path("data/here")):
        check_there(source)
    refused(
        f"someone/animals: no such file or folder, looked for at {empty_folder}/someone/animals; {MEND}",
        lambda: check_there(Path("someone/animals")),
    )
    with pytest.raises(AssertionError, match="someone/animals was asked of the hub"):
        cifar10("someone/animals", "train")


def test_names_of_table_files(empty_folder: Path) -> None:
    for source in ("a/none.csv", "a/none.jsonl"):
        for call in (detect, lambda path: load_table(path, ReadOptions())):
            refused(
                f"{source}: no such file or folder, looked for at {empty_folder / source}; {MEND}",
                lambda call=call, source=source: call(source),
            )
