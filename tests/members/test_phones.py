"""Phone numbers as people write them: one number is one member, once the installation says its country."""

from __future__ import annotations

import pytest

from palier.members.operations import NewMember, enrol
from palier.members.queries import IdentityError, normalized
from palier.site import clock
from palier.site.environment import Environment, environment
from tests.activities.program import Connection, program, published


@pytest.mark.parametrize(
    ("country", "written", "kept"),
    [
        (None, "06 12.34-56 78", "0612345678"),
        (None, "0033 6 12 34 56 78", "+33612345678"),
        ("FR", "06 12 34 56 78", "+33612345678"),
        ("FR", "+33 (0)6 12 34 56 78", "+33612345678"),
        ("FR", "0033612345678", "+33612345678"),
        ("FR", "+39 06 1234 5678", "+390612345678"),
        ("IT", "06 1234 5678", "+390612345678"),
        ("US", "(415) 555-2671", "+14155552671"),
        # Short codes and extensions are nobody's in the world.
        ("FR", "3949", "3949"),
    ],
)
def test_how_a_number_is_kept(
    country: str | None, written: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment(), "phone_country", country)
    assert normalized("phone", written) == kept


def test_what_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment(), "phone_country", "FR")
    for written in ("tel:0612345678", "1-800-FLOWERS", "", "\u0660\u0661\u0662\u0663\u0664"):
        with pytest.raises(IdentityError, match="digits"):
            normalized("phone", written)
    with pytest.raises(ValueError, match="ISO 3166"):
        Environment(phone_country="France")


def test_two_ways_of_writing_find_one_member(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment(), "phone_country", "FR")
    shop = published(connection, program()).program_id
    first, second = (
        enrol(connection, shop, [NewMember({"phone": written})], now=clock.now())[0]
        for written in ("06 12 34 56 78", "+33 6 12 34 56 78")
    )
    assert (first.created, second.created) == (True, False)
    assert first.member_id == second.member_id
