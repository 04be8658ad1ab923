"""The whole first stage."""

from __future__ import annotations

from dataclasses import dataclass

from tree_sitter import Node

from . import (
    chains,
    classes,
    clauses,
    declarations,
    early_errors,
    exports,
    functions,
    literals,
    loops,
    names,
    private_names,
    refusals,
    regex,
    variables,
)
from .emitter import Emitter, Rule, expression_statement
from .output import Output
from .scopes import find_checks
from .syntax import Refusal, Source

_RULES: dict[str, Rule] = {
    "expression_statement": expression_statement,
    **functions.RULES,
    **loops.RULES,
    **clauses.RULES,
    **chains.RULES,
    **literals.RULES,
    **regex.RULES,
    **variables.RULES,
    **classes.RULES,
}


def _checked(rule: Rule) -> Rule:
    def write(emitter: Emitter, node: Node) -> None:
        target = node.child_by_field_name("left") or node.child_by_field_name("argument")
        if not private_names.is_private(target):
            variables.write(emitter, node, rule)
        elif node.type == "update_expression":
            private_names.update(emitter, node)
        else:
            private_names.assignment(emitter, node)

    return write


for _kind in ("assignment_expression", "augmented_assignment_expression", "update_expression"):
    _RULES[_kind] = _checked(_RULES.get(_kind, Emitter.children))


@dataclass(frozen=True)
class FrontPass:
    """A program ready for the second stage."""

    code: str
    # Name and parameters of each method.
    methods: tuple[tuple[str, tuple[str, ...]], ...]
    apply_operations: tuple[str, ...] | None
    has_process: bool
    source: Source
    output: Output
    # Lines that tell when they run; none unless asked for.
    marked_lines: frozenset[int]

    def positions(self, lines: list[list[tuple[int, int]]]) -> list[tuple[int, int] | None]:
        """Where the statement of each compiled line begins: line and column (from 1).

        Of a line that has text of ours only, counters for instance, the next one's place.
        """
        found: list[tuple[int, int] | None] = []
        last: tuple[int, int] | None = None
        for places in reversed(lines):
            offsets = (self.output.copied_from(*place) for place in places)
            offset = next((offset for offset in offsets if offset is not None), None)
            last = last if offset is None else self.source.position(offset)
            found.append(last)
        return found[::-1]

    def refusal(self, message: str, line: int, column: int) -> Refusal:
        """A refusal at a position of ``code`` (line from 1, column from 0)."""
        return self.source.refusal_at(message, self.output.source_offset(line, column))


def run(text: str, *, cover: bool = False) -> FrontPass:
    """Check a contract and rewrite it; with ``cover`` its lines tell when they run.

    Raises:
      Refusal: it cannot be a contract.
    """
    source = Source(text)
    refusals.check(source)
    early_errors.check(source)
    private_names.check(source)
    names.check(source)
    declarations.check(source)
    found = exports.find(source)
    emitter = Emitter(source, find_checks(source), _RULES, cover=cover)
    output = Output(source.data, emitter.program())
    return FrontPass(
        output.code,
        found.methods,
        found.apply_operations,
        found.has_process,
        source,
        output,
        frozenset(emitter.marked_lines),
    )
