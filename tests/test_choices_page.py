"""docs/choices.md: its tables come from the committed records, and the files that it names are there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import choices_page
import pytest
from page_tables import filled

from longreach.data.zhang_text import zhang_vocabulary
from longreach.model.head import FeedForward

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "choices.md").read_text(encoding="utf-8")


def test_tables_are_those_of_the_committed_records() -> None:
    assert filled(PAGE, choices_page.TABLES, ROOT) == PAGE
    for name in choices_page.TABLES:
        assert re.search(rf"<!-- table: {name} -->\n\S", PAGE), f"the table {name} is empty"


@pytest.mark.parametrize("way", [name for name in choices_page.WAYS if name != "token by token"])
def test_the_gap_of_parallel_passes_is_told_to_the_digit_of_its_record(way: str) -> None:
    record = json.loads((ROOT / "benchmarks" / "results" / "sampling.json").read_text(encoding="utf-8"))
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| {way} |")]
    cells = [cell.strip() for cell in line.split("|")[2:-1]]
    time = record["cost"][way]["median_s"] / record["cost"]["the truth alone"]["median_s"]
    assert float(cells[0]) == pytest.approx(time, abs=0.005)
    for truth, cell in zip(("0.75", "0.5", "0"), cells[1:], strict=True):
        loss, off = map(float, cell.split(", "))
        figures = record["gap"][f"truth {truth}, {way}"]
        assert (loss, off) == (
            pytest.approx(figures["loss"], abs=5e-4),
            pytest.approx(figures["inputs_off"], abs=5e-5),
        )


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:\w+/)+\w+\.(?:py|json))`", PAGE))), ids=lambda name: name)
def test_the_files_that_it_names_are_there(name: str) -> None:
    assert any((root / name).is_file() for root in (ROOT, ROOT / "src" / "longreach", ROOT / "docs"))


def test_the_head_of_the_decoder_for_characters_has_the_weights_that_are_told() -> None:
    told = re.search(
        r"with a decoder of (\d+), (\d+) tokens \(the alphabet's (\d+) different signs, and one for all others\) and "
        r"(\d+) units it has some ([\d,]+) weights, where a linear map would have ([\d,]+)",
        PAGE,
    )
    assert told is not None
    decoder, tokens, signs, units, weights, linear = (int(number.replace(",", "")) for number in told.groups())
    assert tokens == len(zhang_vocabulary()) == signs + 1
    head = FeedForward(decoder, tokens, units)
    assert sum(parameter.numel() for parameter in head.parameters()) == pytest.approx(weights, abs=500)
    assert (decoder + 1) * tokens == pytest.approx(linear, abs=500)
