"""The studio, as marketers use it: drafts, the form and the text of one document, publishing, backtests."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from palier.engine.program import meanings
from palier.jobs.backtests import play_next
from palier.programs import files, gallery, queries
from palier.programs.source import read_yaml
from palier.site import database
from palier.web.console.studio import forms
from palier.web.console.studio.views import draft_ref
from palier.web.console.studio.wording import NAMES, has_french
from tests.api.shop import Shop
from tests.web.staff import staff_client

STUDIO = "/console/club/studio/"


class Marketer:
    """A browser of a marketer with a draft open."""

    def __init__(self, shop: Shop, *, language: str = "en", role: Any = "marketer", email: str = "") -> None:
        self.shop = shop
        self.client: Client = staff_client(role, shop.program_id, language=language, email=email)
        self.path = ""

    def begin(self, start: str = "version:1") -> None:
        answer = self.client.post(f"{STUDIO}begin", {"name": "Summer", "start": start})
        assert answer.status_code == 302
        self.path = answer["Location"]

    def get(self, path: str = "", status: int = 200) -> str:
        answer = self.client.get(path or self.path)
        assert answer.status_code == status, answer.content[:500]
        return answer.content.decode()

    def text(self) -> str:
        found = re.search(r"<textarea id=.yaml.[^>]*>\n(.*?)</textarea>", self.get(), re.S)
        assert found is not None
        return unescape(found[1])

    def head(self) -> str:
        found = re.search(r'name="made_from" value="(\d+)"', self.get())
        assert found is not None
        return found[1]

    def fields(self, at: str) -> dict[str, list[str]]:
        """What the form of a part holds, as a browser would send it."""
        page = self.get(f"{self.path}?at={at}")
        start = page.index('id="studio-form"')
        form = page[start : page.index("</form>", start)]
        sent: dict[str, list[str]] = {}
        for tag in re.findall(r"<input [^>]*>", form):
            name = re.search(r'name="([^"]*)"', tag)
            if name is None or ("checkbox" in tag and "checked" not in tag):
                continue
            value = re.search(r'value="([^"]*)"', tag)
            sent.setdefault(unescape(name[1]), []).append(unescape(value[1]) if value else "")
        for found, options in re.findall(r'<select [^>]*?name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
            chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
            sent[unescape(found)] = [unescape(chosen[1])] if chosen else [""]
        for found, written in re.findall(r'<textarea [^>]*?name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.S):
            sent[unescape(found)] = [unescape(written)]
        return sent

    def fill(self, at: str, act: str = "save", status: int = 302, **fields: str | list[str]) -> HttpResponse:
        """Sends the form of a part with some fields changed; a field's dots are written as two underscores."""
        changed = {name.replace("__", "."): value for name, value in fields.items()}
        answer = self.client.post(self.path, {**self.fields(at), **changed, "act": act})
        assert answer.status_code == status, answer.content[:2000]
        return answer

    def write(self, text: str, status: int = 302, made_from: str = "") -> HttpResponse:
        answer = self.client.post(
            self.path, {"pane": "text", "text": text, "made_from": made_from or self.head()}
        )
        assert answer.status_code == status
        return answer


@pytest.fixture
def marketer(shop: Shop) -> Marketer:
    found = Marketer(shop)
    found.begin()
    return found


def section_paths(data: dict[str, Any]) -> list[str]:
    """Every part of a document that the form opens."""
    paths = [""]
    for section in forms.SECTIONS:
        value = data.get(section)
        paths += [f"{section}[{index}]" for index in range(len(value))] if isinstance(value, list) else []
        paths += [section] if isinstance(value, dict) else []
    return paths


def test_sending_a_form_as_it_is_changes_nothing(marketer: Marketer) -> None:
    """Every part of a program that has nearly everything: what a form shows is what its text says."""
    entry = gallery.find("showcase")
    assert entry is not None
    text = gallery.with_key(entry.document.read_text(), "club")
    marketer.write(text)
    before = marketer.head()
    for path in section_paths(read_yaml(text.encode()).data):
        marketer.fill(path)
    assert marketer.head() == before
    assert marketer.text() == text


