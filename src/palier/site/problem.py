"""Problem responses (RFC 9457) of the server itself, before any room is asked; and the same for people, as a page."""

from http import HTTPStatus

import msgspec

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


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


def wants_page(path: str, accept: str) -> bool:
    """Whether a person reads the answer: a browser that shows a page asks for HTML, outside the API."""
    return "text/html" in accept and not path.startswith("/v1/")


_PAGES = {
    "body_too_large": {
        "en": (
            "This is too much at once",
            "A request may have 2 MiB. Nothing was changed; send less at a time.",
        ),
        "fr": ("C’est trop à la fois", "Un envoi peut faire 2 Mio. Rien n’a changé\u202f; envoyez-en moins."),
    },
    "body_too_slow": {
        "en": ("This took too long to arrive", "Nothing was changed; go back and send it again."),
        "fr": ("L’envoi a été trop lent", "Rien n’a changé\u202f; revenez en arrière et renvoyez-le."),
    },
    "overloaded": {
        "en": ("Too many are asking just now", "Nothing was changed; load this page again in a moment."),
        "fr": (
            "Trop de demandes en ce moment",
            "Rien n’a changé\u202f; rechargez cette page dans un instant.",
        ),
    },
    "deadline": {
        "en": ("The answer took too long", "It may have been done; look before you do it again."),
        "fr": ("La réponse a tardé", "C’est peut-être fait\u202f; regardez avant de recommencer."),
    },
    "": {
        "en": ("This cannot be answered", "Go back and try again in a moment."),
        "fr": ("Pas de réponse possible", "Revenez en arrière et réessayez dans un instant."),
    },
}


def problem_page(code: str, languages: str) -> bytes:
    """The page that a browser shows for a problem of the server itself; `languages` as the browser accepts them."""
    language = "fr" if languages.strip().lower().startswith("fr") else "en"
    title, text = _PAGES.get(code, _PAGES[""])[language]
    return (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} · Palier</title>"
        '<link rel="stylesheet" href="/static/ui/tokens.css"><link rel="stylesheet" href="/static/ui/ui.css">'
        '<link rel="stylesheet" href="/static/ui/front.css"></head>'
        f'<body><main class="front"><h1>{title}</h1><p class="quiet">{text}</p></main></body></html>'
    ).encode()
