"""Who is told of a violation: a command, a web address. What they do never touches the monitor."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trio
from blake3 import blake3

from ...errors import UsageProblem

_log = logging.getLogger("vitra.hooks")

# Beside the proofs: one empty file for each violation and hook that was told of it.
TOLD_DIRECTORY = "told"

# A command that hangs is killed; whoever needs longer starts something of their own.
COMMAND_SECONDS = 60.0

# One attempt of a webhook, and the pauses between them: a receiver that restarts is reached.
REQUEST_SECONDS = 10.0
RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)

# Violations that wait for a hook. A database has one, and one for each oplog that forks.
MAX_WAITING = 256

# Answers that say "not now".
_TRY_AGAIN = frozenset((408, 425, 429))

Deliver = Callable[[bytes], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class HookPlan:
    """Who is to be told.

    Attributes:
      command: program and arguments, run without a shell; None for none.
      webhook: an http or https address that is posted to; None for none.
    """

    command: tuple[str, ...] | None = None
    webhook: str | None = None

    def __bool__(self) -> bool:
        return self.command is not None or self.webhook is not None


def plan_hooks(command: str | None, webhook: str | None) -> HookPlan:
    """Read what a user gave; raises UsageProblem when it cannot work, before anything starts."""
    return HookPlan(
        None if command is None else _program(command),
        None if webhook is None else _address(webhook),
    )


class Hooks:
    """Tells each hook of each violation once.

    *Resource handling*: made by ``open``; a hook that still runs when the block ends is cut short,
    and is told again by the next process, for nothing notes that it was told.

    *Error handling*: whatever fails is logged, without the secrets an address may hold.
    """

    def __init__(self, database_key: bytes, told: Path | None) -> None:
        self._database_key = database_key
        self._told = told
        self._seen: set[str] = set()
        self._queues: list[tuple[str, trio.MemorySendChannel[_Call]]] = []
        self._unfinished = 0
        self._idle = trio.Event()
        self._idle.set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, plan: HookPlan, database_key: bytes, frauds: Path | None
    ) -> AsyncIterator[Hooks]:
        """Hooks of one database; ``frauds`` is where its proofs are, None for memory."""
        hooks = cls(database_key, None if frauds is None else frauds / TOLD_DIRECTORY)
        async with trio.open_nursery() as nursery:
            if plan.command is not None:
                command = plan.command
                hooks._add(nursery, "\0".join(command), lambda body: _run(command, body))
            if plan.webhook is not None:
                webhook = plan.webhook
                hooks._add(nursery, webhook, lambda body: _post_until_taken(webhook, body))
            yield hooks
            nursery.cancel_scope.cancel()

    def tell(self, event: dict[str, Any]) -> None:
        """Tell every hook of a ``violation`` or ``fork`` event of a monitor. Never waits."""
        body = json.dumps({**event, "database": self._database_key.hex()}).encode()
        identity = event.get("id") or blake3(str(event.get("reason")).encode()).hexdigest()
        for target, queue in self._queues:
            name = blake3(f"{identity}\0{target}".encode()).hexdigest()[:32]
            if name in self._seen or (self._told is not None and (self._told / name).exists()):
                continue
            try:
                queue.send_nowait(_Call(name, body))
            except trio.WouldBlock:
                _log.error("too many violations wait for a hook; it is told at the next start")
                continue
            self._seen.add(name)
            self._unfinished += 1
            self._idle = trio.Event()

    async def finished(self) -> None:
        """Return when every hook was told, or given up."""
        while self._unfinished:
            await self._idle.wait()

    def _add(self, nursery: trio.Nursery, target: str, deliver: Deliver) -> None:
        send, receive = trio.open_memory_channel[_Call](MAX_WAITING)
        self._queues.append((target, send))
        # One at a time for each hook.
        nursery.start_soon(self._serve, receive, deliver)

    async def _serve(self, calls: trio.MemoryReceiveChannel[_Call], deliver: Deliver) -> None:
        async for call in calls:
            try:
                if await deliver(call.body):
                    self._note(call.name)
            except Exception as error:
                # The promise of this file: nothing that goes wrong here ends a monitor. The text
                # of the error may have the address in it, its type has not.
                _log.error("a hook failed: %s", type(error).__name__)
            self._unfinished -= 1
            if not self._unfinished:
                self._idle.set()

    def _note(self, name: str) -> None:
        if self._told is None:
            return
        try:
            self._told.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._told / name).touch(mode=0o600)
        except OSError as error:
            _log.warning("it cannot be noted that a hook was told: %s", error)


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    body: bytes


# A command ----------------------------------------------------------------------------------------


def _program(text: str) -> tuple[str, ...]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageProblem(
            f"The command of --on-violation cannot be read: {error}.",
            unchanged="Nothing was started.",
        ) from None
    found = shutil.which(words[0]) if words else None
    if found is None:
        raise UsageProblem(
            f"There is no program {words[0] if words else text!r} for --on-violation.",
            unchanged="Nothing was started.",
            advice="Give a program and its arguments; no shell reads them.",
        )
    return (str(Path(found).absolute()), *words[1:])


async def _run(command: tuple[str, ...], body: bytes) -> bool:
    """Run it with the violation on its standard input; any end of its own counts as told."""
    with trio.move_on_after(COMMAND_SECONDS) as scope:
        done = await trio.run_process(
            list(command),
            stdin=body,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            # Ctrl-C is for the monitor; and what it started can be ended as a whole.
            start_new_session=True,
            deliver_cancel=_kill_group,
        )
    if scope.cancelled_caught:
        _log.error("the command of --on-violation was killed after %.0f s", COMMAND_SECONDS)
    elif done.returncode:
        _log.error("the command of --on-violation ended with %d", done.returncode)
    return True


async def _kill_group(process: trio.Process) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


# A web address ------------------------------------------------------------------------------------


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        well_formed = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        well_formed = False
    if not well_formed:
        # Not shown: what is wrong with it may stand beside a secret.
        raise UsageProblem(
            "The address of --webhook is none.",
            unchanged="Nothing was started.",
            advice="Give one as https://host/path.",
        )
    return text


def _without_secrets(url: str) -> str:
    """Scheme, host and port: the rest may be a password."""
    parts = urlsplit(url)
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}"


async def _post_until_taken(url: str, body: bytes) -> bool:
    """Post it, again with growing pauses while the other end is away or says "not now"."""
    where = _without_secrets(url)
    for pause in (*RETRY_SECONDS, None):
        status = await _post(url, body)
        if status is not None and 200 <= status < 300:
            return True
        what = "could not be reached" if status is None else f"answered {status}"
        if status is not None and status < 500 and status not in _TRY_AGAIN:
            _log.error("the webhook at %s %s; it is not tried again", where, what)
            return False
        if pause is not None:
            _log.warning("the webhook at %s %s; again in %.0f s", where, what, pause)
            await trio.sleep(pause)
    _log.error("the webhook at %s was given up; it is told at the next start", where)
    return False


async def _post(url: str, body: bytes) -> int | None:
    """The status of the answer, None without one. What else it says is not read."""
    import httpx

    # It logs whole addresses of every request, ours are nobody's business.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    headers = {"content-type": "application/json", "user-agent": "vitra-node"}
    try:
        with trio.fail_after(REQUEST_SECONDS):
            async with (
                httpx.AsyncClient(timeout=REQUEST_SECONDS) as client,
                client.stream("POST", url, content=body, headers=headers) as answer,
            ):
                return answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, trio.TooSlowError):
        return None
