"""The API as it is served: on a port, with the fast intake, and against its own description."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.api.shop import Shop, now_text

LONGER = os.environ.get("PALIER_SCHEMA_EXAMPLES", "")
EXAMPLES = LONGER or "3"
"""Generated calls per operation and phase; more by the environment, for a longer look."""


class Served:
    """A web process on a port, serving the test's database."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.token = token

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        raw: bytes | None = None,
        token: str | None = None,
        kind: str = "application/json",
        encoding: str = "",
    ) -> tuple[int, dict[str, str], Any]:
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Content-Type": kind} if content and kind else {}
        if encoding:
            headers["Content-Encoding"] = encoding
        given = self.token if token is None else token
        if given:
            headers["Authorization"] = f"Bearer {given}"
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            text = response.read()
            found = {name.lower(): value for name, value in response.getheaders()}
            return response.status, found, json.loads(text) if text else None
        finally:
            connection.close()


@pytest.fixture
def served(shop: Shop) -> Iterator[Served]:
    with serving(shop) as found:
        yield found


@contextlib.contextmanager
def serving(shop: Shop, **settings: str) -> Iterator[Served]:
    """A web process of its own for a shop, with settings of its own, until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-m", "palier", "web", "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, "PALIER_WEB_PROCESSES": "1", **settings},
    )
    found = Served(port, shop.token)
    try:
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                if found.call("GET", "/health")[0] == 200:
                    break
            assert process.poll() is None, "the web process ended"
            assert time.monotonic() < until
            time.sleep(0.1)
        yield found
    finally:
        process.terminate()
        process.wait(30)


def test_a_day_at_the_shop(served: Served) -> None:
    """Enrol, sell, look, redeem, return: the first calls of every integration, over the network."""
    status, _, member = served.call("POST", "/v1/members", {"identities": {"card": "77"}})
    assert status == 201
    ref = member["member"]
    sale = {"source": "till", "id": "a/b c", "type": "sale", "occurred_at": now_text(),
            "member": {"card": "77"}, "amount": 42.10}  # fmt: skip
    status, _, sold = served.call("POST", "/v1/activities", sale)
    assert (status, sold["status"], sold["points"]) == (200, "applied", {"stars": "42.10"})
    status, _, again = served.call("POST", "/v1/activities", sale)
    assert (status, again["status"], again["points"]) == (200, "duplicate", sold["points"])
    for address in ("/v1/activities/till/a%2Fb%20c", "/v1/activities?source=till&id=a%2Fb+c"):
        status, _, found = served.call("GET", address)
        assert (status, found["decision"]["points"]) == (200, {"stars": "42.10"}), found
    wallets = served.call("GET", f"/v1/members/{ref}/wallets")[2]["wallets"]
    assert wallets[0]["spendable"] == "42.10"
    spend = {"member": ref, "currency": "stars", "points": "2.10"}
    assert served.call("POST", "/v1/redemptions", spend)[0] == 201
    back = {"source": "till", "id": "back", "type": "return", "occurred_at": now_text(), "whole": True,
            "sale": {"source": "till", "id": "a/b c"}}  # fmt: skip
    assert served.call("POST", "/v1/activities", back)[2]["status"] == "applied"
    wallet = served.call("GET", f"/v1/members/{ref}/wallets")[2]["wallets"][0]
    assert (wallet["spendable"], wallet["debt"]) == ("0.00", "2.10")


def test_refusals_of_the_fast_intake(served: Served) -> None:
    """The same answers as those of the other operations, by the same forms."""
    for raw, status, code in (
        (b"{", 400, "invalid_body"),
        (b"[]", 400, "invalid_body"),
        (b"{}", 422, "malformed"),
        (b'{"a": NaN}', 422, "malformed"),
        (b'{"source": NaN}', 400, "invalid_body"),
        (b"\xff\xff", 400, "invalid_body"),
        (b"[" * 50_000, 400, "invalid_body"),
    ):
        found = served.call("POST", "/v1/activities", raw=raw)
        assert (found[0], found[2]["code"]) == (status, code), (raw[:20], found)
        assert found[1]["content-type"] == "application/problem+json"
    # A sender that does not look up while it sends may see the connection end instead.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        found = served.call("POST", "/v1/activities", raw=b'"' + b"x" * 2_000_000 + b'"')
        assert (found[0], found[2]["code"]) == (413, "body_too_large")
    assert served.call("POST", "/v1/activities", {}, token="")[2]["code"] == "unauthorized"
    assert served.call("GET", "/v1/nothing")[2]["code"] == "unknown_address"


def test_the_fast_intake_refuses_as_the_operation_does(shop: Shop, served: Served) -> None:
    """The same problem document, with its place and remedy, whichever of the two reads the request."""
    reader = shop.new_key(["members:read"]).token
    one = b'{"source": "till", "id": "1", "type": "sale", "occurred_at": "2026-03-01T10:00:00Z", "amount": "1.00"}'
    for kind, raw, token, status in (
        ("text/plain", b"{}", None, 415),
        ("application/jsonx", b"{}", None, 415),
        ("application/json-patch+json", b"{}", None, 415),
        ("", b"{}", None, 415),
        ("Application/JSON ; charset=utf-8", one, None, 422),
        ("application/json", b"{}", None, 422),
        ("application/json", b'{"lines": [{"price": 1}]}', None, 422),
        ("application/json", b"1", None, 400),
        ("application/json", b'{"source": "\\ud800"}', None, 400),
        ("application/json", one, "pk_nobody", 401),
        ("application/json", one, reader, 403),
    ):
        slow = shop.post("/activities", raw=raw, kind=kind, token=token)
        fast = served.call("POST", "/v1/activities", raw=raw, kind=kind, token=token)
        told = {name: value for name, value in fast[2].items() if name not in ("source", "id")}
        assert (fast[0], told) == (status, slow.json), (kind, raw)
        assert told["remedy"]
        assert ("field" in told) == (status not in (400, 403))
    packed = gzip.compress(one)
    fast = served.call("POST", "/v1/activities", raw=packed, encoding="gzip")
    assert (fast[0], fast[2]) == (415, shop.post("/activities", raw=packed, encoding="gzip").json)
    assert served.call("POST", "/v1/activities", raw=b" " + one, encoding="identity")[0] == 422


@pytest.mark.parametrize("path", ["activities", "members"])
def test_a_body_that_does_not_come(shop: Shop, path: str, capfd: pytest.CaptureFixture[str]) -> None:
    """It is given up at the deadline, and whoever goes away in the midst of it leaves no trace in the log."""
    head = (
        f"POST /v1/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {shop.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
    )
    with serving(shop, PALIER_WEB_DEADLINE_S="1") as served:
        with socket.create_connection(("127.0.0.1", served.port), timeout=20) as waiting:
            waiting.sendall(head.encode())
            with socket.create_connection(("127.0.0.1", served.port), timeout=20) as leaving:
                leaving.sendall(head.encode())
            answer = waiting.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"body_too_slow"' in answer
        assert served.call("POST", "/v1/activities", {})[0] == 422
    assert "Traceback" not in capfd.readouterr().err


def test_an_array_is_answered_as_its_lines_would_be(served: Served, member: str) -> None:
    """What a line of an array is told is made as soon as it is decided; one by itself is told at the end."""
    sale = {"source": "till", "id": "one", "type": "sale", "occurred_at": now_text(), "member": member,
            "amount": "10"}  # fmt: skip
    alone = served.call("POST", "/v1/activities", sale)[2]
    many = [{**sale, "id": "two"}, {**sale, "id": "two"}, {**sale, "id": "two", "amount": "11"}, sale]
    found = served.call("POST", "/v1/activities", many)[2]
    assert found["counts"] == {"applied": 1, "duplicate": 2, "refused": 1, "parked": 0}
    applied, double, other, again = found["results"]
    assert applied == {**alone, "id": "two", "spendable": {"stars": "20.00"}}
    assert double == {**applied, "status": "duplicate"}
    assert (other["status"], other["code"]) == ("refused", "content_differs")
    assert again == {**alone, "status": "duplicate"}


def test_a_hundred_identical_posts(served: Served, member: str) -> None:
    sale = {"source": "till", "id": "same", "type": "sale", "occurred_at": now_text(), "member": member,
            "amount": "10"}  # fmt: skip
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: served.call("POST", "/v1/activities", sale), range(100)))
    assert {status for status, _, _ in answers} == {200}
    outcomes = [answer["status"] for _, _, answer in answers]
    assert (outcomes.count("applied"), outcomes.count("duplicate")) == (1, 99)
    assert len({json.dumps({**answer, "status": ""}) for _, _, answer in answers}) == 1
    assert served.call("GET", f"/v1/members/{member}/wallets")[2]["wallets"][0]["spendable"] == "10.00"


HOOKS = """
import schemathesis

