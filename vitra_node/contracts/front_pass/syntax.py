"""Parsing, and how a refusal names its place."""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter_javascript
from tree_sitter import Language, Node, Parser, Tree

# Babel walks the program recursively, and Duktape's stack for that is not deep. Programs written
# by people stay below a third of it.
MAX_DEPTH = 120

# At 128 KiB the compiler needs about as long as a person waits for one.
MAX_SOURCE_BYTES = 128 * 1024


# They stand for the halves of characters beyond U+FFFF in the engine.
_SHIFTED = re.compile("[\ue000-\ue7ff]")


class Refusal(Exception):
    """The program cannot be a contract; ``line`` and ``column`` from 1, in characters."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


class Source:
    """A parsed program."""

    def __init__(self, text: str) -> None:
        try:
            self.data = text.encode()
        except UnicodeEncodeError:
            raise Refusal("the source has half a character in it", 1, 1) from None
        if len(self.data) > MAX_SOURCE_BYTES:
            raise Refusal(f"the source has more than {MAX_SOURCE_BYTES} bytes", 1, 1)
        if b"\x00" in self.data:
            raise self.refusal_at("the source has a NUL in it", self.data.index(b"\x00"))
        shifted = _SHIFTED.search(text)
        if shifted is not None:
            raise self.refusal_at(
                "the characters U+E000 to U+E7FF are not available in contracts",
                len(text[: shifted.start()].encode()),
            )
        # Where await stands for the operator although the tree says void, in bytes.
        self.awaits: set[int] = set()
        # The tree must outlive its nodes.
        self._tree = self._parse()
        self.root = self._tree.root_node
        self._check_syntax()

    def _parse(self) -> Tree:
        """Parse with every ``await`` as an operator.

        The grammar takes ``await (a).b`` for a call of a function named await. ``void`` has the
        same rank among the operators and is no name, so the parser is shown that instead.
        """
        parser = Parser(Language(tree_sitter_javascript.language()))
        shown = bytearray(self.data)
        while True:
            tree = parser.parse(bytes(shown))
            names = [
                node.start_byte
                for node in walk(tree.root_node)
                if node.type == "identifier" and node.text == b"await"
            ]
            if not names:
                return tree
            for offset in names:
                shown[offset : offset + 5] = b"void "
                self.awaits.add(offset)

    def text(self, node: Node) -> str:
        """The node as written."""
        return self.data[node.start_byte : node.end_byte].decode()

    def refusal(self, message: str, node: Node) -> Refusal:
        """A refusal that points at a node."""
        return self.refusal_at(message, node.start_byte)

    def refusal_at(self, message: str, offset: int) -> Refusal:
        """A refusal that points at an offset in bytes."""
        line, column = self.position(offset)
        return Refusal(message, line, column)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of an offset in bytes."""
        before = self.data[:offset]
        start = before.rfind(b"\n") + 1
        return before.count(b"\n") + 1, len(before[start:].decode(errors="replace")) + 1

    def _check_syntax(self) -> None:
        broken: Node | None = None
        for node, depth in walk_with_depth(self.root):
            if depth > MAX_DEPTH:
                raise self.refusal("the program is nested too deeply here", node)
            if broken is None and (node.is_error or node.is_missing):
                broken = node
        if broken is None:
            return
        if broken.is_missing:
            raise self.refusal(f"syntax error: {broken.type} is missing here", broken)
        raise self.refusal("syntax error", _innermost_error(broken))


def _innermost_error(node: Node) -> Node:
    """The first token that fits nowhere is a better place than the statement around it."""
    for inner in walk(node):
        if inner.is_missing or (inner.is_error and inner.id != node.id):
            return inner
    return node


def walk(node: Node) -> Iterator[Node]:
    """The node and all nodes below it, in the order of the source."""
    for inner, _ in walk_with_depth(node):
        yield inner


def walk_with_depth(node: Node) -> Iterator[tuple[Node, int]]:
    """The same with the depth below the first node, without recursion."""
    stack = [(node, 0)]
    while stack:
        inner, depth = stack.pop()
        yield inner, depth
        # Operators in a row, `a + b + c`, are a list to people and a deep tree to parsers; they
        # still cost depth in the second stage, so they count as a fraction.
        stack.extend((child, depth + 1) for child in reversed(inner.children))


def items(node: Node) -> list[Node]:
    """Named children without comments."""
    return [child for child in node.named_children if child.type not in COMMENTS]


COMMENTS = frozenset({"comment", "html_comment"})

_BINDING_NAMES = frozenset({"identifier", "shorthand_property_identifier_pattern"})


def names_in(pattern: Node) -> Iterator[Node]:
    """The names a pattern binds, without those in its defaults and computed keys."""
    stack = [pattern]
    while stack:
        node = stack.pop()
        if node.type in _BINDING_NAMES:
            yield node
        elif node.type in ("assignment_pattern", "object_assignment_pattern"):
            left = node.child_by_field_name("left")
            if left is not None:
                stack.append(left)
        elif node.type == "pair_pattern":
            value = node.child_by_field_name("value")
            if value is not None:
                stack.append(value)
        elif node.type not in ("member_expression", "subscript_expression"):
            stack.extend(reversed(node.named_children))


FUNCTIONS = frozenset(
    {
        "function_declaration",
        "function_expression",
        "generator_function_declaration",
        "generator_function",
        "arrow_function",
        "method_definition",
    }
)


def parameters_of(node: Node) -> list[Node]:
    """The parameters of a function, in order."""
    single = node.child_by_field_name("parameter")
    if single is not None:
        return [single]
    several = node.child_by_field_name("parameters")
    return [] if several is None else items(several)
