"""What a scrape shows: the families of the chapter, and peers that are banned."""

from __future__ import annotations

import re
from pathlib import Path

import trio
from prometheus_client.parser import text_string_to_metric_families

from protocol.limits import BAN_AT_WEIGHT, BAN_HALF_LIFE_SECONDS
from vitra_node import Database
from vitra_node.api.hosting.metrics import Metrics
from vitra_node.api.session import Session

CHAPTER = (Path(__file__).parents[3] / "specs" / "11-control-api.md").read_text()
KEY = bytes(31) + b"\x01"


async def scrape(metrics: Metrics) -> dict[str, float]:
    """Values by name, of the families that have no label of their own."""
    families = text_string_to_metric_families((await metrics.text()).decode())
    return {
        sample.name: sample.value
        for family in families
        for sample in family.samples
        if set(sample.labels) == {"database"}
    }


async def test_every_family_stands_in_the_chapter() -> None:
    text = (await Metrics().text()).decode()
    shown = re.findall(r"^# HELP (vitra_\w+) ", text, re.MULTILINE)
    table = CHAPTER.partition("## 11.9 Metrics")[2]
    documented = [
        name
        for row in re.findall(r"^\| (`vitra_.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    ]
    assert sorted(shown) == sorted(documented)


async def test_bans_are_seen_while_they_last(autojump_clock: trio.testing.MockClock) -> None:
    metrics = Metrics()
    async with Database.load(None, KEY) as database, metrics.door(Session(database, None)):
        before = await scrape(metrics)
        assert before["vitra_banned_addresses"] == 0
        assert before["vitra_peer_faults_total"] == before["vitra_refused_connections_total"] == 0

        async def send_nonsense() -> None:
            ours, theirs = trio.testing.memory_stream_pair()
            await theirs.send_all(bytes(100))
            await database.connections.run(ours, "192.0.2.7:1", initiator=False)

        for _ in range(12):
            await send_nonsense()
        seen = await scrape(metrics)
        assert seen["vitra_banned_addresses"] == 1
        assert seen["vitra_peer_faults_total"] == 10
        assert seen["vitra_refused_connections_total"] == 2
        database.connections.bans.charge("192.0.2.8:1", BAN_AT_WEIGHT, trio.current_time())
        assert (await scrape(metrics))["vitra_banned_addresses"] == 2
        await trio.sleep(1.1 * BAN_HALF_LIFE_SECONDS)
        ended = await scrape(metrics)
        assert ended["vitra_banned_addresses"] == 0
        assert ended["vitra_peer_faults_total"] == 10
