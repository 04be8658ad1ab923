"""Installs what drives the browser before the first test of the explorer."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.npm_packages import install_packages

from .browser import HERE


@pytest.fixture(scope="session", autouse=True)
def browser_packages() -> None:
    """The browser is never left out: without one, the tests fail."""
    if not os.environ.get("CHROMIUM") and shutil.which("chromium") is None:
        pytest.fail("Debian's package chromium is needed; or name a browser in CHROMIUM")
    install_packages(HERE)
