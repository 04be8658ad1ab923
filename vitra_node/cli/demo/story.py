"""The story of ``vitra demo``: what each process does, and the words for it."""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import trio

from ...api.client import ControlClient
from ...errors import InternalFault, Interrupted
from ..exit_codes import VIOLATED
from ..output import Output, counted
from .processes import STEP_SECONDS, LongProcess, finished, running, shown_command

AMOUNT = 2
LIE = 1


async def play(story: Story) -> None:
    """Tell the story; a signal ends it early, and its processes with it."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_end_at_signal, signals)
            await story.tell()
            nursery.cancel_scope.cancel()


async def _end_at_signal(signals: AsyncIterator[int]) -> None:
    async for number in signals:
        raise Interrupted(f"Ended by {signal.Signals(number).name}.")


@dataclass
class Story:
    """The demo's steps, in order.

    Attributes:
      root: a temporary directory; below it each process gets a data directory of its own.
      output: where the story is told.
    """

    root: Path
    output: Output
    _chapter: int = 0

    async def tell(self) -> None:
        """Play it through; raises VitraError when a step does not go as it should."""
        started = time.monotonic()
        self.output.narrate(
            "A database that a contract rules: anyone can take part, one node executes, and\n"
            "everyone can check. Three processes on this machine play the parts. They find each\n"
            "other by the database's key, in a network that a fourth one carries."
        )
        async with AsyncExitStack() as processes:
            oplog = await self._make_oplog()
            key = await self._make_database(oplog)
            network = await self._start_network(processes)
            await self._start_executor(processes, network)
            await self._start_participant(processes, key, network)
            await self._increment()
            monitor = await self._start_monitor(processes, key, network)
            await self._verify()
            await self._cheat()
            await self._catch(monitor)
        seconds = round(time.monotonic() - started, 1)
        self._event("done", seconds=seconds)
        self.output.narrate(f"\nThat was all, in {seconds} s. The directories are gone again.")

    async def _make_oplog(self) -> str:
        self._heading("The participant makes an oplog, the log it will write to.")
        made = await self._run("participant", "oplog", "new")
        oplog: str = made["key"]
        self._say(f"Its key is {oplog}.")
        self._event("oplog_made", process="participant", oplog=oplog)
        return oplog

    async def _make_database(self, oplog: str) -> str:
        self._heading("The executor makes a database from a contract, and admits that oplog.")
        contract = self.root / "counter.js"
        source = resources.files("vitra_node.contracts.examples").joinpath("counter.js")
        contract.write_bytes(source.read_bytes())
        made = await self._run("executor", "init", str(contract), "--participant", oplog)
        key: str = made["key"]
        self._say("The contract has a method, increment, and says what it does to /counter.")
        self._say(f"The key of the database is {key}.")
        self._event("database_made", process="executor", key=key, participants=[oplog])
        return key

    async def _start_network(self, processes: AsyncExitStack) -> str:
        self._heading("A node carries a private network, in which others find each other by key.")
        node = await self._start(processes, "network", "dht", "serve")
        ready = await self._next(node)
        address: str = ready["address"]
        self._say(f"Process {node.pid} is that network for now: {address}.")
        self._event("network_ready", process="network", pid=node.pid, **ready)
        return address

    async def _start_executor(self, processes: AsyncExitStack, network: str) -> None:
        self._heading("The executor's node announces the database there.")
        node = await self._start(processes, "executor", "serve", "--bootstrap", network)
        ready = await self._next(node)
        self._say(f"Process {node.pid} is found by the key alone, every connection encrypted.")
        self._event("node_ready", process="executor", pid=node.pid, **ready)

    async def _start_participant(self, processes: AsyncExitStack, key: str, network: str) -> None:
        self._heading("The participant gets the database by its key.")
        await self._run("participant", "join", key, "--bootstrap", network)
        node = await self._start(processes, "participant", "serve")
        ready = await self._next(node)
        self._say(f"Process {node.pid} has it, each block checked against the key.")
        self._event("node_ready", process="participant", pid=node.pid, **ready)

    async def _increment(self) -> None:
        self._heading("The participant calls a method of the contract.")
        answer = await self._run(
            "participant", "call", "increment", "--arg", f"amount={AMOUNT}", "--wait"
        )
        entry = await self._run("participant", "get", "/counter")
        self._say("It wrote the operation to its own oplog; the executor read it there, ran the")
        self._say(f"contract, and published the result: /counter = {entry['value']}.")
        self._event("called", process="participant", **answer)
        self._event("read", process="participant", **entry)
        _expect(entry["value"] == AMOUNT, "the counter does not hold what was added")

    async def _start_monitor(
        self, processes: AsyncExitStack, key: str, network: str
    ) -> LongProcess:
        self._heading("A third party, the monitor, checks the executor. It needs no permission.")
        await self._run("monitor", "join", key, "--bootstrap", network)
        monitor = await self._start(processes, "monitor", "monitor")
        event = await self._next(monitor)
        while event["event"] != "validated" or event["operations"] < 1:
            _expect(event["event"] != "violation", "an honest executor was accused")
            event = await self._next(monitor)
        operations = counted(event["operations"], "operation")
        self._say(f"Process {monitor.pid} replayed everything: {operations} validated,")
        self._say("every change is what the contract makes of it.")
        self._event("validated", process="monitor", pid=monitor.pid, **_without_name(event))
        return monitor

    async def _verify(self) -> None:
        self._heading("The participant can check for itself, too.")
        report = await self._run("participant", "verify")
        self._say(f"{report['verdict']}: {counted(report['operations'], 'operation')} replayed.")
        self._event("verified", process="participant", **report)
        _expect(report["verdict"] == "verified", "an honest executor is not verified")

    async def _cheat(self) -> None:
        self._heading(f"Now the executor cheats: it writes /counter = {LIE} past the contract.")

        def write() -> None:
            change = {"type": "put", "path": "/counter", "value": LIE}
            with ControlClient.connect(self.root / "executor") as client:
                client.call("index.dangerous_batch", changes=[change])

        await trio.to_thread.run_sync(write)
        self._say("It owns the index, so its signature on this is perfectly good.")
        self._event("cheated", process="executor", path="/counter", value=LIE)

    async def _catch(self, monitor: LongProcess) -> None:
        self._heading("The monitor sees it.")
        event = await self._next(monitor)
        while event["event"] != "violation":
            event = await self._next(monitor)
        with trio.fail_after(STEP_SECONDS):
            code = await monitor.wait()
        self._say(f"{event['kind']} ({event['code']}): {event['reason']}")
        self._say(f"It wrote the proof to a file and ended with exit code {code}.")
        self._event("violation", process="monitor", exit_code=code, **_without_name(event))
        _expect(code == VIOLATED, f"the monitor ended with exit code {code}, not {VIOLATED}")

    # The means -----------------------------------------------------------------------------------

    async def _run(self, process: str, *arguments: str) -> Any:
        self._show(process, *arguments)
        return await finished(*arguments, directory=self.root / process)

    async def _start(self, processes: AsyncExitStack, process: str, *arguments: str) -> LongProcess:
        self._show(process, *arguments)
        return await processes.enter_async_context(
            running(*arguments, directory=self.root / process)
        )

    async def _next(self, process: LongProcess) -> dict[str, Any]:
        with trio.fail_after(STEP_SECONDS):
            return await process.next_json()

    def _heading(self, text: str) -> None:
        self._chapter += 1
        self.output.narrate("")
        self.output.heading(f"{self._chapter}. {text}")

    def _show(self, process: str, *arguments: str) -> None:
        self.output.narrate(f"   {process}$ {shown_command(*arguments)}")

    def _say(self, text: str) -> None:
        self.output.narrate(f"   {text}")

    def _event(self, name: str, /, **fields: Any) -> None:
        self.output.result({"event": name, **fields})


def _without_name(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "event"}


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise InternalFault(
            f"The demo did not go as it should: {otherwise}.",
            advice="Run it again with VITRA_LOG=debug and report what it prints.",
        )
