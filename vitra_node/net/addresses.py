"""Direct addresses of peers: ``host:port``, and ``vitra://KEY@host:port`` with a database's key."""

from __future__ import annotations

from typing import NamedTuple

from ..config import Address, parse_address
from ..errors import UsageProblem
from ..key_text import format_z32, parse_key

SCHEME = "vitra://"


class PeerAddress(NamedTuple):
    """Where a peer listens.

    Attributes:
      address: host and port.
      key: the 32-byte key of the database it serves, or None when only an address was given.
    """

    address: Address
    key: bytes | None = None

    def __str__(self) -> str:
        return f"{SCHEME}{format_z32(self.key)}@{self.address}" if self.key else str(self.address)


def parse_peer_address(text: str) -> PeerAddress:
    """Read either form.

    Raises:
      UsageProblem: it is neither.
    """
    stripped = text.strip()
    if not stripped.startswith(SCHEME):
        return PeerAddress(parse_address(stripped))
    key, separator, address = stripped.removeprefix(SCHEME).rstrip("/").rpartition("@")
    if not separator:
        raise UsageProblem(
            f"{text!r} has no key.", advice=f"Write {SCHEME}KEY@host:port, or host:port alone."
        )
    return PeerAddress(parse_address(address), parse_key(key))
