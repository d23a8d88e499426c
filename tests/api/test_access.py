"""Who may call what: keys, rights, programs, and how little a refusal tells."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import pytest

from palier.api import limits
from palier.api.reference import schema
from palier.api.rest import operations, right_of
from palier.engine.clock import DAY
from palier.site import clock, database
from palier.site.environment import environment
from palier.site.refusal import Refused
from palier.staff import queries
from palier.staff.operations import create_key, log_hash, revoke_key
from palier.staff.queries import RIGHTS, authenticate, list_keys, prefix_of
from tests.api.paying import CASH, Paying
from tests.api.shop import Shop, document, now_text, program_of
from tests.connectors.drawings import file as drawn

OPERATIONS = [
    (method.upper(), path, operation["operationId"], operation["x-right"])
    for path, methods in schema()["paths"].items()
    for method, operation in methods.items()
]


def _said(words: str) -> dict[str, str]:
    return {"en": words, "fr": words}


MECHANICS: dict[str, Any] = {
    "campaigns": [
        {
            "key": "spring", "name": _said("Spring"),
            "rules": [
                {"key": "spring", "name": _said("Spring"), "on": "sale", "currency": "stars", "fixed": "1"}
            ],
        },
        {
            "key": "autumn", "name": _said("Autumn"), "paused": True,
            "rules": [
                {"key": "autumn", "name": _said("Autumn"), "on": "sale", "currency": "stars", "fixed": "1"}
            ],
        },
    ],
    "adjustments": {"limits": [{"currency": "stars", "approval_above": "50"}]},
    "goals": [
        {
            "key": "bought", "name": _said("Bought"), "measure": "spend",
            "window": {"kind": "each", "period": "year"},
        }
    ],
    "leaderboards": [{"key": "best", "name": _said("Best"), "goal": "bought"}],
    "memberships": [
        {
            "key": "friends", "name": _said("Friends"), "fee": "10", "months": 12,
            "dividend": {"goal": "bought", "currency": "stars"},
        }
    ],
}  # fmt: skip
"""What a program needs so that every operation finds something in it."""


def _rich(key: str, **changes: Any) -> dict[str, Any]:
    """A program with everything in it: a next version may not take its currencies or their worth away."""
    written = document(key, **MECHANICS, **changes)
    written["point_currencies"][0]["value"] = "0.01"
    written["point_currencies"].append(CASH)
    return written


EVERYBODYS = (
    "list_programs", "create_member", "read_settlements", "list_campaigns", "read_draws", "draw_voucher",
    "list_pools", "keep_pool", "list_approvals", "list_rewards", "put_reward", "import_rewards",
    "list_open_orders", "list_sweepstakes",
    "list_payouts", "list_payout_batches", "read_settlement_statement", "read_settlement_lines",
    "read_donations", "list_cases", "list_surveys", "put_survey", "announce_ticket", "upload_picture",
)  # fmt: skip
"""Operations that name nothing of a program: any key with the right may, and sees its own."""
WRITES_ITS_OWN = ("create_member", "put_reward", "import_rewards", "put_survey", "announce_ticket")
PICTURES = ("upload_picture", "put_reward_picture", "put_logo")
"""Operations that take a picture."""


class Ids:
    """What one program has that an address or body can name."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.member = shop.enrol()
        self.other = shop.enrol("other")
        shop.sale(self.member, "100", id="known")
        hold = {"member": self.member, "currency": "stars", "points": "1", "capture": False}
        self.redemption = shop.post("/redemptions", hold).json["redemption"]
        self.spent = shop.post("/redemptions", {**hold, "capture": True}).json["redemption"]
        self.program = shop.key
        gold = {"tier": "gold", "until": now_text(1), "reason": "test"}
        self.given = shop.post(f"/members/{self.member}/tier", gold).json
        adjustment = {"member": self.member, "currency": "stars", "points": "60", "reason": "test"}
        ann = shop.new_key(name="ann").token
        self.asked = [shop.post("/adjustments", adjustment, token=ann).json["approval"] for _ in range(2)]
        self.reward = {"key": "mug", "name": {"en": "Mug"}, "gives": {"kind": "merchandise"}}
        assert shop.call("PUT", "/rewards/mug", self.reward).status == 201
        free = {"gives": {"kind": "service"}, "prices": [{"points": {"stars": "1"}}]}
        assert (
            shop.call("PUT", "/rewards/mug_free", {"key": "mug_free", "name": {"en": "It"}, **free}).status
            == 201
        )
        self.gone = shop.enrol("gone")
        shop.post(f"/members/{self.other}/merge", {"from": self.gone, "reason": "one"})
        child = {"identities": {"email": "child@example.org"}, "reason": "family"}
        assert shop.post(f"/members/{self.member}/persons", child).status == 200
        issued = [shop.post("/vouchers", {"effect": {}, "member": self.member}).json for _ in range(2)]
        self.voucher, self.code = issued[0]["voucher"], issued[0]["code"]
        self.used = issued[1]["voucher"]
        shown = {"code": issued[1]["code"], "source": "till", "id": "ticket"}
        assert shop.post("/vouchers/use", shown).status == 201
        assert shop.call("PUT", "/pools/cinema", {"name": "Cinema", "low_at": 1}).status == 200
        self.case = shop.post(f"/members/{self.member}/cases", {"text": "Not mine"}).json["case"]
        question = {"key": "again", "kind": "nps", "text": {"en": "Again?"}}
        self.survey = {"key": "visit", "name": {"en": "Visit"}, "questions": [question]}
        assert shop.call("PUT", "/surveys/visit", self.survey).status == 201
        self.basket = {"ticket": "r-1", "location": "counter", "lines": [{"amount": "1"}]}
        assert shop.post("/tickets", self.basket).status == 200

    @cached_property
    def paying(self) -> Paying:
        """Pay-outs and batches in the states that operations ask for."""
        return Paying(self.shop, self.member)

    def order(self, path: str) -> str:
        """An order of which this can be asked: done, reserved, or being fulfilled."""
        kinds: dict[str, dict[str, Any]] = {
            "sent": {"gives": {"kind": "merchandise"}},
            "right": {"gives": {"kind": "service"}},
            "off": {"gives": {"kind": "amount_off", "amount": "1"}},
            "gift": {
                "gives": {
                    "kind": "donation",
                    "beneficiary": {"en": "Trees"},
                    "worth": "1",
                    "receipt": True,
                }
            },
            "pick": {"gives": {"kind": "choice", "rewards": [{"reward": "sent"}, {"reward": "right"}]}},
        }
        for key, more in kinds.items():
            made = {"key": key, "name": {"en": key}, "prices": [{"points": {"stars": "1"}}], **more}
            self.shop.call("PUT", f"/rewards/{key}", made)
        last = path.rpartition("/")[2]
        key = {
            "fulfil": "sent",
            "ship": "sent",
            "address": "sent",
            "choose": "pick",
            "reveal": "off",
            "receipt": "gift",
        }.get(last, "right")
        body = {
            "member": self.member, "reward": key,
            "confirm": last not in ("confirm", "release", "cancel", "fail"),
        }  # fmt: skip
        if key == "sent":
            body["address"] = {
                "name": "N", "lines": ["1 rue X"], "postcode": "75001", "city": "Paris", "country": "FR",
            }  # fmt: skip
        made = self.shop.post("/orders", body)
        assert made.status == 201, made.content
        return str(made.json["items"][0]["item"] if "{item}" in path else made.json["order"])

    def path(self, path: str) -> str:
        for name in ("{order}", "{item}"):
            if name in path:
                path = path.replace(name, self.order(path))
        if "payout" in path or "bank-account" in path:
            path = self.paying.path(path)
        if "{benefit}" in path:
            shown = self.shop.get(f"/members/{self.member}/benefits").json["benefits"]
            right = next((each["benefit"] for each in shown if each["usable"]), None)
            path = path.replace("{benefit}", right or f"item:{self.order('/items/{item}/use')}")
        names = {
            "{redemption}/refund": f"{self.spent}/refund",
            "{ref}": self.gone if path.endswith("/unmerge") else self.member,
            "{redemption}": self.redemption, "{program}": self.program,
            "{version}": "1", "{source}": "till", "{id}": "known", "{leaderboard}": "best",
            "{voucher}": self.voucher, "{pool}": "cinema",
            "{approval}/refuse": f"{self.asked[0]}/refuse", "{approval}": self.asked[1],
            "{campaign}/pause": "spring/pause", "{campaign}/resume": "autumn/resume",
            "{reward}": "mug", "{case}": self.case, "{survey}": "visit",
        }  # fmt: skip
        for name, value in names.items():
            path = path.replace(name, value)
        return path.removeprefix("/v1") + {
            "/v1/members": "?card=2801", "/v1/activities": "?source=till&id=known",
            "/v1/settlements": "?period=2026-03", "/v1/settlements/statement": "?period=2026-03",
            "/v1/settlements/lines": "?period=2026-03", "/v1/donations": "?period=2026",
            "/v1/tickets": "?ticket=r-1&location=counter",
        }.get(path, "")  # fmt: skip

    def body(self, operation: str) -> Any:
        spend = {"member": self.member, "currency": "stars", "points": "1"}
        return {
            "send_activities": {
                "source": "till", "id": f"new-{self.program}", "type": "sale", "occurred_at": now_text(),
                "member": self.member, "amount": "1",
            },
            "calculate_basket": {"member": self.member, "lines": [{"amount": "1"}]},
            "use_benefit": {},
            "grant_tier": {"tier": "gold", "until": now_text(1), "reason": "test"},
            "revoke_tier": {"source": self.given["source"], "id": self.given["id"], "reason": "test"},
            "create_order": {"member": self.member, "reward": "mug_free"},
            "refund_order": {"reason": "test"},
            "fail_order": {"reason": "test"},
            "ship_order": {"state": "shipped"},
            "choose_reward": {"reward": "right"},
            "create_member": {"identities": {"card": "new"}},
            "change_member": {"attributes": {"age": 3}},
            "create_pair": {"streak": "duo", "with": self.other},
            "end_pair": {"streak": "duo", "with": self.other},
            "merge_members": {"from": self.other, "reason": "one"},
            "unmerge_member": {"reason": "two"},
            "erase_member": {"wait_days": 30},
            "set_consent": {"purpose": "marketing_own", "channel": "email", "state": "given", "proof": "form 1"},
            "add_person": {"identities": {"email": "kid@example.org"}, "reason": "family"},
            "let_person_leave": {"identities": {"email": "child@example.org"}, "reason": "moved"},
            "create_page_token": {},
            "create_redemption": spend,
            "capture_redemption": {},
            "release_redemption": {},
            "refund_redemption": {},
            "create_adjustment": {**spend, "reason": "test"},
            "set_bank_account": {"iban": "DE89370400440532013000", "holder": "Ann"},
            "create_payout": {"member": self.member, "currency": "cash", "points": "10"},
            "create_transfer": {"from": self.member, "to": self.other, "currency": "stars", "points": "1"},
            "pay_dividend": {"membership": "friends", "year": 2024, "rate": "0.1", "dry_run": True},
            "put_reward": {**self.reward, "stock": 3},
            "change_reward": {"stock": 4},
            "import_rewards": {"rewards": [{**self.reward, "stock": 5}]},
            "pause_campaign": {},
            "resume_campaign": {},
            "issue_voucher": {"effect": {}, "member": self.member},
            "check_voucher": {"code": self.code},
            "use_voucher": {"code": self.code},
            "release_voucher": {"voucher": self.used, "source": "till", "id": "ticket"},
            "cancel_voucher": {},
            "draw_voucher": {"text": "8H2K"},
            "keep_pool": {"name": "Cinema", "low_at": 2},
            "add_codes": {"codes": [{"code": "A1"}]},
            "open_case": {"text": "Not mine"},
            "answer_case": {"text": "We look"},
            "close_case": {},
            "announce_ticket": {**self.basket, "ticket": "r-2"},
            "put_survey": {**self.survey, "intro": {"en": "Please"}},
            "validate_program": document(self.program),
            "plan_program": _rich(self.program, hold_minutes=7, effective_from=now_text(1)),
            "publish_program": _rich(self.program, hold_minutes=7, effective_from=now_text(1)),
        }.get(operation)  # fmt: skip


