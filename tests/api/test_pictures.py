"""Pictures over HTTP: brought by integrations, served to everybody who knows their address, and to nobody else."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from palier.programs import files, pictures
from palier.site import database
from palier.staff.queries import RIGHTS
from tests.api.shop import Answered, Shop, document, now_text
from tests.connectors.drawings import file, image, opened, png, somewhere

MUG = {
    "key": "mug",
    "name": {"en": "Mug", "fr": "Tasse"},
    "gives": {"kind": "merchandise"},
    "prices": [{"points": {"stars": "500"}}],
}
SAID = {"alt_en": "A red mug", "alt_fr": "Une tasse rouge"}


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    assert shop.call("PUT", "/rewards/mug", MUG).status == 201
    return shop


def send(
    shop: Shop, path: str, raw: bytes, kind: str = "image/png", method: str = "PUT", **query: Any
) -> Answered:
    options = {name: query.pop(name) for name in ("token", "idempotency") if name in query}
    return shop.call(method, f"{path}?{urlencode(query)}" if query else path, raw=raw, kind=kind, **options)


def versions(shop: Shop, reward: str = "mug") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shop.get(f"/rewards/{reward}/versions").json["versions"]
    return found


def logged(action: str) -> list[tuple[str, str, str]]:
    with database.connect() as connection:
        return connection.execute(
            "select actor, object, reason from audit_log where action = %s order by seq", (action,)
        ).fetchall()


def rows() -> int:
    with database.connect() as connection:
        found = connection.execute("select count(*) from picture").fetchone()
    assert found is not None
    return int(found[0])


def test_a_picture_from_its_file_to_the_catalogue(stocked: Shop) -> None:
    """Stored, written into a version, told with its sizes, served for good; the log says who brought it."""
    put = send(stocked, "/rewards/mug/picture", somewhere(), "image/jpeg", **SAID, reason="new photo")
    assert (put.status, put.json["version"]) == (201, 2), put.content
    source = put.json["source"]
    read = stocked.get("/rewards/mug?lang=fr").json["picture"]
    name = source.removesuffix(".webp")
    assert read == {
        "source": source,
        "alt": "Une tasse rouge",
        "sizes": {"96": f"{name}-96.webp", "480": f"{name}-480.webp", "960": source},
    }
    assert stocked.get("/rewards").json["rewards"][0]["picture"]["source"] == source
    assert [item["reason"] for item in versions(stocked)] == ["", "new photo"]

    stranger = Client(SERVER_NAME="localhost")
    bodies = []
    for edge, address in read["sizes"].items():
        served = stranger.get(address)
        assert served.status_code == 200
        assert served["Content-Type"] == "image/webp"
        assert served["Cache-Control"] == "public, max-age=31536000, immutable"
        assert served["X-Content-Type-Options"] == "nosniff"
        assert served["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert served["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert "Set-Cookie" not in served
        assert max(opened(served.content).size) == min(int(edge), 640)
        assert b"Somebody" not in served.content
        assert stranger.head(address).status_code == 200
        assert stranger.post(address).status_code == 405
        bodies.append(served.content)
    digest = source.split("/")[-1].removesuffix(".webp")
    assert sha256(b"".join(bodies)).hexdigest() == digest
    (entry,) = logged("picture.keep")
    assert entry[0].startswith("key:")
    assert entry[1] == f"picture:club:{digest}"

    again = send(stocked, "/rewards/mug/picture", somewhere(), "image/jpeg", **SAID)
    assert (again.status, again.json["version"]) == (200, 2)
    assert (rows(), len(logged("picture.keep"))) == (1, 1)


def test_taken_away_and_shown_again(stocked: Shop) -> None:
    first = send(stocked, "/rewards/mug/picture", file(), **SAID).json
    gone = stocked.call("DELETE", "/rewards/mug/picture?reason=season")
    assert (gone.status, gone.json["version"], gone.json["source"]) == (201, 3, None)
    assert stocked.get("/rewards/mug").json["picture"] is None
    assert stocked.call("DELETE", "/rewards/mug/picture").status == 200
    assert Client(SERVER_NAME="localhost").get(first["source"]).status_code == 200
    back = send(stocked, "/rewards/mug/picture", file(), **SAID)
    assert (back.status, back.json["source"], rows()) == (201, first["source"], 1)
    stocked.call("DELETE", "/rewards/cup/picture").problem(404, "unknown_reward")
    send(stocked, "/rewards/cup/picture", file("WEBP"), "image/webp", **SAID).problem(404, "unknown_reward")
    assert rows() == 1, "what was refused stored nothing"


def test_a_version_that_begins_later_has_it_too(stocked: Shop) -> None:
    later = {**MUG, "name": {"en": "Large mug", "fr": "Grande tasse"}, "effective_from": now_text(3600)}
    assert stocked.call("PUT", "/rewards/mug", later).status == 201
    put = send(stocked, "/rewards/mug/picture", file(), **SAID)
    assert put.status == 201
    last = [item["document"] for item in versions(stocked)[-2:]]
    assert [(item["name"]["en"], item["picture"]["source"]) for item in last] == [
        ("Mug", put.json["source"]), ("Large mug", put.json["source"]),
    ]  # fmt: skip
    assert stocked.get("/rewards/mug").json["name"] == "Mug"


def test_stored_first_and_named_by_documents(stocked: Shop) -> None:
    kept = send(stocked, "/pictures", file(), method="POST")
    assert kept.status == 201
    assert (kept.json["width"], kept.json["height"]) == (640, 400)
    assert send(stocked, "/pictures", file(), method="POST").status == 200
    reward = {**MUG, "picture": {"source": kept.json["source"], "alt": {"en": "A mug", "fr": "Une tasse"}}}
    written = stocked.call("PUT", "/rewards/mug", reward)
    assert written.status == 201
    assert "no_picture" not in [item["code"] for item in written.json["findings"]]
    elsewhere = {**MUG, "picture": {"source": "https://cdn.example.org/mug.png", "alt": {"en": "A mug"}}}
    assert stocked.call("PUT", "/rewards/mug", elsewhere).status == 201
    assert stocked.get("/rewards/mug").json["picture"]["sizes"] is None
    for source in (
        "javascript:alert(1)",
        "//x.example/a.png",
        "/../a",
        "/a b",
        "http://x.example/a.png",
        "/a'b",
    ):
        wrong = {**MUG, "picture": {"source": source, "alt": {"en": "A mug"}}}
        found = stocked.call("PUT", "/rewards/mug", wrong).problem(422, "invalid_reward")
        assert found["errors"][0]["field"] == "picture.source"


def test_a_form_brings_a_file_too(stocked: Shop) -> None:
    def form(**parts: Any) -> bytes:
        return encode_multipart(BOUNDARY, parts)

    good = form(picture=SimpleUploadedFile("mug.png", file()))
    assert send(stocked, "/rewards/mug/picture", good, MULTIPART_CONTENT, **SAID).status == 201
    for wrong in (
        form(), form(file=SimpleUploadedFile("mug.png", file())), form(picture="no file"),
        form(picture=SimpleUploadedFile("mug.png", file()), more="x"),
        form(picture=SimpleUploadedFile("mug.png", file()), other=SimpleUploadedFile("mug.png", file())),
    ):  # fmt: skip
        send(stocked, "/rewards/mug/picture", wrong, MULTIPART_CONTENT, **SAID).problem(
            422, "malformed", "picture"
        )
    empty = form(picture=SimpleUploadedFile("mug.png", b""))
    send(stocked, "/rewards/mug/picture", empty, MULTIPART_CONTENT, **SAID).problem(422, "picture_missing")
    for broken in (b"", b"no form", good[:-120]):
        found = send(stocked, "/rewards/mug/picture", broken, MULTIPART_CONTENT, **SAID)
        assert found.status in (415, 422), found.content
    named = form(picture=SimpleUploadedFile("mug.svg", file()))
    send(stocked, "/rewards/mug/picture", named, MULTIPART_CONTENT, **SAID).problem(422, "picture_name")


def test_what_is_no_picture_changes_nothing(stocked: Shop) -> None:
    refusals = [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/png", 422, "picture_type"),
        (file("JPEG"), "image/png", 422, "picture_name"),
        (file()[:-40], "image/png", 422, "picture_broken"),
        (file() + b"<?php system($_GET[0]); ?>", "image/png", 422, "picture_holds_more"),
        (png(60_000, 60_000, b"x"), "image/png", 422, "picture_too_many_pixels"),
        (png(8, 8, b"x"), "image/png", 422, "picture_too_small"),
        (file(), "image/svg+xml", 415, "unsupported_media_type"),
        (file(), "text/html", 415, "unsupported_media_type"),
        (file() + bytes(2_000_000), "image/png", 413, "body_too_large"),
    ]
    for path in ("/rewards/mug/picture", "/programs/club/logo"):
        for raw, kind, status, code in refusals:
            found = send(stocked, path, raw, kind, **SAID).problem(status, code)
            if status == 422:
                assert found["field"] == "picture"
                assert found["remedy"]
    send(stocked, "/rewards/mug/picture", file()).problem(422, "malformed", "alt_en")
    send(stocked, "/programs/club/logo", file(), alt_en="A mug").problem(422, "not_publishable")
    send(stocked, "/rewards/mug/picture", file(), alt_en="x" * 201).problem(422, "malformed", "alt_en")
    assert (rows(), len(versions(stocked)), logged("picture.keep")) == (0, 1, [])
    assert len(stocked.get("/programs/club/versions").json["versions"]) == 1


def test_who_may(stocked: Shop) -> None:
    for path, right in (("/rewards/mug/picture", "rewards:write"), ("/programs/club/logo", "programs:write")):
        lacking = stocked.new_key([item for item in RIGHTS if item != right]).token
        alone = stocked.new_key([right]).token
        for method in ("PUT", "DELETE"):
            send(stocked, path, file(), method=method, token=lacking).problem(403, "forbidden")
            assert stocked.call(method, path, token="").status == 401
        assert send(stocked, path, file(), token=alone, **SAID).status == 201
    lacking = stocked.new_key([item for item in RIGHTS if item != "rewards:write"]).token
    send(stocked, "/pictures", file(), method="POST", token=lacking).problem(403, "forbidden")
    other = Shop("other", document("other"))
    send(other, "/programs/club/logo", file(), **SAID).problem(404, "unknown_program")
    send(other, "/rewards/mug/picture", file(), **SAID).problem(404, "unknown_reward")


def test_nobody_comes_upon_a_picture(stocked: Shop) -> None:
    """Whatever is not the very address is nothing, in the same words: other programs, sizes, hashes, ways up."""
    other = Shop("other", document("other"))
    source = send(stocked, "/pictures", file(), method="POST").json["source"]
    digest = source.split("/")[-1].removesuffix(".webp")
    stranger = Client(SERVER_NAME="localhost")
    assert stranger.get(source).status_code == 200
    missing = stranger.get(f"/pictures/club/{'0' * 64}.webp")
    for path in (
        f"/pictures/other/{digest}.webp", f"/pictures/nobody/{digest}.webp", f"/pictures/club/{digest}",
        f"/pictures/club/{digest}.png", f"/pictures/club/{digest}-48.webp", f"/pictures/club/{digest.upper()}.webp",
        f"/pictures/club/{digest[:63]}.webp", f"/pictures/club/{digest}-icon.png",
        f"/pictures/club/{digest}.webp%0a", "/pictures/club/..%2f..%2fetc%2fpasswd", "/pictures/club/%25.webp",
    ):  # fmt: skip
        found = stranger.get(path)
        assert (found.status_code, found.content) == (404, missing.content), path
    # Naming another program's picture shows it to nobody: it is looked for among one's own.
    assert pictures.digest_of("other", source) is None
    reward = {**MUG, "picture": {"source": source, "alt": {"en": "A mug"}}}
    assert other.call("PUT", "/rewards/mug", reward).status == 201
    assert other.get("/rewards/mug").json["picture"]["sizes"] is None


def test_sent_twice_is_done_once(stocked: Shop) -> None:
    first = send(stocked, "/rewards/mug/picture", file(), idempotency="one", **SAID)
    again = send(stocked, "/rewards/mug/picture", file(), idempotency="one", **SAID)
    assert (first.status, first.json) == (201, again.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    send(stocked, "/rewards/mug/picture", file("WEBP"), idempotency="one", **SAID).problem(
        422, "idempotency_key_reused"
    )
    assert len(versions(stocked)) == 2


# --- the logo ---------------------------------------------------------------------------------------------


def test_a_logo_is_a_version_of_the_program(shop: Shop) -> None:
    put = send(shop, "/programs/club/logo", file(), **SAID, says_name="true", reason="new sign")
    assert (put.status, put.json["version"]) == (201, 2), put.content
    brand = shop.get("/programs/club/versions/2").json["document"]["brand"]
    assert brand["accent"] == "#1c5d45"
    assert brand["logo_says_name"] is True
    assert brand["logo"]["alt"] == {"en": "A red mug", "fr": "Une tasse rouge"}
    icon = Client(SERVER_NAME="localhost").get(brand["logo"]["source"].replace(".webp", "-icon.png"))
    assert (icon.status_code, icon["Content-Type"], opened(icon.content).size) == (
        200,
        "image/png",
        (512, 512),
    )
    assert [(entry[1], entry[2]) for entry in logged("program.publish")] == [("program:club:2", "new sign")]
    same = send(shop, "/programs/club/logo", file(), **SAID, says_name="true")
    assert (same.status, same.json["version"]) == (200, 2)
    gone = shop.call("DELETE", "/programs/club/logo")
    assert (gone.status, gone.json["version"]) == (201, 3)
    assert "logo" not in shop.get("/programs/club/versions/3").json["document"]["brand"]
    assert shop.call("DELETE", "/programs/club/logo").status == 200


def test_documents_with_pictures_written_out_and_in_again_change_nothing(shop: Shop) -> None:
    send(shop, "/programs/club/logo", file(), **SAID)
    exported = shop.get("/programs/club/versions/2").json["document"]
    assert shop.post("/programs/club/publish", exported).status == 200
    text = files.write(files.from_builtins(exported).program)  # type: ignore[arg-type]
    again = shop.call("POST", "/programs/club/publish", raw=text.encode(), kind="application/yaml")
    assert (again.status, again.json["version"]) == (200, 2)


# --- the table --------------------------------------------------------------------------------------------


def test_the_database_keeps_pictures_as_they_are(stocked: Shop) -> None:
    """A row is named by its bytes, which nobody can change under that name; the run-time role changes nothing."""
    send(stocked, "/pictures", file(), method="POST")
    forged = (
        "insert into picture select program_id, repeat('0', 64), width, height, small, medium, large, icon, "
        "made_at, made_by from picture"
    )
    for role, statement in (
        ("app", "update picture set width = 1"),
        ("owner", "update picture set large = ''"),
        ("app", "truncate picture"),
        ("app", forged),
        ("owner", forged),
        ("auditor", "select large from picture"),
    ):
        with database.connect(role) as connection, pytest.raises(psycopg.Error):  # type: ignore[arg-type]
            connection.execute(statement)
    assert rows() == 1


def test_one_that_must_not_be_shown_is_taken_away(stocked: Shop) -> None:
    source = send(stocked, "/rewards/mug/picture", file(drawn=image(300, 300)), **SAID).json["source"]
    with database.connect("app") as connection:
        gone = [
            pictures.forget(
                connection,
                stocked.program_id,
                "club",
                source,
                by="cli:me",
                reason="a right of somebody",
                now=1,
            )
            for _ in range(2)
        ]
        connection.commit()
    assert gone == [True, False]
    assert Client(SERVER_NAME="localhost").get(source).status_code == 404
    assert [entry[2] for entry in logged("picture.forget")] == ["a right of somebody"]
    assert stocked.get("/rewards/mug").json["picture"]["source"] == source
