"""Every worked example of the documentation comes out as it says."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from palier.engine.story import parts
from palier.programs.source import read_yaml
from tests.activities.program import Connection
from tests.docs.stories import Played

DOCS = Path(__file__).parents[2] / "docs"
SEMANTICS = DOCS / "concepts" / "semantics.md"
_numbers = itertools.count(1)


def base() -> dict[str, Any]:
    found = re.search(r"^```yaml base\n(.*?)^```", SEMANTICS.read_text(encoding="utf-8"), re.M | re.S)
    assert found is not None
    document: dict[str, Any] = read_yaml(found[1].encode()).data
    return document


PAGES = sorted(path for path in DOCS.rglob("*.md") if "```story" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_examples_come_out_as_told(path: Path, connection: Connection) -> None:
    failures = []
    language = "fr" if path.parent.name == "fr" else "en"
    for part in parts(path.read_text(encoding="utf-8")):
        try:
            assert Played(connection, base(), next(_numbers)).play(part.text, language)
        except Exception as error:  # all of a page are told at once, whatever the first one met
            connection.rollback()
            failures.append(f"{part.title}: {type(error).__name__}: {error}")
    assert not failures, "\n".join(failures)


def test_a_wrong_figure_is_found(connection: Connection) -> None:
    with pytest.raises(AssertionError, match="found 'spendable 42'"):
        Played(connection, base(), next(_numbers)).play("2026-03-01 10:00  sale s1 42.90  -> spendable 43\n")
