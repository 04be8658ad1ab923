"""What a scenario is, and how it is run."""

from __future__ import annotations

import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TextIO

import trio

from .chance import chance
from .clock import START_SECONDS, run
from .journal import Journal
from .simulation import Simulation


@dataclass(frozen=True, slots=True)
class Plot:
    """Which figures make a picture.

    Attributes:
      title: above it.
      x: the column along the bottom, on a scale of powers when ``logarithmic``.
      y: the columns of its lines.
    """

    title: str
    x: str
    y: Sequence[str]
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story that is played with a seed.

    Attributes:
      name: on the command line.
      summary: one sentence.
      play: the story; raises nothing for what the nodes do wrong, but says it by ``check``.
      nodes: how many by default.
      least: how many at least.
      plot: of its figures.
      virtual_seconds: by then it has ended, or hangs.
    """

    name: str
    summary: str
    play: Callable[[Simulation], Awaitable[None]]
    nodes: int
    least: int = 2
    plot: Plot | None = None
    virtual_seconds: float = 24 * 3600.0


@dataclass(slots=True)
class Report:
    """What a run came to.

    Attributes:
      scenario, seed, nodes: what was run.
      digest: of all that happened; the same for the same three.
      failures: what did not hold; empty when it passed.
      datagrams, datagram_bytes: that were sent.
      virtual_seconds: that passed in the run.
      seconds: that it took.
      summary: results by name.
      columns, rows: its figures.
      trouble: the traceback of an exception that ended it; empty when there was none.
    """

    scenario: str
    seed: int
    nodes: int
    digest: str = ""
    failures: list[str] = field(default_factory=list)
    datagrams: int = 0
    datagram_bytes: int = 0
    virtual_seconds: float = 0.0
    seconds: float = 0.0
    summary: dict[str, object] = field(default_factory=dict)
    columns: Sequence[str] = ()
    rows: list[Sequence[object]] = field(default_factory=list)
    trouble: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything held."""
        return not self.failures

    @property
    def replay(self) -> str:
        """The command that does it again."""
        return f"vitra sim run {self.scenario} --seed {self.seed} --nodes {self.nodes}"


def play(
    scenario: Scenario, seed: int, nodes: int | None = None, trace: TextIO | None = None
) -> Report:
    """Run a scenario; whatever happens in it is in the report."""
    report = Report(scenario.name, seed, scenario.nodes if nodes is None else nodes)
    journal = Journal(trace)
    began = time.perf_counter()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            simulation = Simulation(seed, report.nodes, journal, nursery)
            report.failures, report.rows = simulation.failures, simulation.rows
            report.summary = simulation.summary
            with trio.move_on_after(scenario.virtual_seconds) as patience:
                await scenario.play(simulation)
            report.columns = simulation.columns
            if patience.cancelled_caught:
                simulation.check(False, f"it ends within {scenario.virtual_seconds:.0f} s")
            nursery.cancel_scope.cancel()
        report.virtual_seconds = trio.current_time() - START_SECONDS

    try:
        run(main, chance(seed, "scheduler"))
    except Exception as error:
        # Whatever a node or the story itself lets out: the seed that shows it is worth more.
        report.failures = [*report.failures, f"it is ended by {type(error).__name__}"]
        report.trouble = traceback.format_exc()
    report.digest = journal.digest
    report.datagrams, report.datagram_bytes = journal.datagrams, journal.datagram_bytes
    report.seconds = time.perf_counter() - began
    return report
