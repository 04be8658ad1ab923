"""What two nodes tell each other about signed heads, so that a split view does not last.

One ``HeadGossip`` for each connection. For every log that both sides have proven to know:

    a log is shared      ->  tell its proof, if there is one; else our newest head and those ahead
    our head changed     ->  tell it, once in ``GOSSIP_HEAD_SECONDS``
    a head came          ->  compare it with all that is known
    it stays unsettled   ->  ask the peer for its tree at the length where it has to be compared
    asked                ->  show our tree, if it is stored
    a proof, from anyone ->  tell it, once; after that nothing else of this log

A node that lacks the log's tree can still be told, and tell, who lies. Messages about logs that are
not shared are ignored: they may cross with the end of a channel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ...crypto.manifest import Manifest
from ...errors import ProofError, RecordError, ReplicationError
from ...hypercore.core import SignedLog, TreeHead
from ...hypercore.merkle.proof import Data
from ...limits import (
    GOSSIP_HEAD_SECONDS,
    GOSSIP_HEADS_PER_PEER,
    GOSSIP_QUESTION_SECONDS,
    GOSSIP_TREES_PER_PEER,
    MAX_GOSSIP_HEADS,
    MAX_GOSSIP_SHOWN_HEADS,
)
from .messages import (
    GossipHead,
    Heads,
    Message,
    Proof,
    Question,
    Tree,
    decode_message_untrusted,
    encode_message,
)


class GossipedLog(SignedLog, Protocol):
    """One log, as the gossip sees it: its heads (``hypercore.heads``) and its proof."""

    @property
    def ahead(self) -> Sequence[TreeHead]:
        """Heads that our tree does not contain yet."""

    @property
    def proof_text(self) -> str | None:
        """The proof that its writer broke its promise, as JSON."""

    def question(self, head: TreeHead) -> int | None:
        """At which length somebody's tree has to be seen to settle a head ahead."""

    def tree_at(self, length: int) -> Data | None:
        """Our tree at a length, and on to our head; None when it is not stored."""

    def see_untrusted(self, head: TreeHead, manifest: Manifest | None) -> None:
        """Compare a head; raises ``ProofError``."""

    def see_tree_untrusted(self, data: Data) -> None:
        """Compare a tree; raises ``ProofError``."""

    def take_proof_untrusted(self, text: str) -> None:
        """Take over a proof; raises ``ProofError`` and ``RecordError``."""


class Bucket:
    """A budget: so much at once, and so much more each second."""

    def __init__(self, sizes: tuple[float, float], now: float) -> None:
        self._most, self._rate = sizes
        self._left = self._most
        self._at = now

    def take(self, now: float) -> bool:
        """Whether one more is within the budget."""
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class _Statement(NamedTuple):
    """What tells heads apart, whoever signed them how often."""

    fork: int
    length: int
    tree: bytes


class _Shared:
    """One log on one connection.

    Attributes:
      log: the log.
      told: the heads that the peer was told.
      told_proof: it was told the proof, or told us.
      tell_at: when its newest head may be told again.
      shown: the heads that the peer showed.
      asked: the lengths at which it was asked for its tree, with our length at that time.
      waiting: the length of the question without an answer, or 0.
    """

    def __init__(self, log: GossipedLog, now: float) -> None:
        self.log = log
        self.told: dict[_Statement, None] = {}
        self.told_proof = False
        self.tell_at = now
        self.dirty = True
        self.shown: dict[_Statement, None] = {}
        self.asked: set[tuple[int, int]] = set()
        self.waiting = 0


