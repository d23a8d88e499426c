"""The contract with suppliers: the HTTP connector against a real server that misbehaves."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import hmac
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from palier.connectors.suppliers import addresses, http, mapping
from palier.connectors.suppliers.addresses import NotAllowed, check, resolve
from palier.connectors.suppliers.contract import (
    Absent,
    Declined,
    Money,
    NotKnown,
    Order,
    Page,
    Standing,
    TryLater,
    Unit,
)
from palier.connectors.suppliers.mapping import SupplierDocument
from palier.site.environment import networks
from tests.connectors.sample_supplier import LOOPBACK, Running, running

BOOKS = "CARD-BOOKS-10"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture
def sample(server: Running) -> Running:
    server.calm()
    return server


_number = 0


def order(**more: Any) -> Order:
    global _number
    _number += 1
    return Order(**{"request_id": f"r{_number}", "sku": BOOKS, **more})


def asked(sample: Running, request_id: str) -> int:
    """How many orders the supplier has of a request id."""
    return len([found for found in sample.orders() if found["reference"] == request_id])


# --- the five questions -----------------------------------------------------------------------------------


def test_an_order_is_delivered_with_its_codes_and_cost(sample: Running) -> None:
    found = sample.supplier().place(order(quantity=2))
    assert isinstance(found, Standing)
    assert (found.state, found.cost, len(found.units)) == ("delivered", Money(1900, "EUR"), 2)
    assert all(unit.code and unit.pin and unit.valid_until == "2030-12-31" for unit in found.units)


def test_the_same_request_id_is_one_order(sample: Running) -> None:
    supplier, wanted = sample.supplier(), order()
    first, second = supplier.place(wanted), supplier.place(wanted)
    assert first == second
    assert asked(sample, wanted.request_id) == 1


def test_status_tells_an_order_and_that_there_is_none(sample: Running) -> None:
    supplier, wanted = sample.supplier(), order()
    assert supplier.status(wanted.request_id) == Absent()
    placed = supplier.place(wanted)
    assert supplier.status(wanted.request_id) == placed


def test_a_pending_order_is_called_off_and_a_delivered_one_is_not(sample: Running) -> None:
    supplier, wanted, other = sample.supplier(), order(), order()
    sample.behave("pending", seconds=60)
    pending = supplier.place(wanted)
    assert isinstance(pending, Standing)
    assert pending.state == "accepted"
    called_off = supplier.cancel(wanted.request_id)
    assert isinstance(called_off, Standing)
    assert called_off.state == "cancelled"
    supplier.place(other)
    assert supplier.cancel(other.request_id) == Declined(
        "delivered", "the supplier answers 422: the order was delivered"
    )
    assert supplier.cancel("never-ordered") == Absent()


def test_the_balance_goes_down_by_what_orders_cost(sample: Running) -> None:
    supplier = sample.supplier()
    before = supplier.balance()
    supplier.place(order())
    after = supplier.balance()
    assert isinstance(before, Money)
    assert isinstance(after, Money)
    assert before.minor - after.minor == 950


def test_the_catalogue_is_read_page_by_page(sample: Running) -> None:
    supplier = sample.supplier()
    cursor, articles = None, []
    for _ in range(10):
        page = supplier.catalogue(cursor)
        assert isinstance(page, Page)
        articles += page.articles
        cursor = page.next
        if cursor is None:
            break
    assert len(articles) == len({article.sku for article in articles}) == 12
    first = articles[0]
    assert (first.name_en, first.name_fr) == ("Bookshop card €10", "Carte librairie 10 €")
    assert (first.cost, first.value, first.countries) == (Money(950, "EUR"), Money(1000, "EUR"), ("FR", "BE"))


def test_questions_that_the_document_lacks_are_declined(sample: Running) -> None:
    data = msgspec.to_builtins(sample.document())
    supplier = sample.supplier(calls={"place": data["calls"]["place"]})
    for answer in (supplier.status("x"), supplier.cancel("x"), supplier.balance(), supplier.catalogue()):
        assert isinstance(answer, Declined)
        assert answer.code == "unsupported"


# --- what an answer says about what may have happened -----------------------------------------------------


@pytest.mark.parametrize(
    ("does", "kind", "ordered"),
    [
        ("error", NotKnown, 0),
        ("error_after", NotKnown, 1),
        ("lost", NotKnown, 1),
        ("dropped", NotKnown, 0),
        ("half", NotKnown, 1),
        ("garbage", NotKnown, 1),
        ("huge", NotKnown, 1),
        ("redirect", NotKnown, 0),
        ("later", TryLater, 0),
        ("refuse", Declined, 0),
        ("out_of_stock", Declined, 0),
        ("short", NotKnown, 1),
    ],
)
def test_each_misbehaviour_is_told_for_what_it_is(
    sample: Running, does: str, kind: type[object], ordered: int
) -> None:
    wanted = order(quantity=2)
    sample.behave(does, seconds=7)
    found = sample.supplier().place(wanted)
    assert type(found) is kind
    assert asked(sample, wanted.request_id) == ordered
    if does == "later":
        assert isinstance(found, TryLater)
        assert found.after_s == 7
    if does == "out_of_stock":
        assert isinstance(found, Declined)
        assert found.code == "out_of_stock"
    # Asked again, the order is there once, whatever happened before.
    sample.calm()
    if kind is NotKnown and does != "short":
        again = sample.supplier().place(wanted)
        assert isinstance(again, Standing)
        assert asked(sample, wanted.request_id) == 1


@pytest.mark.parametrize("does", ["slow", "drip"])
def test_no_answer_takes_longer_than_the_deadline(sample: Running, does: str) -> None:
    sample.behave(does, seconds=20)
    began = time.monotonic()
    found = sample.supplier(deadline_s=1).place(order())
    assert isinstance(found, NotKnown)
    assert time.monotonic() - began < 4


def test_a_state_that_is_no_word_of_the_document_is_not_known(sample: Running) -> None:
    found = sample.supplier(states={"accepted": ["PENDING"]}).place(order())
    assert isinstance(found, NotKnown)
    assert '"COMPLETE"' in found.reason


def test_nothing_can_have_happened_without_a_connection() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        unused = Running(probe.getsockname()[1])
        assert isinstance(unused.supplier().place(order()), TryLater)


def test_a_wrong_token_and_a_missing_one_are_no_refusal_of_the_order(sample: Running) -> None:
    document = sample.document()
    wrong = http.HttpSupplier(document, {"TOKEN": "other"}.get, now_s=lambda: 0, allowed=LOOPBACK)
    missing = http.HttpSupplier(document, {}.get, now_s=lambda: 0, allowed=LOOPBACK)
    assert isinstance(wrong.place(order()), TryLater)
    found = missing.place(order())
    assert isinstance(found, TryLater)
    assert "PALIER_SUPPLIER_SAMPLE_TOKEN" in found.reason


def test_a_question_that_changes_nothing_may_always_be_asked_again(sample: Running) -> None:
    sample.behave("error", on="balance")
    assert isinstance(sample.supplier().balance(), TryLater)


# --- one answer after another, from a socket --------------------------------------------------------------


@contextlib.contextmanager
def answering(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A listener that hands each connection to a function; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]


def reply(body: str, status: str = "200 OK", headers: str = "") -> bytes:
    raw = body.encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(raw)}\r\n{headers}\r\n".encode() + raw


def test_headers_that_drip_end_at_the_deadline() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 1000:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    with answering(serve) as port:
        began = time.monotonic()
        assert isinstance(Running(port).supplier(deadline_s=1).place(order()), NotKnown)
        assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "body",
    ["[" * 100_000, '{"status": NaN}', "\x00", '"' + "x" * 10, "null", "[]", "{}", '{"status": {"a": 1}}'],
)
def test_strange_answers_are_not_known(body: str) -> None:
    with answering(lambda connection: (connection.recv(65536), connection.sendall(reply(body)))[-1]) as port:
        assert isinstance(Running(port).supplier().place(order()), NotKnown)


def test_a_compressed_answer_is_not_unpacked() -> None:
    raw = reply('{"status": "COMPLETE"}', headers="Content-Encoding: gzip\r\n")
    with answering(lambda connection: (connection.recv(65536), connection.sendall(raw))[-1]) as port:
        assert isinstance(Running(port).supplier().place(order()), NotKnown)


def test_amounts_never_pass_through_binary() -> None:
    answer = '{"available": 100000000.29, "currency": "EUR"}'
    with answering(
        lambda connection: (connection.recv(65536), connection.sendall(reply(answer)))[-1]
    ) as port:
        assert Running(port).supplier().balance() == Money(10_000_000_029, "EUR")


def test_what_a_supplier_says_is_shortened_and_printable() -> None:
    body = json.dumps({"error": {"code": "no", "message": "no\n\x1b[31m" + "x" * 1000}})
    raw = reply(body, "422 Unprocessable")
    with answering(lambda connection: (connection.recv(65536), connection.sendall(raw))[-1]) as port:
        found = Running(port).supplier().place(order())
    assert isinstance(found, Declined)
    assert found.reason.isprintable()
    assert len(found.reason) < 400


def request_of(document: SupplierDocument, wanted: Order, secrets: dict[str, str]) -> str:
    """The request that a supplier receives for an order, as text."""
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        with connection.makefile("rb") as reader:
            head = b"".join(iter(reader.readline, b"\r\n"))
            length = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
            seen.append(head + b"\r\n" + reader.read(int(length[0].split(b":")[1]) if length else 0))
        connection.sendall(reply('{"status": "COMPLETE"}'))

    with answering(serve) as port:
        aimed = msgspec.structs.replace(document, base_url=f"http://127.0.0.1:{port}/v1")
        http.HttpSupplier(aimed, secrets.get, now_s=lambda: 1_700_000_000, allowed=LOOPBACK).place(wanted)
    return seen[0].decode()


def document_with(**changes: Any) -> SupplierDocument:
    return Running(1).document(**changes)


def test_a_body_is_made_of_paths_and_keeps_types() -> None:
    wanted = order(
        quantity=3,
        amount=Money(1050, "EUR"),
        delivery={"name": 'A "quoted" name', "city": "Nîmes"},
        country="FR",
    )
    call = {
        "method": "POST",
        "path": "/orders/{sku}",
        "query": {"n": "{quantity}", "none": "{delivery.phone}"},
        "headers": {"X-Order": "{request_id}"},
        "body": {
            "lines[0].sku": "{sku}",
            "lines[0].units": "{quantity}",
            "lines[1].gift": True,
            "value": "{amount}",
            "cents": "{amount_minor}",
            "to.name": "{delivery.name}",
            "to.phone": "{delivery.phone}",
            "note": "order {request_id} of {country}",
        },
        "answer": {"state": "status"},
    }
    text = request_of(document_with(calls={"place": call}), wanted, {"TOKEN": "t"})
    head, body = text.split("\r\n\r\n")
    assert head.startswith(f"POST /v1/orders/{BOOKS}?n=3 HTTP/1.1\r\n")
    assert "x-order: r" in head.lower()
    assert json.loads(body) == {
        "lines": [{"sku": BOOKS, "units": 3}, {"gift": True}],
        "value": "10.50",
        "cents": 1050,
        "to": {"name": 'A "quoted" name'},
        "note": f"order {wanted.request_id} of FR",
    }


def test_a_value_cannot_leave_its_place_in_path_or_header() -> None:
    call = {"method": "POST", "path": "/orders/{sku}", "headers": {"X-Name": "{delivery.name}"}}
    wanted = order(sku="../admin?x=1#y", delivery={"name": "a\r\nX-Evil: 1"})
    head = request_of(document_with(calls={"place": call}), wanted, {"TOKEN": "t"})
    assert head.startswith("POST /v1/orders/..%2Fadmin%3Fx%3D1%23y HTTP/1.1\r\n")
    assert not any(line.lower().startswith("x-evil") for line in head.split("\r\n"))


@pytest.mark.parametrize(
    ("authentication", "headers"),
    [
        ({"kind": "bearer", "secret": "A"}, {"authorization": "Bearer aaa"}),
        ({"kind": "header", "name": "X-Api-Key", "secret": "A"}, {"x-api-key": "aaa"}),
        ({"kind": "basic", "user": "U", "secret": "A"}, {"authorization": "Basic dXNlcjphYWE="}),
        (
            {
                "kind": "signed",
                "secret": "A",
                "header": "X-Sign",
                "text": "{timestamp}",
                "prefix": "v1=",
                "timestamp_header": "X-Time",
                "key_header": "X-Key",
                "key": "U",
            },
            # printf 1700000000 | openssl dgst -sha256 -hmac aaa
            {
                "x-sign": "v1=0fd57e52ea8a26130999c989fd75192bb8e5408aa82659c195a6e93d6cb83155",
                "x-time": "1700000000",
                "x-key": "user",
            },
        ),
    ],
)
def test_each_way_of_saying_who_we_are(authentication: dict[str, str], headers: dict[str, str]) -> None:
    text = request_of(document_with(authentication=authentication), order(), {"A": "aaa", "U": "user"})
    lines = text.split("\r\n\r\n")[0].split("\r\n")[1:]
    sent = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    assert headers.items() <= sent.items()


def test_a_signature_covers_what_is_sent() -> None:
    authentication = {"kind": "signed", "secret": "A", "header": "X-Sign"}
    text = request_of(document_with(authentication=authentication), order(), {"A": "aaa"})
    head, body = text.split("\r\n\r\n")
    signed = hmac.new(b"aaa", f"1700000000\nPOST\n/v1/orders\n{body}".encode(), hashlib.sha256).hexdigest()
    assert f"x-sign: {signed}" in head.lower()


# --- addresses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::",
        "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2001:0:4136:e378:8000:63bf:f5ff:fffe",
        "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_inside_are_not_called(address: str) -> None:
    with pytest.raises(NotAllowed):
        check(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"]
)
def test_addresses_outside_are_called(address: str) -> None:
    assert str(check(address)) == address


@pytest.mark.parametrize("name", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost"])
def test_other_ways_of_writing_the_loopback_are_the_loopback(name: str) -> None:
    with pytest.raises(NotAllowed):
        resolve(name, 80)


def test_networks_are_allowed_by_the_setting_alone() -> None:
    own = networks("10.1.0.0/16, 127.0.0.0/8")
    assert str(check("10.1.2.3", own)) == "10.1.2.3"
    with pytest.raises(NotAllowed):
        check("10.2.0.1", own)
    with pytest.raises(ValueError, match="it takes networks such as"):
        networks("10.1.2.3/8")


def test_a_name_is_resolved_once_and_the_checked_address_is_called(
    sample: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [[ipaddress.ip_address("127.0.0.1")], AssertionError("resolved twice")]

    def once(host: str, port: int, allowed: object) -> Any:
        found = answers.pop(0)
        if isinstance(found, AssertionError):
            raise found
        assert host == "supplier.example"
        return found

    monkeypatch.setattr(http, "resolve", once)
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *_, **__: pytest.fail("a second look-up"))
    supplier = http.HttpSupplier(
        sample.document(base_url=f"http://supplier.example:{sample.port}/v1"),
        {"TOKEN": "sample-token"}.get,
        now_s=lambda: 0,
        allowed=LOOPBACK,
    )
    monkeypatch.undo()
    monkeypatch.setattr(http, "resolve", once)
    assert isinstance(supplier.balance(), Money)
    assert len(answers) == 1


def test_without_the_setting_the_loopback_is_not_called(sample: Running) -> None:
    supplier = http.HttpSupplier(sample.document(), {"TOKEN": "sample-token"}.get, now_s=lambda: 0)
    found = supplier.balance()
    assert isinstance(found, TryLater)
    assert "PALIER_PRIVATE_NETWORKS" in found.reason


# --- TLS --------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for a name that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@pytest.mark.parametrize(
    ("name", "trusted", "kind"),
    [("localhost", True, Money), ("localhost", False, TryLater), ("other.example", True, TryLater)],
)
def test_tls_is_verified_against_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool, kind: type[object]
) -> None:
    chain, key = certificate(tmp_path, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    names: list[str] = []
    context.sni_callback = lambda _, asked, __: names.append(asked)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(65536)
            secured.sendall(reply('{"available": "1.00", "currency": "EUR"}'))

    if trusted:
        monkeypatch.setattr(http, "_tls", lambda: ssl.create_default_context(cafile=str(chain)))
    with answering(serve) as port:
        document = document_with(base_url=f"https://localhost:{port}/v1")
        allowed = networks("127.0.0.0/8,::1/128")
        supplier = http.HttpSupplier(document, {"TOKEN": "t"}.get, now_s=lambda: 0, allowed=allowed)
        assert type(supplier.balance()) is kind
    assert set(names) == {"localhost"}


# --- documents --------------------------------------------------------------------------------------------


def test_the_document_of_the_sample_is_sound() -> None:
    assert mapping.check(document_with()) == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": "https://user:secret@x.example/"}, "base_url"),
        ({"base_url": "https://"}, "base_url"),
        ({"currency": "EURO"}, "currency"),
        ({"low_balance": "1.005"}, "low_balance"),
        ({"states": {"accepted": ["A"], "refused": ["A"]}}, "states.refused"),
        ({"calls": {"place": {"path": "orders"}}}, "calls.place.path"),
        ({"calls": {"place": {"path": "/a/../b"}}}, "calls.place.path"),
        ({"calls": {"place": {"path": "/{refrence}"}}}, "calls.place.path"),
        (
            {"calls": {"place": {"path": "/", "method": "POST", "body": {"a": "{cursor}"}}}},
            "calls.place.body.a",
        ),
        ({"calls": {"place": {"path": "/", "method": "POST", "body": {"a..b": 1}}}}, "calls.place.body"),
        (
            {"calls": {"place": {"path": "/", "method": "POST", "body": {"a": 1, "a.b": 1}}}},
            "calls.place.body",
        ),
        ({"calls": {"place": {"path": "/", "body": {"a": 1}}}}, "calls.place.body"),
        ({"calls": {"place": {"path": "/", "answer": {"state": "a[x]"}}}}, "calls.place.answer.state"),
        ({"calls": {"place": {"path": "/"}}, "repeat": "look_first"}, "repeat"),
        (
            {"authentication": {"kind": "signed", "secret": "A", "header": "X", "text": "{time}"}},
            "authentication.text",
        ),
    ],
)
def test_a_fault_of_a_document_is_told_with_its_place(changes: dict[str, Any], path: str) -> None:
    problems = mapping.check(document_with(**changes))
    assert [problem.path for problem in problems] == [path]
    assert problems[0].remedy


def test_units_need_no_names_where_they_are_texts() -> None:
    answer = '{"status": "COMPLETE", "cards": ["AAA", "BBB"]}'
    data = msgspec.to_builtins(document_with())
    data["calls"]["place"]["answer"].pop("unit", None)
    with answering(
        lambda connection: (connection.recv(65536), connection.sendall(reply(answer)))[-1]
    ) as port:
        found = Running(port).supplier(calls=data["calls"]).place(order(quantity=2))
    assert isinstance(found, Standing)
    assert found.units == (Unit("AAA"), Unit("BBB"))
