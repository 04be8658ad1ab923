"""Noise handshakes over Ed25519 and the encrypted stream that follows them."""