class HeadGossip:
    """The gossip of one connection. Times are seconds, from any clock that does not go back."""

    def __init__(self, now: float) -> None:
        self._shared: dict[bytes, _Shared] = {}
        self._out: deque[tuple[int, bytes]] = deque()
        # Logs with news, and when to ask about what is still unsettled in others.
        self._dirty: dict[bytes, None] = {}
        self._ask_at: dict[bytes, float] = {}
        self._heads_budget = Bucket(GOSSIP_HEADS_PER_PEER, now)
        self._trees_budget = Bucket(GOSSIP_TREES_PER_PEER, now)

    # logs -----------------------------------------------------------------------------------------

    def share(self, log: GossipedLog, now: float) -> None:
        """Both sides have shown that they know this log."""
        self._shared[log.discovery_key] = _Shared(log, now)
        self._dirty[log.discovery_key] = None

    def unshare(self, log: bytes) -> None:
        """A side does not serve this log any more."""
        self._shared.pop(log, None)
        self._dirty.pop(log, None)
        self._ask_at.pop(log, None)

    def changed(self, log: bytes) -> bool:
        """Head, heads ahead or proof of a log changed; whether that may move the next timer."""
        shared = self._shared.get(log)
        if shared is None or shared.dirty:
            return False
        shared.dirty = True
        self._dirty[log] = None
        return True

    # messages -------------------------------------------------------------------------------------

    def receive_untrusted(self, kind: int, payload: bytes, now: float) -> None:
        """Take a message of the peer.

        Raises:
          DecodeError: malformed.
          ProofError, ReplicationError: a head that nobody signed, a proof that is none, a tree that
            nobody asked for.
        """
        message = decode_message_untrusted(kind, payload)
        if isinstance(message, Heads):
            for head in message.heads:
                self._take_head_untrusted(head, now)
        elif isinstance(message, Question):
            self._answer(message, now)
        elif isinstance(message, Tree):
            self._take_tree_untrusted(message)
        elif isinstance(message, Proof):
            self._take_proof_untrusted(message)

    def _take_head_untrusted(self, message: GossipHead, now: float) -> None:
        shared = self._shared.get(message.log)
        if shared is None or not message.head.length or not self._heads_budget.take(now):
            return
        head = message.head
        shared.log.see_untrusted(head, message.manifest)
        shared.shown[_statement(head)] = None
        while len(shared.shown) > MAX_GOSSIP_SHOWN_HEADS:
            del shared.shown[next(iter(shared.shown))]
        if shared.log.ahead:
            self._ask_at.setdefault(message.log, now + GOSSIP_QUESTION_SECONDS)

    def _answer(self, question: Question, now: float) -> None:
        shared = self._shared.get(question.log)
        if shared is None:
            return
        log, data = shared.log, None
        if 0 < question.length <= log.head.length and self._trees_budget.take(now):
            data = log.tree_at(question.length)
        self._send(Tree(question.log, data))

    def _take_tree_untrusted(self, tree: Tree) -> None:
        shared = self._shared.get(tree.log)
        if shared is None:
            return
        if not shared.waiting:
            raise ReplicationError("a tree that was not asked for")
        shared.waiting = 0
        if tree.data is not None:
            shared.log.see_tree_untrusted(tree.data)

    def _take_proof_untrusted(self, message: Proof) -> None:
        shared = self._shared.get(message.log)
        # One for each log: the next is not looked at, and a false one ends the connection.
        if shared is None or shared.told_proof:
            return
        try:
            shared.log.take_proof_untrusted(message.text)
        except RecordError as error:
            raise ProofError(f"a proof that is none: {error}") from error
        shared.told_proof = True

    # telling --------------------------------------------------------------------------------------

    def messages_to_send(self, now: float) -> list[tuple[int, bytes]]:
        """What is due, as type numbers and payloads."""
        heads: list[GossipHead] = []
        for id_ in list(self._dirty):
            self._tell(id_, self._shared[id_], heads, now)
        for start in range(0, len(heads), MAX_GOSSIP_HEADS):
            self._send(Heads(tuple(heads[start : start + MAX_GOSSIP_HEADS])))
        for id_ in [id_ for id_, at in self._ask_at.items() if at <= now]:
            del self._ask_at[id_]
            self._ask(id_, self._shared[id_], now)
        messages = list(self._out)
        self._out.clear()
        return messages

    def _tell(self, id_: bytes, shared: _Shared, heads: list[GossipHead], now: float) -> None:
        log = shared.log
        proof = log.proof_text
        if proof is not None:
            if not shared.told_proof:
                shared.told_proof = True
                self._send(Proof(id_, proof))
            self._ask_at.pop(id_, None)
            self._clean(id_, shared)
            return
        if shared.tell_at > now:
            return
        new = [each for each in (log.head, *log.ahead) if each.length]
        new = [each for each in new if _statement(each) not in shared.told]
        # What they showed us themselves they know.
        new = [each for each in new if _statement(each) not in shared.shown]
        known = {_statement(each): None for each in (log.head, *log.ahead)}
        shared.told = {each: None for each in shared.told if each in known}
        manifest = log.manifest
        if manifest is not None and manifest.is_compat(log.key):
            manifest = None
        for head in new:
            shared.told[_statement(head)] = None
            heads.append(GossipHead(id_, manifest, head))
        if new:
            shared.tell_at = now + GOSSIP_HEAD_SECONDS
        if log.ahead:
            self._ask_at.setdefault(id_, now + GOSSIP_QUESTION_SECONDS)
        self._clean(id_, shared)

    def _clean(self, id_: bytes, shared: _Shared) -> None:
        shared.dirty = False
        self._dirty.pop(id_, None)

    def _ask(self, id_: bytes, shared: _Shared, now: float) -> None:
        log = shared.log
        if log.proof_text is not None or shared.waiting:
            return
        longest = max((each.length for each in shared.shown), default=0)
        for head in log.ahead:
            length = log.question(head)
            if length is None or length > longest:
                continue
            # Of a head beyond our tree only the peer that showed it knows what lies below.
            if head.length > log.head.length and _statement(head) not in shared.shown:
                continue
            if (length, log.head.length) in shared.asked:
                continue
            shared.asked = {each for each in shared.asked if each[1] == log.head.length}
            shared.asked.add((length, log.head.length))
            shared.waiting = length
            self._send(Question(id_, length))
            self._ask_at[id_] = now + GOSSIP_QUESTION_SECONDS
            return

    def _send(self, message: Message) -> None:
        self._out.append(encode_message(message))

    # time -----------------------------------------------------------------------------------------

    def next_timer(self) -> float | None:
        """When ``messages_to_send`` has something; a time that has passed means at once."""
        times = list(self._ask_at.values())
        for id_ in self._dirty:
            shared = self._shared[id_]
            times.append(float("-inf") if shared.log.proof_text is not None else shared.tell_at)
        if self._out:
            times.append(float("-inf"))
        return min(times, default=None)


def _statement(head: TreeHead) -> _Statement:
    return _Statement(head.fork, head.length, head.hash())
