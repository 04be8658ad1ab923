"""The figures of a run as files: a table (CSV) and a picture (SVG)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from math import log2
from pathlib import Path

from .scenario import Plot, Report


def write_figures(report: Report, plot: Plot | None, directory: Path) -> list[Path]:
    """Write what there is; gives the files. Without ``pygal`` there is no picture.

    Raises:
      OSError: the directory cannot be written.
    """
    if not report.rows:
        return []
    directory.mkdir(parents=True, exist_ok=True)
    stem = directory / f"{report.scenario}-{report.seed}-{report.nodes}"
    table = stem.with_suffix(".csv")
    with table.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(report.columns)
        writer.writerows(report.rows)
    picture = stem.with_suffix(".svg")
    if plot is not None and _draw(report, plot, picture):
        return [table, picture]
    return [table]


def _draw(report: Report, plot: Plot, path: Path) -> bool:
    try:
        import pygal
    except ImportError:
        return False

    def across(row: Sequence[object]) -> float:
        x = float(str(row[at]))
        return log2(x) if plot.logarithmic else x

    at = report.columns.index(plot.x)
    chart = pygal.XY(
        # No scripts: a picture shows itself without asking other hosts.
        js=[],
        title=f"{plot.title} (seed {report.seed})",
        x_title=plot.x,
        x_value_formatter=lambda x: f"{2**x if plot.logarithmic else x:.4g}",
        include_x_axis=True,
    )
    chart.x_labels = [across(row) for row in report.rows]
    for name in plot.y:
        column = report.columns.index(name)
        chart.add(name, [(across(row), float(str(row[column]))) for row in report.rows])
    chart.render_to_file(str(path))
    return True
