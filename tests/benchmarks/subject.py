"""What is measured: rows of the table, and subjects that measure several rows together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from .processes import Side

# (side, an empty directory, quick, profile) -> value by name of the row.
Measure: TypeAlias = Callable[[Side, Path, bool, bool], Mapping[str, float]]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
      name: for ``--only`` and JSON.
      what: what the line measures, for people.
      unit: of the values.
      bar: what is asked for: a ratio to JavaScript where that is measured too, else a value.
      less_is_better: whether the value has to stay below the bar.
      reference: what the original did, where there is nothing live to compare with.
    """

    name: str
    what: str
    unit: str
    bar: float | None = None
    less_is_better: bool = False
    reference: str = ""


@dataclass(frozen=True)
class Subject:
    """Rows that one run measures.

    Attributes:
      measure: runs the processes of one side and gives the values of all rows.
      has_theirs: whether there is a JavaScript side.
    """

    name: str
    rows: tuple[Row, ...]
    measure: Measure
    has_theirs: bool = True
