"""How long one-shot commands take, as whole processes: what a person at a prompt waits for."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.contract_sources import COUNTER

from .processes import Side
from .subject import Row, Subject

_SCRIPT = Path(sys.executable).with_name("vitra")


def _measure(side: Side, directory: Path, quick: bool, profile: bool) -> Mapping[str, float]:
    times = 2 if quick else 15
    contract = directory / "counter.js"
    contract.write_text(COUNTER)
    data = str(directory / "data")
    _run(["init", str(contract), "--dir", data])
    _run(["call", "increment", "--wait", "--dir", data])
    values = {
        "version": _milliseconds(["--version"], times),
        "help": _milliseconds(["--help"], times),
        "get-alone": _milliseconds(["get", "/counter", "--dir", data], times),
    }
    _run(["serve", "--background", "--no-swarm", "--dir", data])
    try:
        values["get-node"] = _milliseconds(["get", "/counter", "--dir", data], times)
    finally:
        _run(["stop", "--dir", data])
    return values


def _milliseconds(arguments: Sequence[str], times: int) -> float:
    """The median over so many processes, after one that warms the caches of the disk."""
    _run(arguments)
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        _run(arguments)
        taken.append((time.perf_counter() - begin) * 1000)
    return statistics.median(taken)


def _run(arguments: Sequence[str]) -> None:
    environment = {name: v for name, v in os.environ.items() if not name.startswith("VITRA_")}
    subprocess.run([_SCRIPT, *arguments], env=environment, capture_output=True, check=True)


SUBJECT = Subject(
    "startup",
    (
        Row(
            "version",
            "vitra --version",
            "ms",
            150,
            less_is_better=True,
            reference="no such command",
        ),
        Row("help", "vitra --help", "ms", 250, less_is_better=True, reference="no such command"),
        Row(
            "get-node",
            "vitra get, through a node",
            "ms",
            200,
            less_is_better=True,
            reference="no such command",
        ),
        Row("get-alone", "vitra get, without a node", "ms", reference="no such command"),
    ),
    _measure,
    has_theirs=False,
)
