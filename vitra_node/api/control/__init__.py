"""The control socket: JSON-RPC frames, its server, and who asks on the other side."""
