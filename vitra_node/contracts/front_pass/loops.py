"""Loops: fuel at the head of each round."""

from __future__ import annotations

from tree_sitter import Node

from .emitter import Emitter, Rule
from .fuel import tick


def loop(emitter: Emitter, node: Node) -> None:
    """A loop of any kind."""
    body = node.child_by_field_name("body")
    right = node.child_by_field_name("right")
    waits = any(child.type == "await" for child in node.children)
    if waits and emitter.scopes[-1].kind != "async":
        raise emitter.source.refusal("for await works only inside an async function", node)
    at = node.start_byte
    for child in node.children:
        at = emitter.gap(at, child)
        if child.type == "await":
            continue
        if body is not None and child.id == body.id:
            _body(emitter, child)
        elif waits and right is not None and child.id == right.id:
            emitter.text("__vitra_f(")
            emitter.visit(child)
            emitter.text(")")
        else:
            emitter.visit(child)


def _body(emitter: Emitter, body: Node) -> None:
    if body.type == "statement_block":
        opening = body.children[0]
        emitter.text("{" + tick(body) + ";")
        at = opening.end_byte
        for child in body.children[1:]:
            at = emitter.gap(at, child)
            emitter.visit(child)
    else:
        emitter.text("{" + tick(body) + ";")
        emitter.visit(body)
        emitter.text("}")


RULES: dict[str, Rule] = dict.fromkeys(
    ("for_statement", "for_in_statement", "while_statement", "do_statement"), loop
)