REAL = {real}


@schemathesis.hook
def map_body(context, body):
    # A generated name of something is made that of something there is, so that calls reach what they are for.
    if isinstance(body, dict):
        for name, value in body.items():
            if name in REAL and isinstance(value, str) and 1 <= len(value) <= 64:
                body[name] = REAL[name]
    return body
"""


@pytest.mark.slow
@pytest.mark.parametrize("there", [False, True], ids=["nothing is there", "what is named is there"])
def test_the_api_is_as_described(shop: Shop, served: Served, tmp_path: Path, there: bool) -> None:
    """Generated calls, valid and not, alone and in sequences, with every check of the tool.

    Where nothing is there, what is written in all the ways that a description allows is answered alike: that
    part is for the longer look.
    """
    parameters, environment = "", dict(os.environ)
    phases = "examples,coverage,fuzzing,stateful" if there or LONGER else "examples,fuzzing"
    if there:
        ref, other = shop.enrol(), shop.enrol("other")
        shop.sale(ref, "1000000", id="known")
        hold = {"member": ref, "currency": "stars", "points": "1", "capture": False}
        redemption = shop.post("/redemptions", hold).json["redemption"]
        real = {"member": ref, "from": ref, "to": other, "currency": "stars"}
        hooks = tmp_path / "hooks.py"
        hooks.write_text(HOOKS.replace("{real}", repr(real)))
        environment["SCHEMATHESIS_HOOKS"] = str(hooks)
        parameters = f"""[parameters]
