"""Data that somebody takes along."""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import HttpResponse


def json_file(name: str, content: dict[str, Any]) -> HttpResponse:
    """A JSON file, indented for people, that the browser saves under this name; nothing on the way keeps it."""
    text = msgspec.json.format(msgspec.json.encode(content), indent=1)
    response = HttpResponse(text, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{name}.json"'
    response["Cache-Control"] = "private, no-store"
    return response
