"""Pages that belong to no room."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse

from palier.activities.runtime import runtime
from palier.engine.words import ProgramWords
from palier.programs.queries import list_programs
from palier.staff import accounts
from palier.staff.session import session
from palier.web.portal.visits import language_of


def front_page(request: HttpRequest) -> HttpResponse:
    """GET /: the programs that are published, each with its members' pages and its till; an empty installation leads
    to its set-up."""
    programs = []
    with session() as connection:
        for one in list_programs(connection):
            found = runtime(connection, one.key)
            if found is None:
                continue
            program = found.latest.program
            words = ProgramWords(program, language_of(request))
            programs.append(
                {
                    "name": words.text(program.name),
                    "text": words.text(program.description) if program.description is not None else "",
                    "portal": reverse("portal:home", args=[one.key]),
                    "till": _address("till:counter", one.key),
                }
            )
        empty = not programs and accounts.is_empty(connection)
    if empty:
        return HttpResponseRedirect(reverse("console:set-up"))
    response = render(request, "web/front.html", {"api_docs": "/v1/docs", "programs": programs})
    response["Cache-Control"] = "private, no-store"
    return response


def _address(name: str, program: str) -> str:
    """The address of a page; "" where this installation has none such."""
    try:
        return reverse(name, args=[program])
    except NoReverseMatch:
        return ""
