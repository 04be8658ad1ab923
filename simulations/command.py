"""What ``vitra sim`` calls; it finds this module by its entry point, for nothing imports it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .figures import write_figures
from .scenario import Report, Scenario, play
from .scenarios import SCENARIOS


def scenarios() -> list[Scenario]:
    """All of them, by name."""
    return [SCENARIOS[name] for name in sorted(SCENARIOS)]


def run(
    scenario: Scenario,
    seed: int,
    nodes: int | None,
    directory: Path | None,
    trace: Path | None,
) -> tuple[Report, list[Path]]:
    """Play a scenario; gives what it came to, and the files it wrote.

    Args:
      directory: for the figures; None for none.
      trace: where every event becomes a line; None for nowhere.

    Raises:
      OSError: a file cannot be written.
    """
    with ExitStack() as stack:
        lines = None if trace is None else stack.enter_context(trace.open("w"))
        report = play(scenario, seed, nodes, lines)
    files = [] if directory is None else write_figures(report, scenario.plot, directory)
    return report, files


def as_json(report: Report, files: list[Path]) -> dict[str, Any]:
    """A report for scripts."""
    return {
        "scenario": report.scenario,
        "seed": report.seed,
        "nodes": report.nodes,
        "passed": report.passed,
        "digest": report.digest,
        "failures": report.failures,
        "datagrams": report.datagrams,
        "bytes": report.datagram_bytes,
        "virtual_seconds": round(report.virtual_seconds, 3),
        "seconds": round(report.seconds, 1),
        "summary": report.summary,
        "figures": [dict(zip(report.columns, row, strict=True)) for row in report.rows],
        "files": [str(path) for path in files],
        "replay": report.replay,
    }
