"""Donations: what members gave from their points, by beneficiary and period, and the receipt of one."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from psycopg import Connection

from palier.activities import settlements
from palier.activities.runtime import Runtime
from palier.connectors.papers import pdf, pictures
from palier.engine.clock import instant, moment
from palier.engine.currencies import money
from palier.engine.phrases import date_words, text_of
from palier.engine.program import Text
from palier.engine.sentences import sentence
from palier.members import refs
from palier.rewards.order_store import Order
from palier.site.refusal import Refused

Language = Literal["en", "fr"]
_PERIOD: Final = re.compile(r"([12][0-9]{3})(?:-(0[1-9]|1[0-2]))?", re.ASCII)

TOTALS: Final = """
-- donations.totals
-- all members: what was given in a period, of which there is little
select coalesce(details ->> 'campaign', ''), details ->> 'beneficiary', details ->> 'currency', count(*),
       sum((details ->> 'amount')::bigint)::bigint
from reward_item
where program_id = %(program)s and kind = 'donation' and state <> 'void'
  and valid_from >= %(from)s and valid_from < %(until)s
group by 1, 2, 3 order by 1, 2, 3
"""

OF_ORDER: Final = """
-- donations.of_order
select unit, details::text, valid_from from reward_item
where member_id = %s and order_id = %s and kind = 'donation' and state <> 'void' order by unit, item_id
"""


class Total(Struct, frozen=True):
    """What one beneficiary was given in a period: how many times, and how much in minor units of `money`."""

    campaign: str
    beneficiary: Text
    money: str
    donations: int
    amount: int


class Receipt(Struct, frozen=True):
    """A receipt ready to be set: its texts, its name without ending, and the instant of the donation."""

    name: str
    content: dict[str, Any]
    made_at: datetime

    def pdf(self) -> bytes:
        """The receipt as PDF."""
        return pdf("receipt", self.content, made_at=self.made_at)

    def pictures(self) -> list[bytes]:
        """The receipt as PNG."""
        return pictures("receipt", self.content, made_at=self.made_at)


def totals(connection: Connection[Any], runtime: Runtime, period: str) -> list[Total]:
    """What was given in a year (2026) or month (2026-03) of the program's zone and not taken back.

    The months are those of settlements: whatever is published later leaves them where they were, and twelve are a year.
    Refuses what is no period.
    """
    found = _PERIOD.fullmatch(period)
    if found is None:
        raise Refused(
            sentence("%(period)r is no period; write a year, 2026, or a month, 2026-03.", period=period[:20])
        )
    year, month = found.groups()
    parameters = {
        "program": runtime.program_id,
        "from": moment(settlements.month(runtime, f"{year}-{month or '01'}").starts),
        "until": moment(settlements.month(runtime, f"{year}-{month or '12'}").ends),
    }
    return [
        Total(row[0], msgspec.json.decode(row[1], type=Text), row[2], row[3], row[4])
        for row in connection.execute(TOTALS, parameters).fetchall()
    ]


_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "kind": "Receipt of a donation", "number": "Receipt", "day": "Date", "member": "Member", "for": "For",
        "lead": "Given in your name", "what": "beneficiary", "units": "gifts", "amount": "amount", "total": "together",
        "gifts": "Gifts",
        "thanks": "Thank you. This amount is paid in your name, for the points that you used.",
        "note": "Points are no money: whether this receipt counts for taxes depends on the law of your country.",
        "foot": "{program} · receipt {number}", "page": "page {page} of {pages}",
    },
    "fr": {
        "kind": "Reçu de don", "number": "Reçu", "day": "Date", "member": "Membre", "for": "Pour",
        "lead": "Donné en votre nom", "what": "bénéficiaire", "units": "dons", "amount": "montant", "total": "ensemble",
        "gifts": "Dons",
        "thanks": "Merci. Ce montant est versé en votre nom, pour les points que vous avez utilisés.",
        "note": "Des points ne sont pas de l'argent : que ce reçu compte pour l'impôt dépend de la loi de votre pays.",
        "foot": "{program} · reçu {number}", "page": "page {page} sur {pages}",
    },
}  # fmt: skip


def receipt(
    connection: Connection[Any], runtime: Runtime, order: Order, language: Language
) -> Receipt | None:
    """The receipt of an order of donations that stand; None where there is none, or the reward gives no receipt."""
    rows = connection.execute(OF_ORDER, (order.member_id, order.order_id)).fetchall()
    given = [(msgspec.json.decode(row[1]), instant(row[2])) for row in rows]
    given = [item for item in given if item[0].get("receipt")]
    if not given:
        return None
    words = _WORDS[language]

    def say(key: str, **names: str) -> str:
        text = words[key].format(**names).replace("'", "’")
        return text.replace(" :", "\u00a0:") if language == "fr" else text

    program = (text_of(runtime.latest.program.name, language) or runtime.key).replace("'", "’")
    number = order.ref.removeprefix("m_").upper()
    at = max(when for _, when in given)
    local = moment(at).astimezone(runtime.latest.clock.zone).date().isoformat()
    sums: dict[tuple[str, str], list[int]] = {}
    for details, _ in given:
        who = text_of(msgspec.convert(details["beneficiary"], Text), language).replace("'", "’")
        known = sums.setdefault((who, details["currency"]), [0, 0])
        known[0] += 1
        known[1] += int(details["amount"])
    code = given[0][0]["currency"]
    total = sum(amount for _, amount in sums.values())
    names = ", ".join(dict.fromkeys(who for who, _ in sums))
    content = {
        "language": language,
        "title": f"{say('kind')} {number}",
        "program": program,
        "kind": say("kind"),
        "facts": [
            [say("day"), date_words(local, language)],
            [say("member"), refs.encode(order.member_id)],
            # A zero-width space lets the long number break in its column.
            [say("number"), number.replace(".", ".\u200b")],
        ],
        "lead": say("lead"),
        "amount": money(total, code, language),
        "beside": names,
        "paragraphs": [say("thanks")],
        "rows_title": say("gifts"),
        "rows_heads": [say("what"), say("units"), say("amount")],
        "rows": [
            [who, str(count), money(amount, of, language)] for (who, of), (count, amount) in sums.items()
        ],
        "rows_total": [say("total"), str(len(given)), money(total, code, language)],
        "notes": [say("note")],
        "foot": say("foot", program=program, number=number),
        "page_of": say("page", page="{page}", pages="{pages}"),
    }
    return Receipt(f"receipt-{number.lower()}", content, moment(at))