@pytest.fixture
def two(scene: Callable[[Callable[[], Two]], Two]) -> Two:
    """The club with everything in it, and another program's key."""
    return scene(_two)


Two = tuple[Shop, "Ids", Shop]


def _two() -> Two:
    Shop()
    rich = Shop("rich", _rich("rich"))
    return rich, Ids(rich), Shop("other", document("other"))


@pytest.mark.parametrize(("method", "path", "operation", "right"), OPERATIONS, ids=[o[2] for o in OPERATIONS])
def test_every_operation_by_every_key(
    two: tuple[Shop, Ids, Shop], method: str, path: str, operation: str, right: str
) -> None:
    """Its own key may; one without the right, none, a revoked and another program's may not."""
    shop, ids, other = two
    address = ids.path(path)
    if operation == "send_activities":
        address = "/activities"
    if operation in ("create_member", "announce_ticket"):
        address = address.partition("?")[0]
    body = ids.body(operation)
    options: dict[str, Any] = {} if body is None else {"body": body}
    if operation in PICTURES:
        options = {"raw": drawn(), "kind": "image/png"}
        address += "?alt_en=A+leaf&alt_fr=Une+feuille" if method == "PUT" else ""
    if operation == "undo_erasure":
        assert shop.post(f"/members/{ids.member}/erasure", {"wait_days": 30}).status == 200
    before = _rows()

    for token in ("", "nonsense", f"pk_{'a' * 12}_{'b' * 49}", shop.token[:-1] + "~"):
        shop.call(method, address, token=token, **options).problem(401, "unauthorized")
    rest = [name for name in RIGHTS if name != right]
    shop.call(method, address, token=shop.new_key(rest).token, **options).problem(403, "forbidden")
    gone = shop.new_key()
    with database.connect("app") as connection:
        assert revoke_key(connection, gone.prefix, now=clock.now())
        connection.commit()
    shop.call(method, address, token=gone.token, **options).problem(401, "unauthorized")

    foreign = shop.call(method, address, token=other.token, **options)
    if operation in EVERYBODYS:
        assert foreign.status in (200, 201), foreign.content
        assert ids.member.encode() not in foreign.content
    elif operation == "send_activities":
        foreign.problem(422, "unknown_member", "member")
    elif operation == "create_payout_batch":
        foreign.problem(422, "no_payer")
    elif operation == "pay_dividend":
        foreign.problem(422, "no_dividend")
    else:
        assert foreign.status == 404, foreign.content
        assert foreign.json["code"].startswith("unknown_")
    if operation not in WRITES_ITS_OWN:
        assert _rows() == before

    own = shop.call(method, address, token=shop.new_key([right]).token, **options)
    if operation in ("create_pair", "end_pair"):
        own.problem(422, "unknown_streak", "streak")
        return
    assert own.status in (200, 201), own.content


