"""Tables 4 and 5: text, character by character."""

from __future__ import annotations

from longreach.config import BaselineConfig, CharCNNConfig, CNNRNNConfig, VDCNNConfig
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


def whole_sequence(task: Task, kind: str, truncated: bool) -> Recipe:
    """LM-LSTM or SA-LSTM.

    Choice: without restriction they are as large as in Table 4; their sources' own, of up to 1,024 units, are cited.
    """
    make, goal = {"lm": (method.lm, "language model"), "sa": (method.sa, "sequence autoencoder")}[kind]
    reach = task.truncation if truncated else None
    how = f"truncated to {reach} steps" if truncated else "full backpropagation"
    return named(
        f"{task.name}-{kind}-{'truncated' if truncated else 'full'}",
        f"{kind.upper()}-LSTM, pretrained as {goal} over the whole input, {how}",
        lambda: make(task, reach),
    )


def _whole_sequence_row(kind: str, setting: str) -> Row:
    recipes = (whole_sequence(task, kind, truncated=bool(setting)) for task in (DBPEDIA, WORDNET14))
    return Row("DBpedia", f"{kind.upper()}-LSTM", setting, *recipes)


CHAR_CNN = CharCNNConfig(blank=0, features=1024, dense_size=2048, deviation=0.02)
"""Zhang et al. 2015, the large network: characters outside the alphabet are fed as zeros.

Choice: the 1.66 % that the paper prints tells upper from lower case. Here case is folded, as all methods read the same
texts.
"""

SMALL_CHAR_CNN = CharCNNConfig(blank=0, length=300, features=64, dense_size=128)
SMALL_CNN_RNN = CNNRNNConfig(features=64, hidden_size=64)
SMALL_VDCNN = VDCNNConfig(length=128, depth=9, dense_size=256)
"""Nine convolutions in the place of 29, whose training would take hours of one core."""


def convolutional(task: Task, suffix: str, about: str, model: BaselineConfig, **phase: object) -> Recipe:
    """A convolutional network on a task.

    Choice: the paper prints its sources' own figures. Here Adam for all, with epochs and halvings of our own, which are
    near the sources' where those tell them.
    """
    return named(f"{task.name}-{suffix}", about, lambda: method.network(task, model, 0, **phase))


TABLE4 = PaperTable(
    "table4",
    "Text by characters, truncated",
    "test error %",
    (
        _whole_sequence_row("lm", "truncate 100"),
        _whole_sequence_row("sa", "truncate 100"),
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
            "char-CNN",
            "",
            convolutional(
                DBPEDIA,
                "char-cnn",
                "char-CNN of Zhang et al. 2015, large; case folded, where the printed figure tells it apart",
                CHAR_CNN,
                epochs=30.0,
                halve_every=3.0,
            ),
            convolutional(WORDNET14, "char-cnn", "char-CNN of Zhang et al. 2015, narrower", SMALL_CHAR_CNN),
        ),
        Row(
            "DBpedia",
            "CNN+RNN",
            "",
            convolutional(
                DBPEDIA,
                "cnn-rnn",
                "Xiao and Cho 2016; case folded and the blank as any unknown sign; the source tells 96 apart",
                CNNRNNConfig(),
                epochs=20.0,
                halve_every=5.0,
            ),
            convolutional(WORDNET14, "cnn-rnn", "Xiao and Cho 2016, narrower", SMALL_CNN_RNN),
        ),
        Row(
            "DBpedia",
            "29-layer CNN",
            "",
            convolutional(
                DBPEDIA,
                "vdcnn29",
                "Conneau et al. 2016; the blank as any unknown sign, which the source tells apart",
                VDCNNConfig(),
                epochs=15.0,
                halve_every=3.0,
            ),
            convolutional(
                WORDNET14, "vdcnn9", "Conneau et al. 2016, 9 layers", SMALL_VDCNN, updates=2_000, halve_every=600.0
            ),
        ),
        _whole_sequence_row("lm", ""),
        _whole_sequence_row("sa", ""),
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
