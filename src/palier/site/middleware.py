"""What every answer carries, and what is said when the database is away."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, RawPostDataException
from django.utils.deprecation import MiddlewareMixin

from palier.site.problem import CONTENT_SECURITY_POLICY, problem_body

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


class RefuseNul(MiddlewareMixin):
    """An address or form with a NUL is 400: no text of the database can hold one. What API bodies hold is theirs."""

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
            and any("\0" in text for name, texts in request.POST.lists() for text in (name, *texts))
        ):
            raise BadRequest("the form holds a NUL")

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """A form, where the view reads a body of another kind, is 400 too."""
        if isinstance(exception, RawPostDataException):
            raise BadRequest("a form where none is read") from exception


class AnswerWhenUnavailable(MiddlewareMixin):
    """A lost or absent database is 503 with Retry-After: the caller may repeat the same request."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, OperationalError | InterfaceError):
            return None
        body = problem_body(503, "unavailable", "The database does not answer now; repeat the same request.")
        return HttpResponse(
            body, status=503, content_type="application/problem+json", headers={"Retry-After": "1"}
        )
