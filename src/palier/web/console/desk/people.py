"""People of a program: who works in it, in which role, and what may be done about it.

Whoever owns one program rules over its roles. What touches a person everywhere (closing the account, a new link, a
lost authenticator) is for owners of all programs, or for the owner of the only one in which that person works: else a
link for somebody with more rights than oneself could be had.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods

from palier.engine.clock import DAY
from palier.programs.queries import list_programs
from palier.site.refusal import Refused
from palier.staff import accounts, admission, factors, signing_in
from palier.staff.accounts import Account, Grant
from palier.staff.roles import ROLES
from palier.web.console.desk import telling
from palier.web.console.visits import StaffVisit, of_staff
from palier.web.refusals import told

RIGHT: Final = "staff:write"
ACTS: Final = ("give", "take", "close", "reopen", "link", "forget", "pin")


@require_GET
@of_staff(RIGHT)
def listed(made: StaffVisit) -> HttpResponse:
    """Everybody who works in this program, with their roles."""
    found = accounts.listed(made.connection, made.program_id)
    people = [
        {
            "account": one,
            "roles": _roles(made, one),
            "url": reverse("console:desk:person", args=[made.runtime.key, one.account_id]),
            "state": _state(one),
        }
        for one in found
    ]
    return made.page("console/desk/staff.html", {"people": people})


def _state(account: Account) -> tuple[str, str]:
    if account.closed_at is not None:
        return pgettext("account", "closed"), "bad"
    if not account.has_password:
        return _("invited"), "warn"
    if not account.has_second_factor:
        return _("no second factor yet"), "warn"
    return _("active"), "good"


def _roles(made: StaffVisit, account: Account) -> list[dict[str, Any]]:
    """The roles that hold in this program; what a person does in others is not this program's business."""
    return [
        {
            "grant": grant,
            "name": telling.role_name(grant.role),
            "everywhere": grant.program_id is None,
            "mine": grant.program_id is not None or _rules_all(made),
        }
        for grant in account.grants_in(made.program_id)
    ]


def _rules_all(made: StaffVisit) -> bool:
    return RIGHT in made.account.rights_in(None)


def _rules_person(made: StaffVisit, account: Account) -> bool:
    """Whether what touches this person everywhere may be done from here."""
    return _rules_all(made) or all(grant.program_id == made.program_id for grant in account.grants)


def _person(made: StaffVisit, account_id: int) -> Account:
    found = accounts.read(made.connection, account_id)
    if found is None or not found.grants_in(made.program_id):
        raise Http404
    return found


def _choices(made: StaffVisit) -> dict[str, Any]:
    return {
        "roles": [
            {"key": role, "name": name, "may": may}
            for role, (name, may) in telling.ROLES.items()
            if role != "partner" or made.program.partners
        ],
        "partners": [
            {"key": partner.key, "name": made.words.text(partner.name)} for partner in made.program.partners
        ],
        "may_everywhere": _rules_all(made) and len(list_programs(made.connection)) > 0,
    }


def _wanted(made: StaffVisit) -> Grant:
    """The role of the form. Refuses what the person at this desk may not give."""
    form = made.request.POST
    role = next((role for role in ROLES if role == form.get("role")), None)
    if role is None:
        raise Refused(_("Choose a role."))
    everywhere = form.get("scope") == "all"
    if everywhere and not _rules_all(made):
        raise Refused(_("Only owners of all programs give roles in all programs."))
    partner = form.get("partner", "") if role == "partner" else ""
    if role == "partner":
        if partner not in {one.key for one in made.program.partners}:
            raise Refused(_("Choose the partner whose statements the person sees."))
        everywhere = False
    return Grant(None if everywhere else made.program_id, role, partner)


@require_http_methods(["GET", "POST"])
@of_staff(RIGHT, sure=True)
def invite(made: StaffVisit) -> HttpResponse:
    """A new person: address, name, role; what comes of it is a link, shown once."""
    form = made.request.POST
    content: dict[str, Any] = {
        **_choices(made),
        "email": form.get("email", "")[:254],
        "name": form.get("name", "")[: admission.LONGEST_NAME],
        "chosen": form.get("role", "support"),
        "language": "fr" if form.get("language", made.language) == "fr" else "en",
    }
    if made.request.method == "GET":
        return made.page("console/desk/invite.html", content)
    try:
        grant = _wanted(made)
        known = accounts.find(made.connection, content["email"])
        if known is not None and known.closed_at is None:
            # The person works here already, perhaps in another program: the role is what was wanted.
            accounts.give(made.connection, known.account_id, grant, now=made.now, actor=made.account.actor)
            made.connection.commit()
            made.say(_("%(name)s had an account already and has the role now.") % {"name": known.name})
            return made.go("desk:person", known.account_id)
        account, token = admission.invite(
            made.connection,
            email=content["email"],
            name=content["name"],
            grants=[grant],
            now=made.now,
            actor=made.account.actor,
            language=content["language"],
        )
        made.connection.commit()
    except Refused as refused:
        made.connection.rollback()
        content["error"] = _refusal(content, refused)
        return made.page("console/desk/invite.html", content, 422)
    return _link_shown(made, account, token)


