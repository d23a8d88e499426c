"""Imports: a file is brought, its columns are looked at, and the worker takes it in; what was refused comes back."""

from __future__ import annotations

import csv
import io
from typing import Any, Final

from django.http import Http404, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from palier.activities import uploads
from palier.activities.uploads import Column, Look, Options, Upload, UploadRefused
from palier.connectors.rows import MARK
from palier.web.console.people.acts import address, done
from palier.web.console.people.lists import ROWS, Row, actor_words, after, moment_words, pages
from palier.web.console.visits import StaffVisit, of_staff
from palier.web.refusals import part, told

FORM_BYTES: Final = 1_900_000
"""The longest file that a form without script can bring at once."""
CONSTANTS: Final = ("source", "type")
"""What may be the same for all rows of a file."""
SHOWN_REFUSED: Final = 8


def state_words(state: str) -> str:
    """How far a file is."""
    return {
        "receiving": _("being brought"),
        "ready": _("to be looked at"),
        "asked": _("waits for its turn"),
        "running": _("being imported"),
        "done": _("imported"),
        "failed": _("stopped by a problem"),
        "stopped": _("stopped"),
    }.get(state, state)


_KINDS: Final = {"running": "accent", "asked": "accent", "done": "good", "failed": "bad", "stopped": "warn"}