def _rows() -> dict[str, int]:
    """How many rows the tables of effects have."""
    with database.connect("app") as connection:
        counts = {}
        for table in ("activity", "transfer", "member", "identity", "activity_claim", "program_version"):
            row = connection.execute(f"select count(*) from {table}").fetchone()
            assert row is not None
            counts[table] = row[0]
    return counts


def test_every_operation_asks_for_a_right() -> None:
    assert {right_of(operation) for _, operation in operations()} == set(RIGHTS)
    assert len(OPERATIONS) == len(operations()) == len({operation[2] for operation in OPERATIONS})


def test_the_unknown_and_the_foreign_look_alike(two: tuple[Shop, Ids, Shop]) -> None:
    _, ids, other = two
    for known, unknown in (
        (f"/members/{ids.member}", "/members/m_0000000000000"),
        (f"/members/{ids.member}/wallets", "/members/not-a-ref/wallets"),
        ("/members?card=2801", "/members?card=9999"),
        (f"/redemptions/{ids.redemption}", "/redemptions/x.y"),
        ("/activities/till/known", "/activities/till/never"),
        ("/programs/club/versions", "/programs/none/versions"),
    ):
        first, second = other.get(known), other.get(unknown)
        assert (first.status, first.content) == (404, second.content), (known, first.content, second.content)
        # The headers tell no more.
        assert first.headers == second.headers


