"""The contradiction in a fraud proof, as two things to be put side by side."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from protocol.encoding.msgpack import unpack_untrusted
from protocol.errors import DecodeError

from ..api.json_values import to_json


@dataclass(frozen=True, slots=True)
class Statement:
    """One side: who says it, what it is about, and what it says.

    Attributes:
      missing: whether this side says that there is nothing.
      at_fault: whether this side is what should not be there.
    """

    title: str
    about: str
    value: Any
    missing: bool = False
    at_fault: bool = False


@dataclass(frozen=True, slots=True)
class Statements:
    """Both sides, and the operation they are about where there is one."""

    first: Statement
    second: Statement
    operation: Any = None


def statements_of(proof: dict[str, Any]) -> Statements | None:
    """The two sides of a proof; None for a kind that has no such pair."""
    if "expected" not in proof or "actual" not in proof:
        return _heads_of(proof)
    operation = _unpacked(proof.get("operation"))
    errors = (proof.get("expectedError"), proof.get("actualError"))
    if proof["expected"] is None and proof["actual"] is None and any(errors):
        first = Statement("The contract ends with", "error", errors[0], errors[0] is None)
        second = Statement("The executor signed", "error", errors[1], errors[1] is None, True)
        return Statements(first, second, operation)
    first = _write("The contract produces", proof["expected"])
    second = _write("The executor signed", proof["actual"], at_fault=True)
    return Statements(first, second, operation)


def _write(title: str, write: Any, at_fault: bool = False) -> Statement:
    if not isinstance(write, dict):
        return Statement(title, "", None, True, at_fault)
    path = str(write.get("path"))
    if write.get("value") is None:
        return Statement(title, f"deletion of {path}", None, True, at_fault)
    return Statement(title, path, _unpacked(write["value"]), False, at_fault)


def _heads_of(proof: dict[str, Any]) -> Statements | None:
    """What the writer of a log signed twice (specs/10b-heads-and-forks.md)."""
    both = proof.get("statements")
    if isinstance(both, list) and len(both) == 2:
        titles = ("The writer signed", "The writer signed as well")
        first, second = (_head(title, each) for title, each in zip(titles, both, strict=True))
        return Statements(first, second)
    if "truncated" in proof:
        first = _head("The writer signed", proof.get("before"))
        second = _head("The writer took it back, and signed", proof["truncated"])
        return Statements(first, second)
    return None


def _head(title: str, head: Any) -> Statement:
    """A signed head, with its length and its fork number in words; each of two is one too many."""
    if not isinstance(head, dict):
        return Statement(title, "no earlier head is known here", None, True)
    length, fork = head.get("length"), head.get("fork")
    about = f"{length} block{'' if length == 1 else 's'}, fork number {fork}"
    return Statement(title, about, head, False, True)


def _unpacked(text: Any) -> Any:
    """The value in base64 of msgpack, or the base64 where it is no value."""
    if not isinstance(text, str):
        return None
    try:
        return to_json(unpack_untrusted(base64.b64decode(text, validate=True)))
    except (binascii.Error, DecodeError, ValueError):
        return text
