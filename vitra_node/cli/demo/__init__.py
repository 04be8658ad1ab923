"""The story of ``vitra demo``."""