def test_a_key_is_stored_as_its_hash(shop: Shop) -> None:
    made = shop.new_key()
    with database.connect("app") as connection:
        row = connection.execute("select * from api_key where prefix = %s", (made.prefix,)).fetchone()
        assert row is not None
        secret = made.token.rpartition("_")[2]
        assert secret not in repr(row)
        assert authenticate(connection, f"Bearer {made.token}") is not None
        assert authenticate(connection, f"bearer  {made.token} ") is not None
        for wrong in (
            made.token,
            f"Basic {made.token}",
            f"Bearer {made.token[:-1]}",
            "Bearer",
            "",
            "Bearer é",
        ):
            assert authenticate(connection, wrong) is None
        shown = list_keys(connection, "club")
    assert made.prefix in {key.prefix for key in shown}
    assert secret not in repr(shown)


def test_a_checksum_tells_keys_from_noise(shop: Shop) -> None:
    token = shop.token
    assert prefix_of(token) == token.split("_")[1]
    for index in (3, 20, len(token) - 1):
        other = "x" if token[index] != "x" else "y"
        assert prefix_of(token[:index] + other + token[index + 1 :]) is None


def test_a_revoked_key_ends_soon_in_processes_that_know_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shop.get("/programs").status == 200
    with database.connect("app") as connection:
        connection.execute("update api_key set revoked_at = now()")
        connection.commit()
    assert shop.get("/programs").status == 200
    assert queries.CACHED_FOR_S <= 5
    for stored, (until, key) in list(queries._cache.items()):
        queries._cache[stored] = (until - queries.CACHED_FOR_S, key)
    shop.get("/programs").problem(401, "unauthorized")


