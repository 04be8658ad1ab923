"""Token buckets: how often somebody may ask for what costs us more than it costs them."""

from __future__ import annotations

from collections import OrderedDict

from ...limits import (
    HANDSHAKES_OF_NEWCOMERS,
    HANDSHAKES_PER_ADDRESS,
    HANDSHAKES_PER_HOST,
    HANDSHAKES_PER_SUBNET,
    HANDSHAKES_TOTAL,
    MAX_RATE_LIMIT_ENTRIES,
    NEWCOMER_SECONDS,
)
from ..addresses import Address, is_loopback, subnet


class TokenBuckets:
    """A bucket for each key: ``rate`` tokens flow in each second, up to ``burst``.

    Only as many keys as ``MAX_RATE_LIMIT_ENTRIES`` are remembered; the one used longest ago is
    forgotten first, which gives it a full bucket again.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def has(self, key: str, now: float) -> bool:
        """Whether the key may take a token."""
        return self._level(key, now) >= 1

    def take(self, key: str, now: float) -> bool:
        """Take a token; false if there is none."""
        level = self._level(key, now)
        if level < 1:
            return False
        self._buckets[key] = (level - 1, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_RATE_LIMIT_ENTRIES:
            self._buckets.popitem(last=False)
        return True

    def _level(self, key: str, now: float) -> float:
        level, at = self._buckets.get(key, (self._burst, now))
        return min(self._burst, level + (now - at) * self._rate)


class HandshakeLimits:
    """Decides who may make us compute a Diffie-Hellman, before it happens.

    What comes through relays has a total of its own, since a flood is likely to come straight. Of
    each total a part is for networks not heard of lately, so that even a flood from hundreds of
    networks keeps nobody else out. On loopback everybody has the same host, so only the port tells
    them apart.
    """

    def __init__(self) -> None:
        self._addresses = TokenBuckets(*HANDSHAKES_PER_ADDRESS)
        self._hosts = TokenBuckets(*HANDSHAKES_PER_HOST)
        self._subnets = TokenBuckets(*HANDSHAKES_PER_SUBNET)
        self._total = TokenBuckets(*HANDSHAKES_TOTAL)
        self._newcomers = TokenBuckets(*HANDSHAKES_OF_NEWCOMERS)
        # When a network last had a token, the oldest first.
        self._had: OrderedDict[str, float] = OrderedDict()

    def admit(self, address: Address, is_relayed: bool, now: float) -> bool:
        """Whether a handshake from this address may be computed."""
        host, port = address
        network = f"{host}:{port}"
        checks = [(self._addresses, network)]
        if not is_loopback(host):
            network = subnet(host)
            checks += ((self._hosts, host), (self._subnets, network))
        way = "relayed" if is_relayed else "direct"
        total = self._total
        if self._is_newcomer(network, now) and self._newcomers.has(way, now):
            total = self._newcomers
        checks.append((total, way))
        if not all(buckets.has(key, now) for buckets, key in checks):
            return False
        self._remember(network, now)
        return all(buckets.take(key, now) for buckets, key in checks)

    def _is_newcomer(self, network: str, now: float) -> bool:
        at = self._had.get(network)
        return at is None or now - at >= NEWCOMER_SECONDS

    def _remember(self, network: str, now: float) -> None:
        self._had[network] = now
        self._had.move_to_end(network)
        if len(self._had) > MAX_RATE_LIMIT_ENTRIES:
            self._had.popitem(last=False)
