"""Keys of `data` that do nothing with a source are refused by name."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from longreach.config import DataConfig, parse_config, parse_saved
from longreach.config.data import FILE_SOURCES
from longreach.errors import ConfigError
from longreach.training.datasets import build_datasets, build_test_set
from longreach.training.sources import check_effects

OF_IMAGES = {"resize": 14, "scan": "snake", "permutation_seed": 0}
COLUMNS = {"values_columns": ["a"], "label_column": "0", "id_column": "i", "time_column": "t", "split_column": "part"}
OF_TABLES = {"group_column": "person"}
OF_TABLES_ALONE = {"files_column": "name", "files_root": "audio"}
OF_FILES = COLUMNS | OF_TABLES | OF_TABLES_ALONE | {
    "channels_first": True, "tokens": "numbers", "vocabulary": 9, "character_least": 1, "subset": "en",
    "missing": "mask",
}  # fmt: skip


def refused(source: str, key: str, value: Any) -> str | None:
    """What is said of a key; None where it is taken."""
    data = {"source": source, "path": None if source == "mnist14" else "somewhere", key: value}
    try:
        parse_config({"data": data | ({"resize": 8} if source == "stanford_dogs" else {})}, "own.yaml")
    except ConfigError as error:
        return str(error)
    return None


@pytest.mark.parametrize("source", [*FILE_SOURCES, "documents"])
@pytest.mark.parametrize(("key", "value"), OF_IMAGES.items())
def test_keys_of_images(source: str, key: str, value: Any) -> None:
    assert refused(source, key, value) == f"own.yaml: data.{key}: is for images, found source '{source}'; leave it out"
    assert refused("idx", key, value) is None
    assert refused("auto", key, value) is None


@pytest.mark.parametrize("source", ["mnist14", "idx", "hub", "cifar10", "stanford_dogs", "documents"])
@pytest.mark.parametrize(("key", "value"), OF_FILES.items())
def test_keys_of_files(source: str, key: str, value: Any) -> None:
    named = (source, key) == ("hub", "label_column")
    assert refused(source, key, value) == (
        None if named else f"own.yaml: data.{key}: is for files of sequences, found source '{source}'; leave it out"
    )
    for other in (*(source for source in FILE_SOURCES if source != "tables"), "auto"):
        idle = OF_TABLES_ALONE if other == "arrays" else OF_TABLES | OF_TABLES_ALONE
        what = "arrays, and tables of sequences or of names of files" if key in OF_TABLES else "tables"
        assert refused(other, key, value) == (
            f"own.yaml: data.{key}: is for {what}, found source '{other}'; leave it out"
            if key in idle and other not in ("table", "auto")
            else None
        )


@pytest.mark.parametrize(("key", "value"), OF_FILES.items())
def test_keys_of_a_table_for_each_sequence(key: str, value: Any) -> None:
    several = "tables of several sequences, or of names of files (of a file for each, the folder tells the class)"
    idle = {
        **dict.fromkeys(("label_column", "id_column", "split_column"), several),
        "files_column": "tables",
        "files_root": "tables",
        "group_column": "arrays, and tables of sequences or of names of files",
        "channels_first": "arrays and lists",
        "subset": "data sets of the hub",
    }
    assert refused("tables", key, value) == (
        f"own.yaml: data.{key}: is for {idle[key]}, found source 'tables'; leave it out" if key in idle else None
    )


def write_idx(folder: Path) -> Path:
    """Ten images of 2 x 2 pixels in each part."""
    folder.mkdir()
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", np.zeros((10, 2, 2), np.uint8)), ("labels-idx1", np.arange(10) % 2)):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))
    return folder


def test_what_a_path_turns_out_to_be_counts(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("y,a\n0,1\n1,2\n")
    for path, key, value, what, source in (
        (tmp_path / "x.csv", "resize", 14, "images", "table"),
        (write_idx(tmp_path / "mnist"), "label_column", "y", "files of sequences", "idx"),
    ):
        with pytest.raises(ConfigError) as caught:
            check_effects(DataConfig(source="auto", path=str(path), **{key: value}))
        assert str(caught.value) == f"data.{key}: is for {what}, found source '{source}'; leave it out"


def test_crops_of_one_photograph_are_never_on_both_sides_of_a_split() -> None:
    dogs = {"source": "stanford_dogs", "path": "nowhere", "resize": 40}
    for config in (dogs | {"validation": 0, "crops": 2}, dogs):
        check_effects(DataConfig(**config))
    with pytest.raises(ConfigError) as caught:
        check_effects(DataConfig(**dogs, crops=2))
    assert str(caught.value) == (
        "data.validation: expected 0 with data.crops above 1, found 0.1: crops of one photograph would be trained on "
        "and validated with; set data.validation to 0 or data.crops to 1"
    )


def test_runs_that_were_trained_with_such_keys_are_still_read() -> None:
    for source, key, value in (("table", "resize", 14), ("mnist14", "label_column", "y"), ("hub", "subset", "en")):
        data = {"source": source, "path": None if source == "mnist14" else "somewhere", key: value}
        config = parse_saved({"data": data}, "record")
        assert getattr(config.data, key) == DataConfig.model_fields[key].default
        assert config.with_data_set({"noise": 3}).data.noise == 3
    assert parse_saved({"data": {"source": "idx", "path": "somewhere", "resize": 14}}, "record").data.resize == 14
    assert parse_saved({}, "record") == parse_config({}, "record")
    # Of the time before T-DMCA had convolutions, which it names since.
    linear, today = ({"model": {"network": "t_dmca", **more}} for more in ({}, {"kernels": [3, 31]}))
    assert parse_saved(linear, "record") == parse_config({"model": {"network": "t_dmca", "kernels": None}}, "record")
    assert parse_saved(today, "record") == parse_config(linear, "record")


def test_other_images_are_found_by_their_path(tmp_path: Path) -> None:
    config = DataConfig(source="auto", path=str(write_idx(tmp_path / "mnist")))
    assert build_test_set(config, None, own=False).fingerprint() == build_test_set(config, None).fingerprint()


def test_labels_of_images_are_taken_from_the_column_that_is_named(tmp_path: Path) -> None:
    from datasets import Dataset, Features, Image, Value
    from PIL import Image as Picture

    columns: dict[str, Any] = {"image": [Picture.new("L", (2, 2))] * 12, "label": [0, 1] * 6, "colour": [0, 0, 1] * 4}
    features = Features({"image": Image(), "label": Value("int64"), "colour": Value("int64")})
    for part in ("train", "test"):
        Dataset.from_dict(columns, features=features).to_parquet(tmp_path / f"{part}-00000-of-00001.parquet")
    for column in ("label", "colour"):
        data = build_datasets(DataConfig(source="hub", path=str(tmp_path), label_column=column))
        assert data.test.labels is not None
        assert data.test.labels.tolist() == columns[column]
