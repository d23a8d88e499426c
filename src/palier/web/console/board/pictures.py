"""Pictures as those who keep them see them: how the program looks to its members, and the picture of a reward."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from palier.connectors.pictures import MOST_BYTES, NotAPicture, Use
from palier.engine.document import Picture, Text
from palier.engine.program import Program
from palier.programs import branding, drafts, files, pictures, queries
from palier.rewards import catalogue, picturing
from palier.rewards.operations import NotTaken
from palier.site.refusal import Refused
from palier.web.console.studio.views import draft_ref
from palier.web.console.visits import StaffVisit, of_staff
from palier.web.refusals import part, told
from palier.web.ui import pictures as shown_pictures
from palier.web.ui.colour import parse
from palier.web.ui.icons import UNITS
from palier.web.ui.pictures import Shown

FORMERS: Final = 12
"""Pictures that were shown before and can be chosen again."""
LONGEST_ALT: Final = 200
_WHY: Final = {
    "picture_missing": gettext_lazy("Choose a file: there is no picture yet. Nothing was changed."),
    "picture_too_large": gettext_lazy(
        "The file has more than 2 MB. Nothing was changed; save the picture smaller, and choose that."
    ),
    "picture_type": gettext_lazy(
        "The file is no PNG, JPEG or WebP, and no other kind is taken. Nothing was changed; save the picture as "
        "one of these."
    ),
    "picture_name": gettext_lazy(
        "The file's name says another kind of picture than is in it. Nothing was changed; save it anew as what it is."
    ),
    "picture_broken": gettext_lazy(
        "The picture is broken or cut off. Nothing was changed; save it anew, and choose that."
    ),
    "picture_too_many_pixels": gettext_lazy(
        "The picture has more than 24 million pixels. Nothing was changed; scale it down."
    ),
    "picture_too_small": gettext_lazy(
        "The picture is narrower or lower than 32 pixels. Nothing was changed; choose a larger one."
    ),
    "picture_moves": gettext_lazy("The picture moves. Nothing was changed; choose one that stands still."),
    "picture_holds_more": gettext_lazy(
        "Something else is hidden behind the end of the picture. Nothing was changed; save the picture anew."
    ),
}
"""Why a file is not taken, in the reader's language; a test holds that every reason is here."""


class NotChosen(Exception):
    """What was sent is no picture that can be shown; the sentence for whoever sent it."""


@dataclass(frozen=True, slots=True)
class Former:
    """A picture that was shown before."""

    source: str
    shown: Shown


def _chosen(made: StaffVisit, use: Use, formers: Sequence[Picture]) -> Picture:
    """What the form chose: one that was shown before, a new file, or the same with other words."""
    posted = made.request.POST
    again = posted.get("again", "")
    if again:
        found = next((item for item in formers if item.source == again), None)
        if found is None:
            raise NotChosen(_("This picture is not there any more. Nothing was changed."))
        return found
    text = Text(posted.get("alt_en", "").strip(), posted.get("alt_fr", "").strip())
    missing = [
        language
        for language, words in (("en", text.en), ("fr", text.fr))
        if language in made.program.languages and not words
    ]
    if missing or len(text.en) > LONGEST_ALT or len(text.fr) > LONGEST_ALT:
        raise NotChosen(
            _(
                "Say in each language what the picture shows, for those who do not see it, in at most 200 "
                "characters. Nothing was changed."
            )
        )
    given = made.request.FILES.get("picture")
    kept = posted.get("kept", "")
    if not isinstance(given, UploadedFile) and kept and any(item.source == kept for item in formers):
        return Picture(kept, text)
    raw = b""
    if isinstance(given, UploadedFile):
        # One byte more than is taken tells that there is more.
        raw = given.read(MOST_BYTES + 1)
    try:
        stored = pictures.keep(
            made.connection,
            made.program_id,
            made.runtime.key,
            raw,
            use=use,
            by=made.person.actor,
            role=made.person.role,
            now=made.now,
            declared=(given.name or "") if isinstance(given, UploadedFile) else "",
        )
    except NotAPicture as refused:
        raise NotChosen(str(_WHY[refused.code])) from None
    except Refused:
        raise NotChosen(
            _(
                "The program has as many pictures as are kept. Nothing was changed; ask whoever runs the server to "
                "take away some that are shown no more."
            )
        ) from None
    return Picture(stored.source, text)


def _formers(made: StaffVisit, named: Iterable[Picture | None], now: Picture | None) -> list[Picture]:
    """Pictures that documents named, the latest first, each once; the one that is shown now among them."""
    found: dict[str, Picture] = {}
    for item in named:
        if item is not None:
            found.setdefault(item.source, item)
    if now is not None:
        found = {now.source: now, **found}
    stored = pictures.known(made.connection, made.program_id, made.runtime.key, found.values())
    return [item for item in found.values() if item.source in stored]


def _content(made: StaffVisit, now: Picture | None, formers: Sequence[Picture], error: str) -> dict[str, Any]:
    """What the form of a picture shows: what was typed, where something was, else what is written."""
    posted = made.request.POST
    drawn = shown_pictures.stored(made.connection, made.runtime, formers, made.words)
    alt = now.alt if now is not None else Text()
    return {
        "shown": drawn.get(now.source) if now is not None else None,
        "named": now is not None,
        "lost": now is not None and now.source not in drawn,
        "kept": now.source if now is not None else "",
        "formers": [
            Former(item.source, drawn[item.source])
            for item in formers
            if item.source in drawn and (now is None or item.source != now.source)
        ][:FORMERS],
        "alt_en": posted.get("alt_en", alt.en),
        "alt_fr": posted.get("alt_fr", alt.fr),
        "languages": made.program.languages,
        "error": error,
        "most_bytes": MOST_BYTES,
    }


