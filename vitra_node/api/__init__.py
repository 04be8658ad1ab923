"""The control API: JSON-RPC 2.0 over a Unix socket in the data directory (specs/11-control-api.md).

``methods`` is the table of everything that can be asked. ``session`` is what answers: one open
database. ``server`` serves a session over the socket, ``client`` asks it from another process, and
``connection`` hides from a caller which of the two it has.
"""
