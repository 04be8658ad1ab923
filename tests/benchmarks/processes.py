"""The processes in which the two sides are measured.

Both take the name of a step and its parameters as JSON, and answer with lines of JSON: for most
steps one, the values by name of the row. A step that serves others says first where it listens,
and ends with its stdin.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

JS_PEER = Path(__file__).parents[1] / "interop" / "peers" / "bench_peer.mjs"
NODE_MODULES = JS_PEER.parent / "node_modules"

# The slowest step takes a minute on a slow machine; more means that it hangs.
STEP_SECONDS = 600


class Side(Enum):
    """Whose implementation is measured."""

    OURS = "ours"
    THEIRS = "theirs"


def run_step(side: Side, step: str, profile: bool = False, **parameters: Any) -> dict[str, float]:
    """Run one step to its end and give what it measured."""
    done = subprocess.run(
        _command(side, step, profile, parameters),
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        timeout=STEP_SECONDS,
        check=True,
    )
    # A step that only prepares the next one says nothing.
    values: dict[str, float] = json.loads(done.stdout or "{}")
    return values


@contextmanager
def serving(
    side: Side, step: str, profile: bool = False, **parameters: Any
) -> Iterator[dict[str, Any]]:
    """Have a step serve others inside the block; gives what it says once it is ready."""
    process = subprocess.Popen(
        _command(side, step, profile, parameters), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
        process.stdin.close()
        process.wait(STEP_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdin.close()
        process.stdout.close()


def _command(side: Side, step: str, profile: bool, parameters: Mapping[str, Any]) -> list[str]:
    text = json.dumps(parameters, default=str)
    if side is Side.THEIRS:
        return ["node", str(JS_PEER), step, text]
    flags = ["--profile"] if profile else []
    return [sys.executable, "-m", "tests.benchmarks.child", *flags, step, text]