def test_the_money_of_a_program_is_chosen_among_currencies_and_not_among_points(marketer: Marketer) -> None:
    asked = re.search(r'<select[^>]*name="currency".*?</select>', marketer.get(f"{marketer.path}?at="), re.S)
    assert asked is not None
    offered = re.findall(r'<option value="([^"]*)"( selected)?', asked[0])
    assert [code for code, chosen in offered if chosen] == ["EUR"]
    assert {"CHF", "EUR", "JPY", "USD"} < {code for code, _ in offered}
    assert "stars" not in {code for code, _ in offered}


def test_form_and_text_say_the_same_and_everything_else_stays(marketer: Marketer) -> None:
    entry = gallery.find("cafe_stars")
    assert entry is not None
    text = gallery.with_key(entry.document.read_text(), "club")
    marketer.write(text)
    field = {"rules[0].per_spend.points": "1,5", "rules[0].name.en": '<script>alert("x")</script>'}
    answer = marketer.client.post(marketer.path, {**marketer.fields("rules[0]"), **field, "act": "save"})
    assert answer.status_code == 302
    written = marketer.text()
    assert 'per_spend: {points: "1.5", every: "1.00"}' in written
    # Two lines are others; the comments are all there.
    assert len(set(text.splitlines()) - set(written.splitlines())) == 2
    page = marketer.get(f"{marketer.path}?at=rules[0]&words=fr")
    assert "<script>alert" not in page
    assert "1,5" in page
    assert "étoile" in page
    # A condition is added, changed, and taken out again, with a list, a number, and a choice.
    marketer.fill("rules[0]", "add:rules[0].when")
    marketer.fill("rules[0]", "compare:rules[0].when")
    marketer.fill("rules[0]", **{"rules[0].when.all[1].field": "category"})
    marketer.fill(
        "rules[0]",
        **{"rules[0].when.all[1]#is.operator": "in", "rules[0].when.all[1]#is.value": "bread, cake"},
    )
    data = read_yaml(marketer.text().encode()).data
    assert data["rules"][0]["when"] == {
        "all": [{"field": "weekday", "is": "monday"}, {"field": "category", "in": ["bread", "cake"]}]
    }
    assert "bread" in marketer.get(f"{marketer.path}?at=rules[0]")
    marketer.fill("rules[0]", "remove:rules[0].when.all[1]")
    marketer.fill("rules[0]", "remove:rules[0].when.all[0]")
    assert "when" not in read_yaml(marketer.text().encode()).data["rules"][0]
    # A new part of each kind, as it is added, can be opened, sent, and taken out.
    before = marketer.text()
    for section in forms.SECTIONS:
        if section in read_yaml(marketer.text().encode()).data and section != "rules":
            continue
        marketer.fill("", f"add:{section}")
        path = next(
            p for p in section_paths(read_yaml(marketer.text().encode()).data) if p.startswith(section)
        )
        path = "rules[1]" if section == "rules" else path
        marketer.fill(path)
        marketer.fill(path, f"remove:{path}")
        assert read_yaml(marketer.text().encode()).data == read_yaml(before.encode()).data, section


def test_what_is_past_when_it_is_published_is_told_before(marketer: Marketer) -> None:
    marketer.write(re.sub(r"(?m)^effective_from:.*\n", "", marketer.text()))
    marketer.fill("rules[0]", **{"rules[0].active_until": "2020-12-31"})
    for page in (marketer.get(f"{marketer.path}?at=rules[0]"), marketer.get(f"{marketer.path}/publish")):
        assert "he rule ends before this version starts" in page
    marketer.fill("rules[0]", **{"rules[0].active_until": "2999-12-31"})
    for page in (marketer.get(f"{marketer.path}?at=rules[0]"), marketer.get(f"{marketer.path}/publish")):
        assert "ends before this version starts" not in page


