"""The API's own description: OpenAPI at /v1/openapi.json, and the same as a page at /v1/docs.

The page needs nothing from anywhere else: no script, and one style sheet of its own.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine
from django.utils.html import conditional_escape
from django.utils.safestring import mark_safe

from palier.api.activities import ACTIVITY
from palier.api.problems import CONTENT_TYPE
from palier.api.rest import api, operations, right_of

_FOLDER: Final = Path(__file__).parent / "templates"
_PROBLEM: Final = {"$ref": "#/components/schemas/ProblemDocument"}
_MEANINGS: Final = {
    "400": "The body or a header cannot be read.",
    "401": "The call bears no valid API key.",
    "403": "The key lacks the right.",
    "404": "There is no such thing in the key's program.",
    "408": "The body did not arrive in time; send it again.",
    "409": "The same is being worked on at this moment, or has gone on meanwhile; `code` says which.",
    "410": "A repeated call whose answer named a member who was erased since: it was done, and is not done again.",
    "413": "The body is 2 MB or more.",
    "415": "The body is of a type that is not read here.",
    "422": "Refused: `code` says why, `field` where, `remedy` what to do.",
    "429": "The key calls too fast; wait for Retry-After.",
    "503": "Not available now; repeat the same request after Retry-After.",
}
_CODE: Final = re.compile(r"`([^`]+)`")
_METHODS: Final = ("post", "get", "patch", "put", "delete")


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    found: dict[str, Any] = json.loads(json.dumps(dict(api.get_openapi_schema(path_prefix="/v1/"))))
    rights = {str(operation.operation_id): right_of(operation) for _, operation in operations()}
    for path in found["paths"].values():
        for method in _METHODS:
            if method in path:
                _complete(path[method], rights)
    components = found["components"]
    components["schemas"]["Activity"] = ACTIVITY
    components["securitySchemes"] = {
        "ApiKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, made by `palier keys create`: it is for one program and some rights.",
        }
    }
    found["info"]["license"] = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    found["servers"] = [{"url": "/"}]
    return found


def _complete(operation: dict[str, Any], rights: dict[str, str]) -> None:
    """Problems have their own media type, every response a meaning, every operation its right."""
    operation["x-right"] = rights[operation["operationId"]]
    for parameter in operation.get("parameters", []):
        # A parameter is left out, never null; and its examples stand in its schema.
        parameter.pop("examples", None)
        choices = parameter["schema"].pop("anyOf", [])
        for choice in choices:
            if choice.get("type") != "null":
                parameter["schema"].update(choice)
    if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", [])):
        for status in ("409", "410"):
            operation["responses"].setdefault(status, {})
    if "413" in operation["responses"]:
        operation["responses"].setdefault("408", {})
    for status, response in operation["responses"].items():
        if status in _MEANINGS:
            response["description"] = _MEANINGS[status]
            response["content"] = {CONTENT_TYPE: {"schema": _PROBLEM}}
        else:
            response["description"] = "Done." if status == "200" else "Made."
        if status in ("409", "429", "503"):
            response["headers"] = {
                "Retry-After": {
                    "description": "Seconds to wait.",
                    "schema": {"type": "integer", "minimum": 1},
                }
            }


def openapi_view(request: HttpRequest) -> HttpResponse:
    """GET /v1/openapi.json."""
    return HttpResponse(msgspec.json.encode(schema()), content_type="application/json")


def style_view(request: HttpRequest) -> HttpResponse:
    """GET /v1/docs.css."""
    return HttpResponse((_FOLDER / "docs.css").read_bytes(), content_type="text/css; charset=utf-8")


def docs_view(request: HttpRequest) -> HttpResponse:
    """GET /v1/docs."""
    return HttpResponse(_page(), content_type="text/html; charset=utf-8")


@lru_cache(maxsize=1)
def _page() -> str:
    document = schema()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                told = _told(document, path, method, methods[method])
                groups.setdefault(methods[method]["tags"][0], []).append(told)
    template = Engine(dirs=[str(_FOLDER)], autoescape=True).get_template("docs.html")
    return template.render(
        Context(
            {"info": document["info"], "groups": [{"name": k, "operations": v} for k, v in groups.items()]}
        )
    )


def _marked(text: str) -> str:
    """A sentence as HTML: what stands in backticks is code."""
    return mark_safe(_CODE.sub(r"<code>\1</code>", conditional_escape(text)))  # noqa: S308 (escaped)


def _told(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {})
    fields = _fields(document, body.get("application/json", {}).get("schema", {}))
    results = [(s, r) for s, r in operation["responses"].items() if s.startswith("2")]
    answers = {}
    for _, response in results:
        given = response.get("content", {}).get("application/json", {}).get("schema", {})
        answers.update({field["name"]: field for field in _fields(document, given)})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "paragraphs": [_marked(paragraph) for paragraph in operation.get("description", "").split("\n\n")],
        "right": operation["x-right"],
        "parameters": [
            {
                "name": item["name"],
                "place": item["in"],
                "type": _type(item["schema"]),
                "required": item["required"],
                "text": _marked(item.get("description", item["schema"].get("description", ""))),
            }
            for item in operation.get("parameters", [])
        ],
        "fields": fields,
        "examples": [
            {"summary": item["summary"], "text": json.dumps(item["value"], indent=2, ensure_ascii=False)}
            for item in body.get("application/json", {}).get("examples", {}).values()
        ],
        "answers": list(answers.values()),
        "statuses": [
            {"status": status, "text": _marked(response["description"])}
            for status, response in sorted(operation["responses"].items())
        ],
    }


def _fields(document: dict[str, Any], given: dict[str, Any]) -> list[dict[str, Any]]:
    found = _resolve(document, given)
    required = found.get("required", [])
    return [
        {
            "name": name,
            "type": _type(item),
            "required": name in required,
            "text": _marked(item.get("description", "")),
        }
        for name, item in found.get("properties", {}).items()
    ]


def _resolve(document: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The object that a schema is about: what it refers to, or the first of its choices."""
    for _ in range(5):
        if "$ref" in given:
            given = document["components"]["schemas"][given["$ref"].rsplit("/", 1)[-1]]
        elif "anyOf" in given:
            given = next((item for item in given["anyOf"] if item.get("type") != "null"), {})
        else:
            break
    return given


def _type(given: dict[str, Any]) -> str:
    """A schema in a word or two."""
    if "$ref" in given:
        return str(given["$ref"].rsplit("/", 1)[-1])
    if "anyOf" in given:
        return " or ".join(dict.fromkeys(_type(item) for item in given["anyOf"]))
    if "enum" in given:
        return ", ".join(str(item) for item in given["enum"])
    if "const" in given:
        return str(given["const"])
    kind = given.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        return f"list of {_type(given.get('items', {}))}"
    return str(given.get("format", kind))
