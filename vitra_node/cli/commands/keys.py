"""``vitra keys status | seal | unseal``: the keys of a data directory under a passphrase."""

from __future__ import annotations

import click

from ..asking import refuse_while_running
from ..settings import Settings, takes_settings


@click.group()
@takes_settings
def keys(settings: Settings) -> None:
    """Put the keys of this directory under a passphrase, or take them out.

    All logs of a directory are derived from one primary key. Sealed, it is of no use to who copies
    the disk; whoever opens the directory is asked for the passphrase. For a node that nobody sits
    in front of, name a file that holds it in VITRA_PASSPHRASE_FILE.
    """


@keys.command()
@takes_settings
def status(settings: Settings) -> None:
    """Tell whether the keys are sealed."""
    from ...api.directories.keys import are_sealed

    sealed = are_sealed(settings.directory)
    settings.output.result({"sealed": sealed}, "sealed" if sealed else "not sealed")


@keys.command()
@takes_settings
def seal(settings: Settings) -> None:
    """Put the keys under a new passphrase. Without it nobody can write these logs any more."""
    from ...api.directories.keys import seal_keys
    from ...api.directories.passphrase import existing_passphrase, new_passphrase

    refuse_while_running(settings.directory)
    seal_keys(settings.directory, existing_passphrase, new_passphrase)
    settings.output.result({"sealed": True}, None)
    settings.output.narrate("The keys are sealed. Keep the passphrase: there is no other way in.")


@keys.command()
@takes_settings
def unseal(settings: Settings) -> None:
    """Keep the keys without a passphrase again, readable for this user alone."""
    from ...api.directories.keys import unseal_keys
    from ...api.directories.passphrase import existing_passphrase

    refuse_while_running(settings.directory)
    unseal_keys(settings.directory, existing_passphrase)
    settings.output.result({"sealed": False}, None)
    settings.output.narrate("The keys are no longer sealed.")
