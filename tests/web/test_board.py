"""The console's answers: who may read them, that their figures are the ledger's, what they cost to make."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from palier.activities.runtime import runtime
from palier.insights import operations
from palier.ledger import verify
from palier.ledger.seal import seal
from palier.site import clock, database
from palier.staff.roles import ROLES, Role, rights_of
from palier.web.console.board import components, urls
from palier.web.console.board.answers import Cell, Column, Table, as_csv
from palier.web.templatetags.ui import register
from tests.api.shop import Shop, document
from tests.web.messages import TEMPLATES
from tests.web.staff import staff_client
from tests.web.statements import counted


def said(english: str, french: str = "") -> dict[str, str]:
    return {"en": english, "fr": french or english}


def everything() -> dict[str, Any]:
    """A program that has something for every page."""
    plain = document()
    stars, gifts = plain["point_currencies"]
    return document(
        "full",
        point_currencies=[{**stars, "value": "0.05"}, gifts],
        goals=[
            {
                "key": "card", "kind": "stamp_card", "name": said("Coffee card", "Carte café"), "repeat": True,
                "steps": [{"at": "2", "name": said("Half way", "À mi-chemin"), "grants": [{"currency": "gifts"}]}],
            }
        ],
        games=[
            {
                "key": "wheel", "kind": "surprise", "name": said("Wheel", "Roue"), "on": ["sale"],
                "prizes": [
                    {"key": "gift", "name": said("A gift", "Un cadeau"), "weight": 1, "stock": 5,
                     "grants": [{"currency": "gifts"}]},
                    {"key": "nothing", "name": said("Nothing", "Rien"), "weight": 3},
                ],
            }
        ],
        campaigns=[
            {
                "key": "spring", "name": said("Spring", "Printemps"), "budget": {"points": "20"},
                "rules": [
                    {"key": "spring_bonus", "name": said("Spring bonus", "Bonus de printemps"), "on": "sale",
                     "currency": "stars", "fixed": "19"}
                ],
            }
        ],
        partners=[
            {
                "key": "bakery", "name": said("Bakery", "Boulangerie"), "currency": "stars",
                "agreements": [{"from": "2020-01-01", "issue_price": "0.02", "burn_price": "0.01"}],
            }
        ],
    )  # fmt: skip


@pytest.fixture
def own(shop: Shop) -> Shop:
    """A shop with everything, two members who bought, and figures that are counted."""
    full = Shop("full", everything())
    for number, amount in enumerate(("250.00", "12.00")):
        member = full.enrol(f"c{number}")
        for times in range(2):
            full.sale(member, amount, id=f"s{number}-{times}")
    count(full)
    return full


def count(shop: Shop) -> None:
    with database.connect() as connection:
        seal(connection, now=datetime(2026, 3, 2, tzinfo=UTC))
        connection.commit()
        found = runtime(connection, shop.key)
        assert found is not None
        operations.count_all(connection, found, now=clock.now())


def read(client: Client, shop: Shop, path: str = "", status: int = 200) -> str:
    page = client.get(f"/console/{shop.key}/{path}")
    assert page.status_code == status, page.content.decode()[-2000:]
    return plain(page.content.decode())


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\u00a0", " ").replace("\u202f", " ").replace("&#x27;", "'"))


PAGES = (
    "",
    "cost",
    "leaving",
    "progress",
    "rules",
    "tiers",
    "goals",
    "campaigns",
    "games",
    "partners",
    "rewards",
)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_opens_what_it_may_and_nothing_else(own: Shop, role: Role) -> None:
    client = staff_client(role, own.program_id, partner="bakery" if role == "partner" else "")
    for pattern in urls.urlpatterns:
        callback: Any = pattern.callback
        while not hasattr(callback, "right"):
            callback = callback.__wrapped__
        values = dict.fromkeys(pattern.pattern.converters, "spring")
        address = reverse(f"console:{pattern.name}", kwargs={"program": own.key, **values})
        status = {client.get(address).status_code, client.post(address).status_code}
        may = callback.right is None or callback.right in rights_of(role)
        # A reward that is not there is not found by anybody.
        assert (status - {404, 405, 403} != set()) == (may and "<str:reward>" not in str(pattern.pattern)), (
            address
        )


def test_the_figures_are_those_of_the_ledger(own: Shop) -> None:
    client = staff_client("analyst", own.program_id)
    page = read(client, own)
    assert "2 of 2 members (100.0%) did something in the last 30 days." in page
    whole = own.get("/members?card=c0").json
    assert whole
    with database.connect() as connection:
        row = connection.execute(
            "select sum(amount) filter (where debit = 'issuance') from transfer where "
            "program_id = %s and currency = 'stars'",
            (own.program_id,),
        ).fetchone()
        assert row is not None
        issued = int(row[0])
    assert f'<td class="figure">{issued // 100:,}.{issued % 100:02d} </td>' in page
    cost = read(client, own, "cost")
    assert f"points worth €{issued * 5 // 10_000:,}.{issued * 5 // 100 % 100:02d} were issued" in cost
    assert "points have been used or expired in 0 whole months, and it takes six" in cost
    assert "Away for 90 days: 0 of 2 members (0.0%); 0 more" in read(client, own, "leaving")
    # A verb would have to agree with the number, which is one in a new program.
    french = staff_client("analyst", own.program_id, language="fr")
    assert "Actifs ces 30 derniers jours : 2 sur 2 membres (100,0 %)." in read(french, own)
    assert "Absents depuis 90 jours : 0 sur 2 membres (0,0 %) ; venus" in read(french, own, "leaving")
    assert "No member has had a reward yet." in read(client, own, "progress")
    rules = read(client, own, "rules")
    assert "“Base” brought most in the last 30 days: 524.00 stars" in rules
    assert "You get 1 star for every €1 you spend." in rules
    assert "1 of 2 members (50.0%) holds Gold, the highest tier." in read(client, own, "tiers")
    # Two stamps fill the card: each member reached its step.
    assert "2 steps were reached in the last 30 days." in read(client, own, "goals")
    assert "Spring”: 100.0% is used." in read(client, own, "campaigns")
    assert "4 draws in the last 30 days" in read(client, own, "games")
    assert "0.02 per point issued, 0.01 per point used" in read(client, own, "partners")
    # A budget that is nearly used up waits for a person.
    assert "The budget of the campaign Spring is used to 100.0%." in page
    french = read(staff_client("owner", own.program_id, language="fr"), own)
    assert "campagne Printemps" in french


def test_what_may_never_be_used_is_told_of_each_kind_of_points(shop: Shop) -> None:
    plain = document()
    stars, gifts = plain["point_currencies"]
    full = Shop(
        "two", document("two", point_currencies=[{**stars, "value": "0.05"}, {**gifts, "value": "2"}])
    )
    full.sale(full.enrol("c0"), "250.00")
    count(full)
    cost = read(staff_client("analyst", full.program_id), full, "cost")
    # 250 stars at 0.05, and a gift that waits, at 2.
    assert "Outstanding points are worth €14.50. Stars: what will never be used cannot be told yet" in cost
    assert "Gifts: they do not expire, so all of it may be asked for." in cost


def test_an_empty_program_teaches_the_first_step(shop: Shop) -> None:
    marketer = staff_client("marketer", shop.program_id)
    for path in PAGES[:4]:
        assert "Nothing has happened yet" in read(marketer, shop, path)
    assert "Make the first reward" in read(marketer, shop, "rewards")
    for path, words in {
        "goals": "No goals yet",
        "campaigns": "No campaign yet",
        "games": "No games",
        "partners": "No partners",
    }.items():
        assert words in read(marketer, shop, path)
    assert "Rien ne s’est encore passé" in read(staff_client("analyst", shop.program_id, language="fr"), shop)


def test_figures_come_from_days_alone(own: Shop) -> None:
    """However many members and activities there are, no page of figures reads them."""
    client = staff_client("owner", own.program_id)
    for path in PAGES:
        with counted() as sent:
            read(client, own, path)
        tables = " ".join(sent)
        assert not re.search(r"\b(from|join) (activity|transfer|wallet|lot|progress)\b", tables), path


def test_a_table_for_spreadsheets_runs_nothing(own: Shop) -> None:
    client = staff_client("analyst", own.program_id)
    file = client.get(f"/console/{own.key}/rules?days=90&csv=rules")
    assert file.headers["Content-Disposition"] == 'attachment; filename="full-rules.csv"'
    rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert rows[0][0] == "Rule"
    assert rows[1][0] == "Base"
    table = Table(
        "t",
        "T",
        (Column("A"), Column("B")),
        [[Cell("=1+1"), Cell("\u22125.0%")], [Cell("@x"), Cell("+cmd|x")]],
    )
    text = as_csv("full", table).content.decode("utf-8-sig").splitlines()
    assert text[1:] == ["'=1+1,'-5.0%", "'@x,'+cmd|x"]


def test_numbers_of_a_table_for_spreadsheets_are_numbers_with_their_unit(own: Shop) -> None:
    """Whoever reads French finds the same numbers; what they count stands in the head, or beside them."""
    for language in ("en", "fr"):
        client = staff_client("analyst", own.program_id, language=language)

        def rows(path: str, client: Client = client) -> list[list[str]]:
            return list(csv.reader(io.StringIO(client.get(path).content.decode("utf-8-sig"))))

        start = f"/console/{own.key}"
        money = next(row for row in rows(f"{start}/?csv=figures") if row[1:3] == ["524.00", "EUR"])
        # Nothing stands where there is nothing to compare with.
        assert money[3:] == ["", ""]
        head, *moved = rows(f"{start}/cost?csv=rollforward-stars")
        assert ["(stars)" in head[1], "(EUR)" in head[2]] == [True, True]
        assert [row[1] for row in moved] == ["0.00", "544.00", *["0.00"] * 5, "544.00"]
        assert not any(cell.startswith("'") for row in moved for cell in row)


def test_parts_of_a_whole_are_together_the_whole(shop: Shop) -> None:
    """A third of the members in each of three tiers: 33.3% three times would be a member of a thousand short."""
    qualify = [
        {},
        *({"qualify": {"all": [{"metric": "spend", "at_least": least}]}} for least in ("100", "200")),
    ]
    ladder = [
        {"key": key, "name": said(key), **more}
        for key, more in zip(("green", "silver", "gold"), qualify, strict=True)
    ]
    thirds = Shop(
        "thirds", document("thirds", tiers={"window": {"kind": "rolling", "days": 365}, "tiers": ladder})
    )
    for number, amount in enumerate(("10.00", "150.00", "250.00")):
        thirds.sale(thirds.enrol(f"c{number}"), amount, id=f"s{number}")
    count(thirds)
    client = staff_client("analyst", thirds.program_id)
    table = client.get(f"/console/{thirds.key}/tiers?csv=tiers").content.decode("utf-8-sig")
    told = [
        (row["Tier"], row["Members"], row["Of all members (%)"]) for row in csv.DictReader(io.StringIO(table))
    ]
    assert told == [("green", "1", "33.4"), ("silver", "1", "33.3"), ("gold", "1", "33.3")]
    assert "1 of 3 members (33.3%) holds gold, the highest tier." in read(client, thirds, "tiers")


def test_every_row_of_a_table_for_spreadsheets_says_what_it_is_of(own: Shop) -> None:
    client = staff_client("analyst", own.program_id)
    table = client.get(f"/console/{own.key}/games?csv=games").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [(row["Game"], row["Prize"]) for row in rows] == [("Wheel", "A gift"), ("Wheel", "Nothing")]
    assert sum(float(row["Came up (%)"]) for row in rows) == 100
    cells = [[Cell("x"), Cell("u")], [Cell(""), Cell("v")], [Cell(""), Cell("w")]]
    named = Table("t", "T", (Column("A"), Column("B")), cells)
    assert as_csv("full", named).content.decode("utf-8-sig").splitlines()[1:] == ["x,u", "x,v", "x,w"]


def test_a_campaign_is_paused_and_resumed_with_who_and_why(own: Shop) -> None:
    client = staff_client("marketer", own.program_id)
    path = f"/console/{own.key}/campaigns/spring/pause"
    page = client.post(path, {"do": "pause"}, follow=True).content.decode()
    assert "The campaign is paused from now on, by version 2." in page
    assert ">paused<" in page
    assert client.post(f"/console/{own.key}/campaigns/nothing/pause", {"do": "pause"}).status_code == 404
    page = client.post(path, {"do": "resume"}, follow=True).content.decode()
    assert "by version 3." in page
    with database.connect() as connection:
        log = connection.execute(
            "select actor, action, object from audit_log where action like 'campaign.%' order by seq"
        ).fetchall()
    assert [row[1:] for row in log] == [
        ("campaign.pause", "program:full:2:spring"),
        ("campaign.resume", "program:full:3:spring"),
    ]
    assert all(row[0].startswith("staff:") for row in log)


MUG = """key: mug
name: {en: A mug, fr: Une tasse}
gives: {kind: product, sku: MUG}
prices:
  - points: {stars: "50.00"}
