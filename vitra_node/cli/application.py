"""The ``vitra`` group: a command's module is imported when that command is called, not before."""

from __future__ import annotations

import importlib
from keyword import iskeyword
from pathlib import Path

import click

from .settings import GroupSettings

# Name, module, one sentence for `vitra --help`. The order is the one of the help page.
_COMMANDS = (
    ("demo", "demo", "Show the whole story on this machine, with a cheat that gets caught."),
    ("init", "databases", "Make a database from a contract; this directory executes it."),
    ("join", "databases", "Get a database by its key into this directory."),
    ("destroy", "databases", "Delete the database of this directory, keys and all."),
    ("serve", "serve", "Run a node for this directory until it is stopped."),
    ("stop", "node", "Stop the node of this directory."),
    ("status", "node", "Tell whether a node serves this directory, and how it does."),
    ("logs", "logs", "Print what the background node has logged."),
    ("info", "node", "Show key, role, index and oplogs of the database."),
    ("sync", "node", "Learn the newest state from the peers."),
    ("peers", "node", "List the peers that are connected."),
    ("doctor", "doctor", "Tell why nothing is syncing."),
    ("call", "contract", "Call a method of the contract."),
    ("methods", "contract", "List the methods of the contract."),
    ("source", "contract", "Print the source of the contract."),
    ("rollback", "rollback", "Vote for an earlier contract, or list those there were."),
    ("test", "sandbox", "Try a contract in a sandbox in memory."),
    ("get", "index", "Print the value at a path of the index."),
    ("ls", "index", "List the paths below a path of the index."),
    ("history", "index", "Print a log, block by block."),
    ("oplog", "oplog", "Make, list and remove oplogs."),
    ("tx", "tx", "List, show and verify transactions made here."),
    ("fsck", "checking", "Check the store of this directory, and repair it from peers."),
    ("backup", "backups", "Write a backup of this directory into one file, also while it runs."),
    ("restore", "backups", "Put a backup into this directory."),
    ("export", "transfer", "Print the index as lines of JSON."),
    ("import", "transfer", "Call a method for every line of an export."),
    ("keys", "keys", "Put the keys of this directory under a passphrase, or take them out."),
    ("verify", "audit", "Replay the database and compare: verified, or violated."),
    ("monitor", "audit", "Verify the database as it grows."),
    ("proof", "proof", "Check proofs that others have made, without a database."),
    ("fraud", "audit", "List, show and export fraud proofs."),
    ("dht", "dht", "Carry a private network, in which nodes find each other by key."),
    ("explorer", "explorer", "Show the database as a web page on this machine."),
    ("shell", "shell", "Work with databases in a session."),
    ("sim", "sim", "Run the node in simulated networks; a seed decides everything."),
)


class LazyGroup(click.Group):
    """A group that knows the names of its commands before it imports them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the help page."""
        return [name for name, _, _ in _COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, imported now."""
        for name, module, _ in _COMMANDS:
            if name == cmd_name:
                loaded = importlib.import_module(f".commands.{module}", __package__)
                command: click.Command = getattr(loaded, f"{name}_" if iskeyword(name) else name)
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands from the table, so that help imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, sentence) for name, _, sentence in _COMMANDS])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="vitra-node", message="vitra %(version)s")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    help="The data directory; else VITRA_DIR, else the current directory.",
)
@click.option("--json", "as_json", is_flag=True, help="Results as JSON, for scripts.")
@click.pass_context
def application(ctx: click.Context, directory: Path | None, as_json: bool) -> None:
    """Databases run by smart contracts, without a blockchain.

    Every command takes --dir and --json, and talks to the node that serves the directory when one
    is running. Results go to stdout, narration to stderr. Exit codes: 0 done or verified, 2 usage,
    3 not found, 4 not allowed, 5 network, 6 cannot tell, 7 store damaged or disk full, 20 contract
    violated, 21 log forked.
    """
    ctx.obj = GroupSettings(directory, as_json)
