"""The pages of the studio: drafts, the desk on which one is written, saves, versions, publishing, backtests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from palier.activities.comparison import Comparison
from palier.engine.clock import instant, moment
from palier.engine.describe import describe
from palier.engine.describe.page import typeset
from palier.engine.lint import Finding
from palier.members import refs
from palier.programs import backtests, drafts, files, gallery, publishing, queries
from palier.programs.backtests import Run
from palier.programs.drafts import Draft, Save, Saved
from palier.programs.edits import edit
from palier.programs.plan import Change
from palier.programs.publishing import Origin
from palier.programs.queries import Version
from palier.programs.source import SourceError, read_yaml
from palier.rewards.listing import folded
from palier.site.refusal import Refused
from palier.staff import accounts
from palier.web.console.studio import figures, forms
from palier.web.console.studio.desk import count_words, open_desk
from palier.web.console.visits import StaffVisit, of_staff
from palier.web.refusals import told

READ: Final = "programs:read"
WRITE: Final = "programs:write"
DRAFT: Final = "dr"
RUN: Final = "bt"
LINES: Final = 200


def draft_ref(draft_id: int) -> str:
    """The public id of a draft."""
    return refs.encode_as(DRAFT, draft_id)


def _draft(made: StaffVisit, ref: str) -> Draft:
    draft_id = refs.decode_as(DRAFT, ref)
    found = drafts.read(made.connection, made.program_id, draft_id) if draft_id is not None else None
    if found is None:
        raise Http404
    return found


def _save(made: StaffVisit, draft: Draft, number: int) -> Save:
    found = drafts.save_of(made.connection, made.program_id, draft.draft_id, number)
    if found is None:
        raise Http404
    return found


def _to_desk(made: StaffVisit, ref: str, **query: str | int) -> HttpResponse:
    asked = urlencode({key: value for key, value in query.items() if value not in ("", 0)})
    address = reverse("console:studio:desk", args=[made.runtime.key, ref])
    return HttpResponseRedirect(f"{address}{'?' + asked if asked else ''}")


def _when(made: StaffVisit, at: int) -> str:
    """A day with its time, in the program's zone."""
    local = moment(at).astimezone(ZoneInfo(made.program.time_zone))
    return f"{made.words.day(at)}, {local:%H:%M}"


def _names(made: StaffVisit) -> dict[str, str]:
    """Actor of the staff -> the person's name."""
    return {account.person.actor: account.name for account in accounts.listed(made.connection)}


# --- the front ------------------------------------------------------------------------------------------


@require_GET
@of_staff(READ)
def front(made: StaffVisit) -> HttpResponse:
    """Drafts that are being written, what waits for a second person, and the versions."""
    return _front(made, "")


def _front(made: StaffVisit, error: str, status: int = 200) -> HttpResponse:
    names = _names(made)
    versions = queries.list_versions(made.connection, made.runtime.key)
    in_force = made.runtime.stored.version_at(made.now)
    return made.page(
        "console/studio/front.html",
        {
            "drafts": [
                {
                    "ref": draft_ref(item.draft_id),
                    "name": item.name,
                    "saved": _when(made, item.saved_at),
                    "by": names.get(item.saved_by, item.saved_name),
                }
                for item in drafts.listed(made.connection, made.program_id)
            ],
            "waiting": [
                {
                    "by": names.get(item.asked_by, item.asked_name),
                    "asked": _when(made, item.asked_at),
                    "changes": item.payload.get("changes_fr" if made.language == "fr" else "changes", []),
                    "starts": item.payload.get("effective_from", ""),
                }
                for item in publishing.waiting(made.connection, made.program_id, now=made.now)
            ],
            "versions": [
                {
                    "number": item.version,
                    "starts": _when(made, item.effective_from),
                    "published": _when(made, item.published_at),
                    "by": names.get(item.published_by, item.published_by),
                    "hash": item.sha256[:12],
                    "sha256": item.sha256,
                    "in_force": item.version == in_force,
                    "future": item.effective_from > made.now,
                }
                for item in reversed(versions[-50:])
            ],
            "gallery": _gallery(made.language),
            "may_write": made.may(WRITE),
            "error": error,
        },
        status,
    )


def _gallery(language: str) -> list[tuple[str, str]]:
    found = []
    for entry in gallery.entries():
        name = entry.program().name
        found.append((entry.key, (name.fr or name.en) if language == "fr" else (name.en or name.fr)))
    return sorted(found, key=lambda item: folded(item[1]))


