"""``vitra demo``: the README's story on this machine, told by processes that really run."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from ..settings import Settings, takes_settings


@click.command()
@takes_settings
def demo(settings: Settings) -> None:
    """Show the whole story on this machine, with a cheat that gets caught.

    An executor, a participant and a monitor run as processes of their own, in a temporary
    directory that is gone afterwards. With --json each step is one event on stdout.
    """
    import trio

    from ...api.failures import telling
    from ..demo.story import Story, play

    with telling(), tempfile.TemporaryDirectory(prefix="vitra-demo-") as directory:
        trio.run(play, Story(Path(directory), settings.output))
