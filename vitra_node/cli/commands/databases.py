"""``vitra init``, ``join`` and ``destroy``: a data directory's beginning and end."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from ...config import Address, parse_address, read_config
from ...errors import NotFound, UsageProblem
from ...key_text import parse_key
from ..asking import already_running, refuse_while_running, running_node
from ..settings import Settings, takes_settings
from ..swarm_flags import given_bootstrap, swarm_off, takes_swarm_flags

# A contract is source text that people write; what is larger is another file, given by mistake.
MAX_CONTRACT_BYTES = 4 * 1024 * 1024

LINK_SCHEME = "vitra://"


@click.command()
@click.argument("contract", metavar="CONTRACT.js", type=click.Path(path_type=Path))
@click.option(
    "--participant",
    "participants",
    metavar="KEY",
    multiple=True,
    help="An oplog that may write from the beginning; may be given several times.",
)
@takes_settings
def init(settings: Settings, contract: Path, participants: tuple[str, ...]) -> None:
    """Make a database from CONTRACT.js. This directory becomes its executor.

    Prints the key by which others join it. A contract that cannot run is refused with line and
    column, and nothing is created.
    """
    import trio

    from ...api.directories.directory import create_database

    keys = [parse_key(text) for text in participants]
    source = read_contract(contract)
    refuse_while_running(settings.directory)
    made = trio.run(create_database, settings.directory, source, keys)
    settings.output.result(made, made["key"])
    settings.output.narrate(
        f"Made a database in {settings.directory}. Run its node with `vitra serve`; others get it "
        f"with `vitra join {made['key']}`."
    )


@click.command()
@click.argument("key")
@click.option(
    "--peer",
    "peers",
    metavar="HOST:PORT",
    multiple=True,
    help="Where a node of the database listens; remembered. May be given several times.",
)
@click.option(
    "--sparse/--no-sparse",
    default=None,
    help="Hold only what is read here, and fetch it then; remembered.",
)
@takes_swarm_flags
@takes_settings
def join(
    settings: Settings,
    key: str,
    peers: tuple[str, ...],
    sparse: bool | None,
    bootstrap: str | None,
    no_swarm: bool,
) -> None:
    """Get the database with KEY into this directory.

    Peers are found by the key; --peer names some that are tried first.

    KEY is hex or z-base-32, or a link vitra://KEY@host:port that names a peer too. Joining again
    adds peers, also while a node is running.
    """
    import trio

    from ...api.directories.directory import join_database

    wanted, linked = read_link(key)
    addresses = linked + tuple(parse_address(peer) for peer in peers)
    joined = _add_peers_to_running_node(settings, wanted, addresses, sparse)
    if joined is None:
        joined = trio.run(
            partial(
                join_database,
                settings.directory,
                wanted,
                addresses,
                settings.output.narrate,
                swarm=not swarm_off(no_swarm, bootstrap),
                bootstrap=given_bootstrap(bootstrap),
                sparse=sparse,
            )
        )
    settings.output.result(joined, joined["key"])
    if joined["index_length"]:
        settings.output.narrate(f"The index has {joined['index_length']} blocks.")
    elif not addresses:
        settings.output.narrate(
            "No peer is known yet; name one with `vitra serve --peer host:port`."
        )


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@takes_settings
def destroy(settings: Settings, yes: bool) -> None:
    """Delete the database of this directory with its keys. Nobody can bring it back.

    Asks first on a terminal; in a script it does not. Other files in the directory are kept.
    """
    refuse_while_running(settings.directory)
    known = read_config_or_none(settings.directory)
    if not yes and sys.stdin.isatty():
        what = "what is left of the database" if known is None else f"database {known.hex()}"
        click.confirm(f"Delete {what} in {settings.directory}, keys and all?", abort=True, err=True)

    from ...api.directories.directory import destroy_directory

    deleted = destroy_directory(settings.directory)
    key = None if known is None else known.hex()
    settings.output.result({"destroyed": True, "key": key, "deleted": deleted})
    settings.output.narrate(f"Deleted the database in {settings.directory}.")


def read_contract(path: Path) -> str:
    """The text of a contract file; raises NotFound or UsageProblem, and nothing was changed."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CONTRACT_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.", unchanged="Nothing was created.") from error
    except OSError as error:
        raise UsageProblem(
            f"{path} cannot be read: {error.strerror}.", unchanged="Nothing was created."
        ) from error
    if len(data) > MAX_CONTRACT_BYTES:
        raise UsageProblem(
            f"{path} is larger than {MAX_CONTRACT_BYTES} bytes.", unchanged="Nothing was created."
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageProblem(
            f"{path} is not UTF-8 text (line {line}).", unchanged="Nothing was created."
        ) from error


def read_link(text: str) -> tuple[bytes, tuple[Address, ...]]:
    """The key in ``KEY`` or ``vitra://KEY@host:port``, and the address in the latter."""
    if not text.startswith(LINK_SCHEME):
        return parse_key(text), ()
    key, at, address = text.removeprefix(LINK_SCHEME).rstrip("/").partition("@")
    return parse_key(key), (parse_address(address),) if at else ()


def _add_peers_to_running_node(
    settings: Settings, key: bytes, peers: tuple[Address, ...], sparse: bool | None
) -> dict[str, Any] | None:
    """What ``join`` prints when a node serves this database already; None without a node."""
    client = running_node(settings.directory)
    if client is None:
        return None
    with client:
        served = client.call("database.info")
        if served["key"] != key.hex() or sparse not in (None, served["sparse"]):
            raise already_running(settings.directory, client)
        for peer in peers:
            client.call("node.connect", address=str(peer), remember=True)
        info = client.call("database.info")
    own = [oplog["key"] for oplog in info["oplogs"] if oplog["writable"]]
    return {
        "key": info["key"],
        "role": info["role"],
        "sparse": info["sparse"],
        "oplog": own[0] if own else None,
        "index_length": info["index"]["length"],
        "peers": info["peers"],
    }


def read_config_or_none(directory: Path) -> bytes | None:
    """The database's key, None where it cannot be told: destroying must work on damaged files."""
    from ...errors import StoreDamaged

    try:
        return read_config(directory).key
    except StoreDamaged:
        return None
