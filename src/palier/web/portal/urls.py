"""Addresses of the portal, under /portal/PROGRAM/."""

from django.urls import include, path

from palier.web.portal import rewards, views
from palier.web.portal.account import door, hub

app_name = "portal"
urlpatterns = [
    path("", views.home, name="home"),
    path("door", door.door, name="door"),
    path("code", door.enter, name="code"),
    path("demo", door.demonstrate, name="demo"),
    path("leave", door.leave, name="leave"),
    path("history", views.history, name="history"),
    path("rewards", rewards.shelf, name="shelf"),
    path("rewards/<str:key>", rewards.reward, name="reward"),
    path("mine", rewards.mine, name="mine"),
    path("mine/<str:ref>", rewards.order, name="order"),
    path("mine/<str:ref>/show/<int:item>", rewards.show, name="show"),
    path("mine/<str:ref>/cancel", rewards.cancel, name="cancel"),
    path("", include("palier.web.portal.play.urls")),
    path("card", views.membership_card, name="card"),
    path("program", views.program_page, name="program"),
    path("me", hub.me, name="me"),
    path("me/export", hub.export, name="export"),
    path("brand.css", views.brand, name="brand"),
    path("manifest.webmanifest", views.manifest, name="manifest"),
]
