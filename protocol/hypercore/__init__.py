"""Signed append-only Merkle logs: trees, proofs, and their replication."""
