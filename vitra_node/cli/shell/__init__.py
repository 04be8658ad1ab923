"""``vitra shell``: a session with the original's dot-commands.

``lines`` reads what is typed, ``commands`` is the table of what can be, ``session`` owns the
directory in use and the node that serves it, ``completion`` and ``announcer`` look over the user's
shoulder. Nothing here opens a database: a session's node is a process of its own, tied to the
session by ``node.hold``, so that ``.bg`` and ``.fg`` change no more than who ends it. Commands are
those of the command line, run on the directory in use, and so give the same answers.
"""
