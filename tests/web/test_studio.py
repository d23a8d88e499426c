"""The studio, as marketers use it: drafts, the form and the text of one document, publishing, backtests."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from palier.engine.checker import CODES
from palier.engine.program import meanings
from palier.jobs.backtests import play_next
from palier.programs import drafts, files, gallery, queries
from palier.programs.source import read_yaml
from palier.site import database
from palier.web.console.studio import forms
from palier.web.console.studio.desk import MEANINGS
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

    def fields(self, at: str) -> dict[str, Any]:
        """What the form of a part holds, as a browser would send it."""
        page = self.get(f"{self.path}?at={at}")
        start = page.index('id="studio-form"')
        form = page[start : page.index("</form>", start)]
        found: dict[str, Any] = {}
        for name, rest in re.findall(r'<input ([^>]*?)name="([^"]+)"', form):
            found.setdefault(unescape(rest), None)
            del name
        sent: dict[str, list[str]] = {}
        for tag in re.findall(r"<input [^>]*>", form):
            name = re.search(r'name="([^"]*)"', tag)
            if name is None or ("checkbox" in tag and "checked" not in tag):
                continue
            value = re.search(r'value="([^"]*)"', tag)
            sent.setdefault(unescape(name[1]), []).append(unescape(value[1]) if value else "")
        for name_, options in re.findall(r'<select [^>]*?name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
            chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
            sent[unescape(name_)] = [unescape(chosen[1])] if chosen else [""]
        for name_, value_ in re.findall(r'<textarea [^>]*?name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.S):
            sent[unescape(name_)] = [unescape(value_)]
        return {name: values for name, values in sent.items()}

    def fill(self, at: str, act: str = "save", status: int = 302, **changes: Any) -> HttpResponse:
        """Sends the form of a part with some fields changed; names of fields have their dots as in the document."""
        sent = {**self.fields(at), **changes.pop("fields", {}), "act": act}
        answer = self.client.post(self.path, sent)
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


def test_sending_a_form_as_it_is_changes_nothing(marketer: Marketer) -> None:
    """Every part of every program of the gallery: what a form shows is what its text says."""
    for entry in gallery.entries():
        text = entry.document.read_text()
        marketer.write(gallery.with_key(text, "club"))
        data = read_yaml(marketer.text().encode()).data
        before = marketer.head()
        paths = [""]
        for section in forms.SECTIONS:
            value = data.get(section)
            paths += [f"{section}[{i}]" for i in range(len(value))] if isinstance(value, list) else []
            paths += [section] if isinstance(value, dict) else []
        for path in paths:
            marketer.fill(path)
            assert marketer.head() == before, (entry.key, path, marketer.text())
