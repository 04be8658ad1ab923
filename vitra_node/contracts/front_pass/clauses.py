"""catch and finally: what stops a run must not be caught.

``__vitra_c(error)`` passes on what is no error of the program: out of fuel, out of memory, the
unwinding of a generator. A ``finally`` can swallow an error too, so before each there is a catch
that only asks: ``try{try{…}catch(e){…}}catch(__vitra_e){throw __vitra_c(__vitra_e)}finally{…}``.
"""

from __future__ import annotations

from tree_sitter import Node

from .emitter import Emitter, Rule

_NAME = "__vitra_e"


def try_statement(emitter: Emitter, node: Node) -> None:
    """try with catch, finally, or both."""
    handler = node.child_by_field_name("handler")
    finalizer = node.child_by_field_name("finalizer")
    at = node.start_byte
    if handler is not None and finalizer is not None:
        emitter.text("try{")
    for child in node.children:
        at = emitter.gap(at, child)
        if finalizer is not None and child.type == "finally_clause":
            close = "" if handler is None else "}"
            emitter.text(f"{close}catch({_NAME}){{throw __vitra_c({_NAME})}}")
        emitter.visit(child)


def catch_clause(emitter: Emitter, node: Node) -> None:
    """catch with a name, a pattern, or nothing."""
    parameter = node.child_by_field_name("parameter")
    body = node.child_by_field_name("body")
    assert body is not None
    at = node.start_byte
    head = f"__vitra_c({_NAME});"
    pattern: Node | None = None
    for child in node.children:
        at = emitter.gap(at, child)
        if child.id == body.id:
            if parameter is None:
                emitter.text(f"({_NAME})")
            _body(emitter, child, head, pattern)
        elif parameter is not None and child.id == parameter.id:
            if child.type == "identifier":
                head = f"__vitra_c({emitter.source.text(child)});"
                emitter.visit(child)
            else:
                pattern = child
                emitter.text(_NAME)
        else:
            emitter.visit(child)


def _body(emitter: Emitter, body: Node, head: str, pattern: Node | None) -> None:
    emitter.text("{" + head)
    if pattern is not None:
        emitter.text("let ")
        emitter.visit(pattern)
        emitter.text(f"={_NAME};")
    at = body.children[0].end_byte
    for child in body.children[1:]:
        at = emitter.gap(at, child)
        emitter.visit(child)


RULES: dict[str, Rule] = {"try_statement": try_statement, "catch_clause": catch_clause}
