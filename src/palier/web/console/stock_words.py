"""What a row of stock is of, as people read it: the name of a form, a date, a draw, a period."""

from __future__ import annotations

from django.utils.translation import gettext as _

from palier.engine.instants import parse_instant
from palier.engine.words import ProgramWords
from palier.rewards.document import Mystery, Reward
from palier.rewards.order_limits import period_begin
from palier.rewards.stock import Part


def part_words(part: Part, reward: Reward | None, words: ProgramWords) -> str:
    """Which part of a reward a row is; "" for the whole. What its document has no more is told by its key."""
    if part.kind == "variant":
        named = [item.name for item in reward.variants if item.key == part.key] if reward is not None else []
        return words.text(named[0]) if named else part.key
    if part.kind == "slot":
        dated = (
            [item.starts_at for item in reward.slots if item.key == part.key] if reward is not None else []
        )
        return _slot(dated[0], words) if dated else part.key
    if part.kind == "chance":
        options = reward.gives.options if reward is not None and isinstance(reward.gives, Mystery) else []
        number = int(part.key)
        won = options[number].reward if number < len(options) else ""
        return _("draw %(number)s: %(reward)s") % {"number": number + 1, "reward": won or "?"}
    if part.kind == "period":
        return _("since %(day)s") % {"day": words.day(period_begin(words.clock, part.key))}
    return ""


def _slot(text: str, words: ProgramWords) -> str:
    at = parse_instant(text)
    hours, minutes = divmod(words.clock.local(at)[1], 60)
    return f"{words.day(at)}, {hours:02d}:{minutes:02d}"
