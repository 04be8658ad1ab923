"""Which lines run: for a contract's own tests, never for a database that others share."""

from __future__ import annotations

from tree_sitter import Node

_BLOCKS = frozenset({"program", "statement_block", "switch_case", "switch_default"})
# Declared before anything runs, or not run at all.
_SILENT = frozenset(
    {
        "function_declaration",
        "generator_function_declaration",
        "class_declaration",
        "import_statement",
        "export_statement",
        "empty_statement",
        "statement_block",
    }
)


def is_covered(node: Node) -> bool:
    """Whether a mark can stand before this node: it is a statement among statements."""
    parent = node.parent
    return (
        parent is not None
        and parent.type in _BLOCKS
        and node.type not in _SILENT
        and node.type.endswith(("_statement", "_declaration"))
    )


def is_covered_value(node: Node) -> bool:
    """Whether it is what an arrow function gives without a body of its own."""
    parent = node.parent
    return (
        parent is not None
        and parent.type == "arrow_function"
        and node.type != "statement_block"
        and parent.child_by_field_name("body") == node
    )
