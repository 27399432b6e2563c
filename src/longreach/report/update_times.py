"""Seconds per update against the length of the sequence, as `longreach benchmark` measured them side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longreach.errors import RunError
from longreach.recipes.naming import many

_MODELS = {
    "full": "LSTM",
    "r-1x600-sequential": "r-LSTM",
    "p-1x600-sequential": "p-LSTM",
    "r-20x30-sequential": "r-LSTM 20x30",
    "transformer": "Transformer",
    "recall": "recall 20x30",
}
"""The benchmark's methods, as Figure 3 calls them; recall is ours.

Choice: the decoders of r and p are fed their own guesses in one half of the tokens, the mean over the paper's scheduled
sampling. Always fed the truth an update takes less.
"""

PAPER_BATCH = 128
"""Sequences per update. Paper: Figure 3, bottom."""


@dataclass(frozen=True)
class UpdateTimes:
    """What one benchmark found.

    Args:
        batch: sequences per update.
        hidden: units.
        device: in words.
        seconds: by model, by steps; None where it was not measured.
        reasons: why not, by model, by steps, with the batch that was tried: "out of memory (batch 32)".
        timed: updates of each method at each length, the fewest; zero where the file does not tell.
    """

    batch: int
    hidden: int
    device: str
    seconds: dict[str, dict[int, float | None]]
    reasons: dict[str, dict[int, str]]
    timed: int = 0

    @property
    def told(self) -> str:
        """How it was measured, in words."""
        timed = f", the median of {many(self.timed, 'update')} or more" if self.timed else ""
        found = (
            f"one update after another of every method{timed}, decoders fed their own guesses in half of the tokens, "
            f"batch {self.batch}, hidden {self.hidden}, {self.device}"
        )
        return found if self.batch == PAPER_BATCH else f"{found}; {self.batch_words}"

    @property
    def batch_words(self) -> str:
        """What the paper's figure was measured with."""
        return f"the paper has batches of {PAPER_BATCH}"

    def shown(self, model: str, steps: int) -> str:
        """Seconds of an update, or why there are none; a dash for a length that was not asked for."""
        seconds = self.seconds[model].get(steps)
        return self.reasons.get(model, {}).get(steps, "–") if seconds is None else f"{seconds:.2f}"


def load_update_times(path: Path) -> UpdateTimes:
    """Read a benchmark.json.

    Raises:
        RunError: a file that cannot be read, or is none.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        settings, environment = found["settings"], found["environment"]
        seconds: dict[str, dict[int, float | None]] = {}
        reasons: dict[str, dict[int, str]] = {}
        timed: list[int] = []
        for point in found["points"]:
            model = _MODELS.get(point["method"])
            if model is not None:
                steps, taken = int(point["steps"]), point.get("seconds")
                seconds.setdefault(model, {})[steps] = None if taken is None else float(taken)
                if taken is not None:
                    timed.append(len(point.get("times", [])))
                if taken is None and "infeasible" in point:
                    batch = int(point.get("batch", settings["batch"]))
                    reasons.setdefault(model, {})[steps] = f"{point['infeasible']} (batch {batch})"
        machine = environment["processor"] if settings["device"] == "cpu" else environment["device"]
        device = f"{machine}, {settings['threads']} threads" if settings["device"] == "cpu" else str(machine)
        batch, hidden = int(settings["batch"]), int(settings["hidden"])
        return UpdateTimes(batch, hidden, device, seconds, reasons, min(timed, default=0))
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); longreach benchmark writes one") from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path}: expected the benchmark.json of longreach benchmark, found something else ({error!r})"
        ) from None
