"""Addresses of the portal, under /portal/PROGRAM/."""

from django.urls import include, path

from palier.web.portal import rewards, views
from palier.web.portal.account import agreeing, allowing, data, devices, door, hub, inbox, leaving, passkeys

app_name = "portal"
urlpatterns = [
    path("", views.home, name="home"),
    path("door", door.door, name="door"),
    path("code", door.enter, name="code"),
    path("again", door.again, name="again"),
    path("demo", door.demonstrate, name="demo"),
    path("leave", door.leave, name="leave"),
    path("history", views.history, name="history"),
    path("rewards", rewards.shelf, name="shelf"),
    path("rewards/<str:key>", rewards.reward, name="reward"),
    path("mine", rewards.mine, name="mine"),
    path("mine/<str:ref>", rewards.order, name="order"),
    path("mine/<str:ref>/show/<int:item>", rewards.show, name="show"),
    path("mine/<str:ref>/choose/<int:item>", rewards.choose, name="choose"),
    path("mine/<str:ref>/cancel", rewards.cancel, name="cancel"),
    path("", include("palier.web.portal.play.urls")),
    path("card", views.membership_card, name="card"),
    path("program", views.program_page, name="program"),
    path("me", hub.me, name="me"),
    path("me/data", data.data, name="data"),
    path("me/data/export", data.export, name="export"),
    path("me/messages", inbox.inbox, name="inbox"),
    path("me/messages/read", inbox.read, name="read"),
    path("me/consents", allowing.consents_page, name="consents"),
    path("me/terms", agreeing.terms_page, name="terms"),
    path("me/settings", hub.settings, name="settings"),
    path("me/devices", devices.devices, name="devices"),
    path("me/passkeys/begin", passkeys.begin, name="passkey_begin"),
    path("me/passkeys", passkeys.add, name="passkey_add"),
    path("me/erase", leaving.erase, name="erase"),
    path("me/erase/undo", leaving.undo, name="stay"),
    path("door/passkey/begin", passkeys.begin_entering, name="passkey_ask"),
    path("door/passkey", passkeys.enter, name="passkey_enter"),
    path("erased", door.erased, name="erased"),
    path("brand.css", views.brand, name="brand"),
    path("manifest.webmanifest", views.manifest, name="manifest"),
]
