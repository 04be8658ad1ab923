"""The scenarios, by name."""

from __future__ import annotations

from ..scenario import Scenario
from .cheats import CHEATS_FOUND
from .database import DATABASE
from .dht_lookup import DHT_LOOKUP
from .hostile_dht import HOSTILE_DHT
from .hostile_peers import HOSTILE_PEERS
from .nat_matrix import NAT_MATRIX
from .replicate_under_loss import REPLICATE_UNDER_LOSS
from .swarm_churn import SWARM_CHURN

SCENARIOS: dict[str, Scenario] = {
    each.name: each
    for each in (
        CHEATS_FOUND,
        DATABASE,
        DHT_LOOKUP,
        HOSTILE_DHT,
        HOSTILE_PEERS,
        NAT_MATRIX,
        REPLICATE_UNDER_LOSS,
        SWARM_CHURN,
    )
}
