"""Method calls in the process that runs them, many in one frame.

With many callers a frame each would be most of what a call costs. No caller can tell, because each
call has a fresh instance of the contract anyway. A call publishes nothing, so what was lost with
the process can simply be run again.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, TypeAlias

from .engine import CallResult, CompiledContract, Host
from .errors import ContractCallError, WorkerFault
from .messages import printed_lines
from .realm import Realm
from .wire import Message, encode_message

# Of processor time, for all calls of a frame. A method answers a person, who should not wait
# longer.
CALL_MILLISECONDS = 3_000
# Calls in one frame. What a frame costs is nothing beside this many calls.
MAX_CALLS_TOGETHER = 64

CallOutcome: TypeAlias = "CallResult | Exception"


class CallFrames:
    """Runs calls of one contract in a process, as the worker's side for calls.

    Args:
      realm: the process.
      compiled: the contract that it has loaded.
    """

    def __init__(self, realm: Realm, compiled: CompiledContract) -> None:
        self._realm = realm
        self._compiled = compiled

    async def run(
        self, requests: Sequence[dict[str, Any]], host: Host, version: Hashable | None
    ) -> list[CallOutcome]:
        """What became of each request, in their order: its result, or its error."""
        outcomes: list[CallOutcome] = []
        while len(outcomes) < len(requests):
            together = requests[len(outcomes) : len(outcomes) + MAX_CALLS_TOGETHER]
            try:
                outcomes += await self._run_frame(together, host, version)
            except Exception as error:
                if len(together) == 1:
                    outcomes.append(error)
                else:
                    # Which of them it was, and what becomes of the others, each shows alone.
                    outcomes += await self._run_singly(together, host, version)
        return outcomes

    async def _run_singly(
        self, requests: Sequence[dict[str, Any]], host: Host, version: Hashable | None
    ) -> list[CallOutcome]:
        outcomes: list[CallOutcome] = []
        for request in requests:
            try:
                outcomes += await self._run_frame([request], host, version)
            except Exception as error:
                outcomes.append(error)
        return outcomes

    async def _run_frame(
        self, requests: Sequence[dict[str, Any]], host: Host, version: Hashable | None
    ) -> list[CallOutcome]:
        """Outcomes of one frame; the last requests may be left for another one."""
        frame: dict[str, Any] = {"t": "call", "calls": requests}
        async with self._realm.conversation() as process:
            frame["fresh"] = self._realm.must_forget(version)
            body = encode_message(frame)
            message = await self._realm.converse(process, body, CALL_MILLISECONDS, host)
            try:
                outcomes = [self._outcome(message, result) for result in message["results"]]
            except (KeyError, IndexError, TypeError, ValueError) as reason:
                raise WorkerFault(f"the worker sent a malformed result: {reason!r}") from reason
            if not 0 < len(outcomes) <= len(requests):
                count = f"{len(outcomes)} results for {len(requests)} calls"
                raise WorkerFault(f"the worker sent {count}")
        return outcomes

    def _outcome(self, message: Message, result: dict[str, Any]) -> CallOutcome:
        printed = printed_lines(result)
        if "e" in result:
            position = self._compiled.position(result.get("l"))
            return ContractCallError(result["e"], position=position, printed=printed)
        operations = [message.value(operation) for operation in result["ops"]]
        return CallResult(message.value(result["v"]), operations, printed)
