"""The last step, after the second stage: regular expressions in the engine's characters.

The second stage writes character classes with escapes of halves (U+D800 to U+DFFF), which the
engine keeps as U+E000 to U+E7FF, see prelude/08-text.js.
"""

from __future__ import annotations

import re

import tree_sitter_javascript
from tree_sitter import Language, Parser

from .syntax import walk

_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)


def finish(code: str) -> str:
    """Translate the regular expressions of compiled code."""
    if "\\u" not in code:
        return code
    data = code.encode()
    tree = Parser(Language(tree_sitter_javascript.language())).parse(data)
    pieces: list[bytes] = []
    at = 0
    for node in walk(tree.root_node):
        if node.type == "regex_pattern":
            pieces.append(data[at : node.start_byte])
            pattern = data[node.start_byte : node.end_byte].decode()
            pieces.append(_ESCAPE.sub(_translate, pattern).encode())
            at = node.end_byte
    pieces.append(data[at:])
    return b"".join(pieces).decode()


def _translate(found: re.Match[str]) -> str:
    if len(found[1]) != 5:
        return found[0]
    unit = int(found[1][1:], 16)
    if 0xD800 <= unit <= 0xDFFF:
        return f"\\u{unit + 0x800:04x}"
    # No text holds the characters between; as the end of a range they give way.
    return "\\ue800" if 0xE000 <= unit <= 0xE7FF else found[0]
