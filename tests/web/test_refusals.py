"""What is refused is said in the reader's language: real pages in French, and guards that hold it for all of them."""

from __future__ import annotations

import ast
import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils.translation import override

from palier.engine.plan import Plan
from palier.engine.points import asked_for
from palier.engine.sentences import Thousands, all_of, changed, one_of, packed, sentence, unpacked
from palier.programs import gallery
from palier.site import clock, database
from palier.staff import accounts, admission
from palier.web.refusals import part, told
from tests.api.shop import Shop
from tests.web.messages import PAGES, PALIER
from tests.web.staff import staff_client
from tests.web.test_people import worked
from tests.web.test_studio import STUDIO, Marketer

RAISED = {
    "Refused", "Refusal", "LineRefused", "NotDone", "FileProblem", "RowProblem", "ImportFailed", "UploadRefused",
    "AmountError", "IdentityError", "PaymentCardNumber", "CodeError", "SourceError", "Problem",
}  # fmt: skip
"""What rooms refuse by, whose words pages show."""


def seen(answer: Any) -> str:
    """What a page says, without its tags."""
    return unescape(re.sub(r"[ \n\t]+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode())))


# --- sentences --------------------------------------------------------------------------------------------


def test_a_sentence_is_said_again_with_what_stands_in_it() -> None:
    kept = sentence('there is no %(what)s "%(key)s"', what=sentence("point currency"), key="sta'rs")
    assert str(kept) == 'there is no point currency "sta\'rs"'
    assert unpacked(packed(kept)) == kept
    assert str(changed(kept, str.upper)) == 'there is no point currency "STA\'RS"'
    assert str(unpacked("said by an older release")) == "said by an older release"
    assert str(sentence("%(error)s", error=ValueError("x"))) == "x"
    with override("fr"):
        assert told(kept) == "Il n’y a pas de sorte de points «\u00a0sta'rs\u00a0»."
        assert part(all_of(["a", "b", "c"])) == "a, b et c"
        assert part(one_of([])) == ""
        assert part(Thousands(1234567)) == "1\u202f234\u202f567"
    assert told(all_of(["a", "b"])) == "A and b."
    assert str(sentence("%(size)s", size=Thousands(1234567))) == "1,234,567"


def test_points_are_called_as_the_program_calls_them() -> None:
    program = next(entry for entry in gallery.entries() if entry.key == "grocery").program()
    key = program.point_currencies[0].key
    why = asked_for(Plan(program, 1), key, 123_450, 40, sentence("can be spent"))
    assert told(why) == "123,450 stars asked, 40 can be spent."
    with override("fr"):
        assert told(why) == "Demande de 123\u202f450 étoiles, 40 utilisables."


@pytest.mark.guard
def test_whatever_rooms_refuse_can_be_said_in_french() -> None:
    """Repair: `sentence("there is no %(what)s", what=...)` in place of a text, and its French in the catalogue.

    That each sentence has its French is held where the catalogues are (`test_design`).
    """
    for path in PALIER.rglob("*.py"):
        room = path.relative_to(PALIER).parts[0]
        if path.is_relative_to(PAGES) or room in ("cli", "site", "api"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else ""
                if name not in RAISED or _of_its_own(path.name, name):
                    continue
                for given in node.args:
                    parts = given.values if isinstance(given, ast.JoinedStr) else [given]
                    texts = [part.value for part in parts if isinstance(part, ast.Constant)]
                    # What has no space is a code, or the name of a field.
                    assert not any(isinstance(text, str) and " " in text for text in texts), (
                        f"{path.relative_to(PALIER)}:{node.lineno}: {name} in English alone"
                    )


def _of_its_own(module: str, name: str) -> bool:
    # A supplier's catalogue is loaded by the command line, with refusals of its own of that name.
    return module == "operations.py" and name == "Refusal"


# --- imports ----------------------------------------------------------------------------------------------


def test_rows_of_a_file_are_refused_in_french(shop: Shop) -> None:
    client = staff_client("marketer", shop.program_id, language="fr")
    rows = [
        "Ticket;Quand;Client;Total",
        "T1;2026-03-01 10:00;k1;5,00",
        "T2;jamais;k2;5,00",
        "T3;2026-03-01 10:00;k3;5,001",
        "T4;2026-03-01 10:00;k4;1.005,00",
    ]
    body = "\n".join([*rows, ""]).encode()
    begun = client.post(
        f"/console/{shop.key}/imports/begin", {"name": "mars.csv", "length": str(len(body))}
    ).json()
    client.post(f"{begun['piece']}?at=0", body, content_type="application/octet-stream")
    page = seen(client.get(begun["then"]))
    assert "Aucune colonne pour source, occurred_at parmi Ticket, Quand, Client, Total." in page
    form = {
        "column_0": "Ticket", "field_0": "id", "column_1": "Quand", "field_1": "occurred_at",
        "column_2": "Client", "field_2": "member.external_id", "column_3": "Total", "field_3": "amount",
        "same_source": "till", "decimal": ",", "enrol": "yes",
    }  # fmt: skip
    page = seen(client.post(f"{begun['then']}/look", form))
    never = (
        "«\u00a0jamais\u00a0» n’est pas une date et heure comme 2026-03-01 10:00\u202f; "
        "dites comment les dates s’écrivent, par exemple %d/%m/%Y %H:%M"
    )
    fine = (
        "amount\u00a0: 5.001 a plus de 2 décimales\u202f; envoyez des chiffres avec au plus 2 décimales, "
        "et au plus 100000000000.00"
    )
    points = "«\u00a01.005,00\u00a0» a d’autres séparateurs que la virgule des décimales\u202f; enlevez-les"
    for line, reason in ((3, never), (4, fine), (5, points)):
        assert f"Ligne {line}\u00a0: {reason}" in page
    assert client.post(f"{begun['then']}/step/start", form).status_code == 302
    worked(shop)
    refused = client.get(f"{begun['then']}/refused.csv").content.decode()
    for reason in (never, fine, points):
        assert reason in refused
    # The same file of refused lines says the same to a reader of English.
    english = staff_client("marketer", shop.program_id, email="en@example.org")
    assert "'5.001' has" not in english.get(f"{begun['then']}/refused.csv").content.decode()
    assert "5.001 has more than 2 decimals" in english.get(f"{begun['then']}/refused.csv").content.decode()
    long = client.post(f"/console/{shop.key}/imports/begin", {"name": "a.csv", "length": "0"})
    assert long.json() == {"said": "Le fichier est vide. Exportez-le de nouveau, avec une ligne d’en-tête."}


def test_an_import_that_failed_says_why_in_french(shop: Shop) -> None:
    client = staff_client("marketer", shop.program_id, language="fr")
    body = b"id;occurred_at;member;amount;source\nT1;2026-03-01T10:00Z;k1;5.00;till\n"
    begun = client.post(
        f"/console/{shop.key}/imports/begin", {"name": "mars.csv", "length": str(len(body))}
    ).json()
    client.post(f"{begun['piece']}?at=0", body, content_type="application/octet-stream")
    assert client.post(f"{begun['then']}/step/start", {}).status_code == 302
    number = int(begun["then"].rsplit("/", 1)[1])
    with database.connect("app") as connection:
        from palier.activities import uploads

        found = uploads.read(connection, shop.program_id, number)
        assert found is not None
        uploads.path_of(found).write_bytes(b"\x1f\x8b" + body)
    worked(shop)
    page = seen(client.get(begun["then"]))
    assert "Mars.csv est compressé. Décompressez-le d’abord (gunzip)." in page


# --- the studio and the catalogue -------------------------------------------------------------------------


def test_what_is_wrong_with_a_program_is_said_in_french(shop: Shop) -> None:
    writer = Marketer(shop, language="fr")
    writer.begin()
    text = writer.text()
    writer.write(text.replace("per_spend: {points", "per_spent: {points"))
    page = unescape(writer.get())
    assert (
        "«\u00a0per_spent\u00a0» n’est pas un réglage ici. Vouliez-vous dire «\u00a0per_spend\u00a0»\u202f?"
        in page
    )
    writer.write(text.replace("currency: EUR", "currency: EUX"))
    page = unescape(writer.get())
    assert "EUX n’est pas un code de monnaie." in page
    assert re.search(r"Vouliez-vous dire [A-Z]{3}\u202f\?", page)
    answer = writer.client.post(f"{writer.path}/publish", {"sure": "yes"})
    assert "Le brouillon ne peut pas encore être publié\u00a0: ligne" in seen(answer)
    empty = writer.client.post(f"{STUDIO}begin", {"name": " ", "start": "version:1"})
    assert "Un brouillon a besoin d’un nom, pour que les autres sachent à quoi il sert." in seen(empty)


def test_what_is_wrong_with_a_reward_is_said_in_french(shop: Shop) -> None:
    client = staff_client("marketer", shop.program_id, language="fr")
    document = (
        "key: mug\nname: {en: Mug, fr: Tasse}\ngives: {kind: product}\nprices:\n  - points: {stirs: '5'}\n"
    )
    page = seen(client.post(f"/console/{shop.key}/rewards/-/judge", {"document": document}))
    assert "Un produit a besoin de sku ou de category." in page
    assert (
        "Il n’y a pas de sorte de points «\u00a0stirs\u00a0». Vouliez-vous dire «\u00a0stars\u00a0»\u202f?"
        in page
    )


# --- the desk ---------------------------------------------------------------------------------------------


def test_the_desk_refuses_in_french(shop: Shop) -> None:
    client = staff_client("owner", language="fr")
    with database.connect() as connection:
        [chief] = [one for one in accounts.listed(connection) if "owner" in {g.role for g in one.grants}]
    close = client.post(f"/console/{shop.key}/staff/{chief.account_id}/close")
    assert (
        "C’est la dernière personne responsable de tous les programmes\u202f; nommez-en d’abord une autre."
    ) in seen(close)
    paid = client.post(
        f"/console/{shop.key}/keys/new", {"name": "4111 1111 1111 1111", "right": "programs:read"}
    )
    assert (
        "Le nom de la clé contient le numéro d’une carte bancaire\u202f; nommez le système qui s’en servira."
        in seen(paid)
    )
    with database.connect() as connection:
        _, token = admission.invite(
            connection,
            email="n@example.org",
            name="N",
            grants=list(chief.grants),
            now=clock.now(),
            actor="test",
        )
        connection.commit()
    welcome = Client(SERVER_NAME="localhost", HTTP_ACCEPT_LANGUAGE="fr")
    short = welcome.post(f"/console/welcome-to/{token}", {"password": "short"})
    assert re.search(
        r"Un mot de passe a de \d+ à \d+ caractères\u202f; une phrase va très bien\.", seen(short)
    )