@require_POST
@of_staff(WRITE)
def begin(made: StaffVisit) -> HttpResponse:
    """A new draft, from a version or from a program of the gallery."""
    name, start = made.request.POST.get("name", ""), made.request.POST.get("start", "")
    kind, _colon, key = start.partition(":")
    text, began = "", start
    if kind == "gallery" and (entry := gallery.find(key)) is not None:
        text = gallery.with_key(entry.document.read_text(encoding="utf-8"), made.runtime.key)
    elif kind == "version" and key.isdigit() and len(key) < 9:
        found = queries.document(made.connection, made.runtime.key, int(key))
        text = files.write(found) if found is not None else ""
    if not text:
        found = queries.document(made.connection, made.runtime.key)
        assert found is not None, "a program of the console is published"
        text, began = files.write(found), f"version:{made.runtime.latest.version}"
    try:
        draft_id = drafts.begin(
            made.connection,
            made.program_id,
            name=name or _("Draft of %(name)s") % {"name": made.account.name},
            text=text,
            began_from=began,
            by=made.person,
            now=made.now,
        )
    except Refused as refused:
        return _front(made, told(refused), 422)
    return made.go("studio:desk", draft_ref(draft_id))


# --- the desk -------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_staff(READ)
def desk(made: StaffVisit, ref: str) -> HttpResponse:
    """A draft as form and as text, with what is to be said of it; what is posted is saved."""
    draft = _draft(made, ref)
    if made.request.method == "POST":
        if not made.may(WRITE):
            raise Http404
        return _written(made, ref, draft)
    query = made.request.GET
    return _desk(made, ref, draft, _asked(query), aside=_number(query.get("aside", "")))


def _asked(query: Mapping[str, str]) -> dict[str, str]:
    """Where the desk is open: the part, and the language of the plain words."""
    return {"at": query.get("at", "")[:200], "words": query.get("words", "")[:2]}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _desk(
    made: StaffVisit,
    ref: str,
    draft: Draft,
    place: dict[str, str],
    *,
    aside: int = 0,
    error: str = "",
    whole: bool = False,
    status: int = 200,
    text: str | None = None,
) -> HttpResponse:
    save = _save(made, draft, draft.head)
    words_in = place["words"] if place["words"] in ("en", "fr") else made.language
    opened = open_desk(
        save.text if text is None else text,
        part=place["at"],
        language=made.language,
        words_in=words_in,
        published=made.program,
        now=made.now,
        program_label=_("The program"),
    )
    redo = drafts.redone(made.connection, made.program_id, draft.draft_id, draft.head)
    content = {
        "desk": opened,
        "draft": draft,
        "ref": ref,
        "head": draft.head,
        "saved": _when(made, draft.saved_at),
        "saved_by": _names(made).get(draft.saved_by, draft.saved_name),
        "undo": save.before,
        "redo": redo,
        "aside": aside if aside and aside != draft.head else 0,
        "error": error,
        "whole": whole,
        "words_in": words_in,
        "may_write": made.may(WRITE),
        "to_mend": count_words(opened.errors),
        "said_changes": _told(opened.changes, made.language),
    }
    fetched = made.request.headers.get("X-Requested-With") == "fetch"
    return made.page(
        "console/studio/desk.html" if not fetched else "console/studio/parts.html", content, status
    )


def _told(changes: Sequence[Change], language: str) -> list[str]:
    """Changes in words. When the version takes effect is said apart."""
    told = [change for change in changes if change.path != "effective_from"]
    return [
        typeset(change.sentence_fr, language) if language == "fr" else change.sentence_en
        for change in told[:LINES]
    ]


def _warnings(seen: publishing.Preview, language: str) -> list[list[str]]:
    """What is told of the document before it is published: of itself, and of how it may fail."""
    own = [[told(one.said), told(one.advice)] for one in seen.warnings]
    return own + _findings([one for one in seen.report.findings if one.severity == "warning"], language)


def _findings(findings: Sequence[Finding], language: str) -> list[list[str]]:
    """Each finding's reason and remedy, set as print is."""
    return [[typeset(text, language) for text in finding.said(language)] for finding in findings]


