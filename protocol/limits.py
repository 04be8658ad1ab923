"""Every bound on what a peer may make this node hold, each with its reason.

Units are the last word of a name. A length is checked against its bound *before* anything of that
length is allocated. Tests import these constants.
"""

from __future__ import annotations

# Encoding ---------------------------------------------------------------------------------------

# compact-encoding rejects longer arrays, so no honest peer sends one.
MAX_ARRAY_ITEMS = 0x100000

# Largest integer that JavaScript represents exactly; larger lengths cannot come from a JS peer.
MAX_SAFE_INTEGER = 2**53 - 1

# Streams ----------------------------------------------------------------------------------------

# A secret-stream frame has a 24-bit length.
MAX_FRAME_BYTES = 0xFFFFFF

# Encryption adds 17 bytes (tag byte and MAC) to each message.
MAX_MESSAGE_BYTES = MAX_FRAME_BYTES - 17

# Noise messages are 32 to 96 bytes plus payload; hyperdht's payloads stay far below this.
MAX_HANDSHAKE_MESSAGE_BYTES = 4096

# Hypercore ---------------------------------------------------------------------------------------

# Largest block we write, and accept from a peer. JS has only the convention of 15 MiB.
MAX_BLOCK_BYTES = 8 * 1024 * 1024

# A log of 2^40 blocks is out of reach of any writer; flat-tree indexes stay below 2^53 with it.
MAX_LOG_LENGTH_BLOCKS = 2**40

# A path in a tree of 2^40 leaves has at most 40 nodes, an upgrade at most twice that; the rest
# is room for patches and additional nodes.
MAX_PROOF_NODES = 256

# A manifest lists its signers; more than this is not a log but an attack on the decoder.
MAX_MANIFEST_SIGNERS = 64
MAX_MANIFEST_LINKED_CORES = 64
MAX_MANIFEST_USER_DATA_BYTES = 4096

# A signature holds one proof per signer and the nodes of their patches.
MAX_SIGNATURE_BYTES = 64 * 1024

# Mux ---------------------------------------------------------------------------------------------

# JS keeps no limit (MAX_BACKLOG = Infinity). One database uses a channel per log, and a store of
# hundreds of participants has as many. A peer cannot make us hold them: a channel is only accepted
# for a log that is stored here, with proof that the peer knows its key; what it may leave open
# without that is MAX_PENDING_OPENS.
MAX_CHANNELS = 4096
# Opens that wait for our answer, per connection.
MAX_PENDING_OPENS = 64
# Bytes sent on a channel before we opened it; JS pauses at the same figure.
MAX_CHANNEL_BACKLOG_BYTES = 32 * 1024
# What each of these messages counts beside its own bytes, as JS counts them.
CHANNEL_BACKLOG_ITEM_BYTES = 512
# What an open says beside protocol and id; Hypercore's capability takes 33 bytes.
MAX_CHANNEL_HANDSHAKE_BYTES = 4096
# Messages in one batch. JS flushes its batches at 8 MiB, which 128-byte messages fill with as many;
# without a bound a 16 MiB frame could hold 8 million messages of 2 bytes.
MAX_BATCH_ITEMS = 64 * 1024
# A batch of ours is closed once it has this many bytes: enough to make the cost per frame vanish,
# small enough for the peer to begin while we encrypt the next.
BATCH_BYTES = 64 * 1024
# Names of protocols and ids of channels; JS uses "hypercore/alpha" and 32 bytes.
MAX_PROTOCOL_NAME_BYTES = 256
MAX_CHANNEL_ID_BYTES = 256

# Values and paths --------------------------------------------------------------------------------

