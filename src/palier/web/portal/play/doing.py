"""What forms of these pages do: an act of the member by the common intake, with a once that no form repeats."""

from __future__ import annotations

from collections.abc import Mapping
from secrets import token_hex

from django.utils.translation import gettext as _

from palier.activities import batch, doing
from palier.activities.answers import Result
from palier.engine.refusals import RefusalCode
from palier.web.portal.visits import Visit


def once(made: Visit) -> str:
    """The id that a form carries, or a new one; only letters and digits."""
    given = made.request.POST.get("once", "")
    return given if given.isascii() and given.isalnum() and 8 <= len(given) <= 40 else token_hex(12)


def act(made: Visit, kind: str, attributes: Mapping[str, str | int | bool], key: str) -> Result:
    """Applies an act of the member and commits it; the same form again changes nothing."""
    return batch.attempt(
        made.connection,
        lambda: doing.act(
            made.connection, made.runtime, made.member_id, kind, attributes, id=made.act_id(key), now=made.now
        ),
    )


def refused(code: RefusalCode) -> str:
    """Why an act was refused, to the member: what happened, what did not, what to do."""
    words = {
        RefusalCode.GAME_CLOSED: _("This game is not open to you now. Nothing was played."),
        RefusalCode.INSUFFICIENT_POINTS: _("You do not have enough for a play yet. Nothing was taken."),
        RefusalCode.LIMIT_REACHED: _("That was all for now: the limit is reached. Nothing was taken."),
        RefusalCode.MEMBER_NOT_ACTIVE: _("Your account is on hold. Ask the shop; nothing was changed."),
    }
    return words.get(code, _("This did not work, and nothing was changed. Try again in a moment."))
