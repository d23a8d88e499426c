"""Publishing from the console: shown before, by one or by two, on a date, and back again; backtests of drafts."""

from __future__ import annotations

from typing import Any

import msgspec
import psycopg
import pytest

from palier.activities.comparison import Comparison
from palier.engine.clock import DAY, HOUR, moment
from palier.engine.program import Program, Text
from palier.jobs.backtests import play_next
from palier.programs import backtests, drafts, files, queries
from palier.programs.branding import accent_of, publish_change, with_look
from palier.programs.operations import ApprovalNeeded, publish
from palier.programs.publishing import Origin, preview, put_forward, waiting
from palier.programs.queries import Version
from palier.site import clock
from palier.site.refusal import Refused
from palier.staff import approvals
from palier.staff.approvals import Approval, NotDecided, Person
from tests.api.shop import Shop, document, program_of

Connection = psycopg.Connection[tuple[Any, ...]]
ANN = Person("staff:1", "Ann", "staff")
BEN = Person("staff:2", "Ben", "staff")


def doubled(**changes: Any) -> Program:
    data = document(**changes)
    data["rules"][0]["per_spend"]["points"] = "2"
    del data["effective_from"]
    return program_of(data)


def drafted(connection: Connection, shop: Shop, text: str) -> Origin:
    draft = drafts.begin(
        connection, shop.program_id, name="Double", text=text, began_from="version:1", by=ANN, now=clock.now()
    )
    return Origin(draft, 1)


def forward(connection: Connection, shop: Shop, origin: Origin, **more: Any) -> Version | Approval:
    given = {"starts": None, "by": ANN, "now": clock.now(), **more}
    return put_forward(connection, shop.program_id, "club", origin, **given)


def test_what_publishing_would_do_is_shown_and_then_done(shop: Shop, connection: Connection) -> None:
    now = clock.now()
    origin = drafted(connection, shop, files.write(doubled()))
    seen = preview(connection, doubled(), starts=None, now=now)
    assert (seen.number, bool(seen.refused), seen.needs_second) == (2, False, False)
    assert [change.path for change in seen.changes if change.path.startswith("rules")] == [
        "rules.base.per_spend.points"
    ]
    assert len(queries.list_versions(connection, "club")) == 1
    tomorrow = moment(now + DAY).isoformat()
    done = forward(connection, shop, origin, starts=tomorrow)
    assert isinstance(done, Version)
    assert (done.version, done.published_by, done.effective_from) == (2, "staff:1", now + DAY)
    # Going back: the first version's document anew, from now on.
    back = forward(connection, shop, Origin(0, 1), by=BEN)
    assert isinstance(back, Version)
    assert (back.version, back.published_by) == (3, "staff:2")
    assert abs(back.effective_from - now) < HOUR
    logged = connection.execute(
        "select actor, object from audit_log where action = 'program.publish'"
    ).fetchall()
    assert logged == [("staff:1", "program:club:2"), ("staff:2", "program:club:3")]


def test_what_cannot_be_published_is_refused_before(shop: Shop, connection: Connection) -> None:
    for text, words in (
        ("palier: 1\nkey: [", "line 3: key.0.: this is not YAML"),
        (files.write(doubled(key="other")), 'must say "key: club"'),
        (files.write(doubled(currency="USD")), "currency cannot change"),
    ):
        with pytest.raises(Refused, match=words):
            forward(connection, shop, drafted(connection, shop, text))
    with pytest.raises(Refused, match="is past"):
        forward(
            connection,
            shop,
            drafted(connection, shop, files.write(doubled())),
            starts=moment(clock.now() - DAY).isoformat(),
        )
    with pytest.raises(Refused, match="no version 7"):
        forward(connection, shop, Origin(0, 7))
    origin = drafted(connection, shop, files.write(doubled()))
    drafts.discard(connection, shop.program_id, origin.draft_id, now=clock.now())
    with pytest.raises(Refused, match="discarded"):
        forward(connection, shop, origin)
    assert len(queries.list_versions(connection, "club")) == 1


def test_a_second_person_approves_where_the_version_before_asks_for_it(
    shop: Shop, connection: Connection
) -> None:
    careful = msgspec.structs.replace(doubled(), approval_to_publish=True)
    # The version that brings the rule in is still published by one.
    assert isinstance(forward(connection, shop, drafted(connection, shop, files.write(careful))), Version)
    # One that drops it again is published by two.
    origin = drafted(connection, shop, files.write(doubled()))
    soon = moment(clock.now() + HOUR).isoformat()
    asked = forward(connection, shop, origin, starts=soon, reason="summer")
    assert isinstance(asked, Approval)
    again = forward(connection, shop, origin, starts=soon, by=BEN)
    assert isinstance(again, Approval)
    assert again.approval_id == asked.approval_id
    assert asked.payload["changes_fr"]
    assert len(queries.list_versions(connection, "club")) == 2
    # What is written after it changes nothing of what was asked.
    drafts.save(
        connection, shop.program_id, origin.draft_id, text="a: 1", made_from=1, by=BEN, now=clock.now()
    )
    with pytest.raises(NotDecided, match="cannot approve"):
        approvals.decide(
            connection, shop.program_id, asked.approval_id, approve=True, by=ANN, decision="", now=clock.now()
        )
    connection.rollback()
    # Its start has passed when the second person sees it: it starts then.
    later = clock.now() + 2 * HOUR
    approvals.decide(
        connection, shop.program_id, asked.approval_id, approve=True, by=BEN, decision="fine", now=later
    )
    connection.commit()
    latest = queries.list_versions(connection, "club")[-1]
    assert (latest.version, latest.published_by, latest.effective_from) == (3, "staff:1", later)
    assert waiting(connection, shop.program_id, now=clock.now()) == []


