"""UDX on the sockets of this machine."""
