"""``vitra sim``: the node's own code over simulated networks, disks and clocks."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click

from ...errors import NotFound, UsageProblem, cannot_write
from ..exit_codes import DONE
from ..output import Output, counted
from ..settings import Settings, takes_settings

_GROUP = "vitra.simulations"
FAILED = 1


@click.group()
@takes_settings
def sim(settings: Settings) -> None:
    """Run the node in simulated networks.

    The code is the node's own; network, clock, disk and chance are simulated, so that the same seed
    plays the same way on every machine. What passed tells its digest, what failed how to replay it.
    """


@sim.command("ls")
@takes_settings
def ls(settings: Settings) -> int:
    """List the scenarios."""
    for scenario in _simulations().scenarios():
        value = {
            "scenario": scenario.name,
            "summary": scenario.summary,
            "nodes": scenario.nodes,
        }
        settings.output.result(value, f"{scenario.name:<22}{scenario.summary}")
    return DONE


@sim.command("run")
@click.argument("scenario")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Which run.")
@click.option("--nodes", type=click.IntRange(1), help="How large; else the scenario's own size.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where tables and pictures go; else the current directory.",
)
@click.option("--trace", type=click.Path(path_type=Path), help="Write every event to this file.")
@takes_settings
def run(
    settings: Settings, scenario: str, seed: int, nodes: int | None, out: Path, trace: Path | None
) -> int:
    """Play SCENARIO; exit code 1 if something in it does not hold.

    Figures go to SCENARIO-SEED-NODES.csv, and to a picture (.svg) where there is one to draw.
    """
    simulations = _simulations()
    known = {each.name: each for each in simulations.scenarios()}
    chosen = known.get(scenario)
    if chosen is None:
        raise NotFound(
            f"There is no scenario {scenario!r}.",
            unchanged="Nothing was run.",
            advice=f"Choose one of these: {', '.join(known)}.",
        )
    if nodes is not None and nodes < chosen.least:
        raise UsageProblem(
            f"{scenario} needs at least {chosen.least} nodes.", unchanged="Nothing was run."
        )
    size = nodes or chosen.nodes
    settings.output.narrate(f"{scenario}: seed {seed}, {counted(size, 'node')} …")
    try:
        report, files = simulations.run(chosen, seed, nodes, out, trace)
    except OSError as error:
        place = Path(error.filename or out)
        raise cannot_write(place, error, "The simulation is over; it can be run again.") from error
    _show(settings.output, simulations.as_json(report, files), report.trouble)
    return DONE if report.passed else FAILED


def _show(output: Output, result: dict[str, Any], trouble: str) -> None:
    if trouble:
        output.narrate(trouble)
    for row in result["figures"]:
        output.narrate("  ".join(f"{name} {value}" for name, value in row.items()))
    for path in result["files"]:
        output.narrate(f"wrote {path}")
    if result["passed"]:
        text = f"passed  digest {result['digest']}"
    else:
        lines = [f"  does not hold: {claim}" for claim in result["failures"]]
        replay = f"  replay with: {result['replay']}"
        text = "\n".join([f"failed  digest {result['digest']}", *lines, replay])
    output.result(result, text)


def _simulations() -> Any:
    for found in entry_points(group=_GROUP):
        try:
            return found.load()
        except ModuleNotFoundError:
            break
    raise NotFound(
        "This installation has no simulations.",
        advice="Install vitra-node again, or from a checkout with `pip install -e .`.",
    )
