"""What a round costs: one for itself, more for what it makes.

Every function body and loop body begins with a counter. Objects made in it take memory, which the
counter stands for as well: an operation shall end by its fuel before it ends by the memory of the
machine, which would be no result.
"""

from __future__ import annotations

from tree_sitter import Node

from .syntax import FUNCTIONS

_LOOPS = frozenset({"for_statement", "for_in_statement", "while_statement", "do_statement"})

# A closure takes about 300 bytes with its scope, a small object 100.
_COSTS = {
    **dict.fromkeys(FUNCTIONS, 10),
    "class": 20,
    "class_declaration": 20,
    "object": 3,
    "array": 3,
    "regex": 3,
    "new_expression": 3,
    "template_string": 1,
}


def tick(body: Node) -> str:
    """The counting statement (an expression) for a body."""
    cost = 1
    stack = [body]
    while stack:
        node = stack.pop()
        for child in node.children:
            cost += _COSTS.get(child.type, 0)
            if child.type in FUNCTIONS:
                continue
            if child.type in _LOOPS:
                # The body of an inner loop counts for itself.
                inner = child.child_by_field_name("body")
                stack.extend(part for part in child.children if part != inner)
                continue
            stack.append(child)
    return "__vitra_t()" if cost == 1 else f"__vitra_n({cost})"
