"""The Merkle tree of a log: growing it, proving blocks of it, verifying proofs."""
