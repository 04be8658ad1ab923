"""``LogHeads``: the heads seen of one log, on disk, and the proof if they contradict."""

from __future__ import annotations

import logging
from collections.abc import Callable

from protocol.crypto.manifest import Manifest
from protocol.encoding.compact import Decoder, encode_array
from protocol.errors import DecodeError, RecordError
from protocol.hypercore.core import TreeHead
from protocol.hypercore.heads.head_codec import decode_head_untrusted, encode_head
from protocol.hypercore.heads.heads_table import Heads
from protocol.hypercore.merkle.proof import Data, Request, UpgradeRequest
from protocol.hypercore.merkle.prover import CannotProve, build_proof
from protocol.limits import MAX_KEPT_HEADS
from protocol.transparency.proofs.log_frauds import (
    LogFraudProof,
    contradiction_of,
    log_fraud_proof,
    read_log_fraud_proof_untrusted,
)

from ..environments.committer import Committer
from ..environments.environment import Environment
from ..environments.records import RecordTable, as_writes
from ..errors import LogViolated, StorageError, StoreDamaged, WriterConflict
from .core_storage import CoreStorage

log = logging.getLogger("vitra.heads")

# Tables of ``records``; the key is that of the log.
HEADS_TABLE = "heads"
PROOFS_TABLE = "log-frauds"


