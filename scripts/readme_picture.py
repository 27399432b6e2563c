"""Draw the README's picture from a demo's recall run.

python scripts/readme_picture.py DEMO_FOLDER docs/images/demo-recall.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot

from longreach.data.pixels import scan_order
from longreach.report.rebuild import as_pictures, first_of_each_class, load_objective, rebuild
from longreach.training.run_folder import RunFolder


def main(demo: Path, out: Path) -> None:
    """Two rows of ten digits: as they were read, and as the final state gives them back."""
    objective, data = load_objective(RunFolder(demo / "runs" / "recall"))
    shown = rebuild(objective, data.test, first_of_each_class(data.test))
    side = round(data.test.steps**0.5)
    order = scan_order(side, side, "rows")
    rows = (("read", shown.read), ("remembered", shown.rebuilt))
    figure, axes = pyplot.subplots(2, len(shown.labels), figsize=(len(shown.labels), 2.1), facecolor="white")
    for line, (name, sequences) in zip(axes, rows, strict=True):
        for axis, picture in zip(line, as_pictures(sequences, order, side, side), strict=True):
            axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(name)
    figure.tight_layout(pad=0.3)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
