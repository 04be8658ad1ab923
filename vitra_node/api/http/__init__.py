"""The control API over HTTP, for programs that do not speak Unix sockets (specs/11-control-api.md).

Off unless asked for, on this machine's loopback only. ``gate`` says who may come in, ``door`` gives
the same answers as the control socket, ``serving`` runs any ASGI application on a port, and
``client`` asks from Python.
"""
