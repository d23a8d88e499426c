"""Publishing versions, and which version judges an instant."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import msgspec
import psycopg
import pytest

from palier.engine.clock import DAY, MINUTE
from palier.engine.instants import parse_instant
from palier.engine.program import Program
from palier.programs import operations, queries
from palier.programs.operations import publish, rerate_judging
from palier.site.refusal import Refused
from tests.engine.documents import plain, program

Connection = psycopg.Connection[tuple[Any, ...]]
NOW = parse_instant("2026-05-01T12:00:00Z")


def changed(**settings: Any) -> Program:
    return program({**plain(), **settings})


def test_a_version_is_stored_as_hashed(connection: Connection) -> None:
    version = publish(connection, program(), now=NOW, published_by="ann")
    assert (version.version, version.effective_from, version.is_new) == (1, NOW, True)
    row = connection.execute("select document::text, sha256 from program_version").fetchone()
    assert row is not None
    assert sha256(row[0].encode()).hexdigest() == row[1] == version.sha256
    assert queries.document(connection, "club") == program()
    assert queries.list_versions(connection, "club") == [msgspec.structs.replace(version, is_new=False)]
    assert queries.find(connection, "club") == version.program_id
    assert queries.find(connection, "none") is None
    assert queries.document(connection, "club", 2) is None
    assert queries.timeline(connection, "none") is None


def test_the_same_document_is_no_change(connection: Connection) -> None:
    first = publish(connection, program(), now=NOW, published_by="ann")
    again = publish(connection, program(), now=NOW + DAY, published_by="ben")
    assert (again.version, again.is_new, again.published_by) == (1, False, "ann")
    other = publish(connection, changed(hold_minutes=5), now=NOW + DAY, published_by="ben")
    back = publish(connection, program(), now=NOW + 2 * DAY, published_by="ben")
    assert (other.version, back.version) == (2, 3)
    assert back.sha256 == first.sha256
    assert [version.key for version in queries.list_programs(connection)] == ["club"]


def test_the_first_version_may_start_in_the_past(connection: Connection) -> None:
    past = changed(effective_from="2016-12-31T00:00:00-05:00")
    assert publish(connection, past, now=NOW, published_by="ann").effective_from < NOW
    late = changed(effective_from="2026-05-01T11:54:59Z")
    with pytest.raises(Refused, match="leave effective_from out"):
        publish(connection, late, now=NOW, published_by="ann")
    assert len(queries.list_versions(connection, "club")) == 1
    just = changed(effective_from="2026-05-01T11:55:00Z")
    assert publish(connection, just, now=NOW, published_by="ann").effective_from == NOW - 5 * MINUTE


def test_a_document_with_errors_is_refused(connection: Connection) -> None:
    with pytest.raises(Refused, match="time_zone"):
        publish(connection, changed(time_zone="Mars/Olympus"), now=NOW, published_by="ann")
    assert queries.list_programs(connection) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"currency": "USD"}, "currency cannot change"),
        ({"point_currencies": plain()["point_currencies"][:1]}, "cash cannot be removed"),
        (
            {
                "point_currencies": [
                    {**plain()["point_currencies"][0], "scale": 1},
                    plain()["point_currencies"][1],
                ]
            },
            "scale of stars cannot change from 0 to 1",
        ),
    ],
)
def test_recorded_amounts_keep_their_meaning(
    connection: Connection, settings: dict[str, Any], said: str
) -> None:
    publish(connection, program(), now=NOW, published_by="ann")
    with pytest.raises(Refused, match=said):
        publish(connection, changed(**settings), now=NOW, published_by="ann")


def test_what_points_may_wait_for_stays(connection: Connection) -> None:
    """Also where the version before lets nothing wait for it any more; a type that nothing waits for may go."""
    kinds = [{"key": key, "name": {"en": key, "fr": key}} for key in ("delivered", "review")]
    stars = plain()["point_currencies"][0]
    waiting = {**stars, "pending": {"kind": "activity", "activity": "delivered"}}
    others = plain()["point_currencies"][1:]
    first = changed(activity_types=kinds, point_currencies=[waiting, *others])
    publish(connection, first, now=NOW, published_by="ann")
    publish(connection, changed(activity_types=kinds), now=NOW + MINUTE, published_by="ann")
    with pytest.raises(Refused, match="activity type delivered cannot be removed"):
        publish(connection, changed(activity_types=[]), now=NOW + 2 * MINUTE, published_by="ann")
    found = publish(connection, changed(activity_types=kinds[:1]), now=NOW + 3 * MINUTE, published_by="ann")
    assert found.version == 3


def test_a_goal_keeps_what_it_counts(connection: Connection) -> None:
    """Places are kept as numbers: 10.00 spent would stand at the thousandth purchase."""

    def goals(**settings: str) -> Program:
        goal = {"key": "card", "name": {"en": "Card", "fr": "Carte"}, **settings}
        return changed(goals=[goal]) if settings else changed()

    publish(connection, goals(measure="spend"), now=NOW, published_by="ann")
    for refused in (goals(measure="activities"), goals(measure="points", currency="stars")):
        with pytest.raises(Refused, match=r"goal card cannot count .* where it counted spend"):
            publish(connection, refused, now=NOW, published_by="ann")
    publish(connection, goals(), now=NOW + MINUTE, published_by="ann")
    with pytest.raises(Refused, match="goal card cannot count activities where it counted spend"):
        publish(connection, goals(measure="activities"), now=NOW + 2 * MINUTE, published_by="ann")
    back = publish(connection, goals(measure="spend"), now=NOW + 3 * MINUTE, published_by="ann")
    assert back.version == 3


def test_two_at_the_same_moment(connection: Connection, owner_connection: Connection) -> None:
    """The second waits, then is refused: nothing is published on top of what it has not seen."""
    publish(connection, program(), now=NOW, published_by="ann")
    connection.commit()
    connection.execute("begin")
    publish(connection, changed(hold_minutes=5), now=NOW, published_by="ann")
    owner_connection.execute("set lock_timeout = '100ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        publish(owner_connection, changed(hold_minutes=6), now=NOW, published_by="ben")
    owner_connection.rollback()

    real = operations.list_versions
    seen = real(owner_connection, "club")
    connection.commit()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "list_versions", lambda *_: seen)
        with pytest.raises(Refused, match="at the same moment"):
            publish(owner_connection, changed(hold_minutes=6), now=NOW, published_by="ben")
    assert len(real(owner_connection, "club")) == 2


def test_timeline(connection: Connection) -> None:
    assert publish(connection, program(), now=NOW, published_by="ann").is_new
    publish(
        connection,
        changed(hold_minutes=5, effective_from="2026-06-01T00:00:00Z"),
        now=NOW,
        published_by="ann",
    )
    june = parse_instant("2026-06-01T00:00:00Z")
    found = queries.timeline(connection, "club")
    assert found is not None
    assert [found.version_at(at) for at in (NOW - 1, NOW, june - 1, june, june + 10**6 * DAY)] == [
        0,
        1,
        1,
        2,
        2,
    ]
    document = found.document_at(june)
    assert document is not None
    assert document.hold_minutes == 5
    assert found.document_at(NOW - 1) is None
    assert found.breaks(NOW) == (june,)
    assert queries.timeline(connection, "club") is found  # kept while nothing was added


def test_rating_again_covers_its_period_only(connection: Connection) -> None:
    publish(connection, program(), now=NOW, published_by="ann")
    publish(connection, changed(hold_minutes=5), now=NOW + 10 * DAY, published_by="ann")
    entry = rerate_judging(
        connection,
        "club",
        from_at=NOW + DAY,
        until_at=NOW + 2 * DAY,
        version=2,
        now=NOW + 11 * DAY,
        reason="wrong rate",
    )
    assert entry == 3
    found = queries.timeline(connection, "club")
    assert found is not None
    assert [found.version_at(NOW + day * DAY) for day in (0, 1, 2, 9, 10)] == [1, 2, 1, 1, 2]
    assert found.last_entry == 3
    # An entry that was rolled back is not remembered for another of the same number.
    connection.commit()
    later = NOW + 12 * DAY
    for version in (1, 2):
        with connection.transaction(force_rollback=True):
            entry = rerate_judging(
                connection,
                "club",
                from_at=NOW,
                until_at=None,
                version=version,
                now=later + version,
                reason="all",
            )
            found = queries.timeline(connection, "club")
            assert found is not None
            assert (entry, found.version_at(NOW + 30 * DAY)) == (4, version)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"key": "none"}, "no program"),
        ({"version": 9}, "no version 9"),
        ({"until_at": NOW}, "ends before it starts"),
        ({"reason": " "}, "needs a reason"),
    ],
)
def test_rating_again_refused(connection: Connection, settings: dict[str, Any], said: str) -> None:
    publish(connection, program(), now=NOW, published_by="ann")
    asked: dict[str, Any] = {
        "key": "club",
        "from_at": NOW,
        "until_at": None,
        "version": 1,
        "now": NOW,
        "reason": "x",
        **settings,
    }
    with pytest.raises(Refused, match=said):
        rerate_judging(connection, **asked)


def test_the_stored_document_is_json(connection: Connection) -> None:
    publish(connection, program(), now=NOW, published_by="ann")
    row = connection.execute("select document::text from program_version").fetchone()
    assert row is not None
    assert json.loads(row[0])["key"] == "club"
