"""UDX: reliable, ordered streams over UDP, as pure state. Wire facts: specs/12-udx.md.

    packets     the 20-byte header, selective acknowledgements
    ranges      sets of sequence numbers
    receiver    order, the reorder buffer, the window we advertise
    sender      what is queued, in flight and lost; when to send it
    rtt  bbr  pacer  mtu       what the sender goes by
    stream      both directions and their end, behind one interface

Inside, sequence numbers are unbounded integers; only ``packets`` knows that they wrap at 2^32.
"""
