"""Problem responses (RFC 9457) of the server itself, before any room is asked."""

from http import HTTPStatus

import msgspec


def problem_body(status: int, code: str, detail: str) -> bytes:
    """The JSON of a problem: `code` is stable, `detail` is one sentence with its remedy."""
    return msgspec.json.encode(
        {
            "type": f"urn:palier:problem:{code}",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "code": code,
            "detail": detail,
        }
    )
