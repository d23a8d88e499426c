"""Addresses of the console, under /console/. Each area has its own below a program, under its own name.

Pages outside programs have a hyphen in their address, which the key of a program never has.
"""

from django.urls import include, path

from palier.web.console import views
from palier.web.console.board import components
from palier.web.console.desk import urls as desk

app_name = "console"
urlpatterns = [
    path("", views.front, name="front"),
    path("sign-in", views.sign_in, name="sign-in"),
    path("second-step", views.second, name="second"),
    path("welcome-to/<str:token>", views.welcome, name="welcome"),
    path("sign-out", views.leave, name="sign-out"),
    path("demo-sign-in", views.demonstrate, name="demo"),
    *desk.outside,
    path("ui-components", components.components, name="components"),
    path("ui-components.css", components.themes, name="component-themes"),
    path("<str:program>/", include("palier.web.console.board.urls")),
    path("<str:program>/", include("palier.web.console.people.urls")),
    path("<str:program>/studio/", include("palier.web.console.studio.urls")),
    path("<str:program>/", include("palier.web.console.desk.urls")),
]
