"""The journal of a till: sales kept while the network was away come out the same whatever way they are sent."""

from __future__ import annotations

import random

import msgspec
import pytest

from palier.engine.clock import DAY, HOUR, MINUTE
from palier.members import card, refs
from palier.site import clock, database
from palier.tills import devices, journal, lookups, shifts
from palier.tills.journal import Entry, Sent
from palier.tills.refusals import TillRefusal, TillRefused
from tests.api.shop import Shop
from tests.tills.counter import Counter


def outcome(shop: Shop, members: list[str]) -> list[tuple[str, str, str]]:
    """Where every member stands, to the last point and pending gift."""
    found = []
    for ref in members:
        wallets = {item["currency"]: item for item in shop.get(f"/members/{ref}/wallets").json["wallets"]}
        tier = shop.get(f"/members/{ref}/progress").json["tier"]
        found.append((wallets["stars"]["spendable"], wallets["gifts"]["pending"], str(tier)))
    return found


def test_a_hundred_sales_replayed_twice_and_out_of_order(shop: Shop, till: Counter) -> None:
    """AT-044: nothing is lost, nothing counts twice, and the result is that of the same sales sent in order."""
    chance = random.Random(44)
    cards = [f"card-{number}" for number in range(20)]
    members = [shop.enrol(number) for number in cards]
    twins = [shop.enrol(f"twin-{number}") for number in range(20)]
    start = clock.now() - 20 * HOUR
    sales = [
        (index % 20, start + index * 10 * MINUTE, f"{chance.randint(100, 15_000) / 100:.2f}")
        for index in range(100)
    ]
    for index, (who, at, amount) in enumerate(sales):
        shop.sale(twins[who], amount, at=msgspec.to_builtins(_iso(at)), id=f"straight-{index}")
    entries = [till.entry(amount, at=at, member={"card": cards[who]}) for who, at, amount in sales]
    statuses: list[str] = []
    for _ in range(2):
        chance.shuffle(entries)
        for first in range(0, 100, 30):
            statuses += [taken.status for taken in till.send(*entries[first : first + 30])]
    assert statuses.count("applied") == 100
    assert statuses.count("duplicate") == 100
    assert outcome(shop, members) == outcome(shop, twins)
    # Entries of one call that are the same entry are one.
    again = till.send(entries[0], entries[0])
    assert [taken.status for taken in again] == ["duplicate", "duplicate"]


def _iso(at: int) -> str:
    from palier.engine.clock import moment

    return moment(at).isoformat()


def test_what_was_not_signed_so_is_refused(shop: Shop, till: Counter, member: str) -> None:
    """An amount raised on the way, another device's signature, a number used twice: each refused, none counted."""
    good = till.entry("10.00")
    raised = Sent(good.text.replace("10.00", "90.00"), good.signature)
    other = Counter(shop, "Back", account_id=8)
    foreign = Sent(good.text, other.sign(good.text))
    unsigned = Sent(good.text, "")
    assert [taken.code for taken in till.send(raised, foreign, unsigned)] == ["wrong_signature"] * 3
    assert [taken.status for taken in till.send(good)] == ["applied"]
    twice = till.entry("20.00", number=1)
    assert [(taken.status, taken.code) for taken in till.send(twice)] == [("refused", "entry_differs")]
    assert [taken.status for taken in till.send(good)] == ["duplicate"]
    stolen = Sent(good.text, good.signature)
    assert [taken.code for taken in other.send(stolen)] == ["malformed_entry"]
    assert shop.wallet(member)["spendable"] == "10.00"


def test_an_entry_can_only_earn_and_knows_no_payment(till: Counter, member: str) -> None:
    """Its form has a fixed list of fields; nothing that spends, returns or pays is one of them."""
    assert set(Entry.__struct_fields__) == {
        "v", "program", "device", "number", "at", "member", "amount", "shift", "lines", "ticket",
    }  # fmt: skip
    for field, value in (
        ("type", "return"),
        ("tenders", [{"kind": "cash", "amount": "10.00"}]),
        ("points", "100"),
        ("paid", "10.00"),
    ):
        assert [taken.code for taken in till.send(till.entry("10.00", **{field: value}))] == [
            "malformed_entry"
        ]
    wrong = till.entry("10.00", lines=[{"amount": "9.00"}])
    assert till.send(wrong)[0].code == "malformed_entry"