# A value shares its block with a key and the pages of the Hyperbee; these get the difference.
MAX_VALUE_BYTES = MAX_BLOCK_BYTES - 128 * 1024
# Arrays and maps inside each other. Every JSON library we meet on the way manages this many.
MAX_VALUE_DEPTH = 100
# All items of all arrays, keys and values of all maps: bounds the time one block costs (0.1 s).
MAX_VALUE_ITEMS = 2**18
# Longest path of Linux (PATH_MAX); a key is read again at every level of the tree.
MAX_KEY_BYTES = 4096

# Replication -------------------------------------------------------------------------------------

# JS asks for and answers with bitfields of at most 2^21 blocks.
MAX_BITFIELD_WORDS = 2**21 // 32
# Requests of one peer for one log that wait for our answer. JS keeps at most 512 in flight.
MAX_QUEUED_REQUESTS = 2048
# Requests that cannot be answered at all; JS drops a peer at the same figure.
MAX_INVALID_REQUESTS = 64
# Answers of a log: at once, once for each of its blocks, and each second. An honest peer asks for a
# block once, seldom twice, and has at most 512 requests in flight, so at no speed does it come to
# the end. Who goes on asking costs a fifth of a core: an answer takes 25 us when blocks are asked
# for in order, 100 us with a whole path from anywhere in a log of 200,000.
ANSWERS_PER_PEER = (4096, 2, 2000.0)
# The same for all peers of a log together: a peer that comes back begins anew, the log does not.
# Half of a core.
ANSWERS_PER_LOG = (16 * 1024, 8, 5000.0)
# Whose budget is used up waits this long, and is then served as many answers as have come to be.
BUDGET_PAUSE_SECONDS = 0.05
# Histories of one log that one peer may have us look at: claims of other forks, and trees that
# became shorter. A writer who made two has been found by then; each costs a request, and memory.
MAX_CLAIMED_HISTORIES = 64
# Extension messages are control messages; we register none, others use a few hundred bytes.
MAX_EXTENSION_NAME_BYTES = 256
MAX_EXTENSION_MESSAGE_BYTES = 64 * 1024
# What a peer announces past the end of our tree is remembered only this far (4 KiB); the rest is
# asked for again when our tree got there.
MAX_BLOCKS_REMEMBERED_AHEAD = 2**15
# Our own requests in flight: JS keeps 16 to 512. Bytes bound the memory behind large blocks.
MIN_REQUESTS_IN_FLIGHT = 16
MAX_REQUESTS_IN_FLIGHT = 512
MAX_BYTES_IN_FLIGHT = 8 * 1024 * 1024
# Answers of one peer that cannot be verified before another one has come. Honest peers answer
# almost in order, so two windows are more than enough.
MAX_HELD_BYTES = 2 * MAX_BYTES_IN_FLIGHT

# Heads of one log that our tree does not reach or settle yet. Peers that follow the writer show one
# each, mostly the same; only the writer itself can make more.
MAX_KEPT_HEADS = 16
# A tree of 2^40 - 1 blocks has 40 roots.
MAX_HEAD_ROOTS = 40

# A proof that a log was forked: two heads with 40 roots and paths each, and their signatures. Only
# logs with many signers come near this.
MAX_LOG_FRAUD_PROOF_BYTES = 256 * 1024

# 64 signers, 64 linked cores and 4 KiB of user data.
MAX_MANIFEST_BYTES = 16 * 1024
# Heads in one message: our own newest and those ahead of it of a few dozen logs.
MAX_GOSSIP_HEADS = 64
# Signatures to check for one peer: at once, and each second; one takes 0.1 ms, and an honest peer
# sends one for each log each second at most. What comes above it is not looked at.
GOSSIP_HEADS_PER_PEER = (1024.0, 64.0)
# Trees and proofs to make or check for one peer, about a millisecond each.
GOSSIP_TREES_PER_PEER = (64.0, 8.0)
# A growing log is announced at this pace: soon enough to convict, seldom enough not to show beside
# the blocks.
GOSSIP_HEAD_SECONDS = 1.0
# A head ahead of our tree is mostly settled by the replication that is under way; only then is its
# peer asked.
GOSSIP_QUESTION_SECONDS = 0.5
# Heads that a peer showed and that it may be asked about, for each log.
MAX_GOSSIP_SHOWN_HEADS = 64

