"""What others see of us: the address most of them agree on.

Wire facts: specs/13-dht.md section 7; npm ``nat-sampler``.
"""

from __future__ import annotations

from collections import deque

from ..addresses import Address

SAMPLES = 16


def _threshold(count: int) -> int:
    """How many of ``count`` samples must agree: all of few, all but three of many."""
    return count - (0 if count < 4 else 1 if count < 8 else 2 if count < 12 else 3)


class NatSampler:
    """A ring of the addresses that other nodes sent to.

    Attributes:
      host: our public host, or None while there is no agreement.
      port: our public port, or 0 while there is no agreement.
    """

    def __init__(self) -> None:
        self.host: str | None = None
        self.port = 0
        self._samples: deque[Address] = deque(maxlen=SAMPLES)

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def threshold(self) -> int:
        """How many equal samples decide at present."""
        return _threshold(len(self._samples))

    @property
    def address(self) -> Address | None:
        """Our public address when both host and port are agreed on."""
        return Address(self.host, self.port) if self.host is not None and self.port else None

    def add(self, sample: Address) -> int:
        """Count a sample; gives how often exactly this address is among those kept."""
        self._samples.append(sample)
        hosts: dict[str, int] = {}
        addresses: dict[Address, int] = {}
        for seen in self._samples:
            hosts[seen.host] = hosts.get(seen.host, 0) + 1
            addresses[seen] = addresses.get(seen, 0) + 1
        top = max(addresses, key=addresses.__getitem__)
        top_host = max(hosts, key=hosts.__getitem__)
        threshold = self.threshold
        self.host, self.port = None, 0
        if addresses[top] >= threshold:
            self.host, self.port = top
        elif hosts[top_host] >= threshold:
            self.host = top_host
        return addresses[sample]
