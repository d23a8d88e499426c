"""Every page of the console by every role: what the resolver knows is tried, so that a new page is in it by itself."""

from __future__ import annotations

import pytest
from django.test import Client

from palier.staff.roles import ROLES, Role, rights_of
from tests.api.shop import Shop, document
from tests.web.addresses import addresses
from tests.web.staff import staff_client

DOOR = {
    f"console:{name}"
    for name in (
        "sign-in", "second", "welcome", "sign-out", "demo", "set-up", "set-up-first", "component-themes",
    )
}  # fmt: skip
"""Pages for whoever is not signed in yet, each with its own tests; and a style sheet that says nothing of anybody."""


def ask(client: Client, address: str) -> int:
    """The status of a page: asked for, or sent to where it only takes forms."""
    found = client.get(address)
    if found.status_code == 405:
        found = client.post(address, {})
    return found.status_code


@pytest.mark.guard
def test_every_page_says_what_right_it_asks_for() -> None:
    found = addresses("console")
    assert len(found) > 25
    bare = {one.name for one in found if not hasattr(one.page, "right")}
    assert bare == DOOR, "wrap the page in of_staff, or it is open to everybody"
    for one in found:
        if hasattr(one.page, "right"):
            assert one.inside is not one.page.outside, (
                f"{one.name}: a page below a program looks at that program"
            )


@pytest.mark.parametrize("everywhere", [False, True])
def test_every_page_by_every_role(shop: Shop, everywhere: bool) -> None:
    """A page answers who has its right, and is not there for others; in another program nothing is there."""
    Shop("other", document("other"))
    wrong: list[tuple[str, str, int]] = []
    for role in ROLES:
        client = _client(role, None if everywhere else shop.program_id)
        if client is None:
            continue
        for one in addresses("console"):
            if one.name in DOOR:
                continue
            right = one.page.right
            may = right is None or (right in rights_of(role) and (everywhere or not one.page.everywhere))
            status = ask(client, one.path)
            # Made-up objects are not there; nor is what is of nobody's yet.
            absent = (
                one.objects
                or role == "partner"
                or one.name in ("console:set-up-as-member", "console:desk:end-tokens")
            )
            fits = status in (200, 302, 422) or (absent and status == 404)
            if not (fits if may else status == 404):
                wrong.append((role, one.path, status))
            if one.inside and not everywhere:
                elsewhere = ask(client, one.path.replace("/club", "/other", 1))
                if elsewhere != 404:
                    wrong.append((role, one.path.replace("/club", "/other", 1), elsewhere))
    assert wrong == []


def _client(role: Role, program_id: int | None) -> Client | None:
    if role == "partner":
        # A partner belongs to one program; the right everywhere is no role of his.
        return staff_client(role, program_id, partner="anybody") if program_id is not None else None
    return staff_client(role, program_id)


def test_strangers_are_led_to_the_door(shop: Shop) -> None:
    client = Client(SERVER_NAME="localhost")
    for one in addresses("console"):
        if one.name in DOOR:
            continue
        found = client.get(one.path)
        if found.status_code == 405:
            found = client.post(one.path, {})
        assert (found.status_code, found["Location"].split("?")[0]) == (302, "/console/sign-in"), one.path
