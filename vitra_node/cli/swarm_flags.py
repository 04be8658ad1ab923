"""``--bootstrap`` and ``--no-swarm``: which network a command finds peers in, if any."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from ..config import Address, DirectoryConfig, parse_address


def takes_swarm_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags, as ``bootstrap`` and ``no_swarm``."""
    command = click.option("--no-swarm", is_flag=True, help="Use direct connections only.")(command)
    return takes_bootstrap(command)


def takes_bootstrap(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flag ``--bootstrap`` alone."""
    return click.option(
        "--bootstrap",
        metavar="HOST:PORT[,...]",
        help="Nodes of a private network to ask first, instead of the public one.",
    )(command)


def given_bootstrap(text: str | None) -> tuple[Address, ...]:
    """The nodes of the flag, else those of VITRA_BOOTSTRAP; raises UsageProblem."""
    text = os.environ.get("VITRA_BOOTSTRAP", "") if text is None else text
    parts = (part.strip() for part in text.split(","))
    return tuple(parse_address(part) for part in parts if part)


def swarm_off(no_swarm: bool, bootstrap: str | None) -> bool:
    """Whether the flag, or VITRA_NO_SWARM where no --bootstrap is given, turns the swarm off."""
    by_environment = os.environ.get("VITRA_NO_SWARM", "") not in ("", "0")
    return no_swarm or (by_environment and bootstrap is None)


def chosen_bootstrap(
    given: tuple[Address, ...], config: DirectoryConfig
) -> tuple[Address, ...] | None:
    """What to ask first: as given, as the directory remembers; None for the public network."""
    return given or config.bootstrap or None