"path.ref" = "{ref}"
"path.redemption" = "{redemption}"
"path.program" = "club"
"path.version" = 1
"path.source" = "till"
"path.id" = "known"
"""
    config = tmp_path / "schemathesis.toml"
    config.write_text(
        f"""
max-failures = 20
[output.sanitization]
enabled = false
[generation]
max-examples = {EXAMPLES}
deterministic = true
# What no text may hold, and a schema cannot say: test_bodies sends it.
allow-x00 = false
[checks.positive_data_acceptance]
# A call can be well formed and still name what does not exist, or ask for more points than there are.
expected-statuses = ["2xx", "404", "422"]
# Codes that are made up are failed tries, of which the API soon refuses more.
[[operations]]
include-operation-id = ["check_voucher", "use_voucher"]
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "422", "429"]
{parameters}"""
    )
    done = subprocess.run(
        [
            Path(sys.executable).with_name("st"), "--config-file", config, "run",
            f"http://127.0.0.1:{served.port}/v1/openapi.json",
            "--header", f"Authorization: Bearer {served.token}", "--no-color", "--suppress-health-check", "all",
            "--phases", phases,
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-2000:]


def test_a_large_request_is_answered_line_by_line_in_its_order(served: Served) -> None:
    """It is applied in two parts; the answer is one, in the order that was sent, and so is its repetition."""
    for number in range(20):
        served.call("POST", "/v1/members", {"identities": {"card": f"large-{number}"}})
    sales = [
        {"source": "till", "id": f"large-{number:03}", "type": "sale", "occurred_at": now_text(),
         "member": {"card": f"large-{number % 21}"}, "amount": f"{number}.00"}
        for number in range(420)
    ]  # fmt: skip
    sales[7]["amount"] = "7,00"
    expected = ["refused" if n % 21 == 20 or n == 7 else "applied" for n in range(420)]
    for again in ("applied", "duplicate"):
        status, _, told = served.call("POST", "/v1/activities", sales)
        assert status == 200
        assert [item["id"] for item in told["results"]] == [sale["id"] for sale in sales]
        assert [item["status"] for item in told["results"]] == [
            again if name == "applied" else name for name in expected
        ]
        assert told["counts"][again] == expected.count("applied")
        assert sum(told["counts"].values()) == 420
        assert [item.get("points") for item in told["results"][1:7]] == [
            {"stars": f"{number}.00"} for number in range(1, 7)
        ]
