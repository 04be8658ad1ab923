"""Bytes and values: compact-encoding, MessagePack, and the paths of the index."""
