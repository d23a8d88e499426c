"""Identifiers: unique, rising, 63 bits, whatever the clock does."""

import threading
from typing import Any

import psycopg
import pytest

from palier.site import ids

SECOND_NS = 1_000_000_000


def test_ids_rise_and_fit_in_63_bits() -> None:
    made = ids.new_ids(5000) + [ids.new_id() for _ in range(100)]
    assert made == sorted(set(made))
    assert all(0 < value < 1 << 63 for value in made)


def test_a_clock_that_goes_back_repeats_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    now = ids.EPOCH_MS * 1_000_000 + 86_400 * SECOND_NS
    monkeypatch.setattr(ids, "_ticks", 0)
    monkeypatch.setattr(ids.time, "time_ns", lambda: now)
    before = ids.new_ids(3)
    monkeypatch.setattr(ids.time, "time_ns", lambda: now - 3600 * SECOND_NS)
    after = ids.new_ids(3)
    assert before + after == sorted(set(before + after))


def test_it_stays_ahead_of_what_another_process_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_node", ids.NODES - 1)
    other = ids.new_ids(5000)[-1]
    monkeypatch.setattr(ids, "_ticks", 0)
    monkeypatch.setattr(ids, "_node", 0)
    ids.stay_ahead(other)
    made = ids.new_ids(3)
    assert [other, *made] == sorted({other, *made})
    ids.stay_ahead(0)
    assert ids.new_id() > made[-1]


def test_more_than_fit_in_a_millisecond_borrow_from_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    now = ids.EPOCH_MS * 1_000_000 + 86_400 * SECOND_NS
    monkeypatch.setattr(ids, "_ticks", 0)
    monkeypatch.setattr(ids.time, "time_ns", lambda: now)
    made = ids.new_ids(3000)
    assert len(set(made)) == 3000
    assert (made[-1] >> 22) - (made[0] >> 22) == 2
    assert len({value >> 10 & 4095 for value in made}) == 1


def test_the_end_of_its_time_is_an_error_not_a_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_ticks", 0)
    monkeypatch.setattr(ids.time, "time_ns", lambda: (ids.EPOCH_MS + (1 << 41)) * 1_000_000)
    with pytest.raises(OverflowError, match="2089"):
        ids.new_id()


def test_threads_share_no_id() -> None:
    made: list[int] = []
    threads = [
        threading.Thread(target=lambda: made.extend(ids.new_id() for _ in range(2000))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 16_000


def test_the_node_comes_from_the_database(connection: psycopg.Connection[Any]) -> None:
    first = ids.take_node(connection)
    second = ids.take_node(connection)
    assert second == (first + 1) % ids.NODES
    assert ids.new_id() >> 10 & 4095 == second


def test_an_identifier_is_read_as_it_was_written() -> None:
    last = (1 << 63) - 1
    for identifier in (0, 7, 10**18 - 1, 10**18, last, ids.new_id()):
        assert ids.read_id(str(identifier)) == identifier
    for text in ("", "-1", " 1", "1.0", "\u0661", "m_1", str(last + 1), "9" * 5000):
        assert ids.read_id(text) is None
