"""The reference page and the JSON Schema say what the types say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from palier.engine.program import json_schema, meanings

ROOT = Path(__file__).parents[2]


def _generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.guard
def test_generated_pages_are_up_to_date() -> None:
    for path, text in _generator().pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `python docs/generate.py`"


@pytest.mark.guard
def test_every_setting_has_a_meaning() -> None:
    for name, definition in json_schema()["$defs"].items():
        for setting, content in definition.get("properties", {}).items():
            assert setting == "kind" or content.get("description"), f"{name}.{setting}"
    assert meanings()["Condition"]["in"]


def test_a_setting_without_meaning_stops_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = _generator()
    monkeypatch.setattr(generator.program, "meanings", dict)
    with pytest.raises(SystemExit, match=r"write what Program\.palier means"):
        generator.pages()
