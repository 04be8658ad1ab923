"""The last step, after the second stage: the engine's characters, and cheap closures.

- The second stage writes character classes with escapes of halves (U+D800 to U+DFFF), which the
  engine keeps as U+E000 to U+E7FF, see prelude/08-text.js.
- Every function of this engine has a prototype that points back at it, a cycle which only the
  garbage collector finds. Methods have none, so bodies of coroutines are made as methods:
  ``__vitra_a(function(a){…})`` becomes ``__vitra_a(({f(a){…}}).f)``.
"""

from __future__ import annotations

import re

import tree_sitter_javascript
from tree_sitter import Language, Node, Parser

from .syntax import walk

_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)


def finish(code: str) -> str:
    """Translate compiled code."""
    data = code.encode()
    tree = Parser(Language(tree_sitter_javascript.language())).parse(data)
    edits: list[tuple[int, int, bytes]] = []
    for node in walk(tree.root_node):
        if node.type == "regex_pattern":
            pattern = data[node.start_byte : node.end_byte].decode()
            text = _ESCAPE.sub(_translate, pattern).encode()
            edits.append((node.start_byte, node.end_byte, text))
        elif node.type == "call_expression":
            body = _coroutine_body(node)
            if body is not None:
                start = body.start_byte
                edits.append((start, start + len("function"), b"({f"))
                edits.append((body.end_byte, body.end_byte, b"}).f"))
    pieces: list[bytes] = []
    at = 0
    for start, end, text in sorted(edits):
        pieces += [data[at:start], text]
        at = end
    return b"".join([*pieces, data[at:]]).decode()


def _coroutine_body(call: Node) -> Node | None:
    """The function that a call of ours is given, if it has no name it could call itself by."""
    callee = call.child_by_field_name("function")
    arguments = call.child_by_field_name("arguments")
    if callee is None or arguments is None or callee.text not in _COROUTINES:
        return None
    body = arguments.named_children[0] if arguments.named_children else None
    if body is None or body.type != "function_expression":
        return None
    return body if body.child_by_field_name("name") is None else None


_COROUTINES = (b"__vitra_a", b"__vitra_b", b"__vitra_g")


def _translate(found: re.Match[str]) -> str:
    if len(found[1]) != 5:
        return found[0]
    unit = int(found[1][1:], 16)
    if 0xD800 <= unit <= 0xDFFF:
        return f"\\u{unit + 0x800:04x}"
    # No text holds the characters between; as the end of a range they give way.
    return "\\ue800" if 0xE000 <= unit <= 0xE7FF else found[0]
