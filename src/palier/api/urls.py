"""The addresses under /v1/."""

from django.urls import path, re_path

from palier.api.reference import docs_view, openapi_view, style_view
from palier.api.rest import no_such_address, only_read, urls

urlpatterns = [
    path("openapi.json", only_read(openapi_view), name="openapi"),
    path("docs", only_read(docs_view), name="docs"),
    path("docs.css", only_read(style_view), name="docs-style"),
    *urls(),
    re_path(r"^[\s\S]*$", no_such_address),
]
