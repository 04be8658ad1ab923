"""Vitra node: databases run by smart contracts, without a blockchain."""

__version__ = "0.1.0"