# An extract of a log in a proof: the blocks that replaying one operation reads, and the nodes
# beside their ways up. An operation writes at most 4,096 blocks, and fuel ends one that reads many
# more.
MAX_EXTRACT_BLOCKS = 16_384
MAX_EXTRACT_NODES = 65_536
# One operation is read from one oplog.
MAX_EVIDENCE_OPLOGS = 1

# Bans --------------------------------------------------------------------------------------------

# ``ban_weight`` of the faults of an address, added up: two false proofs (50) within a minute and a
# half, or ten lesser faults (10) in that time. One false proof may come from a damaged disk.
BAN_AT_WEIGHT = 95.0
# Half of it is forgotten in this time: long enough that attacking costs more than it brings, short
# enough for the next owner of the address.
BAN_HALF_LIFE_SECONDS = 600.0
# Below this a ban ends, so it lasts at least nine minutes.
UNBAN_AT_WEIGHT = 50.0
# No ban is longer than four half-lives after the last fault.
MAX_BAN_WEIGHT = 800.0
# Addresses with faults that are remembered; those charged longest ago are forgotten first.
MAX_BAN_ENTRIES = 16 * 1024

# Hyperbee ----------------------------------------------------------------------------------------

# The order of Hyperbee's B-tree: a ninth key splits a node.
MAX_BEE_KEYS = 8
MAX_BEE_CHILDREN = 9
# Each inner node but the root has at least 5 children, so 2^40 keys make at most 19 generations.
# A deeper path is a cycle.
MAX_BEE_DEPTH_LEVELS = 32
# A split or a deletion writes two nodes a generation; only refused puts inside one batch of a JS
# writer make more, one path for each.
MAX_BEE_LEVELS = 16 * 1024
# Key and value of one entry; the rest of the largest block is left to the index.
MAX_BEE_ENTRY_BYTES = MAX_BLOCK_BYTES - 64 * 1024
# Decoded blocks that readers who share their room keep together, those of all databases of a node
# above all: about 20 MiB with the bound below, and most inner nodes of a tree of 100,000 keys.
MAX_CACHED_BEE_BLOCKS = 16 * 1024
MAX_CACHED_BEE_BYTES = 32 * 1024 * 1024
# What decoded levels take in memory, in sizes of the encoded index: measured 6 to 12, small numbers
# being objects of their own.
DECODED_INDEX_FACTOR = 10
# Blocks a range fetches at once over the network; JS asks peers for 48 to 512 at a time.
MAX_BEE_READ_AHEAD_BLOCKS = 64
# And before the range has given anything: most are short, and what is read past one is lost.
FIRST_BEE_READ_AHEAD_BLOCKS = 4
# Nodes a writer keeps between batches, about 1 KiB each: at least, so that it seldom looks for what
# it can do without, and at most, which for keys in no order is most of a tree of 100,000.
MIN_LIVE_BEE_NODES = 256
MAX_LIVE_BEE_NODES = 16 * 1024

# Transparency ------------------------------------------------------------------------------------

# Writes of one operation. A monitor holds an operation's writes at once, so an index that piles up
# blocks behind an ack must not fill it; the original's largest example writes a few dozen.
MAX_CHANGES_PER_OPERATION = 4096
# Keys and values of these writes together; room for two of the largest values.
MAX_CHANGE_BYTES_PER_OPERATION = 16 * 1024 * 1024
# Operations replayed together: enough to hide the round trip to the worker, and few enough to
# report progress often.
MAX_REPLAY_GROUP_OPERATIONS = 100
# Index blocks of these operations together, and their operations together.
MAX_REPLAY_GROUP_BYTES = 32 * 1024 * 1024
# Index blocks asked for at once: about one group of operations with two changes each.
MAX_REPLAY_READ_BLOCKS = 256

