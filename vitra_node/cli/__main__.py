"""``python -m vitra_node.cli``: the same as ``vitra``, for when the script is not on the path."""

from __future__ import annotations

from .main import main

main()
