"""One step of our side: ``python -m tests.benchmarks.child [--profile] STEP JSON``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio

from . import append, contracts, database, hyperbee, long_logs, network, replication
from .stopwatch import Stopwatch

STEPS: dict[str, Callable[..., Awaitable[None]]] = {
    "append": append.write_and_read,
    "hyperbee": hyperbee.write_and_read,
    "long-log-fill": long_logs.fill,
    "long-log-open": long_logs.open_one,
    "long-log-download": long_logs.download,
    "replication-writer": replication.write,
    "replication-reader": replication.read,
    "contracts-apply": contracts.apply,
    "database-execute": database.execute,
    "database-restart": database.restart,
    "database-verify": database.verify,
    "database-verify-jobs": database.verify_jobs,
    "database-call": database.call,
    "database-prove": database.prove,
    "udx-receiver": network.serve_udx,
    "udx-sender": network.send_udx,
    "dht-server": network.serve_dht,
    "dht-client": network.use_dht,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("step", choices=list(STEPS))
    parser.add_argument("parameters", type=json.loads)
    options = parser.parse_args()
    watch = Stopwatch(profile=options.profile)
    parameters: dict[str, Any] = options.parameters
    trio.run(partial(STEPS[options.step], watch, **parameters))
    if watch.values:
        print(json.dumps(watch.values), flush=True)


if __name__ == "__main__":
    main()
