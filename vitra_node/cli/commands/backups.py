"""``vitra backup`` and ``restore``: a data directory in one file, and out of it again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ...api.control.connection import Connection
from ..asking import ask, refuse_while_running
from ..output import counted
from ..settings import Settings, takes_settings


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--with-keys", is_flag=True, help="The keys too, under a passphrase.")
@takes_settings
def backup(settings: Settings, file: Path, with_keys: bool) -> None:
    """Write a backup of this directory to FILE, which must not exist yet.

    Works while a node serves the directory. Without --with-keys, what is restored from it can
    read everything and write nothing. The passphrase is asked for, or read from the file that
    VITRA_PASSPHRASE_FILE names.
    """
    passphrase = None
    if with_keys:
        from ...api.directories.passphrase import new_passphrase

        passphrase = new_passphrase()
    target = file.expanduser().absolute()

    async def command(connection: Connection) -> Any:
        return await connection.call_long("node.backup", file=str(target), passphrase=passphrase)

    made = ask(settings, command, with_peers=False)
    settings.output.result(made, None)
    keys = "with the keys, under the passphrase" if with_keys else "without keys"
    settings.output.narrate(f"Wrote {file} ({made['bytes']} bytes), {keys}.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--without-keys", is_flag=True, help="Leave the keys in it, to read only.")
@click.option(
    "--nothing-newer",
    is_flag=True,
    help="I know that nothing was written after this backup: write again at once.",
)
@takes_settings
def restore(settings: Settings, file: Path, without_keys: bool, nothing_newer: bool) -> None:
    """Put the backup FILE into this directory, which must have no database.

    The logs of our own come back read-only. Each is written again once a connected peer has shown
    that nothing newer exists: a second history of a log could not be taken back.
    """
    from ...api.directories.backups import has_keys, restore_directory

    refuse_while_running(settings.directory)
    passphrase = None
    if not without_keys and has_keys(file):
        from ...api.directories.passphrase import existing_passphrase

        passphrase = existing_passphrase()
    with settings.output.progress.following() as progress:
        restored = restore_directory(
            file,
            settings.directory,
            passphrase=passphrase,
            nothing_newer=nothing_newer,
            progress=progress,
        )
    settings.output.result(restored, restored["key"])
    made = datetime.fromtimestamp(restored["created"] / 1000).astimezone()
    settings.output.narrate(f"Restored what there was at {made:%Y-%m-%d %H:%M:%S %Z}.")
    if restored["unconfirmed"]:
        logs = counted(restored["unconfirmed"], "log")
        settings.output.narrate(
            f"{logs} of our own: read-only until a peer has shown that nothing is newer. "
            "Run `vitra serve` and let it connect."
        )
    elif passphrase is None:
        settings.output.narrate("There are no keys: this directory reads, and cannot write.")
