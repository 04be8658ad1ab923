"""Audits in parts: a share of the index for each process, a sample of it, or its end.

The plan is pure code (``protocol.transparency.audits.segments`` and ``sampling``). Here a part is
replayed, in this process or in worker processes:

    audit     from what is asked for to a verdict
    parts     what a part is, and how it is replayed wherever its blocks come from
    messages  what goes through the pipes between this process and its workers
    workers   this side: starts the processes, hands out parts, answers for blocks
    guest     the other side
"""
