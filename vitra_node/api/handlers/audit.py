"""Verifying: once, while the database grows, and what was found."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import trio

from protocol.transparency.replay.state import FIRST_ENTRY_SEQ

from ...errors import NotFound
from ...frauds import ContractFraudProof
from ...log_frauds import LogForkFraudProof
from ...progress import Progress
from ..control.parameters import Count, Number
from ..session import BackgroundMonitor, Session
from ..shapes import event_shape, forked_shape, fraud_shape, report_shape, violated_shape

_log = logging.getLogger(__name__)


async def verify(
    session: Session,
    progress: Progress,
    *,
    jobs: Count = 1,
    start: Count = FIRST_ENTRY_SEQ,
    sample: Number | None = None,
    seed: str | None = None,
) -> dict[str, Any]:
    """Replay the index and compare. The verdict is in the answer, also a violation.

    ``jobs`` processes replay it, from index block ``start`` on, or with ``sample`` each operation
    with that probability, as ``seed`` decides.
    """
    started = time.perf_counter()
    try:
        report = await session.database.verify(
            jobs=jobs, start=start, sample=sample, seed=seed, progress=progress
        )
    except ContractFraudProof as fraud:
        seconds = time.perf_counter() - started
        return violated_shape(fraud, seconds)
    except LogForkFraudProof as fork:
        return forked_shape(fork, time.perf_counter() - started)
    return report_shape(report)


@asynccontextmanager
async def events(session: Session) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Verify what is there and what follows: ``validated``, ``fork``, ``violation`` events."""
    async with session.database.monitor() as found:
        shaped = _shaped(found)
        async with aclosing(shaped):
            yield shaped


async def start_monitor(session: Session) -> dict[str, Any]:
    """Let the node verify in the background until ``monitor.stop``."""
    node = session.running_node()
    if session.monitor is not None:
        return {"monitoring": True, "already": True}
    session.monitor = BackgroundMonitor(trio.CancelScope())
    node.tasks.start_soon(_monitor_in_background, session, session.monitor)
    return {"monitoring": True, "already": False}


async def stop_monitor(session: Session) -> dict[str, Any]:
    """End the monitor that ``monitor.start`` began."""
    session.running_node()
    if session.monitor is None:
        raise NotFound("No monitor is running.", advice="Start one with `vitra monitor start`.")
    session.monitor.scope.cancel()
    session.monitor = None
    return {"monitoring": False}


async def list_frauds(session: Session) -> list[dict[str, Any]]:
    """The fraud proofs this directory keeps."""
    return [fraud_shape(fraud) for fraud in session.database.frauds()]


async def show_fraud(session: Session, *, fraud: str) -> dict[str, Any]:
    """One fraud proof in full; ``proof`` is what its file holds."""
    found = session.database.fraud(fraud)
    return {**fraud_shape(found), "proof": json.loads(found.to_json())}


async def _shaped(found: AsyncIterator[Any]) -> AsyncGenerator[dict[str, Any], None]:
    async for event in found:
        yield event_shape(event)


async def _monitor_in_background(session: Session, monitor: BackgroundMonitor) -> None:
    with monitor.scope:
        async with events(session) as found:
            async for event in found:
                if session.hooks is not None and event["event"] in ("violation", "fork"):
                    session.hooks.tell(event)
                if event["event"] == "violation":
                    monitor.violation = event
                    _log.error("the database is violated: %s", event)
                elif event["event"] == "fork":
                    _log.error("a participant's log is forked: %s", event)
                elif event["event"] == "validated":
                    monitor.validated = event["operations"]