def _written(made: StaffVisit, ref: str, draft: Draft) -> HttpResponse:
    """Saves what a form or the text says, or moves along the saves."""
    posted = made.request.POST
    place = _asked(posted)
    act, _colon, where = posted.get("act", "").partition(":")
    made_from = _number(posted.get("made_from", ""))
    if act in ("undo", "redo", "choose"):
        number = _number(where)
        done = drafts.show(
            made.connection, made.program_id, draft.draft_id, number=number, instead_of=made_from
        )
        error = "" if done else _("Somebody saved meanwhile; this is how the draft stands now.")
        return _answered(made, ref, place, error=error)
    base = drafts.save_of(made.connection, made.program_id, draft.draft_id, made_from) or _save(
        made, draft, draft.head
    )
    whole = False
    try:
        if posted.get("pane") == "text":
            text = posted.get("text", "")
        else:
            text, whole, place["at"] = _form_text(base.text, posted, act, where, place["at"])
        saved = drafts.save(
            made.connection,
            made.program_id,
            draft.draft_id,
            text=text,
            made_from=made_from,
            by=made.person,
            now=made.now,
        )
    except SourceError as problem:
        unread = _(
            "The text cannot be read at line %(line)d, so the form cannot change it. Mend the text first."
        )
        return _answered(made, ref, place, error=unread % {"line": problem.place.line}, status=422)
    except Refused as refused:
        return _answered(made, ref, place, error=told(refused), status=422)
    return _answered(made, ref, place, saved=saved, whole=whole)


def _form_text(text: str, posted: Any, act: str, where: str, open_at: str) -> tuple[str, bool, str]:
    """(the text with what the form says, whether it was written anew, the part that is open then)."""
    data = read_yaml(text.encode()).data
    if not isinstance(data, dict):
        return text, False, open_at
    names = {key: values for key, values in posted.lists() if key not in _OWN}
    new = forms.filled(data, {key: values[-1] for key, values in names.items()}, names)
    if act == "add":
        new, made_at = forms.added(new, where)
        if where in forms.SECTIONS:
            open_at = made_at
    elif act == "remove":
        new = forms.removed(new, where)
        if where == open_at:
            open_at = ""
    elif act in ("up", "down"):
        new = forms.moved(new, where, -1 if act == "up" else 1)
    elif act == "compare":
        new = forms.with_comparison(new, where)
    edited = edit(text, new)
    return edited.text, edited.whole, open_at


_OWN: Final = frozenset({"csrfmiddlewaretoken", "act", "pane", "made_from", "at", "words", "text"})


def _answered(
    made: StaffVisit,
    ref: str,
    place: dict[str, str],
    *,
    saved: Saved | None = None,
    error: str = "",
    whole: bool = False,
    status: int = 200,
) -> HttpResponse:
    """The parts that changed, to a script; else the way back to the desk."""
    aside = saved.number if saved is not None and saved.meanwhile is not None else 0
    if made.request.headers.get("X-Requested-With") == "fetch" or status != 200:
        draft = _draft(made, ref)
        return _desk(made, ref, draft, place, aside=aside, error=error, whole=whole, status=status)
    if error:
        made.say(error, "warn")
    if whole:
        made.say(_("The text was written anew: its comments are gone. Undo brings them back."), "warn")
    return _to_desk(made, ref, at=place["at"], words=place["words"], aside=aside)


@require_POST
@of_staff(WRITE)
def rename(made: StaffVisit, ref: str) -> HttpResponse:
    """Another name for a draft."""
    draft = _draft(made, ref)
    try:
        drafts.rename(
            made.connection, made.program_id, draft.draft_id, name=made.request.POST.get("name", "")
        )
    except Refused as refused:
        made.say(told(refused), "bad")
    return _to_desk(made, ref)


@require_POST
@of_staff(WRITE)
def discard(made: StaffVisit, ref: str) -> HttpResponse:
    """Puts a draft away."""
    draft = _draft(made, ref)
    drafts.discard(made.connection, made.program_id, draft.draft_id, now=made.now)
    made.say(_("The draft “%(name)s” is put away.") % {"name": draft.name})
    return made.go("studio:front")


@require_GET
@of_staff(READ)
def saves(made: StaffVisit, ref: str) -> HttpResponse:
    """Everything that was saved of a draft, with who and when; each can be shown again."""
    draft = _draft(made, ref)
    found = drafts.saves(made.connection, made.program_id, draft.draft_id)
    names = _names(made)
    aside = _number(made.request.GET.get("number", ""))
    return made.page(
        "console/studio/saves.html",
        {
            "draft": draft,
            "ref": ref,
            "saves": [
                {
                    "number": item.number,
                    "before": item.before,
                    "saved": _when(made, item.saved_at),
                    "by": names.get(item.saved_by, item.saved_name),
                    "head": item.number == draft.head,
                    "aside": item.before + 1 != item.number,
                }
                for item in found
            ],
            "chosen": _save(made, draft, aside) if aside else None,
            "may_write": made.may(WRITE),
        },
    )


