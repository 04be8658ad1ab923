"""Written text made of copies of the source and of text of ours, traceable to the source."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import TypeAlias


class Later:
    """A place whose text is known only when what follows it has been written."""

    def __init__(self) -> None:
        self.text = ""


# Text of ours, a range of the source in bytes, or a place to fill.
Part: TypeAlias = str | tuple[int, int] | Later


class Output:
    """The finished text."""

    def __init__(self, source: bytes, parts: list[Part]) -> None:
        pieces: list[bytes] = []
        # Offset in the text where a copy begins, where it came from, and its length.
        self._copies: list[tuple[int, int, int]] = []
        length = 0
        for part in parts:
            if isinstance(part, tuple):
                self._copies.append((length, part[0], part[1] - part[0]))
                piece = source[part[0] : part[1]]
            else:
                piece = (part.text if isinstance(part, Later) else part).encode()
            pieces.append(piece)
            length += len(piece)
        self._data = b"".join(pieces)
        self._lines = self._data.split(b"\n")
        self._line_starts = list(accumulate((len(text) + 1 for text in self._lines), initial=0))
        self.code = in_engine_characters(self._data.decode())

    def source_offset(self, line: int, column: int) -> int:
        """The place in the source that a position (line from 1, column from 0) stems from."""
        origin, _ = self._origin(line, column)
        return origin

    def copied_from(self, line: int, column: int) -> int | None:
        """The same for what was copied; None for text of ours."""
        origin, is_copy = self._origin(line, column)
        return origin if is_copy else None

    def _origin(self, line: int, column: int) -> tuple[int, bool]:
        line = min(max(line, 1), len(self._lines))
        offset = self._line_starts[line - 1]
        offset += len(self._lines[line - 1].decode()[:column].encode())
        # The last copy that begins no later.
        at = bisect_right(self._copies, offset, key=lambda copy: copy[0])
        if at == 0:
            return 0, False
        start, origin, length = self._copies[at - 1]
        return origin + min(offset - start, length), offset - start < length


def in_engine_characters(text: str) -> str:
    """Write characters beyond U+FFFF as the engine does, see prelude/08-text.js."""
    return text if text.isascii() else _BEYOND.sub(_halves, text)


def halves(point: int) -> tuple[int, int]:
    """The two units that stand for a character beyond U+FFFF in the engine."""
    return 0xE000 + ((point - 0x10000) >> 10), 0xE400 + ((point - 0x10000) & 0x3FF)


_BEYOND = re.compile("[\U00010000-\U0010ffff]")


def _halves(found: re.Match[str]) -> str:
    return "".join(map(chr, halves(ord(found[0]))))


def first_character(source: bytes, parts: list[Part]) -> str:
    """The first character of written parts that is no space; empty when there is none."""
    for part in parts:
        if isinstance(part, Later):
            continue
        text = source[part[0] : part[1]].decode() if isinstance(part, tuple) else part
        text = text.lstrip()
        if text:
            return text[0]
    return ""
