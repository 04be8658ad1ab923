"""Staying connected with the peers of topics: whom to look for, whom to call, whom to keep.

The map::

    rules         the swarm of one node; everything below behind one door
    discovery     one topic: when to announce, to look up, to take back
    peer_info     what is known of one peer, and how eagerly it is called
    known_peers   all of them, bounded
    backoff       when a lost peer is called again
    call_queue    who is called next
    duplicates    which of two connections with the same peer stays
    flushes       when everything that was found has been tried
    chance        random choices from the caller's random bytes
    events        what the shell is told to do
"""
