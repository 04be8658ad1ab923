"""How values and numbers look on a page. All of it still passes the escaping of the templates."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from ..safe_text import safe_text

# A page shows so much of one value; the rest is downloaded.
MAX_SHOWN_CHARS = 20_000
_MAX_LINE_CHARS = 120


def pretty(value: Any, limit: int = MAX_SHOWN_CHARS) -> str:
    """A value as indented JSON, cut, with control and direction characters as escapes."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _cut(safe_text(text, keep_lines=True), limit)


def one_line(value: Any, limit: int = _MAX_LINE_CHARS) -> str:
    """A value as one short line of JSON."""
    return _cut(safe_text(json.dumps(value, ensure_ascii=False, separators=(", ", ": "))), limit)


def plain(text: Any, limit: int = MAX_SHOWN_CHARS) -> str:
    """Text from a log as it can be shown."""
    return _cut(safe_text(str(text), keep_lines=True), limit)


def short_key(key: Any) -> str:
    """A key, shortened for tables; the whole stands in the title beside it."""
    text = safe_text(str(key))
    return text if len(text) <= 16 else f"{text[:8]}…{text[-4:]}"


def moment(milliseconds: Any) -> str:
    """A time of an ack in UTC, or what stands there instead of one."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return "no time"
    try:
        when = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return str(milliseconds)
    return when.strftime("%Y-%m-%d %H:%M:%S UTC")


def operation_name(operation: Any) -> str:
    """What an operation calls itself, for a table."""
    name = operation.get("op") if isinstance(operation, dict) else None
    return plain(name, 60) if isinstance(name, str) else one_line(operation, 60)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text):,} characters)"
