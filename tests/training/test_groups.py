"""Persons whose recordings must not be on both sides of a split, from the file to the parts of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from longreach.commands import print_check
from longreach.config import DataConfig, parse_config
from longreach.data.sequences import Sequences
from longreach.errors import ConfigError, DataError
from longreach.training.check import check_data
from longreach.training.datasets import build_datasets, build_test_set
from longreach.training.other_data import other_sequences


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGREACH_CACHE", str(tmp_path / "cache"))


def write(path: Path, persons: int, classes: int = 2) -> Path:
    """Six sequences of each person, whose first step is the person's number, and one class for each."""
    generator = np.random.default_rng(0)
    lines = ["person,a,b,c,label"]
    for row in generator.permutation(6 * persons).tolist():
        person = row // 6
        values = ",".join(f"{value:.3f}" for value in generator.normal(size=2))
        lines.append(f"p{person},{person},{values},{'uvw'[person % classes]}")
    path.write_text("\n".join(lines) + "\n")
    return path


def persons_of(part: Sequences) -> set[float]:
    return {float(value) for value in part.standardised(None).batch(np.arange(len(part))).values[:, 0, 0]}


def test_persons_are_in_one_part_alone_and_the_test_part_is_found_again(tmp_path: Path) -> None:
    config = DataConfig(source="table", path=str(write(tmp_path / "x.csv", 20)), group_column="person")
    data = build_datasets(config)
    assert data.validation is not None
    persons = [persons_of(part) for part in (data.train, data.validation, data.test)]
    assert [len(part) for part in persons] == [14, 2, 4]
    assert len(set.union(*persons)) == 20
    assert data.told[1:] == (
        "test part: 24 of 120 sequences held out, 4 of 20 groups, by seed 0 (data.test, data.test_path)",
        "validation part: 12 of 96 training sequences held out, 2 of 16 groups, by seed 0 (data.validation, "
        "data.validation_path)",
    )
    for part in (data.validation, data.test):
        assert part.labels is not None
        assert np.bincount(part.labels).tolist() == [len(part) // 2] * 2
    assert build_test_set(config, None).fingerprint() == data.test.fingerprint()
    without = build_datasets(config.model_copy(update={"group_column": None, "values_columns": ("a", "b", "c")}))
    assert persons_of(without.train) & persons_of(without.test)


def test_new_data_need_no_groups(tmp_path: Path) -> None:
    own = write(tmp_path / "x.csv", 20)
    config = DataConfig(source="table", path=str(own), group_column="person")
    new = tmp_path / "new.csv"
    new.write_text("".join(line.split(",", 1)[1] for line in own.read_text().splitlines(keepends=True)))
    for labelled in (False, True):
        with_groups, without = (other_sequences(config, str(path), None, labelled) for path in (own, new))
        assert with_groups.sequences.fingerprint() == without.sequences.fingerprint()


def test_groups_of_a_file_without_names_are_told_by_their_place_alone(tmp_path: Path) -> None:
    own, new = tmp_path / "own.csv", tmp_path / "new.csv"
    lines = [f"{row % 5},{row}.5,{row},2,{'ab'[row % 2]}\n" for row in range(20)]
    own.write_text("".join(lines))
    config = DataConfig(source="table", path=str(own), group_column="0", label_column="4")
    cells = build_datasets(config).cells
    assert cells == (5, 5)
    for labelled in (False, True):
        assert other_sequences(config, str(own), None, labelled, cells=cells).sequences.steps == 3
    new.write_text("".join(line.split(",", 1)[1] for line in lines))
    with pytest.raises(DataError) as caught:
        other_sequences(config, str(new), None, False, cells=cells)
    assert str(caught.value) == (
        "new.csv: expected 5 columns as the training part has, which are told by their places, that of groups (0) "
        "among them, found 4; name the columns in a first line of both files, or fill in what is missing"
    )


def test_persons_of_a_given_validation_part_are_not_held_out_for_the_test(tmp_path: Path) -> None:
    own = write(tmp_path / "x.csv", 20)
    head, *lines = own.read_text().splitlines()
    of_validation = [line for line in lines if line.split(",")[0] in {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"}]
    (tmp_path / "validation.csv").write_text("\n".join([head, *of_validation]) + "\n")
    paths = {"path": str(own), "validation_path": str(tmp_path / "validation.csv")}
    for seed in range(5):
        config = DataConfig(source="table", group_column="person", test=0.3, test_seed=seed, **paths)
        assert min(persons_of(build_datasets(config).test)) >= 8
    own.write_text("\n".join([head, *of_validation, lines[0].replace(lines[0].split(",")[0], "p99")]) + "\n")
    with pytest.raises(
        DataError, match="test split: expected at least 2 groups that are not in the validation part, found 1"
    ):
        build_datasets(DataConfig(source="table", group_column="person", **paths))


def test_groups_are_not_the_labels() -> None:
    with pytest.raises(
        ConfigError, match=r"data\.group_column: expected another column than data\.label_column, found 'kind'"
    ):
        parse_config(
            {"data": {"source": "table", "path": "x.csv", "group_column": "kind", "label_column": "kind"}}, "own"
        )


def test_check_counts_groups_and_tells_a_split_that_cannot_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fine = check_data(str(write(tmp_path / "x.csv", 20)), {"group_column": "person"})
    assert (fine.grave, fine.parts["train"].groups) == ([], 20)
    print_check(fine)
    assert "\n  groups: 20\n" in capsys.readouterr().out
    path = write(tmp_path / "few.csv", 3, classes=3)
    said = (
        "test split: expected every class in the training part, found all groups of class '{}' held out, as it has too "
        "few (1); give a test part, or change the test size"
    )
    found = check_data(str(path), {"group_column": "person"})
    assert found.grave in [[f"to train with labels: {said.format(name)}"] for name in "uvw"]
    with pytest.raises(DataError) as caught:
        build_datasets(DataConfig(source="table", path=str(path), group_column="person"))
    assert f"to train with labels: {caught.value}" == found.grave[0]