def test_a_key_expires(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    token = shop.new_key(expires_at=clock.now() + DAY).token
    assert shop.get("/programs", token=token).status == 200
    monkeypatch.setattr(clock, "offset", lambda: (24 * 3600 + 1) * 1_000_000)
    shop.get("/programs", token=token).problem(401, "unauthorized")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rights": []}, "at least one right"),
        ({"rights": ["everything"]}, "is not a right"),
        ({"name": " "}, "printable"),
        ({"name": "x" * 101}, "printable"),
        ({"expires_at": 5}, "expired already"),
    ],
)
def test_bad_keys_are_not_made(shop: Shop, settings: dict[str, Any], said: str) -> None:
    with database.connect("app") as connection, pytest.raises(Refused, match=said):
        create_key(
            connection, shop.program_id, **{"name": "n", "rights": RIGHTS, "now": clock.now(), **settings}
        )


def test_acts_on_keys_are_logged_in_a_chain(shop: Shop) -> None:
    made = shop.new_key()
    with database.connect("app") as connection:
        revoke_key(connection, made.prefix, now=clock.now(), actor="cli:ann")
        assert not revoke_key(connection, made.prefix, now=clock.now())
        connection.commit()
        rows = connection.execute(
            "select actor, role, action, object, (extract(epoch from at) * 1000000)::bigint, reason, hash,"
            " prev_hash from audit_log order by seq"
        ).fetchall()
    assert [row[2] for row in rows] == ["key.create", "key.create", "key.revoke"]
    before = bytes(32)
    for actor, role, action, target, at, reason, digest, previous in rows:
        assert bytes(previous) == before
        before = log_hash(before, actor, role, action, target, int(at), reason)
        assert bytes(digest) == before


def test_a_key_that_calls_too_fast_waits(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment(), "api_rate", 20)
    statuses = [shop.get("/programs") for _ in range(5)]
    refused = [answer for answer in statuses if answer.status == 429]
    assert refused
    assert statuses[0].status == 200
    refused[0].problem(429, "too_many_requests")
    assert int(refused[0].headers["Retry-After"]) >= 1
    # Another key is not concerned.
    assert shop.get("/programs", token=shop.new_key().token).status == 200


def test_the_bucket_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(limits.time, "monotonic", lambda: now)
    monkeypatch.setattr(environment(), "api_rate", 10)
    assert [limits.allow("k") for _ in range(20)] == [None] * 20
    assert limits.allow("k") == pytest.approx(0.1)
    now += 0.101
    assert limits.allow("k") is None
    assert limits.allow("k", 5) == pytest.approx(0.5, abs=0.01)
    assert limits.allow("k", 10**9) == pytest.approx(2.0, abs=0.01)