def test_what_is_wrong_is_said_with_its_place_and_nothing_is_lost(shop: Shop, marketer: Marketer) -> None:
    text = marketer.text()
    wrong = text.replace("per_spend: {points", "per_spent: {points")
    marketer.write(wrong)
    page = marketer.get()
    line = wrong[: wrong.index("per_spent")].count("\n") + 1
    assert f'data-line="{line}"' in page
    assert "Did you mean &quot;per_spend&quot;?" in page
    assert "at=rules%5B0%5D" in page
    unreadable = f"{text}\nrules: ["
    marketer.write(unreadable)
    page = marketer.get()
    assert "The form comes back as soon as the text can be read." in page
    assert marketer.text() == unreadable
    form = {"pane": "form", "made_from": marketer.head(), "name.en": "X", "act": "save"}
    assert b"cannot be read at line" in marketer.client.post(marketer.path, form).content
    page = marketer.write("x" * 1_500_000, status=422).content.decode()
    assert "1,000,000" in page
    assert marketer.text() == unreadable
    french = Marketer(shop, language="fr", email="fr@example.org")
    french.path = marketer.path
    page = french.get()
    assert "«\u00a0rules\u00a0» est déjà là, à la ligne" in page
    assert "this is not" not in page
    assert 'class="small quiet" lang="en"' not in page
    # Undo leads back step by step, and redo forth again.
    for expected in (wrong, text):
        head = marketer.head()
        undo = re.search(r'value="(undo:\d+)"', marketer.get())
        assert undo is not None
        assert marketer.client.post(marketer.path, {"made_from": head, "act": undo[1]}).status_code == 302
        assert marketer.text() == expected
    redo = re.search(r'value="(redo:\d+)"', marketer.get())
    assert redo is not None
    marketer.client.post(marketer.path, {"made_from": marketer.head(), "act": redo[1]})
    assert marketer.text() == wrong


def test_two_who_write_at_once_lose_nothing(shop: Shop, marketer: Marketer) -> None:
    ben = Marketer(shop, email="ben@example.org")
    ben.path, head = marketer.path, marketer.head()
    mine, theirs = (f"# {name}\n{marketer.text()}" for name in ("mine", "theirs"))
    ben.write(theirs, made_from=head)
    page = marketer.client.post(
        marketer.path,
        {"pane": "text", "text": mine, "made_from": head},
        headers={"X-Requested-With": "fetch"},
    ).content.decode()
    assert "saved this draft while you were writing" in page
    assert "# theirs" in page
    assert "<html" not in page
    choose = re.search(r'value="(choose:(\d+))"', page)
    assert choose is not None
    assert "# mine" in marketer.get(f"{marketer.path}/saves?number={choose[2]}")
    marketer.client.post(marketer.path, {"made_from": marketer.head(), "act": choose[1]})
    assert marketer.text() == mine


def test_a_draft_is_played_published_and_gone_back_from(shop: Shop, marketer: Marketer) -> None:
    member = shop.enrol()
    shop.sale(member, "250.00")
    marketer.fill("rules[0]", **{"rules[0].per_spend.points": "2"})
    answer = marketer.client.post(f"{marketer.path}/backtest", {"points": "100", "currency": "stars"})
    run = answer["Location"]
    assert marketer.client.get(run)["Refresh"] == "2"
    with database.connect("app") as connection:
        assert play_next(connection)
    page = marketer.get(run)
    for said in ("1 member would have earned more.", "What does it cost?", "Who reaches which tier?", member):
        assert said in page, said
    assert page.count('<svg class="chart wide"') == page.count("<table>") - 1 == 4
    page = marketer.get(f"{marketer.path}/publish")
    assert "1 member would have earned more." in page
    assert "Rule base, points per spend, points: 1 becomes 2" in page
    sent = {"number": marketer.head(), "when": "now"}
    assert len(queries_of(shop)) == 1
    marketer.client.post(f"{marketer.path}/publish", sent)  # not confirmed: nothing happens
    assert len(queries_of(shop)) == 1
    past = {**sent, "when": "date", "starts": "2021-01-01T00:00", "confirmed": "yes"}
    answer = marketer.client.post(f"{marketer.path}/publish", past)
    assert (answer.status_code, len(queries_of(shop))) == (422, 1)
    assert b"Nothing was changed" in answer.content
    for far in ("9999-12-31T23:59", "0001-01-01T00:00"):
        answer = marketer.client.post(f"{marketer.path}/publish", {**past, "starts": far})
        assert (answer.status_code, len(queries_of(shop))) == (422, 1)
        assert b"too far away" in answer.content
    assert marketer.client.post(f"{marketer.path}/publish", {**sent, "confirmed": "yes"}).status_code == 302
    assert "Version 2 is published" in marketer.get(STUDIO)
    exported = marketer.get(f"{STUDIO}versions/1/file")
    assert files.read(exported.encode(), "yaml").program == queries_of(shop)[1]
    marketer.get(f"{STUDIO}versions/1")
    back = marketer.client.post(f"{STUDIO}versions/1/publish", {"when": "now", "confirmed": "yes"})
    assert back.status_code == 302
    latest = queries_of(shop)
    assert len(latest) == 3
    assert latest[3].rules == latest[1].rules
    # What a second person must approve is asked for, and shown while it waits.
    marketer.begin("version:3")
    marketer.fill("", approval_to_publish="true")
    marketer.client.post(f"{marketer.path}/publish", {"when": "now", "confirmed": "yes"})
    marketer.begin("gallery:cafe_stars")
    assert "key: club" in marketer.text()
    marketer.begin("version:4")
    marketer.fill("", **{"name.en": "Better club"})
    assert "Ask a second person" in marketer.get(f"{marketer.path}/publish")
    marketer.client.post(f"{marketer.path}/publish", {"when": "now", "confirmed": "yes"})
    assert "wants to publish 1 change" in marketer.get(STUDIO)
    assert len(queries_of(shop)) == 4
    marketer.client.post(f"{marketer.path}/discard")
    marketer.get(marketer.path, status=404)