def test_who_it_is_for_is_looked_at_again(shop: Shop, till: Counter, member: str) -> None:
    """A member who was never found here, an unknown card, a card enrolled since."""
    assert till.send(till.entry("10.00", member={"ref": member}))[0].code == "not_looked_up"
    assert till.find("2801") is not None
    assert till.send(till.entry("10.00", member={"ref": member}))[0].status == "applied"
    unknown = till.entry("5.00", member={"card": "later"})
    assert till.send(unknown)[0].code == "unknown_member"
    later = shop.enrol("later")
    assert till.send(unknown)[0].status == "applied"
    assert till.send(unknown)[0].status == "duplicate"
    assert shop.wallet(later)["spendable"] == "5.00"
    # A phone without a network shows the member's own reference.
    assert till.send(till.entry("1.00", member={"card": later.upper()}))[0].status == "applied"
    assert till.send(till.entry("1.00", member={"card": "m_" + "0" * 13}))[0].code == "unknown_member"


def test_a_code_read_offline_counts_once(shop: Shop, till: Counter, member: str) -> None:
    """The code of a card is good for the half minute at which it was read, for one sale; one for using is for none."""
    at = clock.now() - HOUR
    text = card.code("club", refs.decode(member), at)
    first = till.entry("10.00", at=at + 1_000_000, member={"code": text})
    assert till.send(first)[0].status == "applied"
    assert till.send(first)[0].status == "duplicate"
    assert till.send(till.entry("10.00", at=at + 2_000_000, member={"code": text}))[0].code == "code_used"
    assert till.send(till.entry("10.00", member={"code": text}))[0].code == "unknown_member"
    using = card.code("club", refs.decode(member), at + MINUTE, "use")
    assert till.send(till.entry("1.00", at=at + MINUTE, member={"code": using}))[0].code == "unknown_member"
    forged = text[:-1] + ("0" if text[-1] != "0" else "1")
    assert till.send(till.entry("1.00", at=at, member={"code": forged}))[0].code == "unknown_member"


def test_a_person_does_not_credit_himself_nor_one_card_all_day(shop: Shop, till: Counter) -> None:
    own = shop.post("/members", {"identities": {"email": "ann@shop.example", "card": "77"}}).json["member"]
    with database.connect("app") as connection:
        till.shift = till.begin(connection, 7)
    assert till.send(till.entry("10.00", member={"card": "77"}))[0].code == "own_account"
    assert shop.wallet(own)["spendable"] == "0.00"
    shop.enrol("friend")
    codes = [till.send(till.entry("1.00", member={"card": "friend"}))[0].code for _ in range(12)]
    assert codes == [""] * journal.PER_DAY + ["too_often"] * 2
    yesterday = till.entry("1.00", at=clock.now() - DAY, member={"card": "friend"})
    assert till.send(yesterday)[0].status == "applied"


def test_old_entries_and_those_of_a_revoked_device_wait_for_a_review(
    shop: Shop, till: Counter, member: str
) -> None:
    old = till.entry("30.00", at=clock.now() - journal.LATEST - HOUR)
    assert till.send(old)[0].code == "entry_too_old"
    kept = [till.entry("2.00", at=clock.now() - HOUR + index) for index in range(3)]
    unsigned = Sent(kept[0].text, "AAAA")
    with database.connect("app") as connection:
        assert devices.revoke(
            connection, shop.program_id, till.device.device_id, by="test", role="owner", now=clock.now()
        )
        connection.commit()
    for _ in range(2):
        with pytest.raises(TillRefused) as refused:
            till.send(*kept, unsigned)
        assert refused.value.code is TillRefusal.DEVICE_REVOKED
    assert shop.wallet(member)["spendable"] == "0.00"
    with database.connect("app") as connection:
        device = till.known(connection)
        waiting = journal.to_review(connection, device.program_id, device.device_id)
        assert [(item.number, item.state) for item in waiting] == [
            ("1", "refused"), ("2", "kept"), ("3", "kept"), ("4", "kept"),
        ]  # fmt: skip
        taken = journal.apply_kept(
            connection,
            till.program(connection),
            device,
            ["1", "2", "3"],
            by="cli:test",
            role="operator",
            now=clock.now(),
        )
        assert [item.status for item in taken] == ["applied"] * 3
        assert (
            journal.drop_kept(
                connection, device, ["4"], by="cli:test", role="operator", reason="made up", now=clock.now()
            )
            == 1
        )
        connection.commit()
        assert journal.to_review(connection, device.program_id, device.device_id) == []
    assert shop.wallet(member)["spendable"] == "34.00"


