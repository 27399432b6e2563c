"""A search over settings: trials are runs with folders of their own, the study lies in a SQLite file beside them.

A trial is chosen by the validation part alone. Its folder is named by what it tries, so that one that was broken off
goes on from its last checkpoint, whatever became of the process.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longreach.config import RunConfig
from longreach.config.tune import RangeConfig, SearchConfig
from longreach.errors import ConfigError, Diverged, RunError
from longreach.files import write_json, write_text
from longreach.training.fit import fit
from longreach.training.run_folder import RunFolder

if TYPE_CHECKING:
    import optuna

STUDY = "study.db"
_SEARCH = "search.json"
_DIVERGED = "diverged"
"""Attribute of a trial whose losses became NaN or infinite: why it was given up."""
_MOST_DIVERGED = 10
"""Trials that are trained and given up in a row before the search is."""


def tune(
    base: RunConfig,
    search: SearchConfig,
    out: Path,
    *,
    trials: int,
    progress: bool = True,
    device: str = "auto",
) -> dict[str, Any]:
    """Try settings until as many trials are finished; those of an earlier call count, those that diverge do not.

    Args:
        base: what every trial shares.
        search: what differs, and the seed of the search.
        out: folder of study.db, of the runs under trials/, and of best.yaml.
        trials: finished ones wanted in all.
        progress: show that of each run on standard error.
        device: "auto", "cpu" or "cuda".

    Returns:
        The best trial: its number, validation accuracy, settings and run folder, and how many are finished.

    Raises:
        ConfigError: a key that the run does not have, or a run without a validation part.
        RunError: no Optuna, a folder of another search, a trial that cannot be run, or nothing but trials that diverge.
    """
    optuna = _optuna()
    if "validation" not in base.monitor or base.select != "best":
        raise ConfigError(
            "tune: expected a run that is selected by its validation part; set monitor to [validation] and select to "
            "best"
        )
    weighed = [key for key in search.space if key.split(".")[0] == "class_weight"]
    if weighed:
        raise ConfigError(
            f"tune: expected one class_weight for all trials, found {weighed[0]} in the search: validation accuracies "
            "that are weighed differently cannot be compared; set it in the run"
        )
    for key, range_ in search.space.items():
        base.with_set({key: range_[0] if isinstance(range_, tuple) else range_.low})
    _begin(base, search, out)
    storage = f"sqlite:///{out.resolve() / STUDY}"
    with _quiet(optuna):
        study = optuna.create_study(study_name="longreach", storage=storage, direction="maximize", load_if_exists=True)
        done, failed = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.FAIL
        # A trial that was running when its process died is asked for again; its run goes on in its own folder.
        for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            study.enqueue_trial(trial.params)
            study.tell(trial.number, state=failed)
        in_a_row, known = 0, False
        while (finished := len(study.get_trials(deepcopy=False, states=(done,)))) < trials:
            gone = [one for one in study.get_trials(deepcopy=False, states=(failed,)) if _DIVERGED in one.user_attrs]
            _check_hope(search, gone, in_a_row)
            # The sampler does not see what diverged, and might propose the same again and again.
            sampler = optuna.samplers.RandomSampler if known else optuna.samplers.TPESampler
            study.sampler = sampler(seed=search.seed + finished + len(gone))
            trial = study.ask()
            values = {key: _suggested(trial, key, range_) for key, range_ in search.space.items()}
            folder = out / "trials" / _name(values)
            reasons = {_name(one.params): one.user_attrs[_DIVERGED] for one in gone}
            if known := folder.name in reasons:
                trial.set_user_attr(_DIVERGED, reasons[folder.name])
                study.tell(trial, state=failed)
                continue
            config = base.with_set(values).model_copy(update={"name": f"{base.name}-{folder.name}"})
            if progress:
                print(f"trial {finished + 1} of {trials}: {_told(values)}", file=sys.stderr)
            resume = RunFolder(folder).config.is_file()
            try:
                record = fit(config, folder, resume=resume, progress=progress, device=device)
            except Diverged as error:
                print(f"trial given up: {error}", file=sys.stderr)
                trial.set_user_attr(_DIVERGED, str(error))
                study.tell(trial, state=failed)
                in_a_row += 1
                continue
            in_a_row = 0
            trial.set_user_attr("folder", str(folder.relative_to(out)))
            study.tell(trial, record["best_validation_accuracy"])
        best = study.best_trial
    folder = out / best.user_attrs["folder"]
    write_text(out / "best.yaml", RunFolder(folder).load_config().to_yaml())
    return {
        "trial": best.number,
        "validation_accuracy": best.value,
        "settings": best.params,
        "run": str(folder),
        "finished": finished,
    }


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise RunError("tune: needs Optuna, which is not installed; pip install 'longreach[tune]'") from None
    return optuna


def _begin(base: RunConfig, search: SearchConfig, out: Path) -> None:
    """Make the folder, or see that it is of this search."""
    wanted = {"base": base.model_dump(mode="json"), "search": search.model_dump(mode="json")}
    path = out / _SEARCH
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != wanted:
            raise RunError(f"{out}: holds another search; go on with its own configuration, or give another --out")
        return
    if out.is_dir() and any(out.iterdir()):
        raise RunError(f"{out}: holds other files and no search; give a new or an empty folder with --out")
    try:
        (out / "trials").mkdir(parents=True)
        write_json(path, wanted)
    except OSError as error:
        raise RunError(f"{out}: cannot write there ({error.strerror}); give another folder with --out") from None


def _check_hope(search: SearchConfig, gone: list[optuna.trial.FrozenTrial], in_a_row: int) -> None:
    """Refuse to go on where all there is diverges, or so many in a row do that chance does not explain it.

    Args:
        search: what is tried.
        gone: the trials that diverged, of this call and of earlier ones.
        in_a_row: those of this call since the last one that did not.
    """
    settings = math.prod(map(_values, search.space.values()))
    if len({_name(one.params) for one in gone}) >= settings:
        what, more = f"all {settings} settings that there are to try", ""
    elif in_a_row >= _MOST_DIVERGED:
        what, more = f"{in_a_row} trials in a row", "; the same command tries others"
    else:
        return
    raise RunError(
        f"tune: losses or gradients of {what} became NaN or infinite. Search among lower learning rates, or set "
        f"optimiser.clip, or on_nan to skip, in the run, with another --out{more}. The last one was "
        f"{gone[-1].user_attrs[_DIVERGED]}"
    )


def _values(range_: RangeConfig | tuple[Any, ...]) -> float:
    """How many values a key may have."""
    if isinstance(range_, tuple):
        return len({json.dumps(value) for value in range_})
    if isinstance(range_.low, int) and isinstance(range_.high, int):
        return range_.high - range_.low + 1
    return math.inf


def _suggested(trial: optuna.Trial, key: str, range_: RangeConfig | tuple[Any, ...]) -> Any:
    if isinstance(range_, tuple):
        return trial.suggest_categorical(key, list(range_))
    if isinstance(range_.low, int) and isinstance(range_.high, int):
        return trial.suggest_int(key, range_.low, range_.high, log=range_.log)
    return trial.suggest_float(key, range_.low, range_.high, log=range_.log)


def _name(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def _told(values: dict[str, Any]) -> str:
    shown = {key: f"{value:.3g}" if isinstance(value, float) else value for key, value in values.items()}
    return ", ".join(f"{key} {value}" for key, value in shown.items())


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
