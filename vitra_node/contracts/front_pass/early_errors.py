"""Errors that the grammar cannot see and the standard wants before a program runs.

Contracts are modules, so what strict code forbids is forbidden. Names declared twice are found in
``declarations``, patterns of regular expressions in ``regex``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tree_sitter import Node

from .syntax import FUNCTIONS, Source, items, names_in, parameters_of, walk

_DECLARATIONS = {
    "lexical_declaration": "let and const",
    "class_declaration": "a class",
    "function_declaration": "a function",
    "generator_function_declaration": "a generator function",
}
_PROTO_KEYS = ("__proto__", "'__proto__'", '"__proto__"')
_PLAIN_TARGETS = ("eval", "arguments")


def check(source: Source) -> None:
    """Refuse what the standard calls an early error.

    Raises:
      Refusal: at the first one.
    """
    for node in walk(source.root):
        one = _CHECKS.get(node.type)
        if one is not None:
            one(source, node)
        if node.type in FUNCTIONS:
            _function(source, node)


def _escape(source: Source, node: Node) -> None:
    text = source.text(node)
    after = source.data[node.end_byte : node.end_byte + 1]
    if text[1] in "123456789" or (len(text) > 2 and text[1] == "0"):
        raise source.refusal("octal escapes are not allowed", node)
    if text == "\\0" and after.isdigit():
        raise source.refusal("octal escapes are not allowed", node)
    if text.startswith("\\u{") and int(text[3:-1], 16) > 0x10FFFF:
        raise source.refusal("there is no such character", node)


def _number(source: Source, node: Node) -> None:
    if re.match("0[0-9_]", source.text(node)):
        raise source.refusal("numbers do not begin with 0", node)


def _object(source: Source, node: Node) -> None:
    seen = False
    for member in items(node):
        key = member.child_by_field_name("key") if member.type == "pair" else None
        if key is not None and source.text(key) in _PROTO_KEYS:
            if seen:
                raise source.refusal("an object literal has one __proto__", key)
            seen = True


def _statement(source: Source, node: Node) -> None:
    """Declarations stand in blocks."""
    for name in ("consequence", "body"):
        _no_declaration(source, node.child_by_field_name(name))


def _else(source: Source, node: Node) -> None:
    for child in items(node):
        _no_declaration(source, child)


def _no_declaration(source: Source, body: Node | None) -> None:
    what = None if body is None else _DECLARATIONS.get(body.type)
    if body is not None and what is not None:
        raise source.refusal(f"{what} cannot stand here without a block", body)


def _function(source: Source, node: Node) -> None:
    parameters = parameters_of(node)
    body = node.child_by_field_name("body")
    first = [] if body is None or body.type != "statement_block" else items(body)
    for statement in first:
        literal = statement.named_children[0] if statement.type == "expression_statement" else None
        if literal is None or literal.type != "string":
            break
        is_strict = source.text(literal)[1:-1] == "use strict"
        if is_strict and any(parameter.type != "identifier" for parameter in parameters):
            raise source.refusal("'use strict' cannot stand behind such parameters", literal)


def _method(source: Source, node: Node) -> None:
    tokens = {child.type for child in node.children if not child.is_named}
    name = node.child_by_field_name("name")
    parameters = parameters_of(node)
    if "get" in tokens and parameters:
        raise source.refusal("a getter has no parameters", parameters[0])
    if "set" in tokens and (len(parameters) != 1 or parameters[0].type == "rest_pattern"):
        raise source.refusal("a setter has one parameter", node)
    in_class = node.parent is not None and node.parent.type == "class_body"
    if not in_class or name is None:
        return
    plain = source.text(name).strip("'\"")
    if "static" in tokens and plain == "prototype" and name.type != "computed_property_name":
        raise source.refusal("a class cannot have a static prototype of its own", node)
    if plain == "constructor" and "static" not in tokens and tokens & {"*", "get", "set", "async"}:
        raise source.refusal("a constructor is a plain method", node)


def _field(source: Source, node: Node) -> None:
    name = node.child_by_field_name("property")
    plain = "" if name is None else source.text(name).strip("'\"")
    is_static = any(child.type == "static" for child in node.children)
    if plain == "constructor" or (plain == "prototype" and is_static):
        raise source.refusal(f"a class field cannot be named {plain}", node)


def _class(source: Source, node: Node) -> None:
    found = [
        member
        for member in items(node)
        if member.type == "method_definition"
        and not any(child.type == "static" for child in member.children)
        and (name := member.child_by_field_name("name")) is not None
        and source.text(name).strip("'\"") == "constructor"
    ]
    if len(found) > 1:
        raise source.refusal("a class has one constructor", found[1])


def _rest(source: Source, node: Node) -> None:
    after = node.next_sibling
    while after is not None and after.type == "comment":
        after = after.next_sibling
    if after is not None and after.type == ",":
        raise source.refusal("what takes the rest comes last", node)
    if node.parent is not None and node.parent.type in ("array_pattern", "formal_parameters"):
        inner = node.named_children[-1] if node.named_children else node
        if inner.type == "assignment_pattern":
            raise source.refusal("what takes the rest has no default", inner)


def _member(source: Source, node: Node) -> None:
    """``yield.x`` is no member of anything."""
    base = node.child_by_field_name("object") or node.child_by_field_name("function")
    if base is not None and base.type == "yield_expression":
        raise source.refusal("syntax error", base)


def _target(field: str) -> Callable[[Source, Node], None]:
    def check(source: Source, node: Node) -> None:
        target = node.child_by_field_name(field)
        if target is None or target.type in ("member_expression", "subscript_expression"):
            return
        for name in names_in(target):
            if source.text(name) in _PLAIN_TARGETS:
                raise source.refusal(f"{source.text(name)} cannot be declared or assigned", name)

    return check


def _parameters(source: Source, node: Node) -> None:
    for parameter in items(node):
        for name in names_in(parameter):
            if source.text(name) in _PLAIN_TARGETS:
                raise source.refusal(f"{source.text(name)} cannot be declared or assigned", name)


_CHECKS: dict[str, Callable[[Source, Node], None]] = {
    "escape_sequence": _escape,
    "number": _number,
    "object": _object,
    "else_clause": _else,
    **dict.fromkeys(
        (
            "if_statement", "for_statement", "for_in_statement", "while_statement",
            "do_statement", "labeled_statement",
        ),
        _statement,
    ),
    "method_definition": _method,
    "field_definition": _field,
    "class_body": _class,
    "rest_pattern": _rest,
    "member_expression": _member,
    "subscript_expression": _member,
    "assignment_expression": _target("left"),
    "augmented_assignment_expression": _target("left"),
    "update_expression": _target("argument"),
    "variable_declarator": _target("name"),
    "catch_clause": _target("parameter"),
    "arrow_function": _target("parameter"),
    "function_declaration": _target("name"),
    "generator_function_declaration": _target("name"),
    "function_expression": _target("name"),
    "generator_function": _target("name"),
    "class_declaration": _target("name"),
    "class": _target("name"),
    "formal_parameters": _parameters,
}  # fmt: skip
