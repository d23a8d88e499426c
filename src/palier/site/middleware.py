"""What every answer carries, what no request may hold, and what the log says of those that are nobody's defect."""

import logging
from collections.abc import Callable

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, QueryDict, RawPostDataException
from django.http.multipartparser import MultiPartParserError
from django.utils.deprecation import MiddlewareMixin

from palier.engine.characters import readable, unseen
from palier.site.problem import CONTENT_SECURITY_POLICY
from palier.staff.session import AWAY

Answer = Callable[[HttpRequest], HttpResponse]

PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


def headers(get_response: Answer) -> Answer:
    """Content security and permissions policies, unless the page set its own."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        return response

    return answer


_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class ReadableForms(MiddlewareMixin):
    """An address or form with a NUL is 400: no text of the database can hold one, and no browser of a person sends it.

    What else nobody sees comes along with what is pasted, and whoever pastes cannot find it: a form is read without
    it, whatever page it is of. What API bodies hold is theirs.
    """

    def process_view(
        self, request: HttpRequest, view: Answer, arguments: tuple[object, ...], named: dict[str, object]
    ) -> None:
        """Looks at forms only where their token is looked at too: other views read the body as it comes."""
        if request.path_info.startswith("/v1/"):
            return
        if "%00" in request.META.get("QUERY_STRING", "") or "\0" in request.path_info:
            raise BadRequest("the address holds a NUL")
        if (
            request.method == "POST"
            and request.content_type in _FORMS
            and not getattr(view, "csrf_exempt", False)
            and any(unseen(text) for name, texts in request.POST.lists() for text in (name, *texts))
        ):
            request.POST = _readable(request.POST)  # type: ignore[assignment] # a form like any other

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """A form, where the view reads a body of another kind, is 400 too."""
        if isinstance(exception, RawPostDataException):
            raise BadRequest("a form where none is read") from exception


def _readable(form: QueryDict) -> QueryDict:
    """A form without what nobody sees; the line end within a paragraph, as word processors write it, is one."""
    found = QueryDict(mutable=True)
    for name, texts in form.lists():
        if any("\0" in text for text in (name, *texts)):
            raise BadRequest("the form holds a NUL")
        found.setlist(readable(name), [readable(text.replace("\v", "\n")) for text in texts])
    return found


_NO_DEFECTS = (*AWAY, BadRequest, PermissionDenied, SuspiciousOperation, MultiPartParserError)


class OneLine(logging.Filter):
    """A database that is away, and a request that no browser of ours makes, are one line of the log each: where in
    the code they were met says nothing, and would bury what does."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, _NO_DEFECTS):
            said, why = record.getMessage(), str(error).partition("\n")[0]
            record.msg = said if why in said else f"{said}: {why}"
            record.args = ()
            record.exc_info = None
        return True
