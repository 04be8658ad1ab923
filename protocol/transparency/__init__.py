"""Execution Transparency: records, replay, and proofs that anyone can check."""