def queries_of(shop: Shop) -> dict[int, Any]:
    with database.connect("app") as connection:
        found = queries.timeline(connection, "club")
        assert found is not None
        return dict(found.documents)


def test_who_may_only_read_changes_nothing(shop: Shop, marketer: Marketer) -> None:
    analyst = Marketer(shop, role="analyst")
    analyst.path = marketer.path
    page = analyst.get()
    assert "readonly" in page
    assert 'value="add:rules"' not in page
    assert "Begin a draft" not in analyst.get(STUDIO)
    text = marketer.text()
    assert analyst.client.post(marketer.path, {"pane": "text", "text": "a: 1"}).status_code == 404
    for path in ("/name", "/discard", "/publish", "/backtest"):
        assert analyst.client.post(f"{marketer.path}{path}").status_code == 404, path
    assert analyst.client.post(f"{STUDIO}begin").status_code == 404
    assert marketer.text() == text
    cashier = Marketer(shop, role="cashier")
    for path in (STUDIO, marketer.path, f"{marketer.path}/file", f"{STUDIO}versions/1"):
        cashier.get(path, status=404)
    other = draft_ref(12345)
    marketer.get(f"{STUDIO}drafts/{other}", status=404)
    marketer.get(f"{STUDIO}drafts/dr_x", status=404)
    marketer.get(f"{STUDIO}backtests/bt_x", status=404)


def test_french_is_set_as_print_is(shop: Shop) -> None:
    """Names, consequences, what changes and what warns, with the apostrophes and spaces of French."""
    found = Marketer(shop, language="fr")
    found.begin()
    front = found.get(STUDIO)
    options = re.findall(r'value="gallery:[^"]+"[^>]*>([^<]+)<', front)
    assert "Étoiles fraîches" in options
    assert options.index("Étoiles fraîches") < options.index("La vitrine"), (
        "an accent is no letter of its own"
    )
    page = found.get(f"{found.path}?at=rules[0]")
    shown = unescape(re.sub(r"(?s)<textarea.*?</textarea>|<script.*?</script>|<[^>]+>", " ", page))
    assert "Type d’activité\u00a0: vente, visite ou un type déclaré." in shown
    assert [word for word in ("opt_in", "opt_out", "pair_act", "save_for", "unpaired") if word in shown] == []
    assert "Participe à un défi" in shown
    assert re.findall(r"[a-zé]'[a-zé]| [;!?]", shown.split("La même chose en texte")[0]) == []
    found.write(found.text().replace("transferable: true", "transferable: false"))
    asked = unescape(found.get(f"{found.path}/publish"))
    assert "\u00a0: oui devient non" in asked
    assert re.findall(r"[a-zé]'[a-zé]", re.sub(r"(?s)<[^>]+>", " ", asked)) == []


@pytest.mark.guard
def test_every_setting_has_its_words_in_both_languages() -> None:
    """Repair: add the setting to NAMES and its meaning to the French in palier.web.console.studio.wording."""
    for type_name, settings in meanings().items():
        for setting, text in settings.items():
            assert setting in NAMES, f"{type_name}.{setting} has no name"
            assert has_french(text), f"{type_name}.{setting}: {text!r} has no French"
