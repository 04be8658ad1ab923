"""Where every signature of a log of ours is made: by its key pair here, or by somebody outside.

A ``Signer`` keeps the secret to itself: an ssh-agent, a smart card, a service. It is given to
``Corestore.get``, and asked for one signature a round, in a thread, so it may take its time (a
person's consent, say) while the node goes on. What it answers is checked before it is stored.
"""

from __future__ import annotations

from protocol.crypto.keys import KeyPair, Signer
from protocol.crypto.manifest import Manifest
from protocol.errors import LocalProtocolError
from protocol.hypercore.core import TreeHead
from protocol.hypercore.merkle.growth import sign_head
from protocol.hypercore.merkle.quorum import verify_signature

from ..errors import SignerFailed


def signs_at_once(signer: Signer) -> bool:
    """Whether a signature of this signer is but a computation."""
    return isinstance(signer, KeyPair)


def signed_head(signer: Signer, manifest: Manifest, key: bytes, head: TreeHead) -> TreeHead:
    """The head of a log with its signature.

    Raises:
      SignerFailed: the one outside gave none, or one that does not hold.
    """
    if signs_at_once(signer):
        return sign_head(manifest, key, signer, head)
    log = key.hex()
    try:
        signed = sign_head(manifest, key, signer, head)
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise SignerFailed(f"the signer of log {log} cannot be asked: {reason}") from error
    except LocalProtocolError as error:
        raise SignerFailed(f"the signer of log {log} changed its key: {error}") from error
    if not verify_signature(key, manifest, signed):
        raise SignerFailed(f"the signer of log {log} gave a signature that does not hold")
    return signed
