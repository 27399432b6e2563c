"""Tables 4 and 5: text, character by character."""

from __future__ import annotations

from longreach.recipes import method
from longreach.recipes.naming import Recipe, named
from longreach.recipes.paper import PaperTable, Row
from longreach.recipes.task import DBPEDIA, WORDNET14, Task

_STAND_IN = "WordNet-14: entries of WordNet in 14 classes, 99 characters on average, truncated to 33"


def r_many(task: Task, segments: int, length: int) -> Recipe:
    """r-LSTM with many short segments, whose gradient reaches as far as everything else's.

    Choice: Table 6 sets the auxiliary truncation to l; Table 4 says no such thing and truncates to 100.
    """
    return named(
        f"{task.name}-r-{segments}x{length}-truncated",
        f"r-LSTM, {segments} segments of {length}, truncated to {task.truncation} steps",
        lambda: method.r(task, task.truncation, segments=segments, length=length),
    )


def p_truncated(task: Task) -> Recipe:
    """p-LSTM, truncated."""
    return named(
        f"{task.name}-p-truncated",
        f"p-LSTM, one segment of {task.length}, truncated to {task.truncation} steps",
        lambda: method.p(task, task.truncation),
    )


def r_large(task: Task, segments: int, length: int, layers: int, hidden_size: int) -> Recipe:
    """r-LSTM "without restriction of model size and gradient truncation" (section 4.4).

    Choice: the embedding and the decoder's stay as they are; the decoder is as wide as the encoder.
    """
    model = task.model.model_copy(update={"layers": layers, "hidden_size": hidden_size})
    return named(
        f"{task.name}-r-{segments}x{length}-large",
        f"r-LSTM, {segments} segments of {length}, {layers} layers of {hidden_size}, full backpropagation",
        lambda: method.r(task, None, segments=segments, length=length).model_copy(update={"model": model}),
    )


def lstm_full(task: Task) -> Recipe:
    """LSTM with full backpropagation through time."""
    return named(f"{task.name}-lstm-full", "LSTM, full backpropagation through time", lambda: method.lstm(task))


TABLE4 = PaperTable(
    "table4",
    "Text by characters, truncated",
    "test error %",
    (
        Row("DBpedia", "r-LSTM 20x15", "truncate 100", r_many(DBPEDIA, 20, 15), r_many(WORDNET14, 20, 5)),
        Row("DBpedia", "p-LSTM", "truncate 100", p_truncated(DBPEDIA), p_truncated(WORDNET14)),
    ),
    _STAND_IN,
)

TABLE5 = PaperTable(
    "table5",
    "Text by characters, without restriction",
    "test error %",
    (
        Row("DBpedia", "LSTM", "full BPTT", lstm_full(DBPEDIA), lstm_full(WORDNET14)),
        Row(
            "DBpedia",
            "r-LSTM 20x15",
            "2 layers of 512",
            r_large(DBPEDIA, 20, 15, 2, 512),
            r_large(WORDNET14, 20, 5, 2, 96),
        ),
    ),
    _STAND_IN,
)
