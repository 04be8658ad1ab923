"""Carries a query out: sends its requests, then what is to be stored at the nearest nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ...limits import MAX_QUERY_SEEDS
from ..addresses import Address
from ..rpc.requests import QUERY_RETRIES, Answer, Outstanding
from ..rpc.routing_table import ROW_NODES
from .query import CONCURRENCY, CloseReply, DownHint, Query

if TYPE_CHECKING:
    from ..rpc.rpc import Rpc


@dataclass(frozen=True, slots=True)
class QueryResult:
    """How a query ended.

    Attributes:
      closest: the nearest nodes that answered, the nearest first.
      stored: how many accepted what was sent to them.
      refused: the error numbers of those who did not.
      hops: the longest chain of namings that led to one of ``closest``.
    """

    closest: tuple[CloseReply, ...]
    stored: int
    refused: tuple[int, ...]
    hops: int


class Commit(NamedTuple):
    """What to send to one of the nearest nodes in the end."""

    command: int
    value: bytes


def _no_reply(_address: Address, _answer: Answer) -> None:
    pass


def _no_commit(_reply: CloseReply) -> Commit | None:
    return None


class QueryRun:
    """One query on its way.

    Args:
      rpc: the node.
      command: what to ask each node.
      target: 32 bytes.
      internal: whether the command is one of the bare network.
      value: sent with the command.
      nodes: addresses to begin with instead of the routing table's.
      concurrency: how many to ask at once.
      on_reply: told each answer without an error.
      commit: gives what to send to each of the nearest; None for nothing.
      most_commits: to how many of the nearest.
      on_done: told the end, once.
    """

    def __init__(
        self,
        rpc: Rpc,
        command: int,
        target: bytes,
        *,
        internal: bool = False,
        value: bytes | None = None,
        nodes: tuple[Address, ...] = (),
        concurrency: int = CONCURRENCY,
        on_reply: Callable[[Address, Answer], None] = _no_reply,
        commit: Callable[[CloseReply], Commit | None] = _no_commit,
        most_commits: int = ROW_NODES,
        on_done: Callable[[QueryResult], None],
    ) -> None:
        self._rpc = rpc
        self._command = command
        self._target = target
        self._internal = internal
        self._value = value
        self._on_reply = on_reply
        self._commit = commit
        self._most_commits = most_commits
        self._on_done = on_done
        self._outstanding: set[Outstanding] = set()
        self._stored = 0
        self._refused: list[int] = []
        self._committing = False
        self.done = False

        def known() -> tuple[Address, ...]:
            return rpc.closer_nodes(target)

        self._query = Query(
            target,
            seeds=nodes[:MAX_QUERY_SEEDS] or known(),
            cached=bool(nodes),
            fallback=known,
            bootstrap=rpc.config.bootstrap,
            skip=rpc.is_self,
            concurrency=concurrency,
        )

    def start(self) -> None:
        """Send the first requests; a query that knows nobody is done at once."""
        self._pump()

    def cancel(self) -> None:
        """Stop; ``on_done`` is not called any more."""
        self.done = True
        self._rpc.close(self._outstanding)
        self._outstanding.clear()

    def _pump(self) -> None:
        if self.done or self._committing:
            return
        if self._is_alone():
            self._query.hurry()
        while (address := self._query.next_address()) is not None:
            self._ask(address)
        if self._query.finished:
            self._rpc.close(self._outstanding)
            self._outstanding.clear()
            self._commit_all()

    def _is_alone(self) -> bool:
        return len(self._rpc.requests) < 3

    def _ask(self, address: Address) -> None:
        def answered(answer: Answer) -> None:
            self._outstanding.discard(request)
            if self.done:
                return
            hints = self._query.replied(address, answer.id, answer.response)
            self._tell(hints)
            if answer.response.error == 0:
                self._on_reply(address, answer)
            self._pump()

        def failed() -> None:
            self._outstanding.discard(request)
            if not self.done:
                self._tell(self._query.failed(address))
                self._pump()

        def slow() -> None:
            self._query.slow(address)
            self._pump()

        request = self._rpc.request(
            address,
            self._command,
            internal=self._internal,
            target=self._target,
            value=self._value,
            retries=QUERY_RETRIES,
            on_answer=answered,
            on_failure=failed,
            on_slow=slow,
        )
        self._outstanding.add(request)

    def _tell(self, hints: list[DownHint]) -> None:
        for referrer, down in hints:
            self._rpc.upkeep.tell_down(referrer, down)

    def _commit_all(self) -> None:
        self._committing = True
        for reply in self._query.closest[: self._most_commits]:
            commit = self._commit(reply)
            if commit is not None:
                self._store(reply, commit)
        self._finish_if_done()

    def _store(self, reply: CloseReply, commit: Commit) -> None:
        def answered(answer: Answer) -> None:
            self._outstanding.discard(request)
            if answer.response.error:
                self._refused.append(answer.response.error)
            else:
                self._stored += 1
            self._finish_if_done()

        def failed() -> None:
            self._outstanding.discard(request)
            self._finish_if_done()

        request = self._rpc.request(
            reply.address,
            commit.command,
            target=self._target,
            value=commit.value,
            token=reply.token,
            on_answer=answered,
            on_failure=failed,
        )
        self._outstanding.add(request)

    def _finish_if_done(self) -> None:
        if self._outstanding or self.done:
            return
        self.done = True
        query = self._query
        self._on_done(
            QueryResult(tuple(query.closest), self._stored, tuple(self._refused), query.hops)
        )
