"""Database values as JSON, for people, scripts and the control API.

JSON has less than msgpack: bytes become base64 text, a date its ISO 8601 text in UTC, and
undefined, NaN and the infinities become null, as JavaScript's ``JSON.stringify`` does it.
This is a view: nothing is ever read back from it into a log.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from protocol.encoding.msgpack import UNDEFINED

from .frames import Json


def to_json(value: Any) -> Json:
    """``value`` with everything that JSON lacks replaced; unknown objects become their text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, str) else str(to_json(key)): to_json(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return _other_to_json(value)


def _other_to_json(value: Any) -> Json:
    return None if value is UNDEFINED else str(value)