def _download(text: str, name: str) -> HttpResponse:
    response = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.yaml"'
    response["Cache-Control"] = "private, no-store"
    return response


@require_GET
@of_staff(READ)
def draft_file(made: StaffVisit, ref: str) -> HttpResponse:
    """The text of a draft, to keep."""
    draft = _draft(made, ref)
    return _download(_save(made, draft, draft.head).text, f"{made.runtime.key}-{ref}")


# --- versions -------------------------------------------------------------------------------------------


def _version(made: StaffVisit, number: int) -> Version:
    versions = queries.list_versions(made.connection, made.runtime.key)
    found = next((item for item in versions if item.version == number), None)
    if found is None:
        raise Http404
    return found


@require_GET
@of_staff(READ)
def version(made: StaffVisit, number: int) -> HttpResponse:
    """One published version: its hash, author and dates, in plain words and as text."""
    found = _version(made, number)
    document = queries.document(made.connection, made.runtime.key, number)
    assert document is not None
    return made.page(
        "console/studio/version.html",
        {
            "found": found,
            "number": number,
            "latest": number == made.runtime.latest.version,
            "starts": _when(made, found.effective_from),
            "published": _when(made, found.published_at),
            "by": _names(made).get(found.published_by, found.published_by),
            "page": describe(document, made.language),
            "text": files.write(document),
            "may_write": made.may(WRITE),
        },
    )


@require_GET
@of_staff(READ)
def version_file(made: StaffVisit, number: int) -> HttpResponse:
    """The document of a version, to keep; publishing it again is no change."""
    _version(made, number)
    document = queries.document(made.connection, made.runtime.key, number)
    assert document is not None
    return _download(files.write(document), f"{made.runtime.key}-{number}")


# --- publishing -----------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_staff(WRITE)
def publish_draft(made: StaffVisit, ref: str) -> HttpResponse:
    """What publishing a draft would do; on confirming, it is done or asked for."""
    draft = _draft(made, ref)
    wanted = _number(made.request.POST.get("number", "")) or draft.head
    last = next((r for r in _runs(made, draft) if r.save_number == wanted and r.state == "done"), None)
    run = backtests.read(made.connection, made.program_id, last.run_id) if last is not None else None
    return _publish(
        made,
        Origin(draft.draft_id, wanted),
        reverse("console:studio:publish", args=[made.runtime.key, ref]),
        reverse("console:studio:desk", args=[made.runtime.key, ref]),
        draft.name,
        run,
        ref,
    )


@require_http_methods(["GET", "POST"])
@of_staff(WRITE)
def publish_version(made: StaffVisit, number: int) -> HttpResponse:
    """Going back: an older version's document, published anew."""
    _version(made, number)
    return _publish(
        made,
        Origin(0, number),
        reverse("console:studio:publish-version", args=[made.runtime.key, number]),
        reverse("console:studio:version", args=[made.runtime.key, number]),
        _("version %(number)d") % {"number": number},
        None,
        "",
    )


def _publish(
    made: StaffVisit, origin: Origin, here: str, back: str, called: str, run: Run | None, ref: str
) -> HttpResponse:
    posted = made.request.POST
    given = posted.get("starts", "") if posted.get("when") == "date" else ""
    error, starts = "", None
    status = 200
    try:
        starts = _instant(made, given) if given else None
        if posted.get("when") == "date" and not given:
            raise Refused(_("Write the day and time from which it holds."))
    except Refused as refused:
        error, status = told(refused), 422
    seen = None
    try:
        document = publishing.document_of(made.connection, made.program_id, made.runtime.key, origin)
        seen = publishing.preview(made.connection, document, starts=starts, now=made.now)
    except Refused as refused:
        error, status = told(refused), 422 if made.request.method == "POST" else 200
    if made.request.method == "POST" and posted.get("confirmed") == "yes" and seen is not None and not error:
        try:
            done = publishing.put_forward(
                made.connection,
                made.program_id,
                made.runtime.key,
                origin,
                starts=starts,
                by=made.person,
                now=made.now,
                reason=posted.get("reason", "").strip()[:500],
            )
        except Refused as refused:
            error, status = told(refused), 422
        else:
            _say_done(made, done)
            return made.go("studio:front")
    compared = msgspec.json.decode(run.result, type=Comparison) if run is not None and run.result else None
    return made.page(
        "console/studio/publish.html",
        {
            "here": here,
            "back": back,
            "called": called,
            "ref": ref,
            "number": origin.number,
            "seen": seen,
            "changes": [] if seen is None else _told(seen.changes, made.language),
            "findings": [] if seen is None else _warnings(seen, made.language),
            "starts": _when(made, seen.starts) if seen is not None else "",
            "given": given,
            "when": posted.get("when", "now"),
            "reason": posted.get("reason", ""),
            "zone": made.program.time_zone,
            "error": error or (told(seen.refused) if seen is not None else ""),
            "figures": figures.in_short(compared, made.words) if compared is not None else [],
            "notice": seen.program.notice if seen is not None else None,
        },
        status,
    )


