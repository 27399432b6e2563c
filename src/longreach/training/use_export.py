"""A trained run's classifier for other runtimes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from longreach.errors import ConfigError, RunError
from longreach.model.classifier import SequenceClassifier
from longreach.model.export import Exported, export_onnx, export_step
from longreach.training.run_folder import RunFolder
from longreach.training.use import load_classifier

_FORMS = {"onnx": ("onnx",), "torch": ("torch",), "both": ("onnx", "torch")}


def export_run(run: Path, out: Path | None, form: str) -> Iterator[Exported]:
    """Write model.onnx, step.pt2 or both.

    Args:
        run: the run folder.
        out: folder to write into; None for export/ in the run folder.
        form: "onnx", "torch" or "both".

    Yields:
        Each file when it is written.

    Raises:
        RunError: no finished run there, or a folder that cannot be written.
        ConfigError: an unknown form, a network that cannot be exported, or a package that is missing.
    """
    if form not in _FORMS:
        raise ConfigError(f"--form: expected one of {', '.join(_FORMS)}, found {form!r}")
    folder = RunFolder(run)
    classifier = load_classifier(folder)
    if not isinstance(classifier, SequenceClassifier):
        raise ConfigError(
            f"{run}: its network, {type(classifier.network).__name__}, carries no state from chunk to chunk; expected "
            "a run of a recurrent one"
        )
    target = out if out is not None else folder.path / "export"
    try:
        target.mkdir(parents=True, exist_ok=True)
        for one in _FORMS[form]:
            yield (
                export_onnx(classifier, target / "model.onnx")
                if one == "onnx"
                else export_step(classifier, target / "step.pt2")
            )
    except OSError as error:
        raise RunError(f"{target}: cannot write there ({error.strerror}); give another folder with --out") from None
