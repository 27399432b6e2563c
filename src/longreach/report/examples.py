"""Sequences beside what the state gives back of them: as pictures, as curves or as text, whatever they are.

Shapes: B batch, T steps, R rebuilt steps, C channels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from longreach.config import DataConfig
from longreach.data.pixels import reading_order
from longreach.data.sequences import Sequences
from longreach.model.classifier import SequenceClassifier
from longreach.report.figures import Line, lines
from longreach.report.html import picture_uri
from longreach.report.readback import Answer, final_states
from longreach.report.rebuild import as_pictures, in_unit

SHOWN_STEPS = 300
"""Last steps shown of what is no picture."""


@torch.no_grad()
def rebuilt_examples(
    classifier: SequenceClassifier,
    answer: Answer,
    test: Sequences,
    rows: list[int],
    longest: int,
    config: DataConfig,
) -> list[dict[str, Any]]:
    """Each sequence with its class, the class told, and itself twice: as it was read, and from memory.

    Args:
        classifier: reads.
        answer: the readout.
        test: labelled.
        rows: which sequences.
        longest: the longest lag that the readout answers.
        config: how the sequences came about.

    Returns:
        For each: index, label, predicted, right; kind, which is "picture" (then read and rebuilt are data URIs),
        "curve" (then drawing holds both) or "text" (then read and rebuilt are texts).
    """
    assert test.labels is not None
    picture = picture_order(test, config, longest)
    told = []
    for row in rows:
        batch = test.batch([row])
        state = classifier.read(batch.values)
        predicted = int(classifier.head(state[0][-1]).argmax())
        reach = min(longest, batch.steps if picture is not None else SHOWN_STEPS, batch.steps)
        lags = torch.arange(reach, 0, -1)[None]
        answers = answer(final_states(classifier, batch), lags)[0]
        read = batch.values[0, -reach:]
        label = int(test.labels[row])
        told.append(
            {
                "index": row,
                "label": test.class_names[label],
                "predicted": test.class_names[predicted],
                "right": label == predicted,
                **_shown(test, read.numpy(), answers.numpy(), picture, row),
            }
        )
    return told


def picture_order(test: Sequences, config: DataConfig, longest: int) -> np.ndarray | None:
    """The pixel that each step reads, of square pictures that the readout reaches whole; None for all else."""
    steps = test.fixed_steps
    if steps is None or test.is_token or config.source == "documents" or longest < steps or test.channels not in (1, 3):
        return None
    side = math.isqrt(steps - config.noise)
    if side * side != steps - config.noise:
        return None
    return reading_order(side, side, config.scan, config.permutation_seed)


def _shown(
    test: Sequences, read: np.ndarray, answers: np.ndarray, picture: np.ndarray | None, row: int
) -> dict[str, Any]:
    if test.vocabulary is not None:
        texts = [test.vocabulary.decode(tokens) for tokens in (read, answers.argmax(-1))]
        return {"kind": "text", "read": texts[0], "rebuilt": texts[1]}
    read, answers = (in_unit(part, test) for part in (read, answers))
    if picture is not None:
        uris = [picture_uri(_picture(part[: len(picture)], picture)) for part in (read, answers)]
        return {"kind": "picture", "read": uris[0], "rebuilt": uris[1]}
    places = list(range(-len(read) + 1, 1))
    # One channel alone: several on one another cannot be told apart.
    pair = (
        Line(places, read[:, 0].tolist(), 0, "read"),
        Line(places, answers[:, 0].tolist(), 1, "from memory"),
    )
    values = np.concatenate([read[:, 0], answers[:, 0]])
    margin = 0.05 * (float(np.ptp(values)) or 1.0)
    limits = (float(values.min()) - margin, float(values.max()) + margin)
    drawing = lines(
        pair, title="first channel", xlabel="steps from the end", limits=limits, width=7, height=2, salt=f"example{row}"
    )
    return {"kind": "curve", "drawing": drawing}


def _picture(part: np.ndarray, order: np.ndarray) -> np.ndarray:
    side = math.isqrt(len(order))
    planes = [as_pictures(part[None, :, [channel]], order, side, side)[0] for channel in range(part.shape[1])]
    return planes[0] if len(planes) == 1 else np.stack(planes, axis=-1)
