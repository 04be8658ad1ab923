"""Namespaces: 32-byte constants that keep hashes and signatures of different uses apart.

Wire facts: specs/04-merkle-log.md section 1; npm ``hypercore``, ``@hyperswarm/secret-stream`` and
``corestore`` each derive theirs from their package name.
"""

from __future__ import annotations

from .hashes import blake2b_256


def namespace(name: str, i: int) -> bytes:
    """The 32 bytes of namespace number ``i`` (0 to 255) of ``name``."""
    return blake2b_256(blake2b_256(name.encode()) + bytes((i,)))


TREE = namespace("hypercore", 0)
REPLICATE_INITIATOR = namespace("hypercore", 1)
REPLICATE_RESPONDER = namespace("hypercore", 2)
MANIFEST = namespace("hypercore", 3)
DEFAULT_NAMESPACE = namespace("hypercore", 4)
DEFAULT_ENCRYPTION = namespace("hypercore", 5)

STREAM_INITIATOR = namespace("hyperswarm/secret-stream", 0)
STREAM_RESPONDER = namespace("hyperswarm/secret-stream", 1)
STREAM_SEND = namespace("hyperswarm/secret-stream", 2)

CORESTORE = namespace("corestore", 0)
