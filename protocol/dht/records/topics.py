"""Who serves which topic, as one node remembers it.

A topic has at most 20 records. When one more comes, it takes the place of the oldest record from
the network that has the most, so that one network cannot push the others out.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from ...limits import (
    DHT_RECORD_SECONDS,
    MAX_DHT_RECORDS_PER_TOPIC,
    MAX_DHT_TOPICS,
)
from ..addresses import subnet
from .generations import Generations


class StoredRecord(NamedTuple):
    """One record of a topic.

    Attributes:
      data: the encoded record.
      network: the /24 it was announced from.
      expires_at: when it is forgotten unless it is announced again.
    """

    data: bytes
    network: str
    expires_at: float


class Topics:
    """Records by topic and public key, and the newest bump of each topic."""

    def __init__(self, now: float) -> None:
        self._topics: Generations[bytes, dict[bytes, StoredRecord]] = Generations(
            MAX_DHT_TOPICS, DHT_RECORD_SECONDS, now
        )
        self._bumps: Generations[bytes, int] = Generations(MAX_DHT_TOPICS, DHT_RECORD_SECONDS, now)

    def put(self, topic: bytes, public_key: bytes, data: bytes, host: str, now: float) -> None:
        """Keep the record of a key, in place of an earlier one."""
        records = self._live(topic, now)
        records.pop(public_key, None)
        if len(records) >= MAX_DHT_RECORDS_PER_TOPIC:
            counts = Counter(record.network for record in records.values())
            crowd = max(counts.values())
            # Dicts keep their order, so this is the oldest.
            del records[next(k for k, r in records.items() if counts[r.network] == crowd)]
        records[public_key] = StoredRecord(data, subnet(host), now + DHT_RECORD_SECONDS)
        self._topics.put(topic, records, now)

    def remove(self, topic: bytes, public_key: bytes, now: float) -> None:
        """Forget the record of a key."""
        records = self._live(topic, now)
        if records.pop(public_key, None) is not None and not records:
            self._topics.remove(topic)

    def records(self, topic: bytes, now: float) -> list[bytes]:
        """All records of a topic."""
        return [record.data for record in self._live(topic, now).values()]

    def bump(self, topic: bytes, value: int, now: float) -> None:
        """Remember the newest bump of a topic."""
        if value > self.newest_bump(topic, now):
            self._bumps.put(topic, value, now)

    def newest_bump(self, topic: bytes, now: float) -> int:
        """The newest bump of a topic, 0 for none."""
        return self._bumps.get(topic, now, revive=False) or 0

    def _live(self, topic: bytes, now: float) -> dict[bytes, StoredRecord]:
        records = self._topics.get(topic, now, revive=False)
        if records is None:
            return {}
        for key in [key for key, record in records.items() if record.expires_at <= now]:
            del records[key]
        return records
