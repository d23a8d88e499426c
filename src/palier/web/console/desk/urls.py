"""Addresses of the desk: below a program, and (`outside`) of no program."""

from django.urls import path

from palier.web.console.desk import account, approvals, keys, log, people, setting_up, tills

app_name = "desk"
urlpatterns = [
    path("staff", people.listed, name="staff"),
    path("staff/invite", people.invite, name="invite"),
    path("staff/<int:account_id>", people.person, name="person"),
    path("staff/<int:account_id>/<slug:act>", people.act, name="act"),
    path("keys", keys.listed, name="keys"),
    path("keys/new", keys.create, name="new-key"),
    path("keys/page-tokens", keys.end_tokens, name="end-tokens"),
    path("keys/<slug:prefix>/revoke", keys.revoke, name="revoke-key"),
    path("tills", tills.listed, name="tills"),
    path("tills/new", tills.expect, name="new-till"),
    path("tills/review", tills.review, name="till-review"),
    path("tills/<int:number>", tills.one, name="till"),
    path("tills/<int:number>/code", tills.expect_again, name="till-code"),
    path("tills/<int:number>/end", tills.end, name="end-till"),
    path("approvals", approvals.listed, name="approvals"),
    path("approvals/<int:approval_id>", approvals.one, name="approval"),
    path("log", log.shown, name="log"),
    path("log.csv", log.exported, name="log-csv"),
]

outside = [
    path("prove-again", account.prove_again, name="prove-again"),
    path("own-account", account.own, name="own"),
    path("own-account/password", account.password, name="own-password"),
    path("own-account/authenticator", account.authenticator, name="own-authenticator"),
    path("own-account/recovery-codes", account.recovery, name="own-recovery"),
    path("own-account/pin", account.pin, name="own-pin"),
    path("own-account/end-sessions", account.end_sessions, name="own-end"),
    path("set-up", setting_up.begin, name="set-up"),
    path("set-up/first", setting_up.first, name="set-up-first"),
    path("set-up/gallery", setting_up.gallery, name="set-up-gallery"),
    path("set-up/gallery/<slug:key>", setting_up.chosen, name="set-up-chosen"),
    path("set-up/member", setting_up.member, name="set-up-member"),
    path("set-up/activity", setting_up.activity, name="set-up-activity"),
    path("set-up/as-member", setting_up.as_member, name="set-up-as-member"),
    path("set-up/done", setting_up.done, name="set-up-done"),
]
