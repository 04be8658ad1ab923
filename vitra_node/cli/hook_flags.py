"""``--on-violation`` and ``--webhook``: who is told of what a monitor finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])


def takes_hook_flags(command: C) -> C:
    """Add the two options."""
    for option in (
        click.option(
            "--webhook",
            metavar="URL",
            help="Post each violation there, as JSON; again for about half a minute if need be.",
        ),
        click.option(
            "--on-violation",
            metavar="COMMAND",
            help="Run this for each violation, with JSON on its standard input; no shell reads it.",
        ),
    ):
        command = option(command)
    return command
