"""Text from strangers, as it can be shown: nothing in it steers a terminal or turns a line."""

from __future__ import annotations

# Letters that turn the direction of the text around them, and so can make a line say another
# thing than it holds (the "Trojan Source" set).
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def safe_text(text: str, *, keep_lines: bool = False) -> str:
    """The text with control and direction characters shown as escapes."""
    kept = "\n\t" if keep_lines else ""
    return "".join(
        character if character in kept or not _is_hostile(character) else _escape(character)
        for character in text
    )


def _is_hostile(character: str) -> bool:
    code = ord(character)
    return (
        code < 0x20
        or 0x7F <= code < 0xA0
        or 0xD800 <= code < 0xE000
        or code in (0x2028, 0x2029)
        or character in _DIRECTION
    )


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
