"""The distributed hash table: finds peers by key, keeps small records, introduces peers.

The map::

    addresses      hosts, ports, node ids          messages        requests and responses
    tokens         proofs of an address            return_paths    who was seen to receive
    routing_table  the nodes known                 nat_sampler     how others see us
    requests       what waits for an answer        send_window     how much at once
    query          the walk towards a target       rate_limits     how much a host may ask
    rpc            all of this as one node of the bare network
    records        what nodes store                generations     how long
    store          the record duties of a node     operations      lookups, announces, values
    handshake_box, noise_payload, holepunch_payload, holepunch_box   what peers tell each other
    router         the relay duties of a node      listening       being found by key
    connecting     finding by key                  announcer       staying findable
    node           all of this as one node of HyperDHT
"""
