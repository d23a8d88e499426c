"""Games: odds in plain figures before, a draw that the server makes and stores, and what it was drawn from."""

from __future__ import annotations

from fractions import Fraction
from secrets import token_hex
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from palier.activities import draws, queries, sharing
from palier.activities.doing import SOURCE
from palier.activities.pursuits import GameNow
from palier.activities.telling import tell
from palier.engine.state import NEVER
from palier.engine.words import ProgramWords
from palier.web.portal import telling
from palier.web.portal.play import doing
from palier.web.portal.visits import Visit, of_member
from palier.web.ui.wheel import wheel

PLAYS = 10
"""Past plays that are shown."""


def chance_words(words: ProgramWords, chance: Fraction) -> str:
    """A chance as people say it: "1 in 10"; "3 in 10" where it cannot be shortened. Always exact."""
    return _("%(top)s in %(bottom)s") % {
        "top": words.decimal(str(chance.numerator)),
        "bottom": words.decimal(str(chance.denominator)),
    }


def percent(chance: Fraction) -> str:
    """A chance in percent with two decimals, rounded down: nothing is promised above what it is."""
    hundredths = 10_000 * chance.numerator // chance.denominator
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _game(made: Visit, key: str) -> GameNow:
    """The game as it is for the member; 404 where it is not open or not his to play."""
    standing = queries.standing(made.connection, made.runtime, made.member_id, now=made.now)
    assert standing is not None
    for game in standing.pursuits.games:
        if game.key == key:
            return game
    raise Http404


def _shown(made: Visit, game: GameNow) -> dict[str, Any]:
    words, plan = made.words, made.runtime.timeline.at(made.now) or made.runtime.latest
    used = sharing.used(made.connection, made.runtime.program_id)
    stocks = {prize: stock for prize, _given, stock in plan.games[game.key].prizes}
    prizes = []
    for prize in game.prizes:
        stock = stocks[prize.key]
        left = max(0, stock - used.get(f"prize:{game.key}:{prize.key}", 0)) if stock else None
        prizes.append(
            {
                "name": words.text(prize.name) or telling.given_words(words, prize.given),
                "gives": telling.given_words(words, prize.given),
                "chance": chance_words(words, prize.chance),
                "percent": words.decimal(percent(prize.chance)),
                "left": left,
            }
        )
    winning = sum((prize.chance for prize in game.prizes if prize.given), Fraction(0))
    month = draws.month_of(plan.clock, made.now)
    months = draws.months(made.connection, made.runtime.program_id, made.runtime.at(made.now).clock, made.now)
    return {
        "game": {
            "key": game.key,
            "name": words.text(game.name),
            "kind": game.kind,
            "price": words.points(game.price[1], game.price[0]) if game.price else "",
            "affordable": game.affordable,
            "left": game.plays_left,
            "until": words.last(game.ends_at) if game.ends_at < NEVER else "",
            "rests": words.day(game.wins_from) if game.wins_from else "",
            "playable": game.affordable and game.plays_left != 0 and made.member is not None
            and made.member.status == "active",
        },
        "prizes": prizes,
        "winning": chance_words(words, winning),
        "commitment": next((item.commitment for item in months if item.period == month), ""),
        "month": month,
        "past": [item for item in months if item.seed][:3],
    }  # fmt: skip


@require_http_methods(["GET", "POST"])
@of_member
def game(made: Visit, key: str) -> HttpResponse:
    """A game: its odds, what is left, what a play costs; playing it is one touch, drawn and stored by the server."""
    now = _game(made, key)
    content: dict[str, Any] = {"here": "home", "once": doing.once(made)}
    if made.request.method == "POST":
        once = content["once"]
        before = queries.find_activity(made.connection, made.runtime.program_id, SOURCE, made.act_id(once))
        made.connection.rollback()
        if before is None:
            result = doing.act(made, "play", {"game": key}, once)
            if result.refusal is not None and result.trace is None:
                content["error"] = doing.refused(result.refusal.code)
                # The id of what was refused is used up: the next try has its own.
                content["once"] = token_hex(12)
                return made.page("portal/play/game.html", {**content, **_shown(made, now)}, 422)
        return HttpResponseRedirect(
            reverse("portal:played", args=[made.runtime.key, key, once]) + "?fresh=yes"
        )
    plays = queries.of_type(made.connection, made.runtime.program_id, made.member_id, "play", limit=PLAYS * 2)
    words = made.words
    history = [
        {"day": words.day(line.acts_at), "prize": _prize(made, key, line.trace.draws),
         "given": _won(words, line.trace.grants)}
        for line in plays
        if line.corrects is None and any(drawn[0] == key for drawn in line.trace.draws)
    ][:PLAYS]  # fmt: skip
    return made.page("portal/play/game.html", {**content, **_shown(made, now), "plays": history})


def _won(words: ProgramWords, grants: Any) -> str:
    return ", ".join(
        words.points(item.points, item.currency)
        for item in grants
        if item.cause.startswith("game:") and item.points > 0
    )


def _prize(made: Visit, key: str, drawn: list[tuple[str, int, str]]) -> str:
    """What the drawn field is called."""
    for name, field, prize in drawn:
        if name == key:
            written = next((item for item in made.program.games if item.key == key), None)
            if written is None or field >= len(written.prizes):
                return ""
            text = made.words.text(written.prizes[field].name)
            return text if prize else _("%(prize)s (none left)") % {"prize": text}
    return ""


@require_GET
@of_member
def played(made: Visit, key: str, once: str) -> HttpResponse:
    """What a play drew: the same however often it is looked at, because it was stored before it was shown."""
    found = queries.find_activity(made.connection, made.runtime.program_id, SOURCE, made.act_id(once))
    line = found.line if found is not None else None
    if line is None or line.member_id != made.member_id or line.type != "play":
        raise Http404
    story = tell(made.connection, made.runtime, made.member_id, [line])[0]
    drawn = next((item for item in line.trace.draws if item[0] == key), None)
    written = next((item for item in story.plan.program.games if item.key == key), None)
    if drawn is None or written is None:
        raise Http404
    words = ProgramWords(story.plan.program, made.language)
    total = sum(prize.weight for prize in written.prizes)
    fields = [(words.text(prize.name), Fraction(prize.weight, total)) for prize in written.prizes]
    given = _won(words, line.trace.grants)
    prize = words.text(written.prizes[drawn[1]].name)
    period, _colon, bytes_drawn = story.inputs.draw.partition(":")
    said = _("The wheel stands at: %(prize)s.") % {"prize": prize}
    months = draws.months(made.connection, made.runtime.program_id, made.runtime.at(made.now).clock, made.now)
    month = next((item for item in months if item.period == period), None)
    return made.page(
        "portal/play/played.html",
        {
            "here": "home",
            "game": {"key": key, "name": words.text(written.name), "kind": written.kind},
            "prize": prize,
            "given": given,
            "sold_out": not drawn[2],
            "day": words.day(line.acts_at),
            "wheel": mark_safe(wheel(fields, drawn[1], said)) if written.kind == "wheel" else "",  # noqa: S308
            "fresh": made.request.GET.get("fresh") == "yes",
            "period": period,
            "drawn": bytes_drawn,
            "source": f"{line.source}\\0{line.id}",
            "commitment": month.commitment if month is not None else "",
            "seed": month.seed if month is not None else "",
        },
    )
