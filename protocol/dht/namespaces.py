"""The namespaces of HyperDHT: the number of each is that of its command.

Wire facts: specs/13-dht.md section 1; npm ``hyperdht``.
"""

from __future__ import annotations

from ..crypto.namespaces import namespace
from .rpc.messages import Command

_NAME = "hyperswarm/dht"

PEER_HANDSHAKE = namespace(_NAME, Command.PEER_HANDSHAKE)
PEER_HOLEPUNCH = namespace(_NAME, Command.PEER_HOLEPUNCH)
ANNOUNCE = namespace(_NAME, Command.ANNOUNCE)
UNANNOUNCE = namespace(_NAME, Command.UNANNOUNCE)
MUTABLE_PUT = namespace(_NAME, Command.MUTABLE_PUT)
PLUGIN = namespace(_NAME, Command.PLUGIN)
