"""The rules of every layer, without I/O: bytes and ``now`` in, events and bytes out.

From the bottom up: ``encoding`` and ``crypto`` (bytes, hashes, keys), ``noise`` (handshake and
secret stream), ``mux`` (channels on a stream), ``hypercore`` (signed append-only Merkle logs and
their replication), ``hyperbee`` (the B-tree inside a log), ``transparency`` (records, replay and
proofs of Execution Transparency).
"""
