"""Signed heads of a log, and the contradictions between them."""
