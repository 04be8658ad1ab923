"""What ``VITRA_LOG`` asks for: a level, and ``json`` for one JSON object a line.

``VITRA_LOG=debug``, ``VITRA_LOG=json`` (level info), ``VITRA_LOG=warning,json``.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
from datetime import UTC, datetime
from pathlib import Path

from ..errors import StoreDamaged, UsageProblem
from .output import safe_text

LOG_NAME = "node.log"

# A quiet node writes a few lines an hour. Three files of this size are kept.
MAX_LOG_BYTES = 8 * 1024 * 1024
KEPT_LOGS = 2

_LEVELS = ("error", "warning", "info", "debug")


def log_settings(text: str, *, default: int = logging.WARNING) -> tuple[int, bool]:
    """The level, and whether lines are JSON; raises UsageProblem for other words."""
    level, as_json = default, False
    for word in filter(None, (part.strip().lower() for part in text.split(","))):
        if word == "json":
            as_json = True
            level = min(level, logging.INFO)
    for word in filter(None, (part.strip().lower() for part in text.split(","))):
        if word in _LEVELS:
            level = logging.getLevelNamesMapping()[word.upper()]
        elif word != "json":
            raise UsageProblem(
                f"VITRA_LOG={text} names no level.",
                unchanged="Nothing was changed.",
                advice="Use error, warning, info or debug, and json beside it or alone.",
            )
    return level, as_json


def log_to_terminal(text: str) -> None:
    """Log to stderr as ``VITRA_LOG`` asks for; nothing when it is empty."""
    if text:
        level, as_json = log_settings(text)
        _install(logging.StreamHandler(sys.stderr), level, as_json)


def log_to_file(file: Path, text: str) -> None:
    """Log to a file that is kept from growing without end; level info unless told otherwise.

    Raises StoreDamaged when it cannot be written.
    """
    level, as_json = log_settings(text, default=logging.INFO)
    try:
        file.touch(mode=0o600)
        handler = logging.handlers.RotatingFileHandler(
            file, maxBytes=MAX_LOG_BYTES, backupCount=KEPT_LOGS, encoding="utf-8"
        )
    except OSError as error:
        raise StoreDamaged(
            f"{file} cannot be written: {error.strerror}.", unchanged="No node was started."
        ) from error
    _install(handler, level, as_json)


class PlainLines(logging.Formatter):
    """One line for people. What strangers wrote cannot begin another line or steer a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = f"{moment} {record.levelname:<7} {record.name}: {safe_text(record.getMessage())}"
        if record.exc_info:
            line += "\n" + safe_text(self.formatException(record.exc_info), keep_lines=True)
        return line


class JsonLines(logging.Formatter):
    """One object a line: ``time``, ``level``, ``logger``, ``message``, and ``error`` if any."""

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return json.dumps(fields, separators=(",", ":"))


def _install(handler: logging.Handler, level: int, as_json: bool) -> None:
    handler.setFormatter(JsonLines() if as_json else PlainLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