# Distributed hash table --------------------------------------------------------------------------

# JS sockets receive into 2,048 bytes; what is longer was not sent by the network's nodes.
MAX_DATAGRAM_BYTES = 2048
# A datagram of this size passes every link without fragments; what we make stays below.
MAX_SENT_DATAGRAM_BYTES = 1200
# A reply lists at most one row of a routing table (20). Some room for other implementations.
MAX_DHT_CLOSER_NODES = 32
# JS turns its token secrets at this pace; a token lives for one to two turns.
DHT_TOKEN_ROTATION_SECONDS = 7.5
# LOOKUP answers with at most this many records in every implementation.
MAX_DHT_RECORDS_PER_TOPIC = 20
# Readers keep 3 relay addresses of a record; writers may list a few more.
MAX_DHT_RELAY_ADDRESSES = 16
# Addresses in a handshake payload: those of one machine's network cards, and a few relays.
MAX_PAYLOAD_ADDRESSES = 32
# A put carries key, signature, token, target and headers of about 220 bytes beside the value, and
# all fits into MAX_SENT_DATAGRAM_BYTES.
MAX_DHT_VALUE_BYTES = 960
# An owner of a /24 has 256 addresses, and so as many node ids, for the price of one.
MAX_SUBNET_NODES_PER_ROW = 2
# Numbers of requests have 16 bits; with this many in use a free one is found at once. The window
# keeps at most 160 in the air.
MAX_DHT_OUTSTANDING_REQUESTS = 16 * 1024
# Hosts that answered us, and how long that is good for: as long as nodes keep announces.
MAX_PROVEN_HOSTS = 16 * 1024
PROVEN_HOST_SECONDS = 20 * 60.0
# Hosts whose questions wait until they answer a ping: 2 MiB in the worst case.
MAX_HELD_HOSTS = 1024
MAX_HELD_REQUESTS_PER_HOST = 16
# A client repeats its question after a second; then it may be pinged again.
RETURN_PATH_CHECK_SECONDS = 0.9
# Handshakes that may make us compute a Diffie-Hellman (0.4 ms): tokens each second, and at once. A
# client sends each handshake through several relays, four times at most; NATs share a host; the
# total, each of direct and relayed, keeps it below a tenth of a core (hyperdht issue 294). A part
# is only for networks that had none in the last minute: a flood from whatever many networks uses
# up the rest, and not what is left for those who come now.
HANDSHAKES_PER_ADDRESS = (4.0, 16.0)
HANDSHAKES_PER_HOST = (16.0, 64.0)
HANDSHAKES_PER_SUBNET = (32.0, 128.0)
HANDSHAKES_TOTAL = (75.0, 75.0)
HANDSHAKES_OF_NEWCOMERS = (50.0, 50.0)
NEWCOMER_SECONDS = 60.0
MAX_RATE_LIMIT_ENTRIES = 16 * 1024

# UDX ---------------------------------------------------------------------------------------------