def _say_done(made: StaffVisit, done: Any) -> None:
    if not isinstance(done, Version):
        made.say(_("A second person is asked. It is published as soon as somebody else approves it."), "good")
    elif done.is_new:
        made.say(
            _("Version %(number)d is published and holds from %(when)s.")
            % {"number": done.version, "when": _when(made, done.effective_from)}
        )
    else:
        made.say(
            _("Nothing to publish: version %(number)d says the same.") % {"number": done.version}, "warn"
        )


_YEARS: Final = (2000, 2199)


def _instant(made: StaffVisit, text: str) -> str:
    """A day and time of the program's zone as an instant with its offset."""
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(_("This is no day and time; write them like 2026-12-01T08:00.")) from None
    if not _YEARS[0] <= local.year <= _YEARS[1]:
        raise Refused(_("This day is too far away; write one between 2000 and 2199."))
    if local.tzinfo is None:
        local = local.replace(tzinfo=ZoneInfo(made.program.time_zone))
    instant(local)
    return local.isoformat()


# --- backtests ------------------------------------------------------------------------------------------


def _runs(made: StaffVisit, draft: Draft) -> list[Run]:
    return backtests.listed(made.connection, made.program_id, draft.draft_id)


@require_http_methods(["GET", "POST"])
@of_staff(READ)
def backtest(made: StaffVisit, ref: str) -> HttpResponse:
    """Asks for a draft to be played over the program's own history; the runs there were."""
    draft = _draft(made, ref)
    posted = made.request.POST
    error = ""
    if made.request.method == "POST":
        if not made.may(WRITE):
            raise Http404
        try:
            request = {
                "currency": posted.get("currency", "")[:60],
                "points": forms.decimal(posted.get("points", "").strip())[:20],
            }
            run_id = backtests.ask(
                made.connection,
                made.program_id,
                draft.draft_id,
                draft.head,
                request={key: value for key, value in request.items() if request["points"]},
                by=made.person,
                now=made.now,
            )
            return made.go("studio:run", refs.encode_as(RUN, run_id))
        except Refused as refused:
            error = told(refused)
    document = files.read(_save(made, draft, draft.head).text.encode(), "yaml")
    names = _names(made)
    return made.page(
        "console/studio/backtest.html",
        {
            "draft": draft,
            "ref": ref,
            "ready": document.program is not None,
            "currencies": [
                (item.key, made.words.noun(item.key, singular=False))
                for item in made.program.point_currencies
            ],
            "runs": [_run_shown(made, run, names) for run in _runs(made, draft)],
            "may_write": made.may(WRITE),
            "error": error,
        },
        422 if error else 200,
    )


def _run_shown(made: StaffVisit, run: Run, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "ref": refs.encode_as(RUN, run.run_id),
        "number": run.save_number,
        "asked": _when(made, run.asked_at),
        "by": names.get(run.asked_by, run.asked_name),
        "state": run.state,
        "percent": run.percent,
        "problem": told(run.why),
    }


@require_GET
@of_staff(READ)
def run(made: StaffVisit, ref: str) -> HttpResponse:
    """How far a backtest is, or what came out of it."""
    run_id = refs.decode_as(RUN, ref)
    found = backtests.read(made.connection, made.program_id, run_id) if run_id is not None else None
    if found is None:
        raise Http404
    draft = drafts.read(made.connection, made.program_id, found.draft_id)
    save = drafts.save_of(made.connection, made.program_id, found.draft_id, found.save_number)
    content: dict[str, Any] = {
        "run": _run_shown(made, found, _names(made)),
        "draft": draft,
        "ref": draft_ref(found.draft_id),
    }
    if found.state == "done" and found.result is not None:
        compared = msgspec.json.decode(found.result, type=Comparison)
        document = files.read(save.text.encode(), "yaml").program if save is not None else None
        content.update(figures.shown(compared, made.program, document or made.program, made.language))
        content["until"] = _when(made, compared.until)
        content["findings"] = _findings(compared.findings, made.language)
    response = made.page("console/studio/run.html", content)
    if found.state in ("asked", "running"):
        response["Refresh"] = "2"
    return response
