"""``vitra explorer``: a database as a web page for people who check what they are told.

Read-only, on loopback, with a token; nothing is loaded from elsewhere and no script stands in a
page. ``asking`` talks to the node, ``watching`` keeps what is live, ``pages`` answers requests,
``merkle_picture`` and ``source_diff`` draw. What logs hold is only ever put into templates that
escape it.
"""
