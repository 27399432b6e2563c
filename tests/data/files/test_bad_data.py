"""Bad data of more than twenty kinds, each with everything that is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from broken_files import GOOD, HEAD, INF, NAN, Write, array, broken, files, lines, recordings, steps, text

from longreach.data.files.collect import collect
from longreach.data.files.open import open_files
from longreach.data.files.options import ReadOptions

LONG = ("7,8,20000000000000000001", "8,9,20000000000000000002", f"9,9,1e{'9' * 20}", f"9,8,1e{'9' * 21}")
"""Classes that are one number in float64, and such as are none in decimal."""

CASES: dict[str, tuple[str, Write, dict, list[str], list[str]]] = {
    "missing values": (
        "x.npy",
        array([[[1, 2], [3, NAN], [NAN, 4]], [[1, 2], [3, 4], [5, 6]]]),
        {},
        [
            "x.npy: row 0: expected numbers, found nan at step 1, channel 1 (2 of 6 values are missing); fill what is "
            "missing, leave the sequence out, or train with data.missing=mask"
        ],
        [],
    ),
    "infinite values": (
        "x.npy",
        array([[1.0, 2.0, 3.0], [1.0, -INF, INF]]),
        {},
        [
            "x.npy: row 1: expected finite numbers, found -inf at step 1, channel 0 (2 of 3 values are infinite); mend "
            "the sequence or leave it out"
        ],
        [],
    ),
    "beyond float32": (
        "x.npy",
        array([[1.0, 2.0, 3.0], [1.0, 2.0, 1e300]]),
        {},
        [
            "x.npy: row 1: expected numbers within ±3.4e+38, which float32 can hold, found 1e+300 at step 2, channel 0 "
            "(1 of 3 values are beyond); divide the channel by a constant"
        ],
        [],
    ),
    "empty sequence": (
        "x.jsonl",
        lines({"x": [1, 2], "y": "a"}, {"x": [], "y": "b"}, {"x": [4, 3], "y": "b"}),
        {},
        ["x.jsonl: row 1: expected at least 1 step, found none; mend the sequence or leave it out"],
        [],
    ),
    "empty cell": (
        "x.jsonl",
        lines({"x": [1, 2], "y": "a"}, {"x": None, "y": "b"}, {"x": [4, 3], "y": "b"}),
        {},
        ["x.jsonl: row 1: expected a sequence, found an empty cell; leave the row out"],
        [],
    ),
    "empty file": (
        "x",
        files(a=b"abc", b=b""),
        {},
        [
            "x/b/f.txt: expected at least 1 step, found none; mend the sequence or leave it out",
        ],
        [],
    ),
    "constant channel": (
        "x.npy",
        array([[[1, 7], [3, 7]], [[2, 7], [5, 7]]]),
        {},
        [],
        [
            "channel 1: expected values that vary, found 7 at every step of every training sequence; leave the channel "
            "out"
        ],
    ),
    "constant but for rounding": (
        "x.npy",
        array(np.stack([np.arange(80.0).reshape(2, 40), np.resize([0.1 + 0.2, 0.3], (2, 40))], axis=2)),
        {},
        [],
        [
            "channel 1: expected values that vary, found 0.3 at every step of every training sequence but for what "
            "rounding leaves; leave the channel out"
        ],
    ),
    "a spike": (
        "x.npy",
        array(
            np.stack(
                [
                    np.where(np.arange(400.0).reshape(20, 20) == 77, 1e6, np.arange(20.0)),
                    np.tile([0.0, 1.0], (20, 10)) + np.arange(20)[:, None],
                ],
                axis=2,
            ),
            np.arange(20) % 2,
        ),
        {},
        [],
        [
            "channel 0: expected sequences of about one range, found 1e+06 from lowest to highest in x.npy: row 3, "
            "where half of them stay within 19; look whether it was measured so"
        ],
    ),
    "changes lost beside an offset": (
        "x.npy",
        array((1.7e9 + np.arange(80.0).reshape(2, 40) * 60).astype(np.float32)),
        {},
        [],
        [
            "channel 0: expected at least 256 different values from 1.7e+09 to 1.70000474e+09, found that float32 can "
            "tell 38 apart there; take off a constant before values are written so, or write float64"
        ],
    ),
    "classes written in two ways": (
        "x.csv",
        text("t0,t1,label", "1,2,1", "2,3,1.0", "3,4,Cat", "4,5,cat ", "5,6,01", "6,7,dog", *LONG),
        {},
        [],
        [
            f"classes: expected names that differ by more than their writing, found {found} as classes of their own; "
            "write them alike where they are one"
            for found in ("'01' and '1' and '1.0'", "'Cat' and 'cat'")
        ],
    ),
    "swapped axes": (
        "x.npy",
        array(np.arange(80).reshape(2, 2, 20)),
        {},
        [],
        [
            "axes: expected more steps than channels, found 2 steps of 20 channels; if the file has channels before "
            "steps, set data.channels_first=true"
        ],
    ),
    "copies across parts": (
        "x.jsonl",
        lines(
            {"x": [1, 2], "y": "a", "split": "train"},
            {"x": [3, 4], "y": "b", "split": "train"},
            {"x": [1, 2], "y": "a", "split": "test"},
        ),
        {},
        [],
        [
            "x.jsonl: row 2 (test): the same values as x.jsonl: row 0 (train); a test on what was trained on shows "
            "nothing, leave one of them out"
        ],
    ),
    "copies with other labels": (
        "x.npy",
        array([[1, 2], [1, 2], [1, 2]], [0, 1, 0]),
        {},
        [],
        [
            "x.npy: row 1: class '1', and x.npy: row 0 with the same values: class '0'; correct one of them or leave "
            "both out",
            "training part: expected each sequence once, found 2 exact copies of others, the first x.npy: row 1 of "
            "x.npy: row 0; where a part is held out, copies can fall on both sides: leave them out",
        ],
    ),
    "single class": (
        "x.npy",
        array(GOOD, [3, 3]),
        {},
        [
            "training part: expected at least 2 classes, found only '3'; check that the label column or the folders "
            "are "
            "the right ones"
        ],
        [],
    ),
    "mixed channels": (
        "x",
        recordings(("a", 8000, 1), ("b", 8000, 2), ("b", 8000, 1)),
        {},
        [
            "x/b/1.wav: expected 1 channel as in x/a/0.wav, found 2; give all sequences the same channels",
        ],
        [],
    ),
    "mixed sampling rates": (
        "x",
        recordings(("a", 8000, 1), ("b", 44100, 1), ("b", 8000, 1)),
        {},
        [
            "x/b/1.wav: expected 8000 samples a second as in x/a/0.wav, found 44100; resample all recordings to one "
            "rate"
        ],
        [],
    ),
    "broken recording": (
        "x",
        broken(recordings(("a", 8000, 1), ("b", 8000, 1), ("b", 8000, 1)), "b/1.wav"),
        {},
        [
            "x/b/1.wav: expected a recording that can be decoded, found something else (Error in WAV file. No 'data' "
            "chunk marker); convert it to WAV or leave it out"
        ],
        [],
    ),
    "tokens below zero": (
        "x.npy",
        array([[0, -1, 2], [1, 2, -5]]),
        {"tokens": "numbers"},
        [
            "x.npy: row 0: expected whole numbers from 0 or above, found -1 at step 1 (1 of 3 tokens are out of "
            "range); "
            "number the tokens from 0, or set data.vocabulary to how many there are",
            "x.npy: row 1: expected whole numbers from 0 or above, found -5 at step 2 (1 of 3 tokens are out of "
            "range); "
            "number the tokens from 0, or set data.vocabulary to how many there are",
            "training part: expected at least 1 sequence that can be read, found none",
        ],
        [],
    ),
    "numbers that are no bytes": (
        "x.npy",
        array([[1.0, 300.0, -1.0, 2.7], [5.0, 6.0, 7.0, 255.0]]),
        {"tokens": "bytes"},
        [
            "x.npy: row 0: expected whole numbers from 0 to 255, found 300 at step 1 (3 of 4 tokens are out of range); "
            "write bytes as they are, or read others with data.tokens=numbers",
        ],
        [],
    ),
    "numbers that are no characters": (
        "x.npy",
        array([[97, -1, 98], [99, 100, 0x10FFFF], [1, 2, 0x110000]], [0, 1, 1]),
        {"tokens": "characters"},
        [
            "x.npy: row 0: expected whole numbers from 0 to 1114111, found -1 at step 1 (1 of 3 tokens are out of "
            "range); write the code points of characters, or read others with data.tokens=numbers",
            "x.npy: row 2: expected whole numbers from 0 to 1114111, found 1114112 at step 2 (1 of 3 tokens are out of "
            "range); write the code points of characters, or read others with data.tokens=numbers",
        ],
        [],
    ),
    "tokens that training never has": (
        "x.jsonl",
        lines(
            {"x": [0, 1], "y": "a", "split": "train"},
            {"x": [2, 0], "y": "b", "split": "train"},
            {"x": [1, 3, 9], "y": "b", "split": "test"},
        ),
        {"tokens": "numbers"},
        [
            "x.jsonl: row 2: expected whole numbers from 0 to 2, found 3 at step 1 (2 of 3 tokens are out of range); "
            "number the tokens from 0, or set data.vocabulary to how many there are"
        ],
        [],
    ),
    "tokens that are no whole numbers": (
        "x.jsonl",
        lines({"x": [0.0, 1.0], "y": "a"}, {"x": [1.0, 0.5], "y": "b"}, {"x": [1.0, 0.0], "y": "b"}),
        {"tokens": "numbers"},
        [
            "x.jsonl: row 1: expected whole numbers from 0 or above, found 0.5 at step 1 (1 of 2 tokens are out of "
            "range); number the tokens from 0, or set data.vocabulary to how many there are"
        ],
        [],
    ),
    "missing label": (
        "x.jsonl",
        lines(
            {"x": [1, 2], "y": "a", "split": "train"},
            {"x": [3, 4], "y": "b", "split": "train"},
            {"x": [5, 4], "y": None, "split": "train"},
            {"x": [7, 2], "y": "a", "split": "test"},
            {"x": [9, 2], "y": " ", "split": "test"},
        ),
        {},
        [],
        [
            "x.jsonl: row 2: expected a label, found none; they train the memory alone; add their labels if known",
            "x.jsonl: row 4: expected a label, found none; add their labels or leave them out",
        ],
    ),
    "no labels": (
        "x.jsonl",
        lines({"x": [1, 2]}, {"x": [3, 4]}),
        {},
        [],
        [
            "train part: expected a label for each sequence, found none; name the column with data.label_column, or "
            "sort the files into a folder for each class (without labels only `longreach pretrain` can learn from them)"
        ],
    ),
    "no labels to test on": (
        "x.jsonl",
        lines(
            {"x": [1, 2], "y": "a", "split": "train"},
            {"x": [3, 4], "y": "b", "split": "train"},
            {"x": [5, 4], "y": None, "split": "validation"},
            {"x": [7, 2], "y": None, "split": "test"},
        ),
        {},
        [
            f"{part} part: expected a label for each sequence, found none; name the column with data.label_column, or "
            "sort the files into a folder for each class"
            for part in ("validation", "test")
        ],
        [],
    ),
    "a class that training does not have": (
        "x.jsonl",
        lines(
            {"x": [1, 2], "y": "a", "split": "train"},
            {"x": [3, 4], "y": "b", "split": "train"},
            {"x": [7, 2], "y": "c", "split": "test"},
            {"x": [8, 2], "y": "c", "split": "test"},
        ),
        {},
        [
            "test part: expected classes that the training part has, found class 'c' 2 times; add training sequences "
            "of "
            "it or leave it out"
        ],
        [],
    ),
    "no number in a list": (
        "x.jsonl",
        lines({"x": ["1", "2"], "y": "a"}, {"x": ["3"], "y": "b"}),
        {},
        [
            "x.jsonl: row 0: expected numbers, found string; correct the list",
            "x.jsonl: row 1: expected numbers, found string; correct the list",
            "training part: expected at least 1 sequence that can be read, found none",
        ],
        [],
    ),
    "no number in a table of steps": (
        "x.csv",
        steps(("a", 0, 1, "p"), ("a", 1, "high", "p"), ("b", 0, 5, "q"), ("b", 1, 6, "q"), ("c", 0, 5, "p")),
        {"values_columns": ("value",)},
        [
            "x.csv: id a: expected a number in column 'value', found 'high' at step 1, channel 0; correct it, or leave "
            "the column out with data.values_columns"
        ],
        [],
    ),
    "uneven channels": (
        "x.jsonl",
        lines({"x": [[1, 2], [3, 4]], "y": "a"}, {"x": [[1], [3, 4]], "y": "b"}, {"x": [[1, 2]], "y": "b"}),
        {},
        [
            "x.jsonl: row 1: expected as many numbers in every step, found 1 to 2; give every step all channels"
        ],
        [],
    ),
    "lists in lists in lists": (
        "x.jsonl",
        lines({"x": [[[1]]], "y": "a"}),
        {},
        [
            "x.jsonl: row 0: expected a list of steps, found lists in lists in lists; flatten each step",
            "training part: expected at least 1 sequence that can be read, found none",
        ],
        [],
    ),
    "repeated times": (
        "x.csv",
        steps(("a", 0, 1, "p"), ("a", 1, 2, "p"), ("b", 0, 5, "q"), ("b", 1, 6, "q"), ("b", 1, 7, "q")),
        {},
        [
            "x.csv: id b: expected each time once, found 1 in rows 3 and 4; leave one out, or give the sequences ids "
            "of "
            "their own"
        ],
        [],
    ),
    "missing times": (
        "x.csv",
        steps(("a", 0, 1, "p"), ("a", None, 2, "p"), ("b", 0, 5, "q"), ("b", 1, 6, "q")),
        {},
        ["x.csv: id a: expected a time in column 'time', found none in row 1; fill it"],
        [],
    ),
    "uneven times": (
        "x.csv",
        steps(*(("a", t, t % 4, "p") for t in (0, 1, 2, 7, 8)), *(("b", t, t % 3, "q") for t in (0, 10, 20))),
        {},
        [],
        [
            "x.csv: id a: expected times that are equally far apart, found 5 after step 2 and 1 elsewhere (1 of 4 gaps "
            "differ); longreach counts steps alone, resample the sequence or add the gap as a channel"
        ],
    ),
    "missing ids": (
        "x.csv",
        steps(("a", 0, 1, "p"), ("a", 1, 2, "p"), (None, 2, 3, "p"), ("b", 0, 5, "q"), (None, 1, 6, "q")),
        {},
        [
            "x.csv: row 2: expected an id in column 'id', found none (2 of 5 rows have none); fill it or leave the "
            "rows "
            "out"
        ],
        [],
    ),
    "a label that changes": (
        "x.csv",
        steps(("a", 0, 1, "p"), ("a", 1, 2, "q"), ("b", 0, 5, "q"), ("b", 1, 6, "q"), ("c", 0, 6, "p")),
        {},
        [
            "x.csv: id a: expected one class at all steps, found 'p', 'q'; give each class an id of its own, or name "
            "the column of classes with data.label_column"
        ],
        [],
    ),
    "text that is no UTF-8": (
        "x",
        files(a=b"abc", b=b"one\ntwo \xe9t\xe9", c=b"cde"),
        {},
        [
            "x/b/f.txt: expected text in UTF-8, found byte 0xe9 in line 2; convert the file, or read bytes with "
            "data.source=bytes"
        ],
        [],
    ),
    ".ts: no number": (
        "x.ts",
        text(*HEAD, "1,2:a", "1,two:b", "3,?:b"),
        {},
        [
            "x.ts: line 5: expected a number or ?, found 'two' at step 1, channel 0; correct it",
            "x.ts: line 6: expected numbers, found nan at step 1, channel 0 (1 of 2 values are missing); fill what is "
            "missing, leave the sequence out, or train with data.missing=mask",
        ],
        [],
    ),
    ".ts: other dimensions, classes and lengths than the header says": (
        "x.ts",
        text("@dimensions 2", "@seriesLength 2", *HEAD[1:], "1,2:3,4:a", "1,2:a", "1,2:3:b",
              "5,2:3,4:c", "1:2:b", "1,2:3,9:b", "1,2"),
        {},
        [
            "x.ts: line 6: expected 2 dimensions as the header says, found 1; give each dimension, parted by colons",
            "x.ts: line 7: expected as many steps in every dimension, found 2, 1; cut or fill the shorter ones",
            "x.ts: line 8: expected one of the classes that @classLabel names, found 'c'; correct one of the two",
            "x.ts: line 9: expected 2 steps as the header says, found 1; correct one of the two, or take out "
            "@seriesLength where lengths vary",
            "x.ts: line 11: expected a class after the last colon, found none; add it",
        ],
        [],
    ),
    "more than can be listed": (
        "x.jsonl",
        lines({"x": [1, 2], "y": "a"}, {"x": [3, 4], "y": "b"}, *({"x": [], "y": "a"} for _ in range(14))),
        {},
        [
            *(
                f"x.jsonl: row {row}: expected at least 1 step, found none; mend the sequence or leave it out"
                for row in range(2, 12)
            ),
            "empty: 4 more of this kind",
        ],
        [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_everything_that_is_wrong_is_told_in_one_pass(name: str, tmp_path: Path) -> None:
    file, write, options, grave, light = CASES[name]
    write(tmp_path / file)
    found = collect(open_files(str(tmp_path / file), None, ReadOptions(**options))).findings
    listed = [finding.text for finding in found]
    if name == "missing label":  # One kind, grave or not with the part.
        assert listed == light
        assert found.grave == light[1:]
        return
    assert sorted(found.grave) == sorted(grave)
    assert sorted(found.light) == sorted(light)
    assert listed == [*found.grave, *found.light]
