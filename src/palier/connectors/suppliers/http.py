"""A supplier that speaks JSON over HTTP, by its document.

Each question is one connection of its own: the name resolved once, its addresses checked, TLS verified against the
name, no redirect followed, no proxy of the environment used, the answer read up to a size and until a deadline.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import ssl
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final
from urllib.parse import quote

import httpx
from msgspec import Struct

from palier.connectors.suppliers.addresses import NotAllowed, is_own, resolve
from palier.connectors.suppliers.contract import (
    Absent,
    Article,
    Declined,
    Money,
    NotKnown,
    Order,
    Page,
    Standing,
    State,
    TryLater,
    Unanswered,
    Unit,
    shortened,
)
from palier.connectors.suppliers.mapping import (
    Basic,
    Bearer,
    Call,
    Header,
    OrderCall,
    Signed,
    SupplierDocument,
    at,
    filled,
    filled_body,
    words_of,
)
from palier.engine.amounts import AmountError, from_minor, to_minor
from palier.engine.currencies import EXPONENTS, exponent
from palier.site.environment import Network

Secrets = Callable[[str], str | None]
"""The value of a secret by its name; None where there is none."""

# It would log each address with its query.
logging.getLogger("httpx").setLevel(logging.WARNING)

LONGEST_CODE: Final = 500
MOST_UNITS: Final = 1000
MOST_ARTICLES: Final = 10_000
MOST_ADDRESSES: Final = 3
"""Of a name with many, so many are tried."""
LONGEST_CONNECT_S: Final = 5
_LATEST_RETRY_S: Final = 86_400


class Answer(Struct, frozen=True):
    """What came back: the status, and the JSON of the body (None where there is none to be read)."""

    status: int
    body: Any
    unreadable: bool = False
    retry_after_s: int | None = None
    location: bool = False


class HttpSupplier:
    """A supplier by its document. `now_s` is the clock of signatures, in seconds since 1970."""

    def __init__(
        self,
        document: SupplierDocument,
        secrets: Secrets,
        *,
        now_s: Callable[[], int],
        allowed: Sequence[Network] = (),
    ) -> None:
        self.document = document
        self._secrets = secrets
        self._now_s = now_s
        self._allowed = allowed
        self._states: dict[str, State] = {
            word: state for state, words in words_of(document).items() for word in words
        }

    # --- the five questions -----------------------------------------------------------------------------

    def catalogue(self, cursor: str | None = None) -> Page | Unanswered:
        call = self.document.calls.catalogue
        if call is None:
            return _unsupported("catalogue")
        answer = self._asked(call, {"cursor": cursor} if cursor else {}, writes=False)
        if not isinstance(answer, Answer):
            return answer
        paths = call.answer
        listed = at(answer.body, paths.articles)
        if not isinstance(listed, list) or len(listed) > MOST_ARTICLES:
            return NotKnown(f'the page has no list of at most {MOST_ARTICLES} articles at "{paths.articles}"')
        articles = []
        for entry in listed:
            article = self._article(entry)
            if article is not None:
                articles.append(article)
        following = _text(at(answer.body, paths.next)) if paths.next else ""
        return Page(tuple(articles), following or None)

    def place(self, order: Order) -> Standing | Unanswered:
        values: dict[str, str | int] = {
            "request_id": order.request_id,
            "sku": order.sku,
            "quantity": order.quantity,
            "language": order.language,
        }
        if order.country:
            values["country"] = order.country
        if order.amount is not None:
            values["currency"] = order.amount.currency
            values["amount_minor"] = order.amount.minor
            values["amount"] = from_minor(order.amount.minor, exponent(order.amount.currency))
        values.update({f"delivery.{part}": text for part, text in order.delivery.items() if text})
        found = self._about(self.document.calls.place, values, writes=True)
        if isinstance(found, Absent):
            return TryLater("the supplier answers as if there were nothing at the address of `place`")
        if isinstance(found, Standing) and found.state == "delivered" and found.units:
            return _counted(found, order.quantity)
        return found

    def status(self, request_id: str, reference: str = "") -> Standing | Absent | Unanswered:
        call = self.document.calls.status
        if call is None:
            return _unsupported("status")
        return self._about(call, {"request_id": request_id, "reference": reference}, writes=False)

    def cancel(self, request_id: str, reference: str = "") -> Standing | Absent | Unanswered:
        call = self.document.calls.cancel
        if call is None:
            return _unsupported("cancel")
        return self._about(call, {"request_id": request_id, "reference": reference}, writes=True)

    def balance(self) -> Money | Unanswered:
        call = self.document.calls.balance
        if call is None:
            return _unsupported("balance")
        answer = self._asked(call, {}, writes=False)
        if not isinstance(answer, Answer):
            return answer
        currency = _text(at(answer.body, call.answer.currency)) if call.answer.currency else ""
        money = self._money(at(answer.body, call.answer.amount), currency)
        return money if money is not None else NotKnown("the balance is no amount of a known currency")

    # --- what an answer means ---------------------------------------------------------------------------

    def _about(
        self, call: OrderCall, values: dict[str, str | int], *, writes: bool
    ) -> Standing | Absent | Unanswered:
        answer = self._asked(call, values, writes=writes)
        if isinstance(answer, Declined) and answer.code == "absent":
            return Absent()
        if not isinstance(answer, Answer):
            return answer
        paths, body = call.answer, answer.body
        state: State = self.document.without_state
        if paths.state:
            word = _text(at(body, paths.state))
            found = self._states.get(word)
            if found is None:
                told = f'"{shortened(word)[:60]}"' if word else "nothing"
                return NotKnown(f"the supplier answers {told} as the state, which no word of `states` is")
            state = found
        units: tuple[Unit, ...] = ()
        if paths.units and state == "delivered":
            read = self._units(at(body, paths.units), call)
            if read is None:
                return NotKnown(f'the units at "{paths.units}" cannot be read')
            units = read
        cost = self._money(at(body, paths.cost), _text(at(body, paths.currency))) if paths.cost else None
        return Standing(
            state,
            reference=_text(at(body, paths.reference))[:LONGEST_CODE] if paths.reference else "",
            reason=self._reason(paths.reason, body),
            cost=cost,
            units=units,
        )

    def _units(self, listed: Any, call: OrderCall) -> tuple[Unit, ...] | None:
        if isinstance(listed, (dict, str)):
            listed = [listed]
        if not isinstance(listed, list) or len(listed) > MOST_UNITS:
            return None
        paths = call.answer.unit
        units = []
        for entry in listed:
            parts = {
                name: _text(at(entry, path))
                for name in paths.__struct_fields__
                if (path := getattr(paths, name))
            }
            if isinstance(entry, str) and not parts:
                parts = {"code": entry}
            if any(len(part) > LONGEST_CODE for part in parts.values()) or not any(parts.values()):
                return None
            units.append(Unit(**parts))
        return tuple(units)

    def _article(self, entry: Any) -> Article | None:
        """One article; None where it lacks what every article has."""
        assert self.document.calls.catalogue is not None
        paths = self.document.calls.catalogue.answer.article

        def text(path: str) -> str:
            return _text(at(entry, path)) if path else ""

        if not text(paths.sku) or not text(paths.name_en):
            return None
        currency = text(paths.currency)
        countries = at(entry, paths.countries) if paths.countries else None
        available = at(entry, paths.available) if paths.available else None
        return Article(
            sku=text(paths.sku),
            name_en=text(paths.name_en),
            name_fr=text(paths.name_fr),
            cost=self._money(at(entry, paths.cost), currency) if paths.cost else None,
            value=self._money(at(entry, paths.value), currency) if paths.value else None,
            summary_en=text(paths.summary_en),
            summary_fr=text(paths.summary_fr),
            category=text(paths.category),
            picture=text(paths.picture),
            countries=tuple(_text(country) for country in countries) if isinstance(countries, list) else (),
            available=available if isinstance(available, int) and not isinstance(available, bool) else None,
        )

    def _money(self, value: Any, currency: str) -> Money | None:
        """An amount as the supplier writes it; None where it is none."""
        currency = currency or self.document.currency
        if currency not in EXPONENTS or value is None or isinstance(value, bool):
            return None
        decimals = 0 if self.document.amounts == "minor" else exponent(currency)
        text = str(value)
        negative = text.startswith("-")
        try:
            minor = to_minor(text.removeprefix("-"), decimals)
        except AmountError:
            return None
        return Money(-minor if negative else minor, currency)

    def _reason(self, path: str, body: Any) -> str:
        return shortened(_text(at(body, path))) if path else ""

    # --- one call ---------------------------------------------------------------------------------------

    def _asked(self, call: Call, values: dict[str, str | int], *, writes: bool) -> Answer | Unanswered:
        """The answer to a call where it is a success, else what it means."""
        name = self.document.key
        try:
            request = self._request(call, values)
        except _NoSecret as missing:
            return TryLater(
                f"there is no secret {missing}; set it with `palier suppliers secret`, or as "
                f"PALIER_SUPPLIER_{name.upper()}_{missing}"
            )
        answer = self._sent(request)
        if not isinstance(answer, Answer):
            # A question that changes nothing may always be asked again.
            return answer if writes or not isinstance(answer, NotKnown) else TryLater(answer.reason)
        status = answer.status
        if 200 <= status < 300:
            return NotKnown("the answer cannot be read as JSON") if answer.unreadable else answer
        reason = self._told(call, answer)
        if status in call.later:
            return TryLater(reason, answer.retry_after_s)
        if status in call.absent:
            return Declined("absent", reason)
        if status in call.refused:
            code = (
                _text(at(answer.body, call.answer.code))
                if isinstance(call, OrderCall) and call.answer.code
                else ""
            )
            return Declined(shortened(code)[:60] or f"http_{status}", reason)
        return NotKnown(reason) if writes else TryLater(reason, answer.retry_after_s)

    def _told(self, call: Call, answer: Answer) -> str:
        if answer.location:
            return f"the supplier answers {answer.status}, a redirection; correct base_url: none is followed"
        reason = self._reason(call.answer.reason, answer.body) if isinstance(call, OrderCall) else ""
        return f"the supplier answers {answer.status}" + (f": {reason}" if reason else "")

    def _request(self, call: Call, values: dict[str, str | int]) -> httpx.Request:
        document = self.document
        quoted = {name: quote(str(value), safe="") for name, value in values.items()}
        url = httpx.URL(document.base_url.rstrip("/") + filled(call.path, quoted))
        query = {name: filled(text, values) for name, text in call.query.items()}
        if query:
            # A parameter that there is nothing for is left out, such as the cursor of the first page.
            url = url.copy_with(params={name: text for name, text in query.items() if text})
        body = b""
        headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "palier"}
        headers.update({name.lower(): _plain(filled(text, values)) for name, text in call.headers.items()})
        if call.body:
            body = json.dumps(filled_body(call.body, values), separators=(",", ":")).encode()
            headers["content-type"] = "application/json"
        self._authenticate(headers, call.method, url, body)
        return httpx.Request(call.method, url, headers=headers, content=body)

    def _authenticate(self, headers: dict[str, str], method: str, url: httpx.URL, body: bytes) -> None:
        match self.document.authentication:
            case Bearer() as own:
                headers["authorization"] = f"Bearer {self._secret(own.secret)}"
            case Header() as own:
                headers[own.name.lower()] = self._secret(own.secret)
            case Basic() as own:
                pair = f"{self._secret(own.user)}:{self._secret(own.secret)}"
                headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
            case Signed() as own:
                timestamp = str(self._now_s())
                parts = {
                    "timestamp": timestamp,
                    "method": method,
                    "path": url.raw_path.decode("ascii"),
                    "body": body.decode(),
                }
                signed = hmac.new(
                    self._secret(own.secret).encode(),
                    filled(own.text, parts).encode(),
                    hashlib.sha256 if own.algorithm == "sha256" else hashlib.sha512,
                ).digest()
                text = signed.hex() if own.encoding == "hex" else base64.b64encode(signed).decode()
                headers[own.header.lower()] = own.prefix + text
                if own.timestamp_header:
                    headers[own.timestamp_header.lower()] = timestamp
                if own.key_header and own.key is not None:
                    headers[own.key_header.lower()] = self._secret(own.key)

    def _secret(self, name: str) -> str:
        value = self._secrets(name)
        if not value:
            raise _NoSecret(name)
        return value

    def _sent(self, request: httpx.Request) -> Answer | TryLater | NotKnown:
        """The answer to a request, whatever its status; TryLater where the request cannot have arrived."""
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            addresses = resolve(host, port, self._allowed)
        except NotAllowed as error:
            return TryLater(str(error))
        if request.url.scheme != "https" and not all(is_own(found, self._allowed) for found in addresses):
            return TryLater(f"{host} is outside the own networks and must be called by https")
        answer: Answer | TryLater | NotKnown = TryLater(f"{host} has no address")
        for address in dict.fromkeys(addresses[:MOST_ADDRESSES]):
            answer = self._sent_to(str(address), request)
            if not isinstance(answer, TryLater):
                break
        return answer

    def _sent_to(self, address: str, request: httpx.Request) -> Answer | TryLater | NotKnown:
        host, deadline_s = request.url.host, self.document.deadline_s
        headers = request.headers.copy()
        headers["host"] = request.url.netloc.decode("ascii")
        aimed = httpx.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=headers,
            content=request.content,
            # TLS asks for, and verifies, the name; only the connection is to the address.
            extensions={"sni_hostname": host},
        )
        client = httpx.Client(
            verify=_tls(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(deadline_s, connect=min(deadline_s, LONGEST_CONNECT_S)),
        )
        # The timeouts of the client are for each step; who sends a byte a second would never end.
        end = threading.Timer(deadline_s, client.close)
        end.daemon = True
        end.start()
        try:
            with client:
                return self._read(client.send(aimed, stream=True))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
            return TryLater(f"{host} cannot be reached ({_named(error)})")
        except Exception as error:
            # Whatever a library makes of a connection that was closed under it: what was sent may have arrived.
            return NotKnown(f"no whole answer from {host} ({_named(error)})")
        finally:
            end.cancel()

    def _read(self, response: httpx.Response) -> Answer:
        most = self.document.largest_answer_kb * 1024
        body = bytearray()
        for part in response.iter_raw():
            body += part
            if len(body) > most:
                raise ValueError(f"longer than {self.document.largest_answer_kb} kB")
        content: Any = None
        unreadable = response.headers.get("content-encoding", "identity") != "identity"
        if body and not unreadable:
            try:
                # Fractions stay as they are written: no amount passes through binary.
                content = json.loads(bytes(body), parse_float=str, parse_constant=_no_constant)
            except (ValueError, RecursionError):
                unreadable = True
        after = response.headers.get("retry-after", "")
        return Answer(
            response.status_code,
            content,
            unreadable,
            min(int(after), _LATEST_RETRY_S)
            if after.isascii() and after.isdigit() and len(after) < 10
            else None,
            location=response.is_redirect,
        )


class _NoSecret(Exception):
    pass


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _unsupported(question: str) -> Declined:
    return Declined("unsupported", f"the supplier's document has no calls.{question}")


def _counted(standing: Standing, quantity: int) -> Standing | NotKnown:
    if len(standing.units) == quantity:
        return standing
    return NotKnown(f"the supplier delivered {len(standing.units)} of {quantity} units")


def _named(error: Exception) -> str:
    """What went wrong, without an address or a header that a library's text might hold."""
    text = str(error) if isinstance(error, ValueError) else ""
    return f"{type(error).__name__}{': ' + shortened(text)[:80] if text else ''}"


def _plain(text: str) -> str:
    return "".join(character for character in text if character.isprintable())


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def _text(value: Any) -> str:
    """A text or number of an answer as a text; "" for anything else."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
