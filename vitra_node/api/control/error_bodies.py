"""How a failure travels through the control API and comes out the same at the other end.

``data`` of an error holds ``kind`` (a family of ``errors.py``), ``exit_code``, the three sentences
``failed``, ``unchanged`` and ``advice``, and ``details`` for programs.
"""

from __future__ import annotations

from ...errors import FAMILIES, InternalFault, VitraError
from .frames import FAILURE_CODE, INTERNAL_ERROR, INVALID_PARAMS, ErrorBody


def error_body(failure: VitraError, code: int | None = None) -> ErrorBody:
    """The error object for a failure; ``code`` overrides the one that follows from its family."""
    if code is None:
        code = _code_of(failure)
    return ErrorBody(
        code,
        failure.failed,
        {
            "kind": failure.family,
            "exit_code": failure.exit_code,
            "failed": failure.failed,
            "unchanged": failure.unchanged,
            "advice": failure.advice,
            "details": failure.details,
        },
    )


def failure_from_body_untrusted(body: ErrorBody) -> VitraError:
    """The failure that an error object tells of. One of an unknown kind is an InternalFault."""
    data = body.data
    family = FAMILIES.get(_text(data.get("kind")), InternalFault)
    details = data.get("details")
    failure = family(
        _text(data.get("failed")) or body.message,
        unchanged=_text(data.get("unchanged")),
        advice=_text(data.get("advice")),
    )
    if isinstance(details, dict):
        failure.details = details
    return failure


def _code_of(failure: VitraError) -> int:
    if isinstance(failure, InternalFault) or failure.exit_code == VitraError.exit_code:
        return INTERNAL_ERROR
    if failure.exit_code == 2:
        return INVALID_PARAMS
    return FAILURE_CODE - failure.exit_code


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
