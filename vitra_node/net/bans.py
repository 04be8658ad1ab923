"""Peers that broke the protocol, and for how long nobody talks to them.

What an address did wrong adds up and is forgotten at a steady pace. Once it is too much the address
is banned until half of it is forgotten, so that a ban lasts, and ends.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from protocol.limits import (
    BAN_AT_WEIGHT,
    BAN_HALF_LIFE_SECONDS,
    MAX_BAN_ENTRIES,
    MAX_BAN_WEIGHT,
    UNBAN_AT_WEIGHT,
)

from ..config import parse_address
from ..errors import UsageProblem


class _Record:
    __slots__ = ("at", "banned", "weight")

    def __init__(self, now: float) -> None:
        self.at = now
        self.banned = False
        self.weight = 0.0

    def decay(self, now: float) -> None:
        self.weight *= 0.5 ** (max(0.0, now - self.at) / BAN_HALF_LIFE_SECONDS)
        self.at = max(self.at, now)
        if self.weight < UNBAN_AT_WEIGHT:
            self.banned = False


class Bans:
    """What the peers of a node did wrong, by where they come from.

    Addresses are texts; see ``origin`` for which of them count as one. Times are seconds of any
    clock that does not go back. The ``MAX_BAN_ENTRIES`` charged last are remembered.
    """

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def charge(self, address: str, weight: float, now: float) -> None:
        """The peer at ``address`` broke the protocol; ``weight`` as in ``ban_weight``."""
        if weight <= 0:
            return
        key = origin(address)
        record = self._records.setdefault(key, _Record(now))
        record.decay(now)
        record.weight = min(record.weight + weight, MAX_BAN_WEIGHT)
        record.banned = record.banned or record.weight >= BAN_AT_WEIGHT
        self._records.move_to_end(key)
        if len(self._records) > MAX_BAN_ENTRIES:
            self._records.popitem(last=False)

    def weight(self, address: str, now: float) -> float:
        """What is held against the address now."""
        record = self._records.get(origin(address))
        if record is None:
            return 0.0
        record.decay(now)
        return record.weight

    def banned_count(self, now: float) -> int:
        """How many addresses are to be refused."""
        for record in self._records.values():
            record.decay(now)
        return sum(record.banned for record in self._records.values())

    def is_banned(self, address: str, now: float) -> bool:
        """Whether the address is to be refused."""
        record = self._records.get(origin(address))
        if record is None:
            return False
        record.decay(now)
        return record.banned


def origin(address: str) -> str:
    """The part of an address that costs its owner something: a host, or a /64 of IPv6.

    On loopback, where everybody has the same host, it is the whole address; so it is with what is
    not ``host:port``.
    """
    try:
        host = parse_address(address).host
    except UsageProblem:
        return address
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return address if ip.is_loopback else str(ipaddress.ip_network((int(ip), 64), False))
        ip = ip.ipv4_mapped
    return address if ip.is_loopback else str(ip)
