"""Signed heads from node to node: the ``vitra/heads`` channel."""