# --- a reward's picture -----------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_staff("rewards:write")
def of_reward(made: StaffVisit, reward: str) -> HttpResponse:
    """The picture of a reward: another one, one from before, other words for it, or none."""
    versions = catalogue.versions(made.connection, made.program_id, reward)
    if not versions:
        raise Http404
    latest = versions[-1].reward
    formers = _formers(made, [version.reward.picture for version in versions[::-1]], latest.picture)
    error = ""
    if made.request.method == "POST":
        try:
            picture = None if made.request.POST.get("do") == "remove" else _chosen(made, "reward", formers)
            written = picturing.set_picture(
                made.connection,
                made.runtime,
                reward,
                picture,
                by=made.person.actor,
                reason=_("picture") if picture is not None else _("picture removed"),
                now=made.now,
            )
        except NotChosen as refused:
            error = str(refused)
        except NotTaken as refused:
            first = refused.problems[0]
            problem = {"path": first.path, "message": part(first.said), "remedy": part(first.advice)}
            error = _("Nothing was changed: %(path)s: %(message)s; %(remedy)s.") % problem
        if not error:
            made.connection.commit()
            if not written.is_new:
                made.say(_("Nothing changed: the reward shows it already."))
            elif picture is None:
                made.say(_("The picture is taken away. It stays below, to be shown again."))
            else:
                made.say(_("Members see the new picture from now on. The former one stays below."))
            return made.go("reward-picture", reward)
        made.connection.rollback()
    return made.page(
        "console/board/reward_picture.html",
        {
            "key": reward,
            "name": made.words.text(latest.name),
            "symbol": shown_pictures.drawing_for(latest),
            **_content(made, latest.picture, formers, error),
        },
        422 if error else 200,
    )


# --- the brand --------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@of_staff("programs:read")
def brand(made: StaffVisit) -> HttpResponse:
    """How the program looks to its members: its logo, its colour, and the drawings of its units."""
    found = queries.timeline(made.connection, made.runtime.key)
    documents = found.documents if found is not None else {}
    logos = [
        program.brand.logo if program.brand is not None else None
        for _number, program in sorted(documents.items(), reverse=True)
    ]
    now = made.program.brand.logo if made.program.brand is not None else None
    formers = _formers(made, logos, now)
    error = ""
    if made.request.method == "POST":
        if not made.may("programs:write"):
            raise Http404
        try:
            return _branded(made, formers)
        except NotChosen as refused:
            error = str(refused)
        except Refused as refused:
            error = told(refused)
        made.connection.rollback()
    posted = made.request.POST
    return made.page(
        "console/board/brand.html",
        {
            "accent": posted.get("accent", branding.accent_of(made.program)),
            "says_name": made.program.brand is not None and made.program.brand.logo_says_name,
            "brand_shown": shown_pictures.logo(made.connection, made.runtime, made.words),
            "units": [
                {
                    "key": item.key,
                    "name": made.words.noun(item.key, singular=False),
                    "chosen": item.icon,
                    "icons": [(icon, str(words), icon == item.icon) for icon, words in UNITS.items()],
                    "other": item.icon if item.icon not in UNITS else "",
                }
                for item in made.program.point_currencies
            ],
            "may_write": made.may("programs:write"),
            "second": made.program.approval_to_publish,
            **_content(made, now, formers, error),
        },
        422 if error else 200,
    )


def _branded(made: StaffVisit, formers: Sequence[Picture]) -> HttpResponse:
    """Publishes another look; where a second person publishes, a draft that says so is put before him."""
    posted = made.request.POST
    act = posted.get("do", "")
    logo: Picture | None = None
    says_name = posted.get("says_name") == "yes"
    if act == "look":
        try:
            parse(posted.get("accent", ""))
        except ValueError:
            raise NotChosen(_("This is no colour; choose one, or write it as #1c5d45.")) from None
    elif act != "remove":
        logo = _chosen(made, "logo", formers)
        branding.refuse_unsaid(made.program, logo)

    def change(program: Program) -> Program:
        if act == "look":
            icons = {item.key: posted.get(f"icon-{item.key}", item.icon) for item in program.point_currencies}
            icons = {key: icon for key, icon in icons.items() if icon in UNITS or not icon}
            return branding.with_look(program, posted.get("accent", "").strip().lower(), icons)
        return branding.with_logo(program, logo, says_name=says_name)

    if made.program.approval_to_publish and change(made.program) != made.program:
        draft_id = drafts.begin(
            made.connection,
            made.program_id,
            name=_("Brand"),
            text=files.write(change(made.program)),
            began_from=f"version:{made.runtime.latest.version}",
            by=made.person,
            now=made.now,
        )
        made.connection.commit()
        made.say(_("A second person publishes in this program: put the draft before him."), "warn")
        return made.go("studio:publish", draft_ref(draft_id))
    version = branding.publish_change(
        made.connection,
        made.runtime.key,
        change,
        by=made.person.actor,
        role=made.person.role,
        now=made.now,
        reason=_("brand"),
    )
    made.connection.commit()
    values = {"number": version.version}
    made.say(
        _("Members see it from now on, by version %(number)d.") % values
        if version.is_new
        else _("Nothing changed: version %(number)d says the same.") % values
    )
    return made.go("brand")