# The receive buffer of npm udx-native; no path of the Internet carries more than 1500.
MAX_UDX_DATAGRAM_BYTES = 2048
# Ranges in one SACK; libudx writes no more, and 50 of them stay below the smallest MTU.
MAX_UDX_SACK_RANGES = 50
# Unread bytes of one stream: the window that JS advertises. It fills only when nobody reads.
UDX_WINDOW_BYTES = 4 * 1024 * 1024
# The same before the stream is connected, when its address is not yet known to be the peer's.
UDX_EARLY_WINDOW_BYTES = 64 * 1024
# How far ahead of its turn a packet is kept: a full window of the smallest full packets. Without
# it, a window of one-byte packets would cost 100 times its size.
MAX_UDX_REORDER_PACKETS = 4096
# What one stream may hold out of order in any case, and what all streams of a node share beyond
# that. 200 peers that leave out their first packet cost 77 MiB.
MAX_UDX_OWN_REORDER_BYTES = 64 * 1024
UDX_SHARED_REORDER_BYTES = 64 * 1024 * 1024
# Packets in flight, whatever window a peer offers: 11 MiB, 100 ms at 1 Gbit/s.
MAX_UDX_FLIGHT_PACKETS = 8192
# Unordered messages nobody has taken, and those that wait for the connection; the rest is dropped,
# as datagrams are. Hole punching and relays use one at a time.
MAX_UDX_MESSAGES = 256
# JS nodes ignore longer delays. The number bounds what strangers make us remember.
MAX_DELAYED_PING_SECONDS = 10.0
MAX_DELAYED_PINGS = 1024
# Nodes that are pinged at once because somebody says that they are gone.
MAX_SIDE_CHECKS = 10
# Nodes of an earlier query that a new one begins with.
MAX_QUERY_SEEDS = 20
# JS nodes keep announces for 20 minutes, and values for 48 hours.
DHT_RECORD_SECONDS = 20 * 60.0
DHT_VALUE_SECONDS = 48 * 3600.0
# JS keeps 65,536 topics, ways and refreshes each, and 32,768 values of each kind, in each of two
# generations. With values of 1 KiB that could be 128 MiB; ours together stay below 32 MiB for
# values, and the same for the records of topics that are full.
MAX_DHT_TOPICS = 8 * 1024
MAX_DHT_ROUTER_ENTRIES = 16 * 1024
MAX_DHT_VALUES = 8 * 1024
# What JS nodes can put with all headers into the smallest datagrams they send, rounded up.
MAX_DHT_STORED_VALUE_BYTES = 1024
# All records of one reply; the rest of its 1,200 bytes is for 20 nodes, id and token.
MAX_LOOKUP_RECORD_BYTES = 960
# JS refuses bumps that are further in the future.
MAX_BUMP_AHEAD_SECONDS = 60.0
# A server announces itself at the 3 nodes nearest to its key.
MAX_DHT_RELAYS = 3
# Questions passed on to servers whose answers may still come, and for how long.
MAX_FORWARDED = 8 * 1024
FORWARDED_SECONDS = 10.0
# Handshakes that a server remembers at once, about 8 KiB each, and how long: clients wait 10 s for
# the first packet; copies by other relays may come a little later.
MAX_HALF_OPEN_HANDSHAKES = 256
HANDSHAKE_SECONDS = 20.0
HANDSHAKE_LINGER_SECONDS = 10.0
# Copies of a handshake message that came while it was not decided yet; clients use 3 relays.
MAX_ROUTES_PER_HANDSHAKE = 8
# Connections being opened at once; JS hyperswarm opens 3.
MAX_CONNECT_ATTEMPTS = 256
# Addresses whose bytes and ids are not computed again each time: those of a large routing table.
MAX_CACHED_ADDRESSES = 4096

# Swarm -------------------------------------------------------------------------------------------

# Peers that are known at a time, connected or not; JS knows no bound. One costs about 1 KiB, and a
# swarm calls no more than a few a second.
MAX_SWARM_PEERS = 1024
# Topics that are joined at a time. Each costs two queries in ten minutes.
MAX_SWARM_TOPICS = 1024
# From a handshake to the first packet of its stream; JS peers wait as long. With a hole punch
# between, which takes 35 s when a NAT is random, a server waits longer.
MEETING_SECONDS = 10.0
PUNCHED_MEETING_SECONDS = 45.0
# Hole punches at once, each with a socket. One of them may have 256 for a while.
MAX_PUNCHERS = 16
# After one that took many ports; as npm hyperdht.
RANDOM_PUNCH_PAUSE_SECONDS = 20.0
# Messages of one client about one hole punch that are answered; it takes four.
MAX_PUNCH_ROUNDS = 16
