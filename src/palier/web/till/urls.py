"""Addresses of the till, under /till/PROGRAM/."""

from django.urls import path

from palier.web.till import doors, views

app_name = "till"
urlpatterns = [
    path("", views.counter, name="counter"),
    path("enrol-till", doors.enrol, name="enrol"),
    path("demo", doors.demonstrate, name="demo"),
    path("sign-in", doors.sign_in, name="sign-in"),
    path("second", doors.second, name="second"),
    path("pin", doors.pin, name="pin"),
    path("unlock", doors.unlock, name="unlock"),
    path("lock", doors.lock, name="lock"),
    path("leave", doors.leave, name="leave"),
    path("find", views.find, name="find"),
    path("clear", views.clear, name="clear"),
    path("close", views.close, name="close"),
    path("amount", views.amount, name="amount"),
    path("line", views.line, name="line"),
    path("ticket", views.ticket, name="ticket"),
    path("credit", views.credit, name="credit"),
    path("reward", views.reward, name="reward"),
    path("give", views.give, name="give"),
    path("voucher", views.voucher, name="voucher"),
    path("use-voucher", views.use_voucher, name="use-voucher"),
    path("return", views.back, name="return"),
    path("take-back", views.take_back, name="take-back"),
    path("join", views.join, name="join"),
    path("enrol", views.enrol, name="enrol-member"),
    path("journal", views.kept, name="journal"),
    path("shell", views.shell, name="shell"),
    path("sw.js", views.worker, name="worker"),
    path("manifest.webmanifest", views.manifest, name="manifest"),
]
