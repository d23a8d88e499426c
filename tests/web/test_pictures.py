"""Pictures on pages: brought in the console by those who may, shown to members, taken back; the brand on every face."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from palier.connectors.pictures import REASONS
from palier.programs import files, pictures
from palier.site import database
from palier.staff.roles import ROLES, rights_of
from palier.web.console.board.pictures import _WHY
from palier.web.ui.icons import UNITS, known
from palier.web.ui.pictures import DRAWINGS
from tests.api.shop import Shop, document, now_text
from tests.connectors.drawings import file, image, png, somewhere
from tests.web.staff import staff_client
from tests.web.test_rewards import COFFEE, put, visitor

SAID = {"do": "put", "alt_en": "A <cup> of coffee", "alt_fr": "Une tasse de café"}
PICTURE = "/console/club/rewards/coffee/picture"
BRAND = "/console/club/brand"


@pytest.fixture
def shelf(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    from palier.site.environment import environment

    monkeypatch.setattr(environment(), "demo", True)
    put(shop, COFFEE)
    return shop


def upload(client: Client, path: str, raw: bytes, name: str = "cup.png", **more: str) -> Any:
    return client.post(path, {**SAID, **more, "picture": SimpleUploadedFile(name, raw)})


def page(client: Client, path: str, status: int = 200) -> str:
    found = client.get(path)
    assert found.status_code == status, found.status_code
    return str(found.content.decode())


def images(text: str) -> list[str]:
    return re.findall(r'<img src="(/pictures/[^"]+)"', text)


def stored() -> tuple[int, int, int]:
    """How many pictures, versions of rewards and versions of programs there are."""
    with database.connect() as connection:
        found = connection.execute(
            "select (select count(*) from picture), (select count(*) from reward_version), "
            "(select count(*) from program_version)"
        ).fetchone()
    assert found is not None
    return found[0], found[1], found[2]


# --- rewards ----------------------------------------------------------------------------------------------


def test_a_picture_is_brought_shown_taken_away_and_shown_again(shelf: Shop) -> None:
    marketer = staff_client("marketer", shelf.program_id)
    member = visitor(shelf.enrol())
    assert images(page(member, "/portal/club/rewards")) == []
    assert "#gift" in page(member, "/portal/club/rewards").split("tile card")[1]
    assert upload(marketer, PICTURE, somewhere(), "Photo.JPG").status_code == 302
    told = page(marketer, PICTURE)
    assert "Members see the new picture from now on." in told
    (source,) = images(told)
    assert source.endswith("-480.webp")
    assert stored() == (1, 2, 1)

    shelf_page = page(member, "/portal/club/rewards")
    assert images(shelf_page) == [source]
    assert 'sizes="5.5rem"' in shelf_page
    assert 'alt=""' in shelf_page.split("tile card")[1], "the tile says the reward's name beside it"
    reward_page = page(member, "/portal/club/rewards/coffee")
    assert 'alt="A &lt;cup&gt; of coffee" loading="lazy"' in reward_page
    assert re.search(r'width="400" height="640"', reward_page)
    member.cookies["django_language"] = "fr"
    assert 'alt="Une tasse de café"' in page(member, "/portal/club/rewards/coffee")
    for found in re.findall(r"/pictures/[^ \"]+", reward_page):
        assert Client(SERVER_NAME="localhost").get(found).status_code == 200
    assert images(page(marketer, "/console/club/rewards")) == [source]
    assert images(page(marketer, "/console/club/rewards/coffee")) == [source]
    assert images(page(marketer, "/console/club/rewards/coffee/edit")) == [source]

    # Other words for the same picture: no file is sent again.
    kept = re.search(r'name="kept" value="([^"]+)"', told)
    assert kept is not None
    words = {**SAID, "alt_en": "Coffee with foam", "kept": kept[1]}
    assert marketer.post(PICTURE, words).status_code == 302
    assert 'alt="Coffee with foam"' in page(visitor_again(member), "/portal/club/rewards/coffee")
    assert stored() == (1, 3, 1)

    assert marketer.post(PICTURE, {"do": "remove"}).status_code == 302
    told = page(marketer, PICTURE)
    assert "The picture is taken away." in told
    assert images(page(member, "/portal/club/rewards")) == []
    again = re.findall(r'name="again" value="([^"]+)"', told)
    assert again == [kept[1]]
    assert marketer.post(PICTURE, {"again": again[0]}).status_code == 302
    assert images(page(member, "/portal/club/rewards")) == [source]
    assert stored() == (1, 5, 1)
    with database.connect() as connection:
        rows = connection.execute(
            "select actor, action from audit_log where action like 'picture.%' or action = 'reward.put' "
            "and actor like 'staff:%' order by seq"
        ).fetchall()
    assert [action for _, action in rows] == ["picture.keep"] + ["reward.put"] * 4
    assert all(actor.startswith("staff:") for actor, _ in rows)


def visitor_again(client: Client) -> Client:
    client.cookies["django_language"] = "en"
    return client


REFUSED = {
    "picture_missing": (b"", "cup.png"),
    "picture_too_large": (file() + bytes(2_000_000), "cup.png"),
    "picture_type": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "cup.svg"),
    "picture_name": (file("JPEG"), "cup.png"),
    "picture_broken": (file()[:-20], "cup.png"),
    "picture_too_many_pixels": (png(60_000, 60_000, b"x"), "cup.png"),
    "picture_too_small": (file("PNG", image(64, 20)), "cup.png"),
    "picture_moves": (
        file("WEBP", image(64, 64), save_all=True, append_images=[image(64, 64).rotate(90)]), "cup.webp",
    ),
    "picture_holds_more": (file("JPEG") + b"<html><script>alert(1)</script>", "cup.jpg"),
}  # fmt: skip


def test_every_reason_is_said_in_both_languages_and_nothing_is_changed(shelf: Shop) -> None:
    assert set(REFUSED) == set(REASONS) == set(_WHY)
    before = stored()
    for language, nothing in (("en", "Nothing was changed"), ("fr", "Rien n’a changé")):
        client = staff_client("owner", shelf.program_id, language=language)
        seen = set()
        for code, (raw, name) in REFUSED.items():
            for path in (PICTURE, BRAND):
                found = upload(client, path, raw, name)
                assert found.status_code == 422, code
                text = unescape(found.content.decode())
                notice = re.search(r'class="notice bad".*?</(?:div|p)>', text, re.DOTALL)
                assert notice is not None, code
                assert nothing in notice[0], code
                assert "Une tasse de café" in text, "what was typed stays"
                seen.add(notice[0])
        assert len(seen) == len(REFUSED)
        unsaid = client.post(PICTURE, {"do": "put", "picture": SimpleUploadedFile("cup.png", file())})
        assert (unsaid.status_code, nothing in unescape(unsaid.content.decode())) == (422, True)
        strange = client.post(PICTURE, {"again": f"/pictures/club/{'0' * 64}.webp"})
        assert strange.status_code == 422
    assert stored() == before


def test_who_may_bring_pictures(shelf: Shop) -> None:
    """By every role: the reward's picture and the brand are changed by their rights alone, in their program alone."""
    Shop("other", document("other"))
    for role in ROLES:
        if role == "partner":
            continue
        client = staff_client(role, shelf.program_id)
        for path, right in ((PICTURE, "rewards:write"), (BRAND, "programs:write")):
            raw = file("PNG", image(200 + len(role), 200 + len(path)))
            status = upload(client, path, raw).status_code
            assert status == (302 if right in rights_of(role) else 404), (role, path)
            assert upload(client, path.replace("club", "other"), raw).status_code == 404, role
        sees = client.get(BRAND)
        assert sees.status_code == (200 if "programs:read" in rights_of(role) else 404), role
        if sees.status_code == 200:
            assert ('type="file"' in sees.content.decode()) == ("programs:write" in rights_of(role)), role
    before = stored()
    stranger = Client(SERVER_NAME="localhost")
    assert upload(stranger, PICTURE, file()).url == "/console/sign-in"
    forged = Client(SERVER_NAME="localhost", enforce_csrf_checks=True)
    forged.cookies = staff_client("owner", shelf.program_id).cookies
    assert upload(forged, PICTURE, file()).status_code == 403
    assert stored() == before


