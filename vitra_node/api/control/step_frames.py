"""How far a question is, as a notification (specs/11-control-api.md, "Progress")."""

from __future__ import annotations

from typing import Any

from ...progress import Step

PROGRESS_FLAG = "progress"
"""The parameter of a question by which a client asks to be told."""

PROGRESS_METHOD = "progress"
"""The method of the notifications that tell it."""


def encode_step(identifier: int | str, step: Step) -> dict[str, Any]:
    """The parameters of the notification about the question with this id."""
    return {
        "id": identifier,
        "what": step.what,
        "done": step.done,
        "total": step.total,
        "unit": step.unit,
    }


def decode_step(params: dict[str, Any]) -> Step | None:
    """The step in a notification, or None if there is none that a program of today knows."""
    what, done, total, unit = (params.get(name) for name in ("what", "done", "total", "unit"))
    if not isinstance(what, str) or not isinstance(unit, str):
        return None
    if not isinstance(done, int) or not isinstance(total, int | None):
        return None
    return Step(what, done, total, unit)
