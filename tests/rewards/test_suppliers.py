"""Suppliers of a program: their documents and secrets, reconciling with them, and what they sell in the catalogue."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from palier.connectors.suppliers.contract import Article, Money
from palier.engine.clock import DAY
from palier.rewards import assortment, dispatch, reconciling, suppliers
from palier.rewards.assortment import key_of, offered, price
from palier.site.refusal import Refused
from tests.activities.program import program, published
from tests.rewards.supplied import Stage

# The messages of these tests are of no stored order; test_fulfilment.py has those that are.
pytestmark = pytest.mark.plants_violation

# --- documents and secrets --------------------------------------------------------------------------------


def test_a_document_is_set_up_once_and_changed_with_a_line_in_the_log(stage: Stage) -> None:
    document = stage.sample.document()
    assert not suppliers.put(stage.connection, stage.program_id, document, by="somebody", now=stage.now)
    slower = msgspec.structs.replace(document, deadline_s=30)
    assert suppliers.put(stage.connection, stage.program_id, slower, by="somebody", now=stage.now)
    rows = stage.connection.execute(
        "select actor, action from audit_log where object like 'supplier:%' order by seq"
    ).fetchall()
    assert rows == [("test", "supplier.put"), ("somebody", "supplier.put")]
    stage.connection.commit()


def test_secrets_are_encrypted_for_their_supplier_and_the_environment_goes_first(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    suppliers.set_secret(
        stage.connection, stage.program_id, "sample", "TOKEN", "a-secret-token", by="x", now=stage.now
    )
    row = stage.connection.execute("select secrets from supplier").fetchone()
    assert row is not None
    assert b"a-secret-token" not in bytes(row[0])
    found = suppliers.needed(stage.connection, stage.program_id, "sample")
    assert found.secrets == {"TOKEN": "a-secret-token"}
    assert suppliers._secret(found, "TOKEN") == "sample-token"
    monkeypatch.delenv("PALIER_SUPPLIER_SAMPLE_TOKEN")
    assert suppliers._secret(found, "TOKEN") == "a-secret-token"
    assert suppliers.missing_secrets(found) == []
    suppliers.set_secret(stage.connection, stage.program_id, "sample", "TOKEN", "", by="x", now=stage.now)
    assert suppliers.missing_secrets(suppliers.needed(stage.connection, stage.program_id, "sample")) == [
        "TOKEN"
    ]
    # The log says that there was one, not which.
    told = stage.connection.execute("select string_agg(reason, ' ') from audit_log").fetchone()
    assert told is not None
    assert "a-secret-token" not in told[0]
    stage.connection.commit()


def test_refusals_name_place_and_remedy(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="its suppliers: sample"):
        suppliers.needed(stage.connection, stage.program_id, "nobody")
    with pytest.raises(Refused, match="it uses: TOKEN"):
        suppliers.set_secret(stage.connection, stage.program_id, "sample", "KEY", "x", by="x", now=stage.now)
    with pytest.raises(Refused, match="one line"):
        suppliers.set_secret(
            stage.connection, stage.program_id, "sample", "TOKEN", "a\nb", by="x", now=stage.now
        )
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(
        "supplier: 1\nkey: x\nname: {en: X}\nbase_url: https://x.example\ncalls:\n  plaice: {path: /}\n"
    )
    with pytest.raises(Refused) as refused:
        suppliers.read(wrong)
    assert 'wrong.yaml:6: calls.plaice: "plaice" is no setting here; did you mean "place"?' in str(
        refused.value
    )
    wrong.write_text("supplier: 1\nkey: x\nname: {en: X}\nbase_url: x\ncalls:\n  place: {path: /}\n")
    with pytest.raises(Refused, match=r"wrong.yaml:4: base_url: .* is no address; write https://"):
        suppliers.read(wrong)
    with pytest.raises(Refused, match="cannot be read"):
        suppliers.read(tmp_path / "nowhere.yaml")


def test_a_low_balance_is_seen(stage: Stage) -> None:
    document = stage.sample.document(low_balance="10.00")
    assert suppliers.is_low(document, Money(999, "EUR"))
    assert not suppliers.is_low(document, Money(1000, "EUR"))
    suppliers.note_balance(stage.connection, stage.program_id, "sample", Money(999, "EUR"), now=stage.now)
    health = suppliers.health(stage.connection, stage.program_id, "sample")
    assert (health.balance, health.balance_at) == (Money(999, "EUR"), stage.now)


# --- reconciling ------------------------------------------------------------------------------------------


def reconciled(stage: Stage, *, repair: bool = True, days: int = 30) -> reconciling.Reconciled:
    return reconciling.reconcile(
        stage.connection,
        stage.configured,
        stage.sample.supplier(),
        stage.orders,
        since=stage.now - days * DAY,
        now=lambda: stage.now,
        repair=repair,
    )


def test_what_agrees_is_left_alone(stage: Stage) -> None:
    stage.enqueue()
    stage.run()
    stage.enqueue()  # Not sent yet: there is nothing to compare.
    found = reconciled(stage)
    assert (found.compared, found.agreed, found.differences) == (1, 1, [])


def test_an_order_delivered_with_a_lost_reply_is_fulfilled_by_reconciling(stage: Stage) -> None:
    stage.set_up(repeat="never")
    stage.sample.behave("lost")
    order_id = stage.enqueue()
    stage.run()
    assert stage.sight(order_id).state == "dead"
    only_told = reconciled(stage, repair=False)
    assert [(each.ours, each.theirs, each.repaired) for each in only_told.differences] == [
        ("dead", "delivered", False)
    ]
    assert stage.sight(order_id).state == "dead"
    found = reconciled(stage)
    assert [each.repaired for each in found.differences] == [True]
    assert stage.sight(order_id).state == "delivered"
    assert stage.orders.fulfilled_ == [order_id]
    assert reconciled(stage).differences == []


def test_a_dead_letter_that_never_arrived_is_told_to_be_sent_again(stage: Stage) -> None:
    stage.set_up(repeat="never", settles_s=0)
    stage.sample.behave("dropped")
    stage.enqueue()
    stage.run()
    found = reconciled(stage)
    assert [(each.theirs, each.repaired) for each in found.differences] == [("absent", False)]
    assert "palier suppliers retry" in found.differences[0].remedy
    assert stage.orders.failed_ == []


def test_an_order_that_was_turned_down_there_fails_here(stage: Stage) -> None:
    stage.sample.behave("fail_later", seconds=0)
    order_id = stage.enqueue()
    stage.run()
    threading.Event().wait(0.3)
    assert [each.repaired for each in reconciled(stage).differences] == [True]
    assert [each[0] for each in stage.orders.failed_] == [order_id]


def test_what_was_given_up_here_and_is_to_come_there_is_called_off(stage: Stage) -> None:
    stage.sample.behave("pending", seconds=60)
    order_id = stage.enqueue()
    stage.run()
    dispatch.close(
        stage.connection, stage.program_id, order_id, delivered=False, reason="given up", now=stage.now
    )
    stage.connection.commit()
    assert [each.repaired for each in reconciled(stage).differences] == [True]
    assert stage.at_supplier(order_id)[0]["status"] == "CANCELLED"
    assert reconciled(stage).differences == []


def test_what_was_settled_otherwise_on_both_sides_is_reported_and_left(stage: Stage) -> None:
    order_id, other = stage.enqueue(), stage.enqueue()
    stage.run()
    stage.connection.execute("update dispatch set state = 'cancelled' where order_id = %s", (order_id,))
    stage.connection.execute("update dispatch set cost_minor = 1 where order_id = %s", (other,))
    stage.connection.commit()
    found = reconciled(stage)
    assert [(each.ours, each.theirs, each.repaired) for each in found.differences] == [
        ("cancelled", "delivered", False),
        ("delivered", "delivered", False),
    ]
    assert all(each.remedy for each in found.open)
    assert reconciled(stage, days=0).compared == 2


def test_a_supplier_that_does_not_answer_changes_nothing(stage: Stage) -> None:
    stage.enqueue()
    stage.run()
    stage.sample.behave("error", on="status", times=0)
    found = reconciled(stage)
    assert (found.compared, found.unanswered, found.differences) == (1, 1, [])


# --- the catalogue ----------------------------------------------------------------------------------------


def article(**more: Any) -> Article:
    return Article(
        **{"sku": "A-1", "name_en": "Card", "cost": Money(900, "EUR"), "value": Money(1000, "EUR"), **more}
    )


@pytest.mark.parametrize(
    ("value", "shelf", "points"),
    [
        (1000, {"points": "100", "every": "1.00"}, "1000"),
        (999, {"points": "1", "every": "1.00"}, "10"),
        (1, {"points": "1", "every": "100.00"}, "1"),
        (1010, {"points": "100", "every": "1.00", "round_up_to": 50}, "1050"),
        (1000, {"points": "100", "every": "1.00", "round_up_to": 50}, "1000"),
        (1000, {"points": "1.5", "every": "1.00"}, "15"),
    ],
)
def test_prices_in_points_are_rounded_up(
    stage: Stage, value: int, shelf: dict[str, Any], points: str
) -> None:
    plan = published(stage.connection, program(key="other")).latest
    document = stage.sample.document(shelf={"category": "cards", "price": {"currency": "stars", **shelf}})
    assert document.shelf is not None
    assert price(value, document.shelf, plan) == points


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"value": None}, "what it is worth"),
        ({"value": Money(1000, "USD")}, "in USD"),
        ({"cost": Money(990, "EUR")}, "its margin is 1 %"),
        ({"cost": None}, "its margin is not known"),
        ({"cost": Money(900, "USD")}, "its margin is not known"),
    ],
)
def test_what_cannot_be_a_reward_says_why(stage: Stage, more: dict[str, Any], why: str) -> None:
    plan = published(stage.connection, program(key="other")).latest
    found = offered(article(**more), stage.sample.document(), plan)
    assert found.reward is None
    assert why in found.why_not


def test_keys_of_articles_never_meet() -> None:
    skus = ["A-1", "a-1", "a 1", "a/1", "A_1", "é", "è", "x" * 100, "x" * 101, "..", "-"]
    keys = [key_of("sample", sku) for sku in skus]
    assert len(set(keys)) == len(keys)
    assert all(len(key) <= 80 for key in keys)


def test_a_supplier_s_catalogue_becomes_rewards_once(stage: Stage) -> None:
    runtime = published(stage.connection, program())
    document, supplier = stage.sample.document(), stage.sample.supplier()
    left: list[str] = []

    def take() -> Any:
        return assortment.take_in(
            stage.connection,
            runtime,
            document,
            supplier,
            by="test",
            now=lambda: stage.now,
            on_left_out=lambda offer: left.append(offer.article.sku),
            on_refused=lambda no: left.append(f"{no.key} {no.path} {no.message}"),
        )

    first = take()
    assert (first.new, first.refused, left) == (12, 0, [])
    again = take()
    assert (again.new, again.changed, again.same) == (0, 0, 12)
    row = stage.connection.execute(
        "select document::text from reward_version v join reward r using (program_id, reward_id)"
        " where r.key = %s",
        (key_of("sample", "CARD-BOOKS-10"),),
    ).fetchone()
    assert row is not None
    found = msgspec.json.decode(row[0])
    assert found["supplier"] == {"key": "sample", "sku": "CARD-BOOKS-10"}
    assert found["cost"] == {"amount": "9.50", "currency": "EUR"}
    assert found["prices"][0]["points"] == {"stars": "1000"}


def test_a_catalogue_that_turns_in_a_circle_ends(stage: Stage) -> None:
    class Circle:
        def catalogue(self, cursor: str | None) -> Any:
            from palier.connectors.suppliers.contract import Page

            return Page((article(),), "again")

    with pytest.raises(Refused, match="circle"):
        list(assortment.articles(Circle()))  # type: ignore[arg-type]
