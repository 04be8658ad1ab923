"""What a line of the shell says, as arguments of the command line."""

from __future__ import annotations

import json
import shlex

from ...errors import UsageProblem


def split_line(line: str) -> tuple[str, str]:
    """The command's name with its dot, and the rest of the line as it was typed."""
    name, _, rest = line.strip().partition(" ")
    return name, rest.strip()


def words_of(rest: str) -> list[str]:
    """The words of a line as a POSIX shell would part them; raises UsageProblem."""
    try:
        return shlex.split(rest)
    except ValueError as error:
        raise UsageProblem(
            f"This line cannot be read: {error}.", unchanged="Nothing was done."
        ) from error


def call_arguments(rest: str) -> list[str]:
    """The arguments of ``vitra call`` for ``.call METHOD [--name value]... [name=value]... [{…}]``.

    ``--name`` without a value is true. A JSON value behind the method gives all parameters.

    Raises UsageProblem: no method, quotes that do not end, or a word that belongs to no parameter.
    """
    method, _, given = rest.partition(" ")
    given = given.strip()
    if not method:
        raise UsageProblem(
            ".call needs the name of a method.",
            unchanged="Nothing was called.",
            advice="See them with .methods.",
        )
    if given.startswith(("{", "[")):
        return [method, "--params", given]
    arguments = [method]
    words = words_of(given)
    while words:
        word = words.pop(0)
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            if not equals:
                value = words.pop(0) if words and not words[0].startswith("--") else "true"
            arguments += ["--arg", f"{name}={value}"]
        elif "=" in word and not word.startswith("="):
            arguments += ["--arg", word]
        else:
            raise UsageProblem(
                f"{word!r} belongs to no parameter.",
                unchanged="Nothing was called.",
                advice=f"Write it like .call {method} --name {json.dumps(word)}.",
            )
    return arguments
