"""What docs/guides/vouchers.md says of refusals and limits is what the room does."""

import re
from pathlib import Path

import pytest

from palier.vouchers import codes, guesses
from palier.vouchers.refusals import VoucherRefusal

TEXT = (Path(__file__).parents[2] / "docs" / "guides" / "vouchers.md").read_text()

pytestmark = pytest.mark.guard


def test_every_refusal_is_described_in_the_order_of_precedence() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", TEXT, re.M)
    known = [code.value for code in VoucherRefusal]
    assert [row for row in rows if row in known] == known


def test_the_limits_are_those_of_the_code() -> None:
    for number in (guesses.PER_CODE, guesses.PER_ACTOR, guesses.PER_KEY, guesses.PER_PROGRAM):
        assert re.search(rf"^\| {number:,} \|", TEXT, re.M), (
            f"docs/guides/vouchers.md: the limit {number} is not told"
        )
    assert f"{codes.ALONE} random" in TEXT
    assert f"{codes.PROVEN} random" in TEXT


def test_the_code_in_the_text_is_one() -> None:
    found = set(re.findall(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{5}\b", TEXT))
    assert len(found) == 1
    assert codes.read(found.pop())
