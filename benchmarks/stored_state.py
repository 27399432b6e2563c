"""What training from stored states saves, and how stale the states are that it begins from.

    python -m benchmarks.stored_state update [--steps 4096 16384] [--grid 28 256]
    python -m benchmarks.stored_state staleness [--visits 8] [--refresh 0 4]

Both write benchmarks/results/stored-state-*.json. For `update` nothing else should compute meanwhile.

Shapes: B batch, T steps, H hidden, G stored steps of a sequence.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from longreach.auxiliary.recall import Recall
from longreach.batch import SequenceBatch
from longreach.data.loader import SequenceLoader
from longreach.demo.cost import CostSettings
from longreach.demo.update_worker import make_batch
from longreach.files import write_json
from longreach.model.classifier import SequenceClassifier
from longreach.recipes.ablation import mnist14_ablation
from longreach.training.build import build_objective, build_optimiser
from longreach.training.datasets import build_datasets
from longreach.training.objective import Objective
from longreach.training.record import environment
from longreach.unrolling import StoredStates, unroll

RESULTS = Path(__file__).parent / "results"
BURN_INS = (0, 14, 28, 56)
MEASURED_EVERY = 10


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stored_state", description=(__doc__ or "")[:80])
    what = parser.add_subparsers(dest="what", required=True)
    update = what.add_parser("update")
    update.add_argument("--steps", type=int, nargs="+", default=[4_096, 16_384], help="lengths T")
    update.add_argument("--grid", type=int, nargs="+", default=[28, 256], help="steps between stored states")
    update.add_argument("--updates", type=int, default=8, help="timed for each figure, a multiple of 4")
    staleness = what.add_parser("staleness")
    staleness.add_argument("--visits", type=int, default=8, help="of every sequence after its first")
    staleness.add_argument("--refresh", type=int, nargs="+", default=[0, 4], help="visits between refreshes; 0: none")
    staleness.add_argument("--samples", type=int, default=None, help="training sequences; all of them by default")
    arguments = parser.parse_args()
    if arguments.what == "update":
        found = (time_updates(steps, arguments.grid, arguments.updates) for steps in arguments.steps)
    else:
        found = (measure_staleness(refresh, arguments.visits, arguments.samples) for refresh in arguments.refresh)
    RESULTS.mkdir(parents=True, exist_ok=True)
    points = []
    for point in found:
        points.append(point)
        write_json(RESULTS / f"stored-state-{arguments.what}.json", {"environment": environment(), "points": points})


def time_updates(steps: int, grids: list[int], updates: int) -> dict[str, Any]:
    """Seconds of one update of the benchmark's recall: all of it anew, from stored states, and with refreshes.

    They are the processor's seconds, of all threads together: with one thread the time on the clock of an idle machine.
    """
    settings = CostSettings(steps=steps)
    batch = make_batch(settings.batch, steps)
    batch = SequenceBatch(batch.values, batch.lengths, batch.labels, rows=torch.arange(settings.batch))
    point: dict[str, Any] = {"settings": asdict(settings), "threads": torch.get_num_threads()}
    point["fresh"] = _seconds(settings, batch, None, updates)
    for grid in grids:
        for name, refresh in (("stored", None), ("refreshed_every_4th", 4)):
            stored = StoredStates(sequences=settings.batch, steps=steps, grid=grid, refresh_every=refresh)
            key = f"{name}_grid_{grid}"
            point[key] = _seconds(settings, batch, stored, updates)
            point[key]["bytes_per_sequence"] = stored.bytes // settings.batch
            print(f"{steps} steps, {key}: {point[key]['mean']:.2f} s", file=sys.stderr)
    return point


def _seconds(
    settings: CostSettings, batch: SequenceBatch, stored: StoredStates | None, updates: int
) -> dict[str, float]:
    hidden = settings.hidden
    torch.manual_seed(0)
    recall = Recall(
        channels=1,
        state_size=2 * hidden,
        horizon=settings.steps,
        anchors=settings.anchors,
        queries=settings.queries,
        truncation=settings.window,
    )
    classifier = SequenceClassifier(classes=10, channels=1, hidden_size=hidden, embedding_size=hidden)
    objective = Objective(classifier, [recall], truncation=settings.truncation)
    optimiser = torch.optim.Adam(objective.parameters(), fused=True)
    seconds = []
    for number in range(updates + 1):
        began = time.process_time()
        loss = objective(batch, number, stored=stored)["loss"]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
        optimiser.step()
        seconds.append(time.process_time() - began)
    # The first one warms up, and is the visit at which everything is read.
    return {"first": seconds[0], "mean": statistics.mean(seconds[1:]), "median": statistics.median(seconds[1:])}


def measure_staleness(refresh: int, visits: int, samples: int | None) -> dict[str, Any]:
    """Train recall on MNIST-14 from stored states; compare those that an update finds with fresh ones.

    Returns:
        By the number of visits since a sequence was read whole (and by visits in all): the relative error of the
        stored states, and of those after a burn-in from them, at all grid points, ‖found - fresh‖ / ‖fresh‖ over the
        sequences of a batch, its mean over batches.
    """
    config = next(run for run in mnist14_ablation() if run.name == "recall-stored")
    config = config.with_set({"data.train_samples": samples} if samples else {})
    assert config.stored is not None
    train = build_datasets(config.data).train
    objective = build_objective(config, train)
    optimiser = build_optimiser(config, objective.parameters())
    loader = SequenceLoader(train, config.batch_size, seed=config.seed, shuffle=True)
    stored = StoredStates(
        sequences=len(train),
        steps=train.steps,
        grid=config.stored.grid,
        burn_in=config.stored.burn_in,
        refresh_every=refresh or None,
    )
    errors: dict[tuple[int, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    update = 0
    for visit in range(visits + 1):
        for batch in loader:
            if visit and update % MEASURED_EVERY == 0:
                _compare(objective, batch, stored, visit, refresh, errors)
            loss = objective(batch, update, stored=stored)["loss"]
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(objective.parameters(), config.optimiser.clip or float("inf"))
            optimiser.step()
            update += 1
        print(f"refresh {refresh}: visit {visit} done", file=sys.stderr)
    rows = [
        {"visit": visit, "since_refresh": age, **{name: statistics.mean(values) for name, values in found.items()}}
        for (visit, age), found in sorted(errors.items())
    ]
    return {"refresh_every": refresh or None, "updates_per_visit": len(loader), "rows": rows, "config": config.name}


@torch.no_grad()
def _compare(
    objective: Objective,
    batch: SequenceBatch,
    stored: StoredStates,
    visit: int,
    refresh: int,
    errors: dict[tuple[int, int], dict[str, list[float]]],
) -> None:
    assert batch.rows is not None
    encoder, grid = objective.classifier.encoder, stored.grid
    points = list(range(grid, batch.steps, grid))
    stops = [point + b for point in points for b in BURN_INS if point + b <= batch.steps]
    fresh = dict(zip(stops, unroll(encoder, batch.values, stops, 0), strict=True))
    # Visits since the sequence was read whole: at its turn, or at its first visit where that is later.
    turn = (visit + batch.rows) % refresh if refresh else torch.full((batch.size,), visit)
    age = turn.clamp(max=visit)
    due = stored.due(batch.rows)
    for b in BURN_INS:
        found, right = [], []
        for point in points:
            if point + b > batch.steps:
                continue
            state = stored.read(batch.rows, torch.full((batch.size,), point))
            if b:
                (state,) = unroll(encoder, batch.values[:, point : point + b], [b], 0, state=state)
            found.append(torch.cat(state, dim=-1)[0])
            right.append(torch.cat(fresh[point + b], dim=-1)[0])
        gap = (torch.stack(found) - torch.stack(right)).square().sum((0, 2))
        norm = torch.stack(right).square().sum((0, 2))
        for value in age[~due].unique().tolist():
            some = (age == value) & ~due
            ratio = (gap[some].sum() / norm[some].sum()).sqrt()
            errors[visit, int(value)][f"burn_in_{b}"].append(float(ratio))


if __name__ == "__main__":
    main()