def test_publishing(shop: Shop) -> None:
    assert [p["version"] for p in shop.get("/programs").json["programs"]] == [1]
    same = shop.post("/programs/club/publish", document())
    assert (same.status, same.json["version"]) == (200, 1)
    changed = document(hold_minutes=5)
    del changed["effective_from"]
    plan = shop.post("/programs/club/plan", changed).json
    assert plan["version"] == 2
    assert any("hold_minutes" in change["path"] for change in plan["changes"])
    assert len(shop.get("/programs/club/versions").json["versions"]) == 1
    made = shop.post("/programs/club/publish", changed, idempotency="p1")
    again = shop.post("/programs/club/publish", changed, idempotency="p1")
    assert (made.status, made.content) == (201, again.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    version = shop.get("/programs/club/versions/2").json
    assert version["document"]["hold_minutes"] == 5
    assert version["published_by"].startswith("key:")
    shop.get("/programs/club/versions/3").problem(404, "unknown_version")
    assert program_of(version["document"]).hold_minutes == 5


def test_points_are_not_made_worth_less_in_silence(shop: Shop) -> None:
    """What `palier apply` refuses, the API refuses too; a plan tells it in both languages."""

    def valued(worth: str) -> dict[str, Any]:
        changed = document()
        del changed["effective_from"]
        for currency in changed["point_currencies"]:
            currency["value"] = worth
        return changed

    assert shop.post("/programs/club/publish", valued("0.02")).status == 201
    less = valued("0.01")
    plan = shop.post("/programs/club/plan", less).json
    found = next(item for item in plan["findings"] if item["severity"] == "error")
    assert (found["code"], found["name"]) == ("FM-15", "value_cut")
    assert found["path"] == "point_currencies[0].value"
    assert "0,02 à 0,01" in found["reason"]["fr"]
    assert plan["complexity"]["level"] in ("simple", "moderate", "complex")
    problem = shop.post("/programs/club/publish", less).problem(422, "not_publishable", found["path"])
    assert problem["errors"][0]["message"].startswith("FM-15 value_cut: ")
    assert len(shop.get("/programs/club/versions").json["versions"]) == 2
    told = {"announced_on": "2020-01-01", "text": {"en": "Points are worth less.", "fr": "Moins."}}
    told_ahead = less | {"notice": told, "effective_from": "2099-01-01T00:00:00+00:00"}
    answered = shop.post("/programs/club/publish", told_ahead)
    assert answered.status == 201, answered.json


def test_a_key_publishes_nothing_where_two_persons_do(shop: Shop) -> None:
    changed = document(hold_minutes=7, approval_to_publish=True)
    del changed["effective_from"]
    assert shop.post("/programs/club/plan", changed).json["approval_needed"] is False
    assert shop.post("/programs/club/publish", changed).status == 201
    alone = {**changed, "approval_to_publish": False}
    assert shop.post("/programs/club/plan", alone).json["approval_needed"] is True
    shop.post("/programs/club/publish", alone).problem(409, "approval_needed")
    assert shop.post("/programs/club/publish", changed).status == 200
    assert len(shop.get("/programs/club/versions").json["versions"]) == 2


def test_documents_are_checked(shop: Shop) -> None:
    wrong = document()
    wrong["rules"][0]["currency"] = "moons"
    found = shop.post("/programs/club/validate", wrong).json
    assert found["valid"] is False
    assert found["problems"][0]["path"].startswith("rules")
    problem = shop.post("/programs/club/publish", wrong).problem(422, "invalid_program")
    assert problem["errors"][0]["field"].startswith("rules")
    shop.post("/programs/club/publish", document("other")).problem(422, "other_program", "key")
    past = document(hold_minutes=9)
    shop.post("/programs/club/publish", past).problem(422, "not_publishable")
    raw = b"palier: 1\nkey: club\nname: [\n"
    found = shop.post("/programs/club/validate", raw=raw, kind="application/yaml").json
    assert (found["valid"], found["problems"][0]["code"]) == (False, "unreadable")
    for junk in (b"\xff\xfe", b"[" * 5000, b'{"palier": NaN}', b"&a [*a]", b'{"a": "\\ud800"}'):
        for kind in ("application/json", "application/yaml"):
            found = shop.post("/programs/club/validate", raw=junk, kind=kind)
            assert found.status == 200, (junk[:20], kind, found.content)
            assert found.json["valid"] is False
    shop.post("/programs/club/validate", raw=b"x", kind="text/plain").problem(415, "unsupported_media_type")
