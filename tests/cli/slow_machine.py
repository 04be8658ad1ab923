"""``vitra`` on a machine on which an operation's processor time is over sooner. Run by path."""

from __future__ import annotations

from vitra_node.cli.main import main
from vitra_node.contracts import worker

# The counter needs a few; what the tests have it search for, a thousand.
worker.APPLY_MILLISECONDS = 150

if __name__ == "__main__":
    main()
