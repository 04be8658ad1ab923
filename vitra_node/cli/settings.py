"""What every command takes: the data directory and the form of its results.

A flag counts before the environment. Both flags may stand before or after the command's name.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from ..errors import UsageProblem
from .output import Output

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class GroupSettings:
    """Flags that stood before the command's name."""

    directory: Path | None = None
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """What a command works on and writes to.

    Attributes:
      directory: the data directory, absolute; it need not exist.
      output: where results and narration go.
    """

    directory: Path
    output: Output


def takes_settings(command: Callable[Concatenate[Settings, P], R]) -> Callable[..., R]:
    """Give a command the flags ``--dir`` and ``--json``, and the settings as its first argument."""

    @click.option("--dir", "directory", type=click.Path(path_type=Path), help="The data directory.")
    @click.option("--json", "as_json", is_flag=True, help="Results as JSON, for scripts.")
    @click.pass_context
    @wraps(command)
    def wrapper(
        ctx: click.Context, /, *args: Any, directory: Path | None, as_json: bool, **kwargs: Any
    ) -> R:
        group = ctx.find_object(GroupSettings) or GroupSettings()
        as_json = as_json or group.as_json
        chosen = directory or group.directory or Path(os.environ.get("VITRA_DIR") or ".")
        if isinstance(ctx.command, click.Group):
            # Flags between a group's name and its subcommand count for the subcommand.
            ctx.obj = GroupSettings(chosen, as_json)
        chosen = chosen.expanduser().absolute()
        if chosen.exists() and not chosen.is_dir():
            raise UsageProblem(f"{chosen} is not a directory.", unchanged="Nothing was changed.")
        settings = Settings(chosen, Output(as_json=as_json))
        return command(settings, *args, **kwargs)

    return wrapper
