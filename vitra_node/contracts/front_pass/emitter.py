"""Writes a program again. Whatever has no rule is copied as it stands, newlines always."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from tree_sitter import Node

from .coverage import is_covered, is_covered_value
from .output import Later, Part, first_character
from .scopes import Checks
from .syntax import Source

Rule: TypeAlias = "Callable[[Emitter, Node], None]"


@dataclass
class Scope:
    """A function body (or a default value) and the temporary variables it needs."""

    # "function", "async", "generator", "field" or "module": what await and yield mean here.
    kind: str
    temporaries: list[str] = field(default_factory=list)
    # Parameters: each default value gets a scope of its own.
    is_parameters: bool = False


class Emitter:
    """The state of one pass over a program."""

    def __init__(
        self, source: Source, checks: Checks, rules: dict[str, Rule], *, cover: bool = False
    ) -> None:
        self._cover = cover
        # Lines with a mark, when marks are asked for.
        self.marked_lines: set[int] = set()
        self.source = source
        self.checks = checks
        # Flags to set behind the export statement being written.
        self.flags_due: list[str] = []
        self._rules = rules
        self.parts: list[Part] = []
        self.scopes: list[Scope] = [Scope("module")]
        self._temporaries = 0

    def program(self) -> list[Part]:
        """Write the whole program."""
        head = Later()
        self.parts.append(head)
        self.visit(self.source.root)
        # The tree begins with the first token.
        tail = len(self.source.data)
        self.copy(self.source.root.end_byte, tail)
        head.text = declaration(self.scopes[0])
        lead = (0, self.source.root.start_byte)
        return [lead, *self.parts] if lead[1] else self.parts

    def visit(self, node: Node) -> None:
        """Write a node by its rule."""
        if self._cover and is_covered(node):
            self.text(f"__vitra_l({self._mark(node)});")
        elif self._cover and is_covered_value(node):
            self.text(f"(__vitra_l({self._mark(node)}),")
            self._by_rule(node)
            self.text(")")
            return
        self._by_rule(node)

    def _mark(self, node: Node) -> int:
        line = node.start_point[0] + 1
        self.marked_lines.add(line)
        return line

    def _by_rule(self, node: Node) -> None:
        rule = self._rules.get(node.type)
        if rule is None:
            self.children(node)
        else:
            rule(self, node)

    def children(self, node: Node) -> None:
        """Write a node as it stands, with rules for what is in it."""
        if node.child_count == 0:
            self.copy(node.start_byte, node.end_byte)
            return
        at = node.start_byte
        for child in node.children:
            at = self.gap(at, child)
            self.visit(child)
        self.copy(at, node.end_byte)

    def gap(self, at: int, child: Node) -> int:
        """Copy what lies before a child; gives where the child ends."""
        self.copy(at, child.start_byte)
        return child.end_byte

    def copy(self, start: int, end: int) -> None:
        """Copy a range of the source."""
        if start < end:
            self.parts.append((start, end))

    def text(self, text: str) -> None:
        """Write text of ours."""
        self.parts.append(text)

    @contextmanager
    def buffer(self) -> Iterator[list[Part]]:
        """Collect what the block writes instead of writing it."""
        outer = self.parts
        self.parts = []
        try:
            yield self.parts
        finally:
            self.parts = outer

    def rendered(self, node: Node) -> list[Part]:
        """A node's text, to be placed later."""
        with self.buffer() as parts:
            self.visit(node)
        return parts

    def temporary(self) -> str:
        """A fresh variable of the scope being written."""
        name = f"__vitra_{self._temporaries}"
        self._temporaries += 1
        self.scopes[-1].temporaries.append(name)
        return name

    @contextmanager
    def scope(self, kind: str, *, is_parameters: bool = False) -> Iterator[Scope]:
        """A scope for what the block writes."""
        scope = Scope(kind, is_parameters=is_parameters)
        self.scopes.append(scope)
        try:
            yield scope
        finally:
            self.scopes.pop()

    def isolated(self, node: Node, kind: str) -> None:
        """Write an expression outside of any body; its temporaries get a function of their own."""
        with self.scope(kind) as scope, self.buffer() as parts:
            self.visit(node)
        if scope.temporaries:
            self.text(f"(()=>{{{declaration(scope)}return (")
            self.parts.extend(parts)
            self.text(")})()")
        else:
            self.parts.extend(parts)


def declaration(scope: Scope) -> str:
    """The statement that declares a scope's temporaries."""
    return f"var {','.join(scope.temporaries)};" if scope.temporaries else ""


def expression_statement(emitter: Emitter, node: Node) -> None:
    """A rewritten statement must not begin with a bracket: it would call the line above."""
    with emitter.buffer() as parts:
        emitter.children(node)
    own = emitter.source.data[node.start_byte : node.start_byte + 1].decode(errors="replace")
    if first_character(emitter.source.data, parts) in "([" and own not in "([":
        emitter.text("0,")
    emitter.parts.extend(parts)
