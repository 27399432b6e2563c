"""Reading wide files leaves Python's limit on the size of a cell as it was."""

from __future__ import annotations

import csv
from pathlib import Path

from longreach.data.files.csv_rows import csv_rows


def test_the_limit_is_set_back_whether_all_is_read_or_not(tmp_path: Path) -> None:
    path, before = tmp_path / "wide.csv", csv.field_size_limit()
    path.write_text(f"1,{'2' * 200_000}\n3,4\n")
    # Only the first row is taken, so the reading is left in the middle.
    assert len(next(csv_rows(path, header=False, delimiter=","))[1][1]) == 200_000
    assert csv.field_size_limit() == before
