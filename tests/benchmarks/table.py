"""What was measured, as a table for people and as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from .processes import Side
from .subject import Row


class Samples:
    """One value for each row, side and round."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, Side], list[float]] = defaultdict(list)

    def add(self, side: Side, measured: Mapping[str, float]) -> None:
        """Take over the values of one round."""
        for row, value in measured.items():
            self._values[row, side].append(value)

    def of(self, row: Row, side: Side) -> list[float]:
        """The values of a row, in the order of the rounds."""
        return self._values.get((row.name, side), [])

    def ratio(self, row: Row) -> float | None:
        """Median over the rounds of ours to theirs; None without theirs."""
        ours, theirs = self.of(row, Side.OURS), self.of(row, Side.THEIRS)
        return median(a / b for a, b in zip(ours, theirs, strict=True)) if theirs else None

    def meets_bar(self, row: Row) -> bool | None:
        """Whether the row is as good as asked for; None where nothing is, or cannot be told."""
        if row.bar is None:
            return None
        if not row.reference:
            ratio = self.ratio(row)
            return None if ratio is None else ratio >= row.bar
        value = median(self.of(row, Side.OURS))
        return value <= row.bar if row.less_is_better else value >= row.bar


def as_json(
    rows: Sequence[Row], samples: Samples, rounds: int, machine: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything, with each sample."""
    return {
        "machine": dict(machine),
        "rounds": rounds,
        "rows": [
            {
                "name": row.name,
                "what": row.what,
                "unit": row.unit,
                "ours": _summary(samples.of(row, Side.OURS)),
                "theirs": _summary(samples.of(row, Side.THEIRS)),
                "reference": row.reference or None,
                "ratio": samples.ratio(row),
                "bar": row.bar,
                "bar_is_ratio": row.bar is not None and not row.reference,
                "less_is_better": row.less_is_better,
                "met": samples.meets_bar(row),
            }
            for row in rows
        ],
    }


def _summary(values: Sequence[float]) -> dict[str, Any] | None:
    if not values:
        return None
    return {
        "median": median(values),
        "low": min(values),
        "high": max(values),
        "samples": list(values),
    }


def as_text(rows: Sequence[Row], samples: Samples, rounds: int, machine: Mapping[str, Any]) -> str:
    """The table, and a line about the circumstances."""
    lines = [("what", "", "ours", "JavaScript", "ratio", "bar", "")]
    for row in rows:
        theirs = _spread(samples.of(row, Side.THEIRS))
        ratio = samples.ratio(row)
        met = {True: "met", False: "MISSED", None: ""}[samples.meets_bar(row)]
        lines.append(
            (
                row.what,
                row.unit,
                _spread(samples.of(row, Side.OURS)),
                theirs or (f"original: {row.reference}" if row.reference else ""),
                "" if ratio is None else f"{ratio:.2f} x",
                _bar(row),
                met,
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    load = f"load {machine['load_before']:.1f} before, {machine['load_after']:.1f} after"
    text.append(
        f"{rounds} rounds; median (lowest to highest); {machine['processors']} processors, {load}"
    )
    return "\n".join(text)


def _bar(row: Row) -> str:
    if row.bar is None:
        return ""
    if not row.reference:
        return f"{row.bar:g} x"
    return f"{'under' if row.less_is_better else 'over'} {_number(row.bar)}"


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    return f"{_number(median(values))} ({_number(min(values))} to {_number(max(values))})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"
