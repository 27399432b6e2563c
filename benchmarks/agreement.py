"""How far states differ by how a sequence is read: in which chunks, and among how many others.

    python -m benchmarks.agreement [--networks 2] [--steps 500] [--out benchmarks/results/agreement.json]

Random networks read random sequences. In chunks, states after all steps are held against those of the same sequences
read at once; fewer sequences at a time, or one alone, against the same ones among 130. What is told is the largest
difference of any number of any network's state.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from longreach.files import write_json
from longreach.model.classifier import SequenceClassifier
from longreach.training.record import environment

CHUNKS = (1, 3, 17, 100)
MOST = 130
BATCHES = (130, 64, 17, 2)
KINDS: dict[str, dict[str, Any]] = {
    "LSTM, 1 channel, embedding folded": {"channels": 1, "embedding_size": 32},
    "LSTM, 3 channels": {"channels": 3},
    "LSTM, 64 channels": {"channels": 64},
    "LSTM, 128 channels": {"channels": 128},
    "LSTM, tokens": {"vocabulary": 30, "embedding_size": 32},
    "LSTM, 2 layers": {"channels": 3, "layers": 2},
    "GRU": {"channels": 3, "cell": "gru"},
    "minGRU": {"channels": 3, "cell": "mingru"},
    "S4D": {"channels": 3, "cell": "s4d"},
    "plain RNN": {"channels": 3, "cell": "rnn_tanh"},
}


def main() -> None:
    """Read, print a table and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__)
    parser.add_argument("--networks", type=int, default=2, help="random networks of each kind")
    parser.add_argument("--steps", type=int, default=500, help="of each sequence")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/agreement.json"))
    arguments = parser.parse_args()
    rows = []
    for kind, arguments_of in KINDS.items():
        for larger in (1.0, 3.0):
            for dtype in (torch.float32, torch.float64):
                found = [
                    differences(network(arguments_of, larger, dtype, seed), arguments.steps, seed)
                    for seed in range(arguments.networks)
                ]
                worst = {name: max(each[name] for each in found) for name in found[0]}
                rows.append({"kind": kind, "recurrent_weights": larger, "dtype": str(dtype)[6:], **worst})
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    settings = {"networks": arguments.networks, "steps": arguments.steps, "batches": BATCHES, "chunks": CHUNKS}
    write_json(arguments.out, {"environment": environment(), "settings": settings, "rows": rows})
    table = Table(box=None)
    for column in rows[0]:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(f"{value:.1e}" if isinstance(value, float) else value for value in row.values()))
    Console().print(table)


def network(arguments: dict[str, Any], larger: float, dtype: torch.dtype, seed: int) -> SequenceClassifier:
    """One of random weights, the recurrent ones `larger` times as large as they are drawn."""
    torch.manual_seed(seed)
    classifier = SequenceClassifier(classes=2, hidden_size=64, **arguments).to(dtype).eval()
    with torch.no_grad():
        for name, weights in classifier.encoder.named_parameters():
            if "weight_hh" in name:
                weights.mul_(larger)
    return classifier


def differences(classifier: SequenceClassifier, steps: int, seed: int) -> dict[str, float]:
    """The largest difference from the sequences read at once, by what is done otherwise."""
    values = _sequences(classifier, steps, seed)
    right = _states(classifier, values, steps)
    result = {}
    for name, batches in (("chunks", BATCHES), ("chunks_alone", [1])):
        result[name] = max(_apart(classifier, values[:batch], chunk) for batch in batches for chunk in CHUNKS)
    result["fewer"] = max(_farthest(_states(classifier, values[:b], steps), right, b) for b in BATCHES)
    result["alone"] = _farthest(_states(classifier, values[:1], steps), right, 1)
    return result


def _apart(classifier: SequenceClassifier, values: Tensor, chunk: int) -> float:
    """In chunks against the same sequences at once."""
    whole = _states(classifier, values, values.shape[1])
    return _farthest(_states(classifier, values, chunk), whole, len(values))


def _sequences(classifier: SequenceClassifier, steps: int, seed: int) -> Tensor:
    drawn = torch.Generator().manual_seed(seed)
    if (vocabulary := classifier.encoder.vocabulary) is not None:
        return torch.randint(vocabulary, (MOST, steps), generator=drawn)
    channels = classifier.encoder.channels
    assert channels is not None
    dtype = next(classifier.parameters()).dtype
    return torch.randn(MOST, steps, channels, generator=drawn, dtype=torch.float64).to(dtype)


@torch.inference_mode()
def _states(classifier: SequenceClassifier, values: Tensor, chunk: int) -> list[Tensor]:
    state = None
    for piece in values.split(chunk, dim=1):
        state = classifier.read(piece, state=state)
    assert state is not None
    return list(state)


def _farthest(found: list[Tensor], right: list[Tensor], rows: int) -> float:
    return max(float((mine - other[:, :rows]).abs().max()) for mine, other in zip(found, right, strict=True))


if __name__ == "__main__":
    main()