class LogHeads:
    """The heads seen of a log that may never be truncated.

    Attributes:
      table: the rules.
      proof: shows that the log's writer broke its promise; None as long as it keeps it.
      proof_text: the same, as it stands in a file.
    """

    def __init__(
        self, storage: CoreStorage, environment: Environment, committer: Committer
    ) -> None:
        """Raises StoreDamaged: what was kept does not decode."""
        self._storage = storage
        self._committer = committer
        self._heads_table = RecordTable(environment, committer, HEADS_TABLE)
        self._proofs_table = RecordTable(environment, committer, PROOFS_TABLE)
        self._listeners: list[Callable[[], None]] = []
        self._proof_listeners: list[Callable[[LogFraudProof], None]] = []
        self.proof: LogFraudProof | None = None
        self.proof_text: str | None = None
        self.table = Heads(storage, ahead=self._stored_heads())
        self._stored_version = self.table.version
        self._restore_proof()
        if self.table.found is not None and self.proof is None:
            self._keep_proof(log_fraud_proof(self.key, self.manifest, self.table.found))

    # What is known --------------------------------------------------------------------------------

    @property
    def key(self) -> bytes:
        """The 32-byte key of the log."""
        return self._storage.key

    @property
    def discovery_key(self) -> bytes:
        """The 32-byte id of the log."""
        return self._storage.discovery_key

    @property
    def manifest(self) -> Manifest | None:
        """Who may sign, once known."""
        return self._storage.manifest or self.table.manifest

    @property
    def head(self) -> TreeHead:
        """The newest head of our own tree."""
        return self._storage.head

    @property
    def ahead(self) -> list[TreeHead]:
        """Heads of others that our tree does not contain yet."""
        return self.table.ahead

    @property
    def is_own(self) -> bool:
        """Whether the log is signed from here."""
        return self._storage.signer is not None

    def tree_at(self, length: int) -> Data | None:
        """Our tree at a length and on to our head, for a peer; None when nodes are not stored."""
        request = Request(0, self.head.fork, upgrade=UpgradeRequest(0, length), manifest=True)
        try:
            data = build_proof(self._storage, request)
        except CannotProve:
            return None
        return None if data.upgrade is None else data

    def question(self, head: TreeHead) -> int | None:
        """See ``Heads.question``."""
        return self.table.question(head)

    def check_writing(self) -> None:
        """Raise if a signature of ours could contradict one that was given under the same key.

        Raises:
          LogViolated: that has happened already.
          WriterConflict: a peer has shown a head of this log that we do not remember.
        """
        self.check_sound()
        longest = max((head.length for head in self.ahead), default=0)
        if longest > self._storage.tip.length:
            raise WriterConflict(
                f"a peer has {longest} blocks of log {self.key.hex()}, signed with the key that is "
                f"here, where {self._storage.tip.length} are known"
            )

    def check_sound(self) -> None:
        """Raise LogViolated if the log was signed in two histories, whoever signs what is new."""
        if self.proof is not None:
            raise LogViolated(f"log {self.key.hex()} was signed in two histories")

    # What is seen ---------------------------------------------------------------------------------

    def see_untrusted(self, head: TreeHead, manifest: Manifest | None) -> None:
        """Take a head that a peer showed; raises ``ProofError``."""
        self.table.see_untrusted(head, manifest)
        self.table_changed()

    def see_tree_untrusted(self, data: Data) -> None:
        """Take the tree that a peer showed; raises ``ProofError``."""
        self.table.see_tree_untrusted(data)
        self.table_changed()

    def take_proof_untrusted(self, text: str) -> None:
        """Take a proof that a peer sent; raises ``ProofError`` and ``RecordError``."""
        if self.proof is not None:
            return
        proof = read_log_fraud_proof_untrusted(text)
        proof.check_untrusted(self.key)
        self.table.note(contradiction_of(proof))
        self._keep_proof(proof)
        self.table_changed()

    def tree_changed(self) -> None:
        """Our own tree grew, or blocks of it arrived."""
        if self.table.ahead:
            self.table.grown()
            self.table_changed()
        for listener in tuple(self._listeners):
            listener()

    def table_changed(self) -> None:
        """The table may have changed: store what is new, and tell."""
        if self.table.version == self._stored_version:
            return
        self._stored_version = self.table.version
        self._learn_manifest()
        value = encode_array(encode_head(head) for head in self.table.ahead)
        self._write(self._heads_table, value if self.table.ahead else None)
        if self.table.found is not None and self.proof is None:
            self._keep_proof(log_fraud_proof(self.key, self.manifest, self.table.found))
        for listener in tuple(self._listeners):
            listener()

    # Who is told ----------------------------------------------------------------------------------

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call back when head, heads ahead or proof changed; gives a function to stop it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def on_proof(self, listener: Callable[[LogFraudProof], None]) -> Callable[[], None]:
        """Call back once there is a proof, at once if there is; gives a function to stop."""
        self._proof_listeners.append(listener)
        if self.proof is not None:
            listener(self.proof)
        return lambda: self._proof_listeners.remove(listener)

    # Inside ---------------------------------------------------------------------------------------

    def _stored_heads(self) -> list[TreeHead]:
        value = self._heads_table.get(self.key)
        if value is None:
            return []
        try:
            return Decoder(value).array(decode_head_untrusted, MAX_KEPT_HEADS)
        except DecodeError as error:
            raise StoreDamaged(f"the heads kept of a log are damaged: {error}") from error

    def _restore_proof(self) -> None:
        value = self._proofs_table.get(self.key)
        if value is None:
            return
        try:
            self.proof_text = value.decode()
            self.proof = read_log_fraud_proof_untrusted(self.proof_text)
        except (RecordError, UnicodeDecodeError) as error:
            raise StoreDamaged(f"the proof kept against a log is damaged: {error}") from error
        self.table.note(contradiction_of(self.proof))

    def _keep_proof(self, proof: LogFraudProof) -> None:
        self.proof, self.proof_text = proof, proof.to_json()
        if self.is_own:
            log.critical("a log of OUR OWN was signed in two histories: %s", proof.reason)
        else:
            log.error("%s", proof.reason)
        self._write(self._proofs_table, self.proof_text.encode())
        for listener in tuple(self._proof_listeners):
            listener(proof)

    def _learn_manifest(self) -> None:
        """Whoever is told of a head has to be told who may sign it, also after a restart."""
        try:
            self._storage.learn(self.table.manifest, None)
        except StorageError as error:
            log.error("the manifest of log %s cannot be stored: %s", self.key.hex(), error)

    def _write(self, table: RecordTable, value: bytes | None) -> None:
        try:
            self._committer.submit(as_writes([table.record(self.key, value)]))
        except StorageError as error:
            # It is still known as long as this process lives, and peers have it.
            log.error("what was seen of log %s cannot be stored: %s", self.key.hex(), error)
