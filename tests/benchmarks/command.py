"""The speed of this implementation on this machine, beside the live JavaScript one.

    python -m tests.benchmarks                      # everything, five rounds
    python -m tests.benchmarks --only append        # one subject, or one row of it
    python -m tests.benchmarks --only hyperbee --profile --rounds 1

In each round every subject is measured on both sides, in processes of their own and one after the
other, in an order that changes with the round: what else the machine does meanwhile hits both. The
table shows medians, in parentheses the lowest and the highest. JavaScript needs ``npm ci`` in
``tests/interop/peers``. Data goes to the directory for temporary files; set ``TMPDIR`` to measure
another disk.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import append, contracts, database, hyperbee, long_logs, network, replication, startup
from .processes import JS_PEER, NODE_MODULES, Side
from .subject import Row, Subject
from .table import Samples, as_json, as_text

SUBJECTS: tuple[Subject, ...] = (
    append.SUBJECT,
    hyperbee.SUBJECT,
    replication.SMALL,
    replication.LARGE,
    long_logs.SUBJECT,
    contracts.SUBJECT,
    database.SUBJECT,
    startup.SUBJECT,
    network.UDX,
    network.PEERS,
    network.LOSSY,
)
DEFAULT_ROUNDS = 5


def main() -> None:
    """Measure what the command line asks for; exits with 2 when it asks for nothing there is."""
    names = [subject.name for subject in SUBJECTS]
    names += [row.name for subject in SUBJECTS for row in subject.rows]
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, help=f"{DEFAULT_ROUNDS}, or 1 with --quick")
    parser.add_argument(
        "--only", metavar="NAME", action="append", choices=names, help=", ".join(names)
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all samples there as well")
    parser.add_argument("--quick", action="store_true", help="little work: is it all in order?")
    parser.add_argument(
        "--profile", action="store_true", help="only our side, and on stderr where its time goes"
    )
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.quick else DEFAULT_ROUNDS)
    chosen = [subject for subject in SUBJECTS if _is_chosen(subject, options.only)]
    if not NODE_MODULES.exists() and any(subject.has_theirs for subject in chosen):
        parser.error(f"run `npm ci` in {JS_PEER.parent} first")
    rows = [row for subject in chosen for row in subject.rows]
    rows = [row for row in rows if not options.only or _is_asked_for(row, chosen, options.only)]
    machine = _machine()
    samples = _measure(chosen, rounds, quick=options.quick, profile=options.profile)
    machine["load_after"] = os.getloadavg()[0]
    if options.json is not None:
        text = json.dumps(as_json(rows, samples, rounds, machine), indent=2) + "\n"
        options.json.write_text(text)
    print(as_text(rows, samples, rounds, machine))


def _is_chosen(subject: Subject, only: list[str] | None) -> bool:
    return not only or subject.name in only or any(row.name in only for row in subject.rows)


def _is_asked_for(row: Row, chosen: list[Subject], only: list[str]) -> bool:
    return row.name in only or any(s.name in only for s in chosen if row in s.rows)


def _measure(subjects: list[Subject], rounds: int, *, quick: bool, profile: bool) -> Samples:
    samples = Samples()
    for number in range(rounds):
        for subject in subjects:
            sides = [Side.OURS, Side.THEIRS] if number % 2 == 0 else [Side.THEIRS, Side.OURS]
            for side in sides:
                if side is Side.THEIRS and (profile or not subject.has_theirs):
                    continue
                begun = time.perf_counter()
                with tempfile.TemporaryDirectory(prefix="vitra-benchmark-") as directory:
                    measured = subject.measure(side, Path(directory), quick, profile)
                samples.add(side, measured)
                seconds = time.perf_counter() - begun
                progress = f"round {number + 1} of {rounds}: {subject.name}, {side.value}"
                print(f"{progress}, {seconds:.1f} s", file=sys.stderr)
    return samples


def _machine() -> dict[str, Any]:
    return {
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": os.getloadavg()[0],
    }
