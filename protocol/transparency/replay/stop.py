"""How the steps of a replay leave it, and how they ask."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar

from ..frauds import UncertaintyCode, Violation
from .requests import Request

T = TypeVar("T")

# Answers are of the types that the requests name.
Step: TypeAlias = Generator[Request, Any, T]


class Broken(Exception):
    """A rule is broken."""

    def __init__(self, violation: Violation) -> None:
        self.violation = violation


class Unknown(Exception):
    """The replay cannot go on."""

    def __init__(self, code: UncertaintyCode, reason: str, seq: int) -> None:
        self.code = code
        self.reason = reason
        self.seq = seq
