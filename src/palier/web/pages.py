"""Pages that belong to no room."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def front_page(request: HttpRequest) -> HttpResponse:
    """GET /: what this is, and where the API and its documentation are."""
    return render(request, "web/front.html", {"api_docs": "/v1/docs"})
