"""Addresses of the till, under /till/PROGRAM/."""

from django.urls import path

from palier.web.till import counter, doors, giving, offline, selling

app_name = "till"
urlpatterns = [
    path("", counter.counter, name="counter"),
    path("enrol-till", doors.enrol, name="enrol"),
    path("demo", doors.demonstrate, name="demo"),
    path("sign-in", doors.sign_in, name="sign-in"),
    path("second", doors.second, name="second"),
    path("pin", doors.pin, name="pin"),
    path("unlock", doors.unlock, name="unlock"),
    path("lock", doors.lock, name="lock"),
    path("leave", doors.leave, name="leave"),
    path("find", selling.find, name="find"),
    path("clear", selling.clear, name="clear"),
    path("close", selling.close, name="close"),
    path("amount", selling.amount, name="amount"),
    path("line", selling.line, name="line"),
    path("ticket", selling.ticket, name="ticket"),
    path("credit", selling.credit, name="credit"),
    path("reward", giving.reward, name="reward"),
    path("give", giving.give, name="give"),
    path("voucher", giving.voucher, name="voucher"),
    path("use-voucher", giving.use_voucher, name="use-voucher"),
    path("return", giving.back, name="return"),
    path("take-back", giving.take_back, name="take-back"),
    path("join", selling.join, name="join"),
    path("enrol", selling.enrol, name="enrol-member"),
    path("journal", offline.kept, name="journal"),
    path("shell", offline.shell, name="shell"),
    path("sw.js", offline.worker, name="worker"),
    path("manifest.webmanifest", offline.manifest, name="manifest"),
]
