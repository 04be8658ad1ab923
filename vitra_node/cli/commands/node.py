"""``vitra stop``, ``status``, ``info``, ``sync`` and ``peers``: a node from outside."""

from __future__ import annotations

from typing import Any

import click

from ...api.client import ControlClient
from ...api.control.connection import Connection
from ...config import read_config
from ..asking import ask, running_node
from ..output import counted
from ..settings import Settings, takes_settings


@click.command()
@takes_settings
def stop(settings: Settings) -> None:
    """Stop the node of this directory; returns when the directory is free again."""
    with ControlClient.connect(settings.directory) as client:
        pid = client.node["pid"]
        client.stop_node()
    settings.output.result({"pid": pid, "stopping": True}, None)
    settings.output.narrate(f"The node (process {pid}) has stopped.")


@click.command()
@takes_settings
def status(settings: Settings) -> None:
    """Tell whether a node serves this directory, and how it does."""
    client = running_node(settings.directory)
    if client is None:
        config = read_config(settings.directory)
        key = None if config.key is None else config.key.hex()
        state = {"running": False, "key": key, "sparse": config.sparse}
        settings.output.result(state, "not running")
        return
    with client:
        state = client.call("node.status")
    settings.output.result(state, _status_text(state))


@click.command()
@takes_settings
def info(settings: Settings) -> None:
    """Show key, role, index and oplogs of the database."""
    _ask_info(settings, "database.info", with_peers=False)


@click.command()
@click.option("--full", is_flag=True, help="Fetch the whole history, oplogs too.")
@takes_settings
def sync(settings: Settings, full: bool) -> None:
    """Learn the newest state from the peers."""
    _ask_info(settings, "database.sync", long=True, full=full)


@click.command()
@takes_settings
def peers(settings: Settings) -> None:
    """List the peers that are connected: who, how, since when, how much, by which logs."""

    async def command(connection: Connection) -> Any:
        return await connection.call("node.peers")

    found = ask(settings, command)
    settings.output.result(found, "\n".join(map(_peer_line, found)) or None)
    if not found:
        settings.output.narrate(
            "Nobody is connected. `vitra doctor` tells why, while a node serves."
        )


def _peer_line(peer: dict[str, Any]) -> str:
    way = "called" if peer["initiator"] else "came"
    topics = f", found by {', '.join(t[:8] for t in peer['topics'])}" if peer["topics"] else ""
    return (
        f"{peer['address']}  {peer['key'][:16]}  {peer['via']}, {way} {peer['seconds']:.0f} s ago, "
        f"{peer['bytes_read']} bytes in, {peer['bytes_written']} out{topics}"
    )


def _ask_info(
    settings: Settings, method: str, *, with_peers: bool = True, long: bool = False, **params: Any
) -> None:
    async def command(connection: Connection) -> Any:
        if long:
            return await connection.call_long(method, **params)
        return await connection.call(method, **params)

    found = ask(settings, command, with_peers=with_peers)
    settings.output.result(found, _info_text(found))


def _info_text(found: dict[str, Any]) -> str:
    lines = [
        f"key     {found['key']}",
        f"role    {found['role']}",
        f"index   {_index_text(found)}",
        f"peers   {found['peers']}",
    ]
    lines += [f"oplog   {oplog_line(oplog)}" for oplog in found["oplogs"]]
    return "\n".join(lines)


def _index_text(found: dict[str, Any]) -> str:
    index = found["index"]
    here = f", {index['stored']} of them here (sparse copy)" if found["sparse"] else ""
    return f"{counted(index['length'], 'block')}{here}, fork {index['fork']}"


def oplog_line(oplog: dict[str, Any]) -> str:
    """One oplog on one line: key, length, and what it is to this node."""
    marks = [
        "active" if oplog["active"] else "not active",
        *(["writable"] if oplog["writable"] else []),
    ]
    return f"{oplog['key']}  {counted(oplog['length'], 'operation')}  {', '.join(marks)}"


def _network_text(dht: dict[str, Any]) -> str:
    place = dht["address"] or dht["listen"]
    announced = f"{dht['announced']} of {counted(dht['topics'], 'log')} announced"
    return f"{place}, NAT {dht['nat']}, {counted(dht['nodes'], 'node')} known, {announced}"


def _status_text(state: dict[str, Any]) -> str:
    lines = [
        f"running    process {state['pid']}, {state['uptime_seconds']:.0f} s",
        f"key        {state['key']}",
        f"role       {state['role']}{', sparse copy' if state['sparse'] else ''}",
        f"listen     {state['listen'] or 'nowhere'}",
        f"peers      {state['peers']}",
    ]
    if state["dht"] is not None:
        lines.append(f"network    {_network_text(state['dht'])}")
    if state["executor_fault"]:
        lines.append(f"executor   {state['executor_fault']}")
    if state["unconfirmed"]:
        logs = counted(len(state["unconfirmed"]), "log")
        lines.append(f"restored   {logs} read-only until a peer confirms that nothing is newer")
    for fork in state["forks"]:
        lines.append(f"forked     {fork['log']} by the {fork['whose']}, {fork['proof']}")
    if state["monitoring"]:
        lines.append(f"monitor    {counted(state['validated'], 'operation')} validated")
    if state["violation"]:
        lines.append(f"violation  {state['violation']['code']}, {state['violation']['proof']}")
    return "\n".join(lines)
