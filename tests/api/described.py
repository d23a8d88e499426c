"""Whether an answer is what the API's own description says: every answer that a test of the API gets is compared."""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from typing import Any, Final

import jsonschema_rs

from palier.api.reference import schema

MET_ANYWHERE: Final = frozenset({404, 405, 500})
"""Also where an operation does not say so: the address of something else, another method, a planted defect."""


def differences(method: str, path: str, status: int, kind: str, content: bytes) -> list[str]:
    """What of an answer differs from its description; nothing for an address that is not described."""
    operation = _operation(method, path.partition("?")[0])
    if operation is None:
        return []
    described = operation["responses"].get(str(status))
    if described is None:
        return [] if status in MET_ANYWHERE else [f"status {status} is not described"]
    contents = described.get("content", {})
    media = kind.partition(";")[0]
    if media not in contents:
        return [f"{media} is not among {sorted(contents)}"]
    if not media.endswith("json"):
        return []
    errors = _form(json.dumps(contents[media]["schema"])).iter_errors(json.loads(content))
    return [f"{'/'.join(map(str, error.instance_path))}: {error.message[:200]}" for error in errors]


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for pattern, methods in _patterns():
        if method.lower() in methods and pattern.fullmatch(path):
            operation: dict[str, Any] = methods[method.lower()]
            return operation
    return None


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """Addresses, those with the fewest places to fill in first. The id of an activity may have slashes."""
    paths = sorted(schema()["paths"].items(), key=lambda item: item[0].count("{"))
    return [
        (re.compile(re.sub(r"\{\w+\}", "[^/]+", path.replace("/{source}/{id}", "/{source}/.+"))), methods)
        for path, methods in paths
    ]


@cache
def _form(described: str) -> Any:
    form = json.loads(described)
    return jsonschema_rs.Draft202012Validator({**form, "components": schema()["components"]})