def test_a_picture_that_is_not_stored_here_is_drawn_and_said(shelf: Shop) -> None:
    lost = {"source": f"/pictures/club/{'a' * 64}.webp", "alt": {"en": "A cup", "fr": "Une tasse"}}
    for source in (lost["source"], "https://cdn.example.org/cup.png"):
        put(shelf, {**COFFEE, "picture": {**lost, "source": source}})
        member = visitor(shelf.enrol())
        for path in ("/portal/club/rewards", "/portal/club/rewards/coffee"):
            text = page(member, path)
            assert "<img" not in text.split("<main")[1], source
            assert "picture none" in text
        assert "not stored here" in page(staff_client("marketer", shelf.program_id), PICTURE)


def test_pictures_cost_a_page_one_question_at_most(shelf: Shop) -> None:
    """A shelf of twenty pictures asks for all at once, and then no more for some minutes."""
    for number in range(20):
        put(shelf, {**COFFEE, "key": f"cup{number}", "picture": None})
        found = shelf.call(
            "PUT", f"/rewards/cup{number}/picture?alt_en=A&alt_fr=B", raw=file("PNG", image(40 + number, 40)),
            kind="image/png",
        )  # fmt: skip
        assert found.status == 201
    member = visitor(shelf.enrol())
    pictures._known.clear()
    asked: list[int] = []
    usual = pictures.Kept

    def counted(*parts: Any, **more: Any) -> Any:
        asked.append(1)
        return usual(*parts, **more)

    pictures.Kept = counted  # type: ignore[misc, assignment]
    try:
        assert len(images(page(member, "/portal/club/rewards"))) == 20
        first = len(asked)
        assert len(images(page(member, "/portal/club/rewards"))) == 20
    finally:
        pictures.Kept = usual  # type: ignore[misc]
    assert (first, len(asked)) == (20, 20)


