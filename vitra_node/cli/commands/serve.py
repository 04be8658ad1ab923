"""``vitra serve``: run a node, here or in the background."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...config import Address, parse_address, read_config
from ...errors import UsageProblem
from ..asking import refuse_while_running
from ..hook_flags import takes_hook_flags
from ..output import Output
from ..settings import Settings, takes_settings
from ..swarm_flags import (
    chosen_bootstrap,
    given_bootstrap,
    swarm_off,
    takes_swarm_flags,
)

if TYPE_CHECKING:
    from protocol.hyperbee import CacheRoom

    from ...api.hosting.database_hosting import Door, Hosting
    from ...api.hosting.hooks import HookPlan
    from ...api.session import Session


@click.command()
@click.argument("directories", metavar="[DIRECTORY]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Take direct connections there; port 0 picks a free one.",
)
@click.option(
    "--peer",
    "peers",
    metavar="HOST:PORT",
    multiple=True,
    help="Stay connected with this peer too; may be given several times.",
)
@takes_swarm_flags
@click.option(
    "--http", metavar="HOST:PORT", help="Answer programs over HTTP too, on this machine only."
)
@click.option("--allow-writes", is_flag=True, help="Let those programs change things.")
@click.option(
    "--metrics", metavar="HOST:PORT", help="Answer GET /metrics for Prometheus there: numbers only."
)
@click.option("--monitor", is_flag=True, help="Verify the database as it grows, from the start.")
@takes_hook_flags
@click.option("--background", is_flag=True, help="Return when it is ready; `vitra stop` ends it.")
@click.option(
    "--systemd-unit", is_flag=True, help="Print a unit file for this instead of doing it."
)
@takes_settings
def serve(
    settings: Settings,
    /,
    directories: tuple[Path, ...],
    background: bool,
    systemd_unit: bool,
    **options: Any,
) -> None:
    """Run a node for this directory until `vitra stop`, SIGTERM or Ctrl-C.

    Prints one line of JSON once it is ready: key, role, and where it listens. With DIRECTORY given
    several times, one process serves all of them, and prints a line for each.

    With --on-violation or --webhook it monitors too, and tells of each violation once.
    """
    if systemd_unit:
        from ..systemd import unit_text

        chosen = _chosen(settings, directories)
        settings.output.result(None, unit_text(chosen, _flags(options)).removesuffix("\n"))
        return
    plan = _plan(settings, directories, **options)
    for directory in plan.directories:
        refuse_while_running(directory)
        _require_database(directory)
    if background:
        from ..background import in_background

        in_background(plan.directories, plan.run_in_background, settings.output.json_line)
        settings.output.narrate("It goes on in the background. `vitra stop` ends it.")
    else:
        plan.run(settings.output.json_line, settings.output)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to serve, and how."""

    directories: tuple[Path, ...]
    listen: Address | None
    peers: tuple[Address, ...]
    doors: tuple[Door, ...]
    metrics: Address | None
    swarm: bool
    bootstrap: tuple[Address, ...]
    monitors: bool
    hooks: HookPlan

    def run(self, ready: Callable[[dict[str, Any]], None], output: Output) -> None:
        self._serve(ready, output.narrate, None)

    def run_in_background(self, ready: Callable[[dict[str, Any]], None], log_file: Path) -> None:
        import logging

        self._serve(ready, logging.getLogger("vitra.node").info, log_file)

    def _serve(
        self,
        ready: Callable[[dict[str, Any]], None],
        narrate: Callable[[str], None],
        log_file: Path | None,
    ) -> None:
        import trio

        from protocol.hyperbee import CacheRoom

        from ..serving import serve_until_stopped
        from ..systemd import tell_systemd

        getting_ready = set(self.directories)

        def is_ready(directory: Path, line: dict[str, Any]) -> None:
            ready(line if len(self.directories) == 1 else {**line, "directory": str(directory)})
            getting_ready.discard(directory)
            if not getting_ready:
                tell_systemd("READY=1")

        async def serve() -> None:
            async with AsyncExitStack() as stack:
                doors = self.doors
                if self.metrics is not None:
                    doors += (await _open_metrics(stack, self.metrics),)
                room = CacheRoom()
                hostings = [
                    self._hosting(each, room, partial(is_ready, each), narrate, log_file, doors)
                    for each in self.directories
                ]
                await serve_until_stopped(hostings)

        trio.run(serve)

    def _hosting(
        self,
        directory: Path,
        room: CacheRoom,
        ready: Callable[[dict[str, Any]], None],
        narrate: Callable[[str], None],
        log_file: Path | None,
        doors: tuple[Door, ...],
    ) -> Hosting:
        from ...api.hosting.database_hosting import Hosting

        config = read_config(directory)

        def narrate_of_one(text: str) -> None:
            narrate(text if len(self.directories) == 1 else f"{directory}: {text}")

        return Hosting(
            directory=directory,
            room=room,
            listen=config.listen if self.listen is None else self.listen,
            peers=tuple(dict.fromkeys((*config.peers, *self.peers))),
            ready=ready,
            narrate=narrate_of_one,
            log_file=log_file,
            swarm=self.swarm,
            bootstrap=chosen_bootstrap(self.bootstrap, config),
            monitors=self.monitors,
            hooks=self.hooks,
            doors=doors,
        )


