"""What long logs cost: the memory to download one, and the time to open one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vitra_node.storage.corestore import Corestore

from . import replication
from .processes import Side, run_step, serving
from .resident_memory import peak_bytes
from .stopwatch import Stopwatch
from .subject import Row, Subject

_BATCH = [b"a short block"] * 1000


async def download(watch: Stopwatch, path: str, row: str, count: int, key: str, port: int) -> None:
    """Download the whole log; the value is the greatest resident memory of this process."""
    await replication.read(watch, path, row, count, key, port)
    watch.values[row] = peak_bytes() / 1e6


async def fill(watch: Stopwatch, path: str, batches: int) -> None:
    """Append so many thousand blocks."""
    async with Corestore.open(path) as store:
        core = await store.get(name="log")
        for _ in range(batches):
            await core.append(_BATCH)


async def open_one(watch: Stopwatch, path: str, batches: int) -> None:
    """The store, then one log of it, until its length is known."""
    with watch.seconds("open-long"):
        async with Corestore.open(path) as store:
            core = await store.get(name="log")
            assert core.length == batches * len(_BATCH)
    watch.values["open-long"] *= 1000


def _measure(side: Side, directory: Path, quick: bool, profile: bool) -> Mapping[str, float]:
    batches = 2 if quick else 1000
    run_step(side, "long-log-fill", profile, path=directory / "long", batches=batches)
    values = run_step(side, "long-log-open", profile, path=directory / "long", batches=batches)
    row, count = "download-memory", 500 if quick else 200_000
    with serving(
        side,
        "replication-writer",
        path=directory / "writer",
        row=row,
        count=count,
        size=1024,
    ) as ready:
        reader = {"path": directory / "reader", "row": row, "count": count}
        values |= run_step(
            side, "long-log-download", profile, **reader, key=ready["key"], port=ready["port"]
        )
    return values


SUBJECT = Subject(
    "long-logs",
    (
        Row(
            "download-memory",
            "download of 200,000 x 1 KiB, peak resident",
            "MB",
            150,
            less_is_better=True,
            reference="not measured",
        ),
        Row(
            "open-long",
            "store and log of 1,000,000 blocks, opened and closed",
            "ms",
            50,
            less_is_better=True,
            reference="not measured",
        ),
    ),
    _measure,
    has_theirs=False,
)
