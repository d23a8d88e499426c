"""What is where: the API under /v1/, pages at the root, /health."""

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import set_language

from palier.site.health import health_view
from palier.web.pages import front_page
from palier.web.pictures import picture
from palier.web.portal.account.door import join

handler400 = "palier.web.errors.bad_request"
handler403 = "palier.web.errors.denied"
handler404 = "palier.web.errors.not_found"
handler500 = "palier.web.errors.defect"

urlpatterns: list[URLPattern | URLResolver] = [
    path("health", health_view, name="health"),
    path("", front_page, name="front"),
    path("language", set_language, name="set_language"),
    path("join/<str:program>/<str:code>", join, name="join"),
    path("pictures/<str:program>/<str:file>", picture, name="picture"),
    path("portal/<str:program>/", include("palier.web.portal.urls")),
    path("till/<str:program>/", include("palier.web.till.urls")),
    path("console/", include("palier.web.console.urls")),
    path("widget/<str:program>/", include("palier.web.widget.urls")),
]

if find_spec("palier.api.urls") is not None:
    urlpatterns.append(path("v1/", include("palier.api.urls")))
