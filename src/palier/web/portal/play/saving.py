"""Saving for one reward: how far it is, and about when, by the member's own history."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from palier.activities import batch
from palier.activities.operations import NotDone
from palier.activities.queries import Wallets
from palier.care import wishes
from palier.care.refusals import CareRefused
from palier.engine.clock import DAY
from palier.rewards import catalogue
from palier.web.portal.play import doing
from palier.web.portal.visits import Visit, of_member
from palier.web.ui.stair import Landing, stair


@dataclass(frozen=True, slots=True)
class Saving:
    """What is saved for, ready to be read."""

    reward: str
    name: str
    sentence: str
    when: str
    drawing: SafeString
    reached: bool


def saving(made: Visit, wallets: Wallets) -> Saving | None:
    """What the member saves for, with its distance; None where he saves for nothing, or for what is gone."""
    assert made.member is not None
    wish = wishes.read(made.connection, made.runtime.program_id, made.member_id)
    if wish is None:
        return None
    terms = catalogue.terms(made.connection, made.runtime.program_id, wish.reward, made.now)
    if terms is None:
        return None
    words = made.words
    name = words.text(terms.reward.name)
    variant = terms.reward.variants[0].key if terms.reward.variants else None
    asked = next((price for price in terms.reward.prices_of(variant) if len(price.points) == 1), None)
    if asked is None:
        return Saving(wish.reward, name, _("It cannot be had for points any more."), "", mark_safe(""), False)
    currency, price = next(iter(catalogue.price_points(made.runtime.latest, asked).items()))
    have = min(price, wallets.wallets[currency].spendable) if currency in wallets.wallets else 0
    missing = price - have
    when = ""
    if missing > 0:
        sentence = _("%(points)s to go: %(reward)s.") % {
            "points": words.points(missing, currency),
            "reward": name,
        }
        pace = wishes.pace(
            made.connection,
            made.runtime,
            made.member_id,
            currency,
            enrolled_at=made.member.enrolled_at,
            now=made.now,
        )
        days = wishes.days_until(pace, missing)
        when = (
            _("As you have earned of late, about %(day)s.") % {"day": words.day(made.now + days * DAY)}
            if days is not None
            else _("When that will be, your history does not tell yet.")
        )
    else:
        sentence = _("You have enough: %(reward)s is yours to take.") % {"reward": name}
    tenths = 10 * have // price if price else 10
    landings = [
        Landing(words.points(have, currency), "present" if missing > 0 else "reached"),
        Landing(words.points(price, currency), "ahead" if missing > 0 else "present"),
    ]
    drawing = stair(landings, f"{name}. {sentence}", share=(tenths, 10))
    return Saving(wish.reward, name, sentence, when, mark_safe(drawing), missing <= 0)  # noqa: S308


@require_POST
@of_member
def save_for(made: Visit, key: str) -> HttpResponse:
    """Saves for this reward from now on, or for nothing any more."""
    once = made.act_id(doing.once(made))
    stops = made.request.POST.get("stop") == "yes"
    try:
        if stops:
            batch.attempt(
                made.connection,
                lambda: wishes.stop(made.connection, made.runtime, made.member_id, id=once, now=made.now),
            )
            made.request.session["said"] = _("You save for nothing any more.")
        else:
            batch.attempt(
                made.connection,
                lambda: wishes.choose(
                    made.connection, made.runtime, made.member_id, key, id=once,
                    now=made.now,
                ),
            )  # fmt: skip
            made.request.session["said"] = _("You save for this now. The home page shows how far it is.")
    except (CareRefused, NotDone):
        made.request.session["said"] = _("This cannot be saved for. Nothing was changed.")
    return made.go("home")