def test_lookups_are_exact_uniform_counted_and_kept(
    shop: Shop, till: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = shop.post(
        "/members", {"identities": {"email": "zoe@example.org", "phone": "+33 6 12 34 56 78", "card": "991"}}
    ).json["member"]
    for text in ("Zoe@Example.org", "06 12 34 56 78", "+33612345678", "991", ref.upper()):
        found = till.find(text)
        assert (found.ref if found else None) == (None if text.startswith("06") else ref), text
    for text in ("zoe@example.com", "99", "zo", "", "4111111111111111", "m_" + "0" * 13):
        assert till.find(text) is None
    with database.connect("app") as connection:
        rows = connection.execute(
            "select how, member_id, account_id from till_lookup order by lookup_id"
        ).fetchall()
    assert len(rows) == 11
    assert [row[1] for row in rows[:5]] == [refs.decode(ref)] * 1 + [None] + [refs.decode(ref)] * 3
    monkeypatch.setattr(shifts, "BROWSED", 12)
    assert till.find("991") is not None
    with pytest.raises(TillRefused, match="too_many_lookups"):
        till.find("991")
    with pytest.raises(TillRefused, match="too_many_lookups"):
        till.find("991")
    with database.connect("app") as connection:
        logged = connection.execute(
            "select count(*) from audit_log where action = 'till.too_many_lookups'"
        ).fetchone()
        assert logged == (1,)
        # What follows a lookup gives it back.
        shifts.followed(connection, till.shift)
        connection.commit()
    assert till.find("991") is not None


def test_a_card_shown_at_one_till_is_not_taken_at_another(shop: Shop, till: Counter, member: str) -> None:
    other = Counter(shop, "Back", account_id=8)
    text = card.code("club", refs.decode(member), clock.now())
    assert till.find(text) is not None
    assert till.find(text) is not None
    with pytest.raises(TillRefused, match="code_used"):
        other.find(text)


def test_a_device_is_taken_in_once_and_known_by_its_own_secret(shop: Shop) -> None:
    now = clock.now()
    with database.connect("app") as connection:
        expected = devices.expect(
            connection, shop.program_id, name="Bar", location="Lyon", by="test", role="owner", now=now
        )
        late = devices.expect(
            connection, shop.program_id, name="Late", location="Lyon", by="test", role="owner",
            now=now - devices.CODE_LASTS,
        )  # fmt: skip
        connection.commit()
        for code, key, why in (
            ("AAAAA-AAAAA", b"", "wrong_code"),
            (late.code, b"", "wrong_code"),
            (expected.code, b"no key", "invalid_key"),
        ):
            with pytest.raises(TillRefused, match=why):
                devices.enrol(connection, shop.program_id, code, key, address="x", now=now)
        typed = f" {expected.code.lower().replace('0', 'O')} "
        device, token = devices.enrol(connection, shop.program_id, typed, b"", address="x", now=now)
        assert (device.name, device.number, device.signs) == ("Bar", 1, False)
        with pytest.raises(TillRefused, match="wrong_code"):
            devices.enrol(connection, shop.program_id, expected.code, b"", address="x", now=now)
        assert devices.known(connection, shop.program_id, token, now=now).device_id == device.device_id
        for wrong in ("", "x.y", token[:-2] + "00", f"{device.ref}.", token.replace("td_", "td_1")):
            with pytest.raises(TillRefused, match="unknown_device"):
                devices.known(connection, shop.program_id, wrong, now=now)


def test_no_table_of_the_tills_knows_payments() -> None:
    """A till page records no payment: neither tables nor forms have a place for one."""
    from palier.tills import models

    words = ("pay", "paid", "tender", "cash", "change", "card_number", "cheque", "receipt_total")
    for model in (
        models.TillDevice, models.TillShift, models.TillLookup, models.TillEntry, models.TillBasket, models.CardCodeUse,
    ):  # fmt: skip
        for field in model._meta.local_fields:
            assert not any(word in field.name for word in words), f"{model.__name__}.{field.name}"
    assert not any(word in name for name in journal.EntryLine.__struct_fields__ for word in words)


__all__ = ["lookups"]


def test_a_code_is_not_taken_again_however_late_the_second_till_comes_back(
    shop: Shop, till: Counter, member: str
) -> None:
    other = Counter(shop, "Back", account_id=8)
    at = clock.now() - journal.LATEST + 2 * HOUR
    text = card.code("club", refs.decode(member), at)
    assert till.send(till.entry("10.00", at=at + 1_000_000, member={"code": text}))[0].status == "applied"
    with database.connect("app") as connection:
        shifts.drop_old(connection, now=clock.now() + journal.LATEST)
    late = other.entry("10.00", at=at + 2_000_000, member={"code": text})
    assert other.send(late)[0].code == "code_used"
    assert shop.wallet(member)["spendable"] == "10.00"
