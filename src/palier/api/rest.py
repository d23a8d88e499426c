"""REST v1: its routers put together, and every error of it as a problem document."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.operation import Operation

import palier
from palier.api import (
    activities,
    approvals,
    baskets,
    benefits,
    campaigns,
    care,
    dividends,
    donations,
    draws,
    insights,
    leaderboards,
    members,
    orders,
    payouts,
    people,
    pictures,
    points,
    privacy,
    problems,
    programs,
    rewards,
    settlements,
    tickets,
    tiers,
    vouchers,
)
from palier.api.bodies import StrictParser, is_text, read_body, too_large
from palier.api.calls import ApiKey
from palier.api.problems import Problem
from palier.care.refusals import CareRefused
from palier.payouts.refusals import PayoutRefused
from palier.rewards.refusals import OrderRefused
from palier.staff.session import Unavailable
from palier.vouchers.refusals import VoucherRefused

logger = logging.getLogger(__name__)

api: Final = NinjaAPI(
    title="Palier",
    version=palier.__version__,
    description="Customer loyalty: exact points, explained, on an append-only ledger.",
    openapi_url=None,
    docs_url=None,
    urls_namespace="v1",
    parser=StrictParser(),
)
for router in (
    activities.router,
    members.router,
    people.router,
    privacy.router,
    points.router,
    approvals.router,
    orders.router,
    payouts.router,
    donations.router,
    dividends.router,
    leaderboards.router,
    campaigns.router,
    draws.router,
    pictures.router,
    programs.router,
    settlements.router,
    tiers.router,
    vouchers.router,
    rewards.router,
    baskets.router,
    benefits.router,
    care.router,
    insights.router,
    tickets.router,
):
    api.add_router("", router)


@api.exception_handler(Problem)
def _problem(request: HttpRequest, error: Problem) -> HttpResponse:
    return error.response()


@api.exception_handler(OrderRefused)
@api.exception_handler(VoucherRefused)
@api.exception_handler(PayoutRefused)
@api.exception_handler(CareRefused)
def _room_refused(request: HttpRequest, error: problems.RoomRefused) -> HttpResponse:
    return problems.of_room(error).response()


@api.exception_handler(Unavailable)
def _unavailable(request: HttpRequest, error: Unavailable) -> HttpResponse:
    logger.warning("a call was not answered: %s", error)
    return Problem(
        503, "unavailable", "The database does not answer now; repeat the same request.", retry_after_s=1
    ).response()


@api.exception_handler(RequestDataTooBig)
def _too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return too_large().response()


@api.exception_handler(UnreadablePostError)
def _broken(request: HttpRequest, error: UnreadablePostError) -> HttpResponse:
    return Problem(400, "malformed", "The body broke off before its end; send it again.").response()


@api.exception_handler(HttpError)
def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """The framework keeps to itself why a body cannot be read, so it is read again for the reason."""
    try:
        read_body(request)
    except Problem as problem:
        return problem.response()
    return Problem(error.status_code, "malformed", str(error)).response()


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return no_such_address(request)


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = [
        {"field": _place(item.get("loc", ())), "message": _sentence(item)} for item in error.errors[:20]
    ]
    first = errors[0] if errors else {"field": "", "message": "The request cannot be read"}
    return Problem(
        422, "malformed", f"{first['field']}: {first['message']}.",
        field=first["field"], remedy="see the operation in /v1/docs", errors=errors,
    ).response()  # fmt: skip


def _place(loc: Any) -> str:
    """Where in the request: the body's own names, without the framework's name for the body."""
    parts = [str(part)[:60] for part in loc if part != "__root__"]
    if parts[:2] == ["body", "body"]:
        parts = parts[2:] or ["body"]
    return ".".join(
        parts[1:] if len(parts) > 1 and parts[0] in ("query", "path", "header", "body") else parts
    )


def _sentence(item: dict[str, Any]) -> str:
    text = str(item.get("msg", "cannot be read")).removeprefix("Value error, ")
    return text[:1].lower() + text[1:200]


@api.exception_handler(Exception)
def _defect(request: HttpRequest, error: Exception) -> HttpResponse:
    """Logged whole for the operator; the caller learns nothing of the inside."""
    logger.exception("a defect in the API at %s", request.path)
    return Problem(
        500,
        "defect",
        "Something went wrong inside Palier; nothing was changed.",
        remedy="repeat the request later",
    ).response()


@csrf_exempt
def no_such_address(request: HttpRequest, **_: Any) -> HttpResponse:
    """What any other address under /v1/ is answered, by whatever method: no form comes from here."""
    return problems.no_such_address().response()


# --- what the framework leaves lenient --------------------------------------------------------------------


def _query_names(operation: Operation) -> frozenset[str]:
    """The query parameters that an operation declares."""
    names = set()
    for model in operation.models:
        if model.__ninja_param_source__ == "query":
            names.update(model.__ninja_flatten_map__)
    return frozenset(names)


def _strict(operation: Operation) -> None:
    """Query parameters that are not declared, or given twice, are refused; texts must be Unicode."""
    view: Callable[..., HttpResponse] = operation.view_func
    allowed = _query_names(operation)

    @wraps(view)
    def checked(request: HttpRequest, **values: Any) -> HttpResponse:
        for name, given in request.GET.lists():
            if name not in allowed:
                raise Problem(
                    422, "malformed", "The query has a parameter that this operation does not know.",
                    field=name[:60] if is_text(name) else "query",
                    remedy=f"leave it out; known: {', '.join(sorted(allowed)) or 'none'}",
                )  # fmt: skip
            if len(given) > 1:
                raise Problem(
                    422, "malformed", "The query has a parameter twice.", field=name, remedy="send it once"
                )
        return view(request, **values)

    operation.view_func = checked


def _method_not_allowed(callback: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The answer to a method that an address does not have, as a problem that keeps `Allow`."""

    @wraps(callback)
    def answered(request: HttpRequest, *args: Any, **values: Any) -> HttpResponse:
        response = callback(request, *args, **values)
        not_allowed = 405
        if response.status_code != not_allowed:
            return response
        methods = set(response["Allow"].split(", "))
        allowed = ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))
        problem = Problem(
            not_allowed, "method_not_allowed", "This address does not have this method.",
            remedy=f"use {allowed}",
        ).response()  # fmt: skip
        problem["Allow"] = allowed
        return problem

    return answered


