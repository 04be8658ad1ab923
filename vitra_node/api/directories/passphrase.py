"""Where the passphrase of a sealed key comes from, when a data directory has one."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from ...errors import NotAllowed, UsageProblem

# A file with the passphrase on its first line, for nodes that nobody sits in front of.
VARIABLE = "VITRA_PASSPHRASE_FILE"

_MAX_PASSPHRASE_BYTES = 4096


def existing_passphrase() -> str:
    """The passphrase of a key that is sealed: from the file in the environment, or from a person.

    Raises:
      UsageProblem: the file cannot be read.
      NotAllowed: there is neither a file nor a terminal.
    """
    found = _from_file()
    if found is not None:
        return found
    if not sys.stdin.isatty():
        raise NotAllowed(
            "The keys are sealed, and there is no one to ask for the passphrase.",
            unchanged="Nothing was changed.",
            advice=f"Name a file that holds it in {VARIABLE}.",
        )
    return getpass.getpass("Passphrase: ")


def new_passphrase() -> str:
    """A passphrase that was typed twice, or is in the file in the environment.

    Raises:
      UsageProblem: the file cannot be read, nothing was typed, or twice something else.
      NotAllowed: there is neither a file nor a terminal.
    """
    found = _from_file()
    if found is None:
        if not sys.stdin.isatty():
            return existing_passphrase()
        found = getpass.getpass("New passphrase: ")
        if found != getpass.getpass("Once more: "):
            raise UsageProblem("These were two passphrases.", unchanged="Nothing was changed.")
    if not found:
        raise UsageProblem("A passphrase has a letter at least.", unchanged="Nothing was changed.")
    return found


def _from_file() -> str | None:
    name = os.environ.get(VARIABLE)
    if not name:
        return None
    try:
        with Path(name).open("rb") as file:
            data = file.read(_MAX_PASSPHRASE_BYTES)
        return data.decode().partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageProblem(
            f"The passphrase cannot be read from {name}: {reason}.",
            unchanged="Nothing was changed.",
            advice=f"{VARIABLE} names a file with the passphrase on its first line.",
        ) from error
