"""Method calls on their way to the process that runs them.

Calls that wait for that process are handed over together, one frame for all of them: with many
callers a frame each would be most of what a call costs. No caller can tell, because each call has
a fresh instance of the contract anyway, and those that go together are shown one state of the
database. A call publishes nothing before it has returned, so what was lost with the process can
simply be run again.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import trio

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


class WaitingCall:
    """One call, until it has a result or an error.

    Args:
      request: its JSON form.
      host: answers its reads.
      version: names the state of the database that the host shows; None if it has no name.
    """

    def __init__(self, request: dict[str, Any], host: Host, version: Hashable | None) -> None:
        self.request = request
        self.host = host
        self.version = version
        self.result: CallResult | None = None
        self.error: Exception | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has been run, be it with success or not."""
        return self.result is not None or self.error is not None


class CallQueue:
    """Runs calls in a process, in their order."""

    def __init__(self, realm: Realm, compiled: CompiledContract) -> None:
        self._realm = realm
        self._compiled = compiled
        self._waiting: list[WaitingCall] = []
        # Whether the task of one of the calls is talking to the process, for all of them.
        self._is_led = False
        self._turns = trio.lowlevel.ParkingLot()

    async def run(self, call: WaitingCall) -> CallResult:
        """The result of a call, once it is its turn.

        Raises:
          ContractCallError: it threw, or there is no such method.
          ContractTimeout, WorkerFault: host faults; the next call gets a fresh process.
        """
        self._waiting.append(call)
        try:
            while not call.is_over:
                if self._is_led:
                    await self._turns.park()
                else:
                    await self._lead()
        finally:
            if not call.is_over:
                self._waiting.remove(call)
        if call.error is not None:
            raise call.error
        assert call.result is not None
        return call.result

    async def _lead(self) -> None:
        """Run the calls that can go with the first that waits, and wake those who wait."""
        self._is_led = True
        try:
            # Callers are woken together, when the index has grown: one turn for all to come.
            await trio.lowlevel.checkpoint()
            first = self._waiting[0]
            together = [
                call
                for call in self._waiting[:MAX_CALLS_TOGETHER]
                if call is first or (call.version is not None and call.version == first.version)
            ]
            try:
                await self._run_together(together)
            except Exception as error:
                if len(together) == 1:
                    first.error = error
                else:
                    # Which of them it was, and what becomes of the others, each shows alone.
                    await self._run_singly(together)
        finally:
            self._is_led = False
            self._waiting = [call for call in self._waiting if not call.is_over]
            self._turns.unpark_all()

    async def _run_singly(self, calls: list[WaitingCall]) -> None:
        for call in calls:
            try:
                await self._run_together([call])
            except Exception as error:
                call.error = error

    async def _run_together(self, calls: list[WaitingCall]) -> None:
        """Run calls that may see the same; the last of them may be left for another time."""
        first = calls[0]
        request: dict[str, Any] = {"t": "call", "calls": [call.request for call in calls]}
        async with self._realm.conversation() as process:
            request["fresh"] = self._realm.must_forget(first.version)
            body = encode_message(request)
            message = await self._realm.converse(process, body, CALL_MILLISECONDS, first.host)
            results = message["results"]
        for call, result in zip(calls, results, strict=False):
            self._finish(call, message, result)

    def _finish(self, call: WaitingCall, message: Message, result: dict[str, Any]) -> None:
        try:
            if "e" in result:
                call.error = ContractCallError(
                    result["e"],
                    position=self._compiled.position(result.get("l")),
                    printed=printed_lines(result),
                )
            else:
                operations = [message.value(operation) for operation in result["ops"]]
                call.result = CallResult(
                    message.value(result["v"]), operations, printed_lines(result)
                )
        except (KeyError, IndexError, TypeError, ValueError) as reason:
            raise WorkerFault(f"the worker sent a malformed result: {reason!r}") from reason