def _head_as_get(callback: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """HEAD is answered what GET is; whoever sends the answer leaves its body out (RFC 9110, 9.3.2)."""

    @wraps(callback)
    def answered(request: HttpRequest, *args: Any, **values: Any) -> HttpResponse:
        asked = request.method
        if asked == "HEAD":
            request.method = "GET"
        response = callback(request, *args, **values)
        request.method = asked
        return response

    return answered


def only_read(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """What tells of the API: by any other method the answer is that of operations, and no form's."""
    return _method_not_allowed(csrf_exempt(require_safe(view)))


def operations() -> list[tuple[str, Operation]]:
    """Every operation with its path, in the order of the routers."""
    return [
        (path, operation)
        for bound in api._get_bound_routers()
        for path, view in bound.path_operations.items()
        for operation in view.operations
    ]


def right_of(operation: Operation) -> str:
    """The right that an operation asks for."""
    auth = operation.auth_callbacks[0]
    assert isinstance(auth, ApiKey)
    return auth.right


def urls() -> list[Any]:
    """The URL patterns of the API. Called once."""
    for _, operation in operations():
        _strict(operation)
    patterns: list[Any] = [item for item in api.urls[0] if getattr(item, "name", "") != "api-root"]
    for pattern in patterns:
        pattern.callback = _head_as_get(_method_not_allowed(pattern.callback))
    return patterns
