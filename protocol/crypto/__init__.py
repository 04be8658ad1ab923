"""Hashes, key pairs, namespaces, manifests and signatures of Hypercore logs."""
