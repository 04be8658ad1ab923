"""Classes with private names, and what begins with a class: static fields and blocks.

``class A { #x = 1; static { f(this) } }`` becomes ::

    let A=(__vitra_k0=>{class A {static __vitra_q=__vitra_p.take(A,__vitra_k0,[],…);
      __vitra_q=__vitra_p.add(this,__vitra_k0,"#x",1);
      static __vitra_q=__vitra_p.run(function(){f(this)},A) }return A})(__vitra_p.key())

``__vitra_q`` is a field that the second stage leaves out but for its value, so that everything
begins in the order in which it is written. Private methods are written as methods under names of
ours, where ``super`` works; ``take`` takes them away again before anything can see them. A class
expression with static fields is written so too, because what the second stage makes of one cannot
name itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from tree_sitter import Node

from .emitter import Emitter, Rule, declaration
from .fuel import tick
from .output import Later
from .private_names import Member, declared, key_of, members_of, owner_of
from .syntax import FUNCTIONS, Source

# Parents that give a class without a name one, by the field that has the name.
_NAMING = {
    "variable_declarator": "name",
    "assignment_expression": "left",
    "assignment_pattern": "left",
    "object_assignment_pattern": "left",
    "pair": "key",
}


def class_expression(emitter: Emitter, node: Node, rest: Rule) -> None:
    """A class of any kind; one with private names is made by a function that has its key."""
    members = declared(emitter.source, node)
    if not _needs_function(node, members):
        rest(emitter, node)
        return
    is_statement = node.type == "class_declaration"
    if is_statement:
        outer = node.parent
        if outer is not None and any(child.type == "default" for child in outer.children):
            raise emitter.source.refusal(
                "a class that has private names or static blocks is exported by name", node
            )
        emitter.text(f"let {_class_name(emitter.source, node)}=")
    emitter.text(f"({key_of(node)}=>{{")
    at = node.start_byte
    for child in node.children:
        at = emitter.gap(at, child)
        if child.type == "class_body":
            _body(emitter, node, child, list(members.values()))
        else:
            emitter.visit(child)
            if child.type == "class" and node.child_by_field_name("name") is None:
                emitter.text(f" {_class_name(emitter.source, node)}")
    emitter.text(f"return {_class_name(emitter.source, node)}}})(__vitra_p.key())")
    if is_statement:
        emitter.text(";")


def _body(emitter: Emitter, node: Node, body: Node, members: list[Member]) -> None:
    key, name = key_of(node), _class_name(emitter.source, node)
    shown = None if node.child_by_field_name("name") else _shown_name(emitter.source, node)
    methods = [[m.name, m.kind, m.is_static] for m in members if m.kind != "field"]
    emitter.text("{")
    given = json.dumps(methods), json.dumps(name), json.dumps(shown)
    emitter.text(f"static __vitra_q=__vitra_p.take({name},{key},{','.join(given)});")
    if any(member.kind != "field" and not member.is_static for member in members):
        emitter.text(f"__vitra_q=__vitra_p.brand(this,{key});")
    at = body.children[0].end_byte
    for child in body.children[1:]:
        at = emitter.gap(at, child)
        emitter.visit(child)


def _class_name(source: Source, node: Node) -> str:
    name = node.child_by_field_name("name")
    return f"__vitra_c{node.start_byte}" if name is None else source.text(name)


def _shown_name(source: Source, node: Node) -> str:
    """What a class without a name is named after."""
    parent = node.parent
    if parent is not None and parent.type == "export_statement":
        return "default"
    field = None if parent is None else _NAMING.get(parent.type)
    target = None if parent is None or field is None else parent.child_by_field_name(field)
    if target is None or target == node:
        return ""
    if target.type in (
        "identifier",
        "property_identifier",
        "shorthand_property_identifier_pattern",
    ):
        return source.text(target)
    if target.type in ("string", "number", "computed_property_name"):
        raise source.refusal("this class needs a name: it has private names or static parts", node)
    return ""


def method_name(emitter: Emitter, node: Node) -> None:
    """A private name where a method is defined."""
    emitter.text(f"__vitra_m{emitter.source.text(node)[1:]}")


def field(emitter: Emitter, node: Node) -> None:
    """A class field; its value runs once for each instance, or once, outside of any body."""
    value, name = node.child_by_field_name("value"), node.child_by_field_name("property")
    member = owner = None
    if name is not None and name.type == "private_property_identifier":
        owner, member = owner_of(emitter.source, name)
    at = node.start_byte
    for child in node.children:
        at = emitter.gap(at, child)
        if child == value:
            _value(emitter, node, child)
            if member is not None:
                emitter.text(",1)" if _takes_name(child) else ")")
        elif child == name and member is not None and owner is not None:
            target = _class_name(emitter.source, owner) if member.is_static else "this"
            step = f"__vitra_p.add({target},{key_of(owner)},{json.dumps(member.name)},"
            emitter.text(f"__vitra_q={step}" + ("void 0)" if value is None else ""))
        elif child.type != "=" or member is None:
            emitter.visit(child)
    if value is None and member is None:
        # The second stage would leave it out.
        emitter.text("=void 0")


def _value(emitter: Emitter, node: Node, value: Node) -> None:
    """A field's value. Of a static one the second stage loses what ``this`` is."""
    owner = _class_around(node)
    if not _is_static(node) or not _names_this(emitter, value):
        emitter.isolated(value, "field")
        return
    emitter.text(f"__vitra_p.run(function(){{{tick(value)};return (")
    emitter.isolated(value, "field")
    emitter.text(f")}},{_class_name(emitter.source, owner)})")


