"""What `fit` and `partial_fit` of both estimators do: read, hold out, build, train.

Shapes: N sequences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from longreach.config import RunConfig
from longreach.data.prepared import PreparedSequences
from longreach.errors import DataError
from longreach.estimator.answers import Answers
from longreach.estimator.defaults import learning_rate_for, look_every
from longreach.estimator.feeding import loader_of, threads
from longreach.estimator.given import fitted_reader, read_all
from longreach.estimator.going_on import Fitted, follow
from longreach.estimator.holding_out import hold_out
from longreach.estimator.material import (
    Labelled,
    check_counted,
    given_validation,
    labelled_of,
)
from longreach.estimator.pretrained import Pretrained
from longreach.estimator.reading import Reader
from longreach.estimator.settings import checked, run_config
from longreach.randomness import derived_seed
from longreach.training.blend import InTurn
from longreach.training.build import build_objective, build_regression
from longreach.training.objective import Objective
from longreach.training.outputs import head_outputs

if TYPE_CHECKING:  # Lightning takes seconds to import; a fitted estimator that is loaded to predict needs none of it.
    from longreach.training.watch import Score


def fit(
    estimator: Any,
    data: Any,
    answers: Answers,
    encoded: np.ndarray,
    weights: np.ndarray | None,
    *,
    by_class: np.ndarray | None = None,
    unlabelled: Any = None,
    groups: Any = None,
    validation: Any = None,
) -> tuple[Fitted, list[dict[str, Any]], float]:
    """Train from the start, or with `warm_start` from where the last training ended.

    Args:
        estimator: for its parameters and the width of its tables.
        data: N sequences of any form.
        answers: of the labels or targets.
        encoded: (N,) or (N, K), as `answers` gave them.
        weights: (N,) of the samples, or None.
        by_class: (classes,) that these are multiplied by, those of `validation` too; None for all alike.
        unlabelled: sequences that train the memory alone, or None.
        groups: (N,) for the validation split, or None.
        validation: (X, y) or (X, y, sample_weight) to choose the weights by; None holds some of the data out.

    Returns:
        What was learned, the history of it, and the passes over the data.

    Raises:
        ConfigError: parameters that cannot be meant.
        DataError, ValueError: data that cannot be used.
    """
    settings = settings_of(estimator)
    seed = _seed(settings["random_state"])
    before: Fitted | None = getattr(estimator, "_fitted", None) if settings["warm_start"] else None
    given = read_all(estimator, settings, before, data, unlabelled)
    raw, others, known, names = given.raw, given.others, given.known, given.names
    labelled = labelled_of(raw, encoded, weights, by_class)
    check_counted(labelled, "X")
    held: Labelled | None = None
    if validation is not None:
        held = given_validation(estimator, validation, answers, raw.vocabulary, names, by_class)
        if held.encoded.shape[1:] != encoded.shape[1:]:
            wanted, found = (array.shape[1] for array in (encoded, held.encoded))
            raise DataError(f"validation: expected {wanted} targets a sequence as in y, found {found}; give as many")
        rows = np.arange(len(raw))
    else:
        rows, held_rows = hold_out(
            len(raw),
            fraction=settings["validation_fraction"],
            wanted=settings["early_stopping"],
            strata=answers.strata(encoded),
            groups=groups,
            weights=labelled.weights,
            seed=derived_seed(seed, "validation") % 2**32,
        )
        held = None if held_rows is None else labelled.subset(held_rows)
    train = labelled.subset(rows)
    answers = before.answers if before else answers.fitted(train.encoded, train.weights)
    reader = known or fitted_reader(settings, train.raw, others, names)
    if held is not None:
        reader.check(held.raw, "validation" if validation is not None else "X")
    prepared = train.prepared(reader, answers)
    batch_size = settings["batch_size"]
    size = len(prepared) + (0 if others is None else len(others))
    epoch = -(-size // batch_size)
    config = run_config(settings, prepared, seed=seed, epoch=epoch, unlabelled=others is not None)
    objective = before.objective if before else _objective(config, prepared, answers, given.start)
    objective.truncation = config.truncation
    if before:
        follow(objective, config)
    others_prepared = None if others is None else reader.prepared(others)
    batches = InTurn(
        [
            (loader_of(prepared, others_prepared, phase.supervised, batch_size, seed, epoch), phase.updates or 0)
            for phase in config.phases
        ]
    )
    every = look_every(epoch)
    from longreach.training.in_memory import train_in_memory

    with threads(settings["n_jobs"]):
        trained = train_in_memory(
            objective,
            config,
            batches,
            epoch=epoch,
            every=every,
            steps=round(batch_size * float(prepared.lengths.mean())),
            begun=before.updates if before else 0,
            score=None if held is None else _score(objective, held, reader, answers),
            patience=settings["patience"],
            device=settings["device"],
            verbose=bool(settings["verbose"]),
        )
    updates = (before.updates if before else 0) + trained.updates
    steps = before.steps if before else prepared.steps
    return Fitted(objective, reader, answers, None, updates, steps), trained.history, trained.updates / epoch


def partial_fit(
    estimator: Any,
    data: Any,
    answers: Answers,
    encoded: np.ndarray,
    weights: np.ndarray | None,
    *,
    by_class: np.ndarray | None = None,
    unlabelled: Any = None,
) -> tuple[Fitted, list[dict[str, Any]]]:
    """One pass over some data at a constant learning rate; the first call settles how data are read.

    Args:
        estimator, data, answers, encoded, weights, by_class, unlabelled: as for `fit`. Weights count as they are, so
            that they do from call to call; where all are zero the memory is trained alone, if there is one.
    """
    settings = settings_of(estimator)
    before: Fitted | None = getattr(estimator, "_fitted", None)
    given = read_all(estimator, settings, before, data, unlabelled)
    raw, others = given.raw, given.others
    labelled = labelled_of(raw, encoded, weights, by_class)
    seed = before.objective.seed if before else _seed(settings["random_state"])
    answers = before.answers if before else answers.fitted(encoded, labelled.weights)
    reader = given.known or fitted_reader(settings, raw, others, given.names)
    prepared = labelled.prepared(reader, answers, all_of_it=False)
    counted = bool(labelled.weights.any())
    if settings["clip"] is not None:
        # Cut at the same norm whatever they weigh, the gradients of two calls would be the same size.
        settings["clip"] *= max(1.0, float(labelled.weights.mean()))
    # Parts of the data have their own lengths; "auto" stays what the first of them made of it.
    steps = prepared.steps if before is None or before.steps is None else before.steps
    if settings["learning_rate"] == "auto":
        settings["learning_rate"] = learning_rate_for(steps)
    batch_size = settings["batch_size"]
    epoch = -(-(len(prepared) + (0 if others is None else len(others))) // batch_size)
    config = run_config(
        settings,
        prepared,
        seed=seed,
        epoch=epoch,
        unlabelled=others is not None,
        one_pass=True,
        supervised=counted,
    )
    objective = before.objective if before else _objective(config, prepared, answers, given.start)
    if before:
        follow(objective, config)
        if settings["truncation"] != "auto":
            objective.truncation = config.truncation
    done = before.updates if before else 0
    optimiser = before.optimiser if before else None
    if not (counted or config.auxiliary):
        # Nothing to learn from. An update with a gradient of zero would still move the weights, by its momentum.
        return Fitted(objective.eval(), reader, answers, optimiser, done, steps), []
    order = derived_seed(seed, "partial_fit", done) % 2**31
    others_prepared = None if others is None else reader.prepared(others)
    batches = InTurn([(loader_of(prepared, others_prepared, True, batch_size, order, epoch), epoch)])
    from longreach.training.in_memory import train_in_memory

    with threads(settings["n_jobs"]):
        trained = train_in_memory(
            objective,
            config,
            batches,
            epoch=epoch,
            every=epoch,
            begun=done,
            optimiser=optimiser,
            device=settings["device"],
            verbose=bool(settings["verbose"]),
        )
    return Fitted(objective, reader, answers, trained.optimiser, done + trained.updates, steps), trained.history


def _objective(
    config: RunConfig, train: PreparedSequences, answers: Answers, start: Pretrained | None
) -> Objective[Any]:
    if answers.standardisation is None:
        objective: Objective[Any] = build_objective(config, train)
    else:
        objective = build_regression(config, train, answers.standardisation)
    if start is not None:
        start.put_into(objective)
    return objective


def settings_of(estimator: Any) -> dict[str, Any]:
    """An estimator's parameters, checked.

    Raises:
        ConfigError: any that cannot be meant.
    """
    from longreach.training.device import check_device

    settings = checked(estimator.get_params(deep=False))
    check_device(settings["device"], "device")
    return settings


def _seed(random_state: Any) -> int:
    from sklearn.utils import check_random_state

    return int(check_random_state(random_state).randint(2**31 - 1))


def _score(objective: Objective, held: Labelled, reader: Reader, answers: Answers) -> Score:
    sequences = reader.prepared(held.raw)
    return lambda: answers.score(head_outputs(objective.classifier, sequences), held.encoded, held.weights)
