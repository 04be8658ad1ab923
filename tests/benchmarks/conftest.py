"""The JavaScript side needs its packages, here as in the interop tests."""

from __future__ import annotations

from tests.interop.conftest import js_packages as js_packages