def static_block(emitter: Emitter, node: Node) -> None:
    """``static { … }``, a function that runs at its place among the static fields."""
    body = node.child_by_field_name("body") or node.named_children[-1]
    _names_this(emitter, body)
    for inner in _own_code(body):
        if inner.type == "return_statement":
            raise emitter.source.refusal("a static block does not return", inner)
        if inner.type == "identifier" and inner.text == b"arguments":
            raise emitter.source.refusal("a static block has no arguments", inner)
    head = Later()
    emitter.text("static __vitra_q=__vitra_p.run(function(){")
    emitter.parts.append(head)
    with emitter.scope("field") as scope:
        emitter.visit(body)
        head.text = f"{tick(body)};{declaration(scope)}"
    emitter.text(f"}},{_class_name(emitter.source, _class_around(node))});")


def _class_around(member: Node) -> Node:
    body = member.parent
    assert body is not None
    assert body.parent is not None
    return body.parent


def _is_static(member: Node) -> bool:
    return any(child.type == "static" for child in member.children)


def _names_this(emitter: Emitter, code: Node) -> bool:
    """Whether ``this`` of the class is named.

    Raises:
      Refusal: ``super`` is, which needs a method.
    """
    found = False
    for inner in _own_code(code):
        found = found or inner.type == "this"
        if inner.type == "super":
            raise emitter.source.refusal("super works in methods only, not in static fields", inner)
    return found


def _own_code(code: Node) -> Iterator[Node]:
    """What is evaluated with the same ``this``."""
    stack = [code]
    while stack:
        node = stack.pop()
        yield node
        if node.type == "class_body" or (node.type in FUNCTIONS and node.type != "arrow_function"):
            continue
        stack.extend(node.children)


def _takes_name(value: Node) -> bool:
    """Whether it is a function or class that is named after the field."""
    kinds = ("arrow_function", "function_expression", "generator_function", "class")
    return value.type in kinds and value.child_by_field_name("name") is None


def _needs_function(node: Node, members: dict[str, Member]) -> bool:
    """Whether a class must be written as a function that makes it."""
    if members:
        return True
    return any(
        _is_static(member)
        and member.type != "method_definition"
        and (node.type == "class" or member.type == "class_static_block")
        for member in members_of(node)
    )


RULES: dict[str, Rule] = {
    "private_property_identifier": method_name,
    "field_definition": field,
    "class_static_block": static_block,
}