def _refusal(content: dict[str, Any], refused: Refused) -> str:
    """The refusal in the reader's language, where its reason is known."""
    if "@" not in content["email"]:
        return _("Write an e-mail address, such as name@example.org.")
    if not content["name"].strip():
        return _("Write the person's name.")
    return told(refused)


def _link_shown(made: StaffVisit, account: Account, token: str) -> HttpResponse:
    link = made.request.build_absolute_uri(reverse("console:welcome", args=[token]))
    return made.page(
        "console/desk/link.html",
        {"person": account, "link": link, "days": admission.INVITATION_LASTS // DAY},
    )


@require_GET
@of_staff(RIGHT)
def person(made: StaffVisit, account_id: int) -> HttpResponse:
    """One person: roles here, how the account stands, and what can be done."""
    found = _person(made, account_id)
    return made.page(
        "console/desk/person.html",
        {
            "person": found,
            "roles": _roles(made, found),
            "state": _state(found),
            "since": made.words.day(found.created_at),
            "sessions": len(signing_in.sessions(made.connection, account_id, now=made.now)),
            "rules": _rules_person(made, found),
            "at_tills": "till:use" in found.rights_in(made.program_id),
            "elsewhere": len(found.grants) > len(found.grants_in(made.program_id)) and _rules_all(made),
        },
    )


@require_http_methods(["GET", "POST"])
@of_staff(RIGHT, sure=True)
def act(made: StaffVisit, account_id: int, act: str) -> HttpResponse:
    """Something that is done to a person: what it will do is said first, and asked once."""
    found = _person(made, account_id)
    if act not in ACTS or (act not in ("give", "take") and not _rules_person(made, found)):
        raise Http404
    form = made.request.POST if made.request.method == "POST" else made.request.GET
    held = signing_in.sessions(made.connection, account_id, now=made.now)
    content: dict[str, Any] = {
        "person": found,
        "act": act,
        "role": form.get("role", ""),
        "role_name": telling.role_name(form.get("role", "")),
        "scope": "all" if form.get("scope") == "all" else "here",
        "sessions": len(held),
        "till_sessions": sum(one.face == "till" for one in held),
        **(_choices(made) if act == "give" else {}),
    }
    if act == "take" and not any(
        grant.role == content["role"] and (grant.program_id is None) == (content["scope"] == "all")
        for grant in found.grants_in(made.program_id)
    ):
        raise Http404
    if act == "take" and content["scope"] == "all" and not _rules_all(made):
        raise Http404
    if made.request.method == "GET":
        return made.page("console/desk/act.html", content)
    made.connection.rollback()
    try:
        token = _done(made, found, act, content)
        made.connection.commit()
    except Refused as refused:
        made.connection.rollback()
        content["error"] = told(refused)
        return made.page("console/desk/act.html", content, 422)
    if token:
        return _link_shown(made, found, token)
    made.say(_("Done. It stands in the audit log."))
    if accounts.read(made.connection, account_id) is None or not _still_here(made, account_id):
        return made.go("desk:staff")
    return made.go("desk:person", account_id)


def _still_here(made: StaffVisit, account_id: int) -> bool:
    found = accounts.read(made.connection, account_id)
    return found is not None and bool(found.grants_in(made.program_id))


def _done(made: StaffVisit, found: Account, act: str, content: dict[str, Any]) -> str:
    """Does it; the token of a new link, where one was asked for."""
    connection, now, actor = made.connection, made.now, made.account.actor
    match act:
        case "give":
            accounts.give(connection, found.account_id, _wanted(made), now=now, actor=actor)
        case "take":
            wanted = (None if content["scope"] == "all" else made.program_id, content["role"])
            for grant in found.grants:
                if (grant.program_id, grant.role) == wanted:
                    accounts.take_back(connection, found.account_id, grant, now=now, actor=actor)
        case "close":
            admission.close(connection, found.account_id, now=now, actor=actor)
        case "reopen":
            admission.reopen(connection, found.account_id, now=now, actor=actor)
        case "forget":
            factors.forget_second_factor(connection, found.account_id, now=now, actor=actor)
        case "pin":
            factors.forget_pin(connection, found.account_id, now=now, actor=actor)
        case "link":
            return admission.reinvite(connection, found.account_id, now=now)
    return ""
