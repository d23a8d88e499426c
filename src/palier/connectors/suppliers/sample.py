"""A supplier to try things with: a real HTTP server on this machine's loopback, that misbehaves on request.

It sells a few gift cards and goods against a balance, keeps each order by the reference it is given, and answers a
reference that it knows with the order that it has. `POST /sample/behaviour` makes it misbehave (`BEHAVIOURS`), and
`GET /sample/orders` shows what it did: tests and the demo count there. `sample.yaml` is its document.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import secrets
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

HOST: Final = "127.0.0.1"
TOKEN: Final = "sample-token"  # noqa: S105 (the sample has no secrets)
DOCUMENT: Final = Path(__file__).with_name("sample.yaml")
_LONGEST_BODY: Final = 65_536
_PAGE: Final = 5
_OPENING_BALANCE: Final = 1_000_000

BEHAVIOURS: Final = {
    "slow": "waits `seconds`, then acts and answers",
    "error": "answers 500 and does nothing",
    "error_after": "acts, then answers 500",
    "lost": "acts, then closes the connection without an answer",
    "dropped": "closes the connection and does nothing",
    "half": "acts, then sends half of the answer",
    "garbage": "acts, then answers something that is not JSON",
    "huge": "acts, then answers with two megabytes",
    "drip": "acts, then answers a byte at a time",
    "redirect": "answers with a redirection and does nothing",
    "later": "answers 429 with Retry-After `seconds` and does nothing",
    "refuse": "answers 422 not_eligible",
    "out_of_stock": "answers 422 out_of_stock",
    "pending": "takes the order; delivers it `seconds` later, and calls back",
    "pending_twice": "as `pending`, and calls back twice",
    "fail_later": "takes the order; turns it down `seconds` later",
    "short": "delivers one unit less than ordered",
    "forget": "orders anew each time, whatever the reference",
    "strict": "answers a reference that it knows with 422 duplicate_reference",
    "any": "one of the others by chance, for `percent` of the calls",
}
"""What `POST /sample/behaviour` takes as `do`, and what then happens."""
_ANY: Final = ("slow", "error", "error_after", "lost", "dropped", "half", "garbage", "later", "pending")

ARTICLES: Final = (
    ("CARD-BOOKS-10", "Bookshop card €10", "Carte librairie 10 €", "gift-cards/books", 950, 1000),
    ("CARD-BOOKS-25", "Bookshop card €25", "Carte librairie 25 €", "gift-cards/books", 2350, 2500),
    ("CARD-CINEMA-15", "Cinema card €15", "Carte cinéma 15 €", "gift-cards/leisure", 1380, 1500),
    ("CARD-GARDEN-20", "Garden centre card €20", "Carte jardinerie 20 €", "gift-cards/home", 1860, 2000),
    (
        "CARD-MUSIC-10",
        "Music streaming, one month",
        "Musique en ligne, un mois",
        "gift-cards/leisure",
        890,
        1000,
    ),
    ("CARD-SPORT-30", "Sports shop card €30", "Carte magasin de sport 30 €", "gift-cards/sport", 2760, 3000),
    ("CARD-SPA-50", "Spa card €50", "Carte spa 50 €", "gift-cards/wellness", 4500, 5000),
    ("CARD-TRAIN-40", "Railway card €40", "Carte train 40 €", "gift-cards/travel", 3880, 4000),
    ("GOODS-BOTTLE", "Steel bottle", "Gourde en acier", "goods/kitchen", 900, 1900),
    ("GOODS-LAMP", "Reading lamp", "Lampe de lecture", "goods/home", 2100, 3900),
    ("GOODS-BAG", "Cotton bag", "Sac en coton", "goods/everyday", 250, 800),
    ("GOODS-HEADSET", "Headphones", "Casque audio", "goods/leisure", 5200, 7900),
)
"""What it sells: number, names, category, what it costs and what it is worth, in cents."""
_COSTS: Final = {article[0]: article[4] for article in ARTICLES}


class Sample:
    """What the sample supplier knows and did. `callback` is called, signed with the token, when an order moves."""

    def __init__(self, *, token: str = TOKEN, callback: str | None = None, file: Path | None = None) -> None:
        self.token = token
        self.callback = callback
        self._file = file
        self._lock = threading.RLock()
        self.orders: list[dict[str, Any]] = []
        self.calls: dict[str, int] = {}
        self.balance = _OPENING_BALANCE
        self._behaviours: list[dict[str, Any]] = []
        self._chance = random.Random(7)  # noqa: S311 (no secret)
        if file is not None and file.exists():
            for line in file.read_text().splitlines():
                self._restore(json.loads(line))

    def _restore(self, order: dict[str, Any]) -> None:
        self.orders = [known for known in self.orders if known["number"] != order["number"]] + [order]
        self.balance = _OPENING_BALANCE - sum(
            known["cost"] for known in self.orders if known["status"] in ("PENDING", "COMPLETE")
        )

    def _keep(self, order: dict[str, Any]) -> None:
        if self._file is not None:
            with self._file.open("a") as file:
                file.write(json.dumps(order) + "\n")

    # --- misbehaving ------------------------------------------------------------------------------------

    def behave(self, wanted: dict[str, Any]) -> str | None:
        """Takes a behaviour for the next calls; what is wrong with it, or None. `{}` ends all of them."""
        if not wanted:
            with self._lock:
                self._behaviours.clear()
            return None
        if wanted.get("do") not in BEHAVIOURS:
            return f"do is one of {', '.join(BEHAVIOURS)}"
        with self._lock:
            self._behaviours.append({"on": "place", "times": 1, "seconds": 1, "percent": 30, **wanted})
            if "seed" in wanted:
                self._chance.seed(wanted["seed"])
        return None

    def behaviour(self, question: str) -> dict[str, Any]:
        """What to do about this call: the first behaviour that is for it. `times` 0 lasts until it is ended."""
        with self._lock:
            self.calls[question] = self.calls.get(question, 0) + 1
            for found in self._behaviours:
                if found["on"] not in (question, "all"):
                    continue
                if found["times"]:
                    found["times"] -= 1
                    if not found["times"]:
                        self._behaviours.remove(found)
                if found["do"] != "any":
                    return found
                if self._chance.randrange(100) < found["percent"]:
                    return {**found, "do": self._chance.choice(_ANY)}
                break
        return {"do": "", "seconds": 0}

    # --- business ---------------------------------------------------------------------------------------

    def place(self, asked: dict[str, Any], behaviour: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """An order, or the one that has this reference already."""
        does, reference, sku = behaviour["do"], asked.get("reference"), asked.get("sku")
        quantity = asked.get("quantity", 1)
        with self._lock:
            known = self.order(str(reference))
            if known is not None and does != "forget":
                known["asked"] += 1
                if does == "strict":
                    return _refusal("duplicate_reference", "there is an order of this reference")
                same = (known["sku"], known["quantity"]) == (sku, quantity)
                return (
                    (200, known) if same else (409, _error("other_order", "the reference is another order's"))
                )
            if not isinstance(reference, str) or not reference:
                return _refusal("no_reference", "an order needs a reference")
            if sku not in _COSTS:
                return _refusal("unknown_sku", "there is no such article")
            if not isinstance(quantity, int) or isinstance(quantity, bool) or not 0 < quantity <= 100:
                return _refusal("bad_quantity", "quantity is 1 to 100")
            if does == "refuse":
                return _refusal("not_eligible", "this order is not possible")
            if does == "out_of_stock":
                return _refusal("out_of_stock", "there is none left")
            cost = _COSTS[sku] * quantity
            if cost > self.balance:
                return _refusal("balance", "the balance is too low")
            self.balance -= cost
            order: dict[str, Any] = {
                "number": f"S{len(self.orders) + 1:06d}",
                "reference": reference,
                "sku": sku,
                "quantity": quantity,
                "status": "PENDING",
                "cost": cost,
                "asked": 1,
                "delivered": 0,
                "cards": [],
                "delivery": asked.get("delivery", {}),
            }
            self.orders.append(order)
            if does in ("pending", "pending_twice", "fail_later"):
                later = threading.Timer(behaviour["seconds"], self._move, (order, does))
                later.daemon = True
                later.start()
            else:
                self._deliver(order, quantity - (does == "short"))
            self._keep(order)
            return 201, order

    def order(self, reference: str) -> dict[str, Any] | None:
        """The latest order of a reference."""
        with self._lock:
            return next((known for known in reversed(self.orders) if known["reference"] == reference), None)

    def _deliver(self, order: dict[str, Any], units: int) -> None:
        order["status"] = "COMPLETE"
        order["delivered"] += 1
        goods = order["sku"].startswith("GOODS-")
        order["cards"] = [] if goods else [_card() for _ in range(units)]

    def _move(self, order: dict[str, Any], does: str) -> None:
        with self._lock:
            if order["status"] != "PENDING":
                return
            if does == "fail_later":
                order["status"] = "FAILED"
                self.balance += order["cost"]
            else:
                self._deliver(order, order["quantity"])
            self._keep(order)
            told = {"reference": order["reference"], "status": order["status"]}
        for _ in range(2 if does == "pending_twice" else 1):
            self._call_back(told)

    def cancel(self, reference: str) -> tuple[int, dict[str, Any]]:
        """Calls an order off while it is pending."""
        with self._lock:
            order = self.order(reference)
            if order is None:
                return 404, _error("unknown", "there is no order of this reference")
            if order["status"] == "COMPLETE":
                return _refusal("delivered", "the order was delivered")
            if order["status"] == "PENDING":
                order["status"] = "CANCELLED"
                self.balance += order["cost"]
                self._keep(order)
            return 200, order

    def page(self, cursor: str) -> dict[str, Any]:
        """Some articles, and what asks for the next."""
        first = int(cursor) if cursor.isascii() and cursor.isdigit() else 0
        products = [
            {
                "sku": sku,
                "name": {"en": english, "fr": french},
                "category": category,
                "cost": _written(cost),
                "value": _written(value),
                "currency": "EUR",
                "countries": ["FR", "BE"],
            }
            for sku, english, french, category, cost, value in ARTICLES[first : first + _PAGE]
        ]
        behind = first + _PAGE
        return {"products": products, "next": str(behind) if behind < len(ARTICLES) else None}

    def _call_back(self, told: dict[str, Any]) -> None:
        if self.callback is None:
            return
        body = json.dumps(told).encode()
        request = urllib.request.Request(  # noqa: S310 (the address that the operator gave)
            self.callback,
            data=body,
            method="POST",
            headers={
                "Content-Type": "application/json",
                "X-Signature": hmac.new(self.token.encode(), body, hashlib.sha256).hexdigest(),
            },
        )
        with suppress(OSError), urllib.request.urlopen(request, timeout=5):  # noqa: S310
            pass


def _card() -> dict[str, str]:
    code = "-".join(secrets.token_hex(2).upper() for _ in range(4))
    return {"code": code, "pin": f"{secrets.randbelow(10_000):04d}", "expires": "2030-12-31"}


def _written(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _refusal(code: str, message: str) -> tuple[int, dict[str, Any]]:
    return 422, _error(code, message)


def _shown(order: dict[str, Any]) -> dict[str, Any]:
    return {**order, "cost": _written(order["cost"]), "currency": "EUR"}


# --- HTTP -------------------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SampleServer

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: what it did is at /sample/orders."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        sample = self.server.sample
        parts = urlsplit(self.path)
        steps = [unquote(step) for step in parts.path.strip("/").split("/")]
        body = self._body()
        if body is None:
            return
        if not hmac.compare_digest(
            self.headers.get("Authorization", "").encode(), f"Bearer {sample.token}".encode()
        ):
            self._send(401, _error("unauthorized", "the token is not right"))
        elif steps == ["sample", "behaviour"]:
            wrong = sample.behave(body)
            self._send(422 if wrong else 200, {"error": wrong} if wrong else {})
        elif steps == ["sample", "orders"]:
            self._send(200, {"orders": [_shown(order) for order in sample.orders], "calls": sample.calls})
        elif steps == ["v1", "catalogue"]:
            cursor = parse_qs(parts.query).get("cursor", [""])[0]
            self._behave("catalogue", lambda _: (200, sample.page(cursor)))
        elif steps == ["v1", "balance"]:
            told = {"available": _written(sample.balance), "currency": "EUR"}
            self._behave("balance", lambda _: (200, told))
        elif steps == ["v1", "orders"] and self.command == "POST":
            self._behave("place", lambda behaviour: sample.place(body, behaviour))
        elif steps[:2] == ["v1", "orders"] and len(steps) == 3:
            self._behave("status", lambda _: self._found(steps[2]))
        elif steps[:2] == ["v1", "orders"] and steps[3:] == ["cancel"] and self.command == "POST":
            self._behave("cancel", lambda _: sample.cancel(steps[2]))
        else:
            self._send(404, _error("no_such_place", "there is nothing here"))

    def _found(self, reference: str) -> tuple[int, dict[str, Any]]:
        found = self.server.sample.order(reference)
        return (200, found) if found is not None else (404, _error("unknown", "no order of this reference"))

    def _body(self) -> Any:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _LONGEST_BODY:
            self._send(413, _error("too_large", "the body is too large"))
            return None
        raw = self.rfile.read(int(length))
        try:
            found = json.loads(raw) if raw else {}
        except ValueError:
            found = None
        if not isinstance(found, dict):
            self._send(400, _error("unreadable", "the body is no JSON object"))
            return None
        return found

    def _behave(self, question: str, act: Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]) -> None:
        behaviour = self.server.sample.behaviour(question)
        does, seconds = behaviour["do"], behaviour["seconds"]
        if does == "slow":
            time.sleep(seconds)
        if does == "error":
            self._send(500, _error("internal", "something broke"))
            return
        if does == "later":
            self._send(429, _error("too_many", "ask later"), {"Retry-After": str(seconds)})
            return
        if does == "redirect":
            self._send(302, {}, {"Location": "http://127.0.0.1:1/elsewhere"})
            return
        if does == "dropped":
            self.close_connection = True
            return
        status, found = act(behaviour)
        answer = _shown(found) if "reference" in found else found
        if does == "lost":
            self.close_connection = True
        elif does == "error_after":
            self._send(500, _error("internal", "something broke"))
        elif does == "garbage":
            self._write(status, b"<html>It works!</html>")
        elif does == "huge":
            self._write(status, json.dumps({**answer, "padding": "x" * 2_000_000}).encode())
        elif does == "half":
            body = json.dumps(answer).encode()
            self._write(status, body[: len(body) // 2], length=len(body))
            self.close_connection = True
        elif does == "drip":
            body = json.dumps(answer).encode()
            self._write(status, b"", length=len(body))
            for place in range(len(body)):
                self.wfile.write(body[place : place + 1])
                self.wfile.flush()
                time.sleep(0.1)
        else:
            self._send(status, answer)

    def _send(self, status: int, found: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._write(status, json.dumps(found).encode(), headers)

    def _write(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        self.send_response(HTTPStatus(status))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class SampleServer(ThreadingHTTPServer):
    """The sample supplier at a port of the loopback; port 0 takes a free one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, sample: Sample, port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.sample = sample

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: whoever asked has hung up."""
