"""Every exception of the protocol package, on one page.

There are two families. ``LocalProtocolError`` means that *this* program used the protocol wrongly;
nothing was sent. ``RemoteProtocolError`` means that the *peer* broke the protocol; the connection
it came from cannot be trusted further. Functions whose names end in ``_untrusted`` take hostile
bytes and let only a ``RemoteProtocolError`` (or a subclass they name) out.
"""

from __future__ import annotations


class ProtocolError(Exception):
    """The root of both families."""


class LocalProtocolError(ProtocolError):
    """This side asked for something the protocol does not allow."""


class PathError(LocalProtocolError):
    """A path of the index that is not canonical, or that a contract may not write."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol; ``ban_weight`` (0 to 100) says how much that counts."""

    ban_weight: int = 10


class DecodeError(RemoteProtocolError):
    """Bytes that do not follow their encoding: truncated, over a limit, or of an unknown form."""


class HandshakeError(RemoteProtocolError):
    """A Noise handshake message that does not authenticate, or comes out of order."""


class SecretStreamError(RemoteProtocolError):
    """A frame of an encrypted stream that does not decrypt, or a wrong stream header."""


class MuxError(RemoteProtocolError):
    """A protomux message that breaks the rules of channels."""


class CapabilityError(RemoteProtocolError):
    """The peer opened a core without proving that it knows the core's key."""

    ban_weight = 50


class ProofError(RemoteProtocolError):
    """A Merkle proof, signature or manifest that does not verify."""

    ban_weight = 50


class StaleProofError(ProofError):
    """A proof for another length or fork of the log than this side has: late, not yet a lie."""

    ban_weight = 0


class ReplicationError(RemoteProtocolError):
    """A replication message that makes no sense at this point: unrequested, repeated, too many."""


class RecordError(RemoteProtocolError):
    """A record of Execution Transparency (ack, input, genesis) that does not follow its schema."""


class BeeBlockError(DecodeError):
    """A block that is not one of a Hyperbee, or an index that does not lead through a B-tree."""