def _row(made: StaffVisit, found: Upload) -> Row:
    counts = found.told
    return {
        "number": found.upload_id,
        "name": found.name,
        "state": state_words(found.state),
        "raw": found.state,
        "kind": _KINDS.get(found.state, ""),
        "size": size_words(found.length, made.language),
        "when": moment_words(made, found.created_at),
        "by": actor_words(made, found.asked_by),
        "told": counts,
        "refused": found.refused_lines,
        "problem": told(found.why),
        "share": min(100, 100 * counts.done // counts.expected) if counts.expected else 0,
        "open": found.open,
    }


def size_words(size: int, language: str) -> str:
    """A number of bytes, as people read it."""
    tenths = size * 10 // 1_000_000
    if tenths < 1:
        return _("%(size)d kB") % {"size": max(1, size // 1000)}
    mark = "," if language == "fr" else "."
    return _("%(size)s MB") % {"size": f"{tenths // 10}{mark}{tenths % 10}"}


@require_GET
@of_staff("imports:write")
def listed(made: StaffVisit) -> HttpResponse:
    """Files that were brought, the latest first, and the way to bring one."""
    key = after(made)
    found = uploads.listed(
        made.connection, made.program_id, before=key[0] if key is not None else None, limit=ROWS + 1
    )
    shown = found[:ROWS]
    return made.page(
        "console/people/imports.html",
        {
            "uploads": [_row(made, item) for item in shown],
            "pages": pages(made, (shown[-1].upload_id,) if len(found) > ROWS else None),
            "most": size_words(uploads.MOST_BYTES, made.language),
            "most_bytes": uploads.MOST_BYTES,
            "form_most": size_words(FORM_BYTES, made.language),
            "piece": uploads.PIECE,
            "kept_days": uploads.KEPT_DAYS,
        },
    )


@require_POST
@of_staff("imports:write")
def begin(made: StaffVisit) -> HttpResponse:
    """Makes room for a file. A form sends it whole; the script names it and sends it piece by piece."""
    request = made.request
    whole = request.FILES.get("file")
    length = request.POST.get("length", "")
    try:
        if whole is not None:
            size = whole.size or 0
            upload = uploads.begin(
                made.connection, made.runtime, whole.name or "", size, by=made.person, now=made.now
            )
            uploads.append(made.connection, upload, 0, whole.read(), now=made.now)
            return made.go("people:import", upload.upload_id)
        if not (length.isascii() and length.isdigit() and len(length) < 16):
            raise UploadRefused(uploads.UNREAD)
        upload = uploads.begin(
            made.connection,
            made.runtime,
            request.POST.get("name", ""),
            int(length),
            by=made.person,
            now=made.now,
        )
    except UploadRefused as refused:
        said = told(refused)
        if whole is None and length:
            return JsonResponse({"said": said}, status=422)
        made.say(said, "bad")
        return made.go("people:imports")
    return JsonResponse(
        {
            "piece": address(made, "import-piece", upload.upload_id),
            "then": address(made, "import", upload.upload_id),
        }
    )


def _find(made: StaffVisit, number: int) -> Upload:
    found = uploads.read(made.connection, made.program_id, number) if number < 2**63 else None
    if found is None:
        raise Http404
    return found


@require_POST
@of_staff("imports:write")
def piece(made: StaffVisit, number: int) -> HttpResponse:
    """Takes a piece of a file at its place (`?at=`); sent again, it changes nothing."""
    found = _find(made, number)
    at = made.request.GET.get("at", "")
    body = made.request.body
    made.connection.rollback()
    if not (at.isascii() and at.isdigit() and len(at) < 16) or not 0 < len(body) <= uploads.PIECE:
        return JsonResponse({"said": told(uploads.MISPLACED)}, status=422)
    try:
        found = uploads.append(made.connection, found, int(at), body, now=made.now)
    except UploadRefused as refused:
        made.connection.rollback()
        return JsonResponse({"said": told(refused)}, status=422)
    return JsonResponse({"size": found.size})


# --- one file ---------------------------------------------------------------------------------------------


def _options(made: StaffVisit, found: Upload) -> Options:
    """How the file is to be read, as the form says; before it was sent, as it was read last or guessed."""
    form = made.request.POST
    if "column_0" not in form:
        return found.options
    columns: dict[str, str] = {}
    left_out: list[str] = []
    number = 0
    while (name := form.get(f"column_{number}")) is not None and number < 500:
        field = form.get(f"field_{number}", "")[:80]
        if field:
            columns[name] = field
        else:
            left_out.append(name)
        number += 1
    constants = {name: value for name in CONSTANTS if (value := form.get(f"same_{name}", "").strip()[:80])}
    lines: Any = {"yes": True, "scattered": "scattered"}.get(form.get("lines", ""), False)
    mapping: dict[str, Any] = {
        "columns": columns,
        "constants": constants,
        "left_out": left_out,
        "lines": lines,
    }
    if form.get("decimal") == ",":
        mapping["decimal"] = ","
    if written := form.get("date_format", "").strip()[:40]:
        mapping["date_format"] = written
    return Options(mapping, form.get("enrol") == "yes")


@require_GET
@of_staff("imports:write")
def upload(made: StaffVisit, number: int) -> HttpResponse:
    """One file: how it would be read and what would become of it; or how far it is."""
    found = _find(made, number)
    content: dict[str, Any] = {"upload": _row(made, found), "poll": address(made, "import-progress", number)}
    if found.state in ("ready", "failed", "stopped") and uploads.path_of(found).exists():
        options = found.options if found.options.mapping else Options({}, True)
        content |= _form(made, found, options)
        return made.page("console/people/import.html", content)
    return made.page("console/people/import_run.html", content)


def _form(made: StaffVisit, found: Upload, options: Options) -> dict[str, Any]:
    looked = uploads.look(made.connection, made.runtime, found, options, now=made.now)
    return {
        "columns": [_column(number, column) for number, column in enumerate(looked.columns)],
        "fields": [(name, field_words(name)) for name in uploads.fields(made.runtime)],
        "options": options,
        "constants": options.mapping.get("constants", {}),
        "lines": {True: "yes", "scattered": "scattered"}.get(options.mapping.get("lines", False), ""),
        "decimal": options.mapping.get("decimal", "."),
        "date_format": options.mapping.get("date_format", "") or "",
        "types": [
            ("return", _("return")),
            ("visit", _("visit")),
            *((item.key, made.words.text(item.name)) for item in made.program.activity_types),
        ],
        **_looked(looked, options),
    }


def _looked(looked: Look, options: Options) -> dict[str, Any]:
    taken = looked.applied + (looked.unknown if options.enrol else 0)
    refused = len(looked.refused) + (0 if options.enrol else looked.unknown)
    return {
        "look": looked,
        "problem": told(looked.problem),
        "taken": taken,
        "refused_count": refused,
        "refused_rows": [(row.line, part(row.reason)) for row in looked.refused[:SHOWN_REFUSED]],
        "enrol": options.enrol,
        "sample": uploads.SAMPLE,
    }


def _column(number: int, column: Column) -> Row:
    return {"number": number, "name": column.name, "field": column.field, "samples": column.samples}


def field_words(name: str) -> str:
    """What a field of an activity is, in words."""
    room, _dot, rest = name.partition(".")
    if rest:
        of_room = {
            "member": _("member: %(name)s"), "line": _("line: %(name)s"), "sale": _("returned sale: %(name)s"),
            "tender": _("paid by: %(name)s"), "attributes": _("attribute: %(name)s"),
        }.get(room, "%(name)s")  # fmt: skip
        return of_room % {"name": _part_words(room, rest)}
    return {
        "source": _("source (the system that says so)"), "id": _("id (number of the ticket)"),
        "type": _("kind of activity"), "occurred_at": _("date and time"), "amount": _("amount"),
        "tax": _("tax"), "shipping": _("shipping"), "discount": _("discount"), "currency": _("currency"),
        "channel": _("channel"), "location": _("shop"), "partner": _("partner"),
        "ticket_number": _("number printed on the ticket"), "whole": _("everything is returned"),
        "lines": _("all lines (JSON)"), "tenders": _("all means of payment (JSON)"),
        "attributes": _("all attributes (JSON)"), "returned": _("what is returned (JSON)"),
    }.get(name, name.replace("_", " "))  # fmt: skip


def _part_words(room: str, name: str) -> str:
    """What a part of the member, of a line or of the returned sale is, in words; other names are the program's."""
    words = {
        "member": {
            "card": _("card"), "email": _("e-mail address"), "phone": _("phone"), "external_id": _("customer number"),
        },
        "line": {
            "sku": _("article number"), "category": _("category"), "quantity": _("quantity"), "amount": _("amount"),
            "kind": _("kind of line"),
        },
        "sale": {"source": _("source"), "id": _("number of the ticket")},
    }  # fmt: skip
    return words.get(room, {}).get(name, name.replace("_", " "))


@require_POST
@of_staff("imports:write")
def look(made: StaffVisit, number: int) -> HttpResponse:
    """What would become of the first rows, read as the form says: a part of the page, as the form is filled in."""
    found = _find(made, number)
    if found.state not in ("ready", "failed", "stopped"):
        raise Http404
    options = _options(made, found)
    looked = uploads.look(made.connection, made.runtime, found, options, now=made.now)
    return made.page(
        "console/people/import_look.html", {"upload": _row(made, found), **_looked(looked, options)}
    )


@require_GET
@of_staff("imports:write")
def progress(made: StaffVisit, number: int) -> HttpResponse:
    """How far a file is: a part of the page."""
    return made.page("console/people/import_progress.html", {"upload": _row(made, _find(made, number))})


@require_POST
@of_staff("imports:write")
def step(made: StaffVisit, number: int, step: str) -> HttpResponse:
    """Gives a file to the worker, stops it, or removes it."""
    found = _find(made, number)
    made.connection.rollback()
    if step == "start":
        options = _options(made, found)
        looked = uploads.look(made.connection, made.runtime, found, options, now=made.now)
        made.connection.rollback()
        if looked.problem:
            content = {"upload": _row(made, found), "poll": "", **_form(made, found, options)}
            return made.page("console/people/import.html", content, 422)
        try:
            done(made, lambda: uploads.ask(made.connection, found, options, by=made.person, now=made.now))
        except UploadRefused as refused:
            made.say(told(refused), "warn")
        return made.go("people:import", number)
    if step == "stop":
        if done(made, lambda: uploads.stop(made.connection, found, by=made.person, now=made.now)):
            made.say(_("Stopped. What is in stays; it can be taken up again."), "warn")
        return made.go("people:import", number)
    if step == "discard":
        if done(made, lambda: uploads.discard(made.connection, found, now=made.now)):
            made.say(_("The file is removed. What is in stays."))
        return made.go("people:imports")
    raise Http404


@require_GET
@of_staff("imports:write")
def refused(made: StaffVisit, number: int) -> HttpResponse:
    """The lines that were refused, each with its reason, to be corrected and brought again."""
    found = _find(made, number)
    if not uploads.refused_path(found).exists():
        raise Http404
    stem = found.name.rpartition(".")[0] or found.name
    safe = "".join(character if character.isalnum() or character in "-_" else "-" for character in stem)[:80]
    rows = io.StringIO(newline="")
    csv.writer(rows).writerows(uploads.refused_lines(found, part))
    response = HttpResponse(MARK + rows.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = (
        f'attachment; filename="{safe.encode("ascii", "ignore").decode()}.refused.csv"'
    )
    response["Cache-Control"] = "private, no-store"
    return response
