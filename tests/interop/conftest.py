"""Installs the npm packages of the JavaScript peers before the first interop test."""

from __future__ import annotations

import pytest

from tests.npm_packages import install_packages

from .js_peer import PEERS


@pytest.fixture(scope="session", autouse=True)
def js_packages() -> None:
    """The JavaScript peers are never left out; see ``install_packages``."""
    install_packages(PEERS)