# --- the brand --------------------------------------------------------------------------------------------


def test_a_logo_goes_with_members_everywhere(shelf: Shop) -> None:
    owner = staff_client("owner", shelf.program_id)
    stranger = Client(SERVER_NAME="localhost")
    assert "#footprints" in page(stranger, "/portal/club/door").split("portal-head")[1].split("</header>")[0]
    assert (
        upload(owner, BRAND, file("PNG", image(600, 200)), alt_en="Stairs", alt_fr="Un escalier").status_code
        == 302
    )
    assert "by version 2" in page(owner, BRAND)
    program = shelf.get("/programs/club/versions/2").json["document"]
    source = program["brand"]["logo"]["source"]
    medium, icon = source.replace(".webp", "-480.webp"), source.replace(".webp", "-icon.png")

    door = page(stranger, "/portal/club/door")
    head = door.split("portal-head")[1].split("</header>")[0]
    assert images(head) == [medium]
    assert 'alt=""' in head
    assert "<span>Club</span>" in head
    assert 'alt="Stairs"' in door.split("<main")[1]
    assert f'<link rel="apple-touch-icon" href="{icon}">' in door
    assert f'<link rel="icon" href="{icon}"' in door
    for manifest in ("/portal/club/manifest.webmanifest", "/till/club/manifest.webmanifest"):
        assert [item["src"] for item in stranger.get(manifest).json()["icons"]] == [icon, icon]
    for worker in ("/portal/club/worker.js", "/till/club/sw.js"):
        assert medium in page(stranger, worker)
        assert "/portal/club/brand.css" in page(stranger, worker)
    member = visitor(shelf.enrol())
    for path in ("/portal/club/", "/portal/club/card", "/portal/club/rewards", "/portal/club/offline"):
        assert medium in page(member, path), path
    enrol = page(stranger, "/till/club/enrol-till")
    assert images(enrol) == [medium]
    assert "/portal/club/brand.css?v=2" in enrol
    shown = stranger.post(
        "/widget/club/show",
        {"language": "fr"},
        content_type="application/json",
        HTTP_ORIGIN="http://localhost",
    ).json()
    assert shown["logo"] == {
        "source": f"http://localhost{medium}",
        "text": "Un escalier",
        "width": 600,
        "height": 200,
    }

    # The name is not written twice where the logo says it; the logo then reads as the name.
    again = {"again": source, "says_name": "yes"}
    assert owner.post(BRAND, again).status_code == 302
    head = page(stranger, "/portal/club/door").split("portal-head")[1].split("</header>")[0]
    assert 'alt="Club"' in head
    assert "<span>Club</span>" not in head

    assert owner.post(BRAND, {"do": "remove"}).status_code == 302
    assert images(page(stranger, "/portal/club/door")) == []
    assert stranger.get("/portal/club/manifest.webmanifest").json()["icons"][0]["type"] == "image/svg+xml"
    assert owner.post(BRAND, {"again": source}).status_code == 302
    assert images(page(stranger, "/portal/club/door"))
    assert stored()[2] == 5


