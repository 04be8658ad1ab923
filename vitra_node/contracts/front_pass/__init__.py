"""The first stage of the compiler: today's JavaScript in, what Babel 6 and Duktape take out.

Map of the package, in the order of the work:

- ``syntax``   parses (tree-sitter) and finds syntax errors; positions and refusals.
- ``refusals`` refuses what cannot run, each with its line and column.
- ``early_errors`` and ``declarations`` refuse what the standard forbids beyond its grammar.
- ``names``    refuses globals that a contract has not, and names that are ours.
- ``fuel``     says what each round of a loop or call of a function costs.
- ``scopes``   finds variables that may be read before their declaration; ``bindings`` says what of
  a declaration is evaluated before its name has a value.
- ``exports``  finds ``apply``, ``process`` and the methods with their parameters.
- ``private_names`` says which class each ``#x`` belongs to, and refuses those of none.
- ``emitter``  writes the program again, without moving lines; the rules are in ``functions``
  (coroutines, fuel), ``loops`` (fuel), ``clauses`` (catch guards), ``chains`` (``?.``, ``??``,
  logical assignment), ``classes`` (private names, static parts), ``literals``, ``regex`` and
  ``variables``.
- ``patterns`` translates regular expressions after the second stage.
- ``output``   the written text, and the way back from a position in it to the source.
- ``coverage`` says where marks stand that tell which lines run.
- ``positions`` reads the second stage's source map.

The package imports nothing from outside but tree-sitter, because the compiler's process loads it
alone. Its files are hashed into the runtime id: a change of one is a new runtime.
"""

from __future__ import annotations

from .compile import FrontPass, run
from .patterns import finish
from .positions import segments_of_lines
from .syntax import Refusal

__all__ = ["FrontPass", "Refusal", "finish", "run", "segments_of_lines"]
