"""``DHT``: a node of the distributed hash table on sockets, and connections by public key."""
