"""Database values as JSON, for people, scripts and the control API.

JSON has less than msgpack: bytes become base64 text, a date its ISO 8601 text in UTC, and
undefined, NaN, the infinities and dates outside the years 1 to 9999 become null.
This is a view: nothing is ever read back from it into a log.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from protocol.encoding.msgpack import UNDEFINED, Date

from .control.frames import Json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_json(value: Any) -> Json:
    """``value`` with everything that JSON lacks replaced; raises TypeError for what is no value."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Date):
        return _date(value)
    if value is UNDEFINED:
        return None
    raise TypeError(f"{type(value).__name__} is no value of a database")


def _date(date: Date) -> str | None:
    try:
        moment = _EPOCH + timedelta(milliseconds=date.milliseconds)
    except OverflowError:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