def _plan(
    settings: Settings,
    directories: tuple[Path, ...],
    listen: str | None,
    peers: tuple[str, ...],
    no_swarm: bool,
    bootstrap: str | None,
    http: str | None,
    allow_writes: bool,
    metrics: str | None,
    monitor: bool,
    on_violation: str | None,
    webhook: str | None,
) -> _Plan:
    from ...api.hosting.hooks import plan_hooks

    chosen = _chosen(settings, directories)
    address = _shared_address(listen, len(chosen))
    http_address = _shared_address(http, len(chosen))
    if allow_writes and http_address is None:
        raise UsageProblem(
            "--allow-writes says what --http allows, and there is no --http.",
            unchanged="No node was started.",
        )
    doors = () if http_address is None else (_http_door(http_address, allow_writes),)
    peer_addresses = tuple(parse_address(peer) for peer in peers)
    metrics_address = None if metrics is None else parse_address(metrics)
    swarm, nodes = not swarm_off(no_swarm, bootstrap), given_bootstrap(bootstrap)
    hooks = plan_hooks(on_violation, webhook)
    return _Plan(
        chosen,
        address,
        peer_addresses,
        doors,
        metrics_address,
        swarm,
        nodes,
        monitor or bool(hooks),
        hooks,
    )


async def _open_metrics(stack: AsyncExitStack, address: Address) -> Door:
    """Open the port for Prometheus; gives what brings a database in, and tells the address."""
    from ...api.hosting.metrics import Metrics

    metrics = Metrics()
    bound = await stack.enter_async_context(metrics.answering(address))

    @asynccontextmanager
    async def door(session: Session) -> AsyncIterator[dict[str, Any]]:
        async with metrics.door(session):
            yield {"metrics": str(bound)}

    return door


def _http_door(address: Address, allow_writes: bool) -> Door:
    from ...api.http.opening import HttpDoorPlan
    from ...api.http.serving import require_loopback

    require_loopback(address)
    return HttpDoorPlan(address, allow_writes)


def _shared_address(text: str | None, databases: int) -> Address | None:
    """An address that each of several databases can have."""
    address = None if text is None else parse_address(text)
    if databases > 1 and address is not None and address.port != 0:
        raise UsageProblem(
            f"{databases} databases cannot all listen on port {address.port}.",
            unchanged="No node was started.",
            advice="Use port 0, which picks a free one for each, or `listen` in each vitra.json.",
        )
    return address


def _chosen(settings: Settings, directories: tuple[Path, ...]) -> tuple[Path, ...]:
    named = (each.expanduser().absolute() for each in directories)
    return tuple(dict.fromkeys(named)) or (settings.directory,)


def _require_database(directory: Path) -> None:
    """Raise NotFound before a process is started for a directory that holds nothing."""
    if read_config(directory).key is None:
        from ...api.directories.local import database_key

        database_key(directory)


def _flags(options: dict[str, Any]) -> list[str]:
    """The options as they were given, for a unit file."""
    words = [] if options["listen"] is None else ["--listen", options["listen"]]
    for peer in options["peers"]:
        words += ["--peer", peer]
    for name in ("bootstrap", "http", "metrics", "on_violation", "webhook"):
        flag = f"--{name.replace('_', '-')}"
        words += [] if options[name] is None else [flag, options[name]]
    names = ("no_swarm", "allow_writes", "monitor")
    return words + [f"--{name.replace('_', '-')}" for name in names if options[name]]
