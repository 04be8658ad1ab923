"""Declared names, and what is evaluated before a name has its value.

A declaration is evaluated in the order of the source, but for one thing: the value that a pattern
takes apart, or the default of a pattern, comes before the pattern, which stands in front of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tree_sitter import Node

from .syntax import items


@dataclass
class Binding:
    """A declared name."""

    name: str
    # Where the name stands; None for what has a value from the beginning (functions, imports, and
    # ``var``, whose first value is undefined).
    node: Node | None = None
    # What gives the value: a declarator, class, parameter, loop or catch clause.
    owner: Node | None = None
    # The declarator or class, when it can set a flag.
    declaration: Node | None = None
    flag: str | None = None

    @property
    def ready(self) -> int:
        """Offset in bytes behind which the name certainly has its value."""
        assert self.owner is not None
        after = self.owner
        if after.type == "for_in_statement":
            after = after.child_by_field_name("right") or after
        elif after.type == "catch_clause":
            after = after.child_by_field_name("parameter") or after
        return after.end_byte

    @property
    def pattern(self) -> Node | None:
        """The pattern that the name is part of; None for a name alone."""
        owner, node = self.owner, self.node
        if owner is None or node is None or node.parent == owner:
            return None
        target = owner.child_by_field_name("name") or owner.child_by_field_name("left")
        return target or owner


def is_early(use: Node, binding: Binding) -> bool:
    """Whether what stands there is evaluated before the name has its value."""
    name, owner = binding.node, binding.owner
    if name is None or owner is None:
        return False
    if owner.type == "class_declaration":
        return use.start_byte < name.start_byte or _is_before_class(use, owner)
    if use.start_byte < name.end_byte:
        return True
    at = name
    while at != owner and at.parent is not None:
        parent = at.parent
        value = parent.child_by_field_name("right") or parent.child_by_field_name("value")
        if value is not None and value != at and is_inside(use, value):
            return True
        at = parent
    return False


def _is_before_class(use: Node, owner: Node) -> bool:
    """Whether it belongs to what a class extends, or to a computed key of it."""
    for part in items(owner):
        if part.type == "class_heritage" and is_inside(use, part):
            return True
        for member in items(part) if part.type == "class_body" else []:
            key = member.child_by_field_name("name") or member.child_by_field_name("property")
            if key is not None and is_inside(use, key):
                return True
    return False


def is_inside(node: Node, outer: Node) -> bool:
    """Whether a node stands in another, or is it."""
    return outer.start_byte <= node.start_byte and node.end_byte <= outer.end_byte