def test_colour_and_units(shelf: Shop) -> None:
    owner = staff_client("owner", shelf.program_id)
    look = {"do": "look", "accent": "#AA2255", "icon-stars": "gem", "icon-gifts": ""}
    assert owner.post(BRAND, look).status_code == 302
    program = shelf.get("/programs/club/versions/2").json["document"]
    assert program["brand"] == {"accent": "#aa2255"}
    assert [item.get("icon") for item in program["point_currencies"]] == ["gem", None]
    assert owner.post(BRAND, look).status_code == 302
    assert stored()[2] == 2, "nothing changed, so nothing is published"
    assert owner.post(BRAND, {**look, "accent": "red"}).status_code == 422
    assert owner.post(BRAND, {**look, "icon-stars": "<script>"}).status_code == 302
    assert stored()[2] == 2
    assert "--accent:#aa2255" in page(Client(SERVER_NAME="localhost"), "/portal/club/brand.css")


def test_what_takes_effect_later_keeps_the_logo(shelf: Shop) -> None:
    later = document(effective_from=now_text(30), name={"en": "Later", "fr": "Plus tard"})
    assert shelf.post("/programs/club/publish", later).status == 201
    assert upload(staff_client("owner", shelf.program_id), BRAND, file()).status_code == 302
    found = [shelf.get(f"/programs/club/versions/{number}").json for number in (3, 4)]
    assert [(item["document"]["name"]["en"], bool(item["document"]["brand"]["logo"])) for item in found] == [
        ("Club", True), ("Later", True),
    ]  # fmt: skip
    assert found[1]["document"]["effective_from"] == later["effective_from"]


def test_where_two_publish_the_brand_waits_for_the_second(shop: Shop) -> None:
    """What waits is the document with another logo, and differs from what is published in nothing else."""
    bonus = {"key": "spring_bonus", "name": {"en": "Bonus", "fr": "Bonus"}, "on": "sale", "currency": "stars",
             "fixed": "19"}  # fmt: skip
    campaign = {"key": "spring", "name": {"en": "Spring", "fr": "Printemps"}, "rules": [bonus]}
    data = document(approval_to_publish=True, campaigns=[campaign])
    data.pop("effective_from")
    assert shop.post("/programs/club/publish", data).status in (200, 201)
    before = stored()[2]
    client = staff_client("marketer", shop.program_id)
    sent = upload(client, BRAND, file())
    assert sent.status_code == 302
    assert "/studio/" in sent.url
    assert stored()[2] == before, "nothing is published by one alone"
    assert "put the draft before him" in page(client, sent.url)
    desk = page(client, sent.url.removesuffix("/publish"))
    changes = desk[desk.index('class="studio-changes"') :].split("</ul>")[0]
    assert "spring" not in changes
    assert changes.count("<li>") == 1, changes


def test_documents_written_out_after_all_that_change_nothing(shelf: Shop) -> None:
    owner = staff_client("owner", shelf.program_id)
    upload(owner, BRAND, file())
    upload(owner, PICTURE, file("JPEG"), "cup.jpg")
    from palier.programs import queries

    with database.connect("app") as connection:
        program = queries.document(connection, "club")
    assert program is not None
    read = files.read(files.write(program).encode(), "yaml")
    assert read.program == program
    reward = shelf.get("/rewards/coffee/versions").json["versions"][-1]["document"]
    assert shelf.call("PUT", "/rewards/coffee", reward).status == 200


def test_every_drawing_is_there() -> None:
    from palier.rewards.document import KINDS

    assert set(UNITS) | set(DRAWINGS.values()) <= known()
    assert set(DRAWINGS) == set(KINDS)