stock: 3
state: live
"""


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_reward_is_made_changed_and_kept_with_its_reasons(own: Shop, language: str) -> None:
    client = staff_client("marketer", own.program_id, language=language)
    start = f"/console/{own.key}/rewards"
    assert client.get(f"{start}/-/new").status_code == 200
    wrong = client.post(f"{start}/-/judge", {"document": MUG.replace("product", "nothing")})
    assert "gives.kind" in wrong.content.decode()
    assert "<html" not in wrong.content.decode()
    for form in ({"document": "[", "reason": "x"}, {"document": MUG, "reason": " "}):
        refused = client.post(f"{start}/-/new", {**form, "version": "0"})
        assert refused.status_code == 422
        assert 'class="notice bad"' in refused.content.decode()
    made = client.post(
        f"{start}/-/new", {"document": MUG, "reason": "Members asked", "version": "0"}, follow=True
    )
    assert "Members asked" in made.content.decode()
    edit = f"{start}/mug/edit"
    assert 'value="1"' in client.get(edit).content.decode()
    dearer = MUG.replace("50.00", "60.00")
    other = client.post(
        edit, {"document": dearer.replace("key: mug", "key: cup"), "reason": "x", "version": "1"}
    )
    assert other.status_code == 422
    changed = client.post(edit, {"document": dearer, "reason": "Dearer to make", "version": "1"}, follow=True)
    page = plain(changed.content.decode())
    assert "60 stars" in page
    # Who began from an older version overwrites nothing.
    late = client.post(edit, {"document": MUG, "reason": "Back", "version": "1"})
    assert late.status_code == 422
    assert "mug" in read(client, own, "rewards?q=tass")
    assert "There is none." in read(staff_client("marketer", own.program_id), own, "rewards?q=nothing")
    assert client.get(f"{start}/nothing").status_code == 404


@pytest.mark.guard
def test_every_component_is_on_its_page() -> None:
    assert set(register.tags) | set() == set(components.EXAMPLES)
    made = {path.stem for path in (TEMPLATES / "ui").glob("*.html")} - {
        components.FRAME.removesuffix(".html")
    }
    assert made <= set(components.EXAMPLES)
    shown = {path.stem for path in (TEMPLATES / "console" / "board" / "elements").glob("*.html")}
    assert shown == set(components.ELEMENTS)


def test_the_page_of_components_shows_both_themes_and_languages(shop: Shop) -> None:
    client = staff_client("cashier", shop.program_id)
    page = client.get("/console/ui-components")
    text = plain(page.content.decode())
    for name in (*components.EXAMPLES, *components.ELEMENTS):
        assert f">{name}</h2>" in text
    assert "level: int = 2" in text
    assert "Encore 12 étoiles" in text
    assert "12 stars to go" in text
    sheet = client.get("/console/ui-components.css").content.decode()
    assert (
        sheet.index(".shown-light")
        < sheet.index("#fbfaf7")
        < sheet.index(".shown-dark")
        < sheet.index("#12181f")
    )


def test_what_the_last_proof_found_stands_on_the_first_page(shop: Shop) -> None:
    """Of this program alone, or of all together; until a later proof finds nothing."""
    owner = staff_client("owner", shop.program_id)
    fault = verify.Violation("wallet.spendable", "wallet 7", "1", "2")
    broken, clean = (verify.Report(found, ["wallet.spendable"], {}, 0.1) for found in ([fault, fault], []))

    def proved(program: str | None, found: verify.Report, later: int) -> str:
        with database.connect() as connection:
            verify.keep(connection, program, found, now=clock.now() + later)
        return read(owner, shop)

    other = Shop("other", document("other"))
    assert "proof of the ledger" not in proved(other.key, broken, 0)
    assert "found 2 faults, the first in wallet.spendable" in proved(shop.key, broken, 1)
    assert "found 2 faults" in proved(other.key, clean, 2), (
        "a proof of another program says nothing of this one"
    )
    assert "proof of the ledger" not in proved(None, clean, 3)
    assert "found 2 faults" in proved(None, broken, 4)


@pytest.mark.parametrize(
    ("role", "leads"),
    [
        ("support", ["members", "cases", "orders"]),
        ("cashier", ["till"]),
        ("partner", ["settlements"]),
    ],
)
def test_who_reads_no_figures_is_led_to_the_work(own: Shop, role: Role, leads: list[str]) -> None:
    """The first page of each shows what may be done, and nothing else; each link opens."""
    client = staff_client(role, own.program_id, partner="bakery" if role == "partner" else "")
    page = read(client, own)
    main = page[page.index('<main id="main"') :]
    found = re.findall(r'<h2><a href="([^"]+)">', main)
    expected = [f"/till/{own.key}/" if lead == "till" else f"/console/{own.key}/{lead}" for lead in leads]
    assert found == expected
    for url in found:
        assert url.startswith("/till/") or client.get(url).status_code == 200
