"""Public references of members."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.members.refs import decode, encode


@given(st.integers(0, 2**63 - 1))
def test_a_reference_reads_back(member_id: int) -> None:
    ref = encode(member_id)
    assert len(ref) == 15
    assert decode(ref) == member_id
    assert decode(ref.upper()) == member_id


@given(st.integers(0, 2**63 - 2))
def test_references_sort_as_ids_do(member_id: int) -> None:
    assert encode(member_id) < encode(member_id + 1)


def test_what_is_misread_aloud_is_understood() -> None:
    assert decode("m_oooooooooooil") == decode("m_0000000000011")


@pytest.mark.parametrize("member_id", [-1, 2**63])
def test_an_id_that_is_none_is_refused(member_id: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        encode(member_id)


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ("", "expected m_ and 13"),
        ("m_", "expected m_ and 13"),
        ("x_0000000000001", "expected m_ and 13"),
        ("m_00000000000001", "expected m_ and 13"),
        ("m_000000000000u", "'u' is not in its alphabet"),
        ("m_000000 000001", "' ' is not in its alphabet"),
        ("m_00000000000\uff11\uff11", "not in its alphabet"),
        ("m_8000000000000", "first character is above 7"),
    ],
)
def test_what_is_no_reference_is_refused(ref: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decode(ref)


def test_the_example_in_the_message_is_one() -> None:
    with pytest.raises(ValueError, match="such as") as refusal:
        decode("?")
    decode(str(refusal.value).split()[-1])
