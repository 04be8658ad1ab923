"""Proofs as files that anyone can check offline: what stands, what grew, what is fraud."""
