"""Text messages out: one POST to the gateway that the installation is configured with.

Called outside any transaction. The gateway takes JSON, {"to": "+33612345678", "text": "..."}, and answers 2xx; a user
and password of the address go as basic authentication.
"""

from __future__ import annotations

from urllib.parse import urlsplit

TIMEOUT_S = 5.0


class NotSent(Exception):
    """The gateway did not take the message; the same may be tried again."""


def send(gateway: str, to: str, text: str) -> None:
    """Hands a text message over. Raises NotSent, which says what the gateway answered and repeats no number."""
    import httpx  # heavy, and few processes send texts

    parts = urlsplit(gateway)
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    login = httpx.BasicAuth(parts.username, parts.password or "") if parts.username else None
    try:
        answer = httpx.post(address, json={"to": to, "text": text}, auth=login, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        raise NotSent(type(error).__name__) from None
    if not answer.is_success:
        raise NotSent(f"the gateway answered {answer.status_code}")