def test_what_was_asked_is_void_once_another_version_came(shop: Shop, connection: Connection) -> None:
    careful = msgspec.structs.replace(doubled(), approval_to_publish=True)
    assert isinstance(forward(connection, shop, drafted(connection, shop, files.write(careful))), Version)
    renamed = [msgspec.structs.replace(careful, name=Text(en=name, fr=name)) for name in ("One", "Two")]
    first, second = (
        forward(connection, shop, drafted(connection, shop, files.write(one))) for one in renamed
    )
    assert isinstance(first, Approval)
    assert isinstance(second, Approval)

    def approve(asked: Approval) -> None:
        approvals.decide(
            connection, shop.program_id, asked.approval_id, approve=True, by=BEN, decision="", now=clock.now()
        )
        connection.commit()

    approve(first)
    # The second showed its difference to what was in force then: approved now, it would undo the first unseen.
    with pytest.raises(NotDecided, match="Version 3 was published since") as refused:
        approve(second)
    assert refused.value.code == "not_publishable"
    connection.rollback()
    again = forward(connection, shop, drafted(connection, shop, files.write(renamed[1])))
    assert isinstance(again, Approval)
    assert again.approval_id != second.approval_id
    approve(again)
    assert queries.list_versions(connection, "club")[-1].version == 4


def test_nobody_publishes_past_the_second_person(shop: Shop, connection: Connection) -> None:
    careful = msgspec.structs.replace(doubled(), approval_to_publish=True)
    assert isinstance(forward(connection, shop, drafted(connection, shop, files.write(careful))), Version)
    with pytest.raises(ApprovalNeeded, match="palier apply --alone REASON"):
        publish(connection, doubled(), now=clock.now(), published_by="key:x")
    # The same again needs nobody: nothing is published.
    assert publish(connection, careful, now=clock.now(), published_by="key:x").is_new is False
    assert len(queries.list_versions(connection, "club")) == 2


def test_a_draft_is_played_over_the_history_beside_the_program(shop: Shop, connection: Connection) -> None:
    ann, ben = shop.enrol(), shop.enrol("2802")
    for member, amount in ((ann, "150.00"), (ann, "100.00"), (ben, "20.00")):
        shop.sale(member, amount)
    same = drafted(connection, shop, files.write(program_of(document())))
    more = drafted(connection, shop, files.write(doubled()))
    runs = [
        backtests.ask(
            connection,
            shop.program_id,
            origin.draft_id,
            origin.number,
            request={"currency": "stars", "points": "100"},
            by=ANN,
            now=clock.now(),
        )
        for origin in (same, more, more)
    ]
    assert runs[1] == runs[2]  # asked twice, played once
    while play_next(connection):
        pass
    found = []
    for run_id in runs[:2]:
        run = backtests.read(connection, shop.program_id, run_id)
        assert run is not None
        assert (run.state, run.percent, run.problem) == ("done", 100, "")
        assert run.result is not None
        found.append(msgspec.json.decode(run.result, type=Comparison))
        assert backtests.read(connection, shop.program_id + 1, run_id) is None
    equal, richer = found
    assert (equal.members, equal.activities, equal.spend) == (2, 3, 27_000)
    assert equal.draft == equal.current == richer.current
    assert (equal.better, equal.worse) == (0, 0)
    assert (richer.better, richer.worse) == (2, 0)
    assert richer.draft.currencies["stars"].issued == 2 * equal.draft.currencies["stars"].issued == 54_000
    assert (richer.current.first_reward, richer.draft.first_reward) == (1, 1)
    assert richer.draft.reached == {"green": 2, "gold": 1}
    assert [(change.member, change.points) for change in richer.changes] == [(ann, 25_000), (ben, 2_000)]


def test_a_backtest_that_cannot_be_played_says_why(shop: Shop, connection: Connection) -> None:
    origin = drafted(connection, shop, "palier: 1\n")

    def ask(points: int) -> int:
        return backtests.ask(
            connection,
            shop.program_id,
            origin.draft_id,
            1,
            request={"points": str(points)},
            by=ANN,
            now=clock.now(),
        )

    run_id = ask(0)
    assert play_next(connection)
    run = backtests.read(connection, shop.program_id, run_id)
    assert run is not None
    assert run.state == "failed"
    assert "cannot be published yet" in str(run.why)
    for number in range(backtests.MOST_WAITING):
        ask(number)
    with pytest.raises(Refused, match="wait until"):
        ask(99)


def test_a_look_is_changed_though_members_were_told_of_the_version_before(
    shop: Shop, connection: Connection
) -> None:
    """What was announced of a version, and when, is that version's; the one with another look begins at once."""
    now = clock.now()
    told = {
        "announced_on": moment(now - 14 * DAY).date().isoformat(),
        "text": {"en": "Soon", "fr": "Bientôt"},
    }
    starts = moment(now + HOUR).isoformat()
    publish(
        connection,
        program_of({**document(notice=told), "effective_from": starts}),
        now=now - 14 * DAY,
        published_by="test",
    )
    at = now + 2 * HOUR
    made = publish_change(
        connection,
        "club",
        lambda program: with_look(program, "#123456", {}),
        by="staff:1",
        role="owner",
        now=at,
        reason="look",
    )
    assert made.is_new
    stored = queries.timeline(connection, "club")
    assert stored is not None
    present = stored.document_at(at)
    assert present is not None
    assert (accent_of(present), present.notice) == ("#123456", None)
    before = stored.documents[made.version - 1].notice
    assert before is not None
    assert before.announced_on == told["announced_on"]
