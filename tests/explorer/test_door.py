"""Who may look at the explorer: requests as no browser of ours would send them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.processes import COUNTER, ok, running, vitra


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address that an explorer without a node printed."""
    root = tmp_path_factory.mktemp("door")
    (root / "counter.js").write_text(COUNTER)
    ok(root / "data", "init", str(root / "counter.js"))
    with running(root / "data", "explorer") as explorer:
        yield explorer.line()["url"]
        assert explorer.end() == 0


def ask(
    url: str, path: str, method: str = "GET", **headers: str
) -> tuple[int, http.client.HTTPMessage, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=names)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def cookie(url: str) -> str:
    _, headers, _ = ask(url, "/?" + urlsplit(url).query)
    return headers["set-cookie"]


def test_the_token_opens_and_stays_in_a_cookie_of_its_own(url: str) -> None:
    given = cookie(url)
    port = urlsplit(url).port
    assert given.startswith(f"vitra-{port}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in given.split(";")}
    status, headers, body = ask(url, "/", Cookie=given.partition(";")[0])
    assert (status, "set-cookie" in headers) == (200, False)
    assert "Vitra" in body


@pytest.mark.parametrize("path", ["/", "/index", "/live", "/static/live.js", "/frauds/x/proof"])
@pytest.mark.parametrize(
    ("status", "method", "headers"),
    [
        (401, "GET", {}),
        (401, "GET", {"Cookie": "vitra-1=x"}),
        (401, "GET", {"Authorization": "Bearer x"}),
        (421, "GET", {"Host": "rebound.evil.example"}),
        (403, "GET", {"Origin": "https://evil.example"}),
        (403, "GET", {"Sec_Fetch_Site": "cross-site"}),
        (405, "POST", {}),
        (405, "DELETE", {}),
    ],
)
def test_nobody_else_gets_in(
    url: str, path: str, status: int, method: str, headers: dict[str, str]
) -> None:
    if status in (403, 405, 421):
        headers = {**headers, "Cookie": cookie(url).partition(";")[0]}
    answered, found, body = ask(url, path, method, **headers)
    assert answered == status
    assert "access-control-allow-origin" not in found
    assert len(body) < 200


@pytest.mark.parametrize("query", ["token=x", "token=", "token", "x=1", "token=a&token=b"])
def test_wrong_tokens(url: str, query: str) -> None:
    assert ask(url, "/?" + query)[0] == 401
    twice = urlsplit(url).query
    assert ask(url, f"/?{twice}&{twice}")[0] == 401


def test_every_answer_forbids_what_browsers_could_do(url: str) -> None:
    for path in ("/", "/nothing", "/static/explorer.css", "/index?path=nopath"):
        status, headers, _ = ask(url, path, Cookie=cookie(url).partition(";")[0])
        assert status in (200, 400, 404)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "path",
    [
        "/index?path=nopath",
        "/index?path=//",
        "/index?version=x",
        "/index?path=/&version=99999999",
        "/operations/0",
        "/operations/999999",
        "/operations?before=-1",
        "/block/index/999999",
        "/block/zzz/0",
        "/contract?seq=7",
        "/frauds/nothing",
        "/frauds/..%2f..%2fvitra.json",
        "/transactions/nothing",
        "/static/../site.py",
        "/static/%2e%2e/site.py",
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(url: str, path: str) -> None:
    status, _, body = ask(url, path, Cookie=cookie(url).partition(";")[0])
    assert status in (400, 404), body
    assert "Traceback" not in body
    assert "vitra.json is" not in body


def test_where_it_does_not_open(tmp_path: Path) -> None:
    (tmp_path / "counter.js").write_text(COUNTER)
    ok(tmp_path / "data", "init", str(tmp_path / "counter.js"))
    assert vitra(tmp_path / "data", "explorer", "--listen", "0.0.0.0:0").code == 2
    assert vitra(tmp_path / "nothing", "explorer").code == 3
    with running(tmp_path / "data", "explorer") as explorer:
        taken = explorer.line()["listen"]
        refused = vitra(tmp_path / "data", "explorer", "--listen", taken, "--json")
        assert refused.code in (4, 5)
        assert json.loads(refused.err.splitlines()[-1])["error"]["failed"]
