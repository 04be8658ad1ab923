"""Vitra node: databases run by smart contracts, without a blockchain.

The names below are the public API. They are loaded when first used, so that importing the package
(which every command does) costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .database import Database
    from .frauds import ContractFraudProof
    from .net.dht.dht import DHT
    from .net.swarm.swarm import Swarm
    from .storage.bee.hyperbee import Hyperbee
    from .storage.corestore import Corestore
    from .storage.log.hypercore import Hypercore

__all__ = [
    "DHT",
    "ContractFraudProof",
    "Corestore",
    "Database",
    "Hyperbee",
    "Hypercore",
    "Swarm",
    "__version__",
]

_HOMES = {
    "ContractFraudProof": "frauds",
    "Corestore": "storage.corestore",
    "DHT": "net.dht.dht",
    "Database": "database",
    "Hyperbee": "storage.bee.hyperbee",
    "Hypercore": "storage.log.hypercore",
    "Swarm": "net.swarm.swarm",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{home}", __name__), name)
