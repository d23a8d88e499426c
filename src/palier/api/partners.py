"""What the key of one partner may do: act as that partner, and learn nothing of what is not its own.

Sources keep partners apart: under its own (its key, or its key, a colon and what it likes) a partner's ids never
meet another's, neither to take them nor to find out whether they are there.
"""

from __future__ import annotations

from typing import Any

from palier.activities.wire import Read
from palier.engine.facts import RETURN, SALE, VISIT, Reference
from palier.engine.plan import Plan
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence
from palier.staff.queries import Key

_ANSWERED = (
    "source", "id", "status", "code", "message", "field", "remedy", "program_version", "points", "rules",
    "spendable", "warning",
)  # fmt: skip


def foreign_source(key: Key, source: str, field: str) -> Refusal | None:
    """The refusal of a source that is not this partner's own; None where it is, or for a key without partner."""
    if not key.partner or source == key.partner or source.startswith(f"{key.partner}:"):
        return None
    return Refusal(
        RefusalCode.RESERVED_SOURCE,
        sentence("this source is not yours to use"),
        field,
        sentence(
            "use %(partner)s, or %(partner)s: and the name of the system that sends", partner=key.partner
        ),
    )


def other_partner(key: Key, partner: str | None) -> Refusal | None:
    """The refusal of a partner that is not this key's; None where it is, or for a key without partner."""
    if not key.partner or partner == key.partner:
        return None
    return Refusal(
        RefusalCode.UNKNOWN_PARTNER,
        sentence("this key is for another partner"),
        "partner",
        sentence("send partner: %(partner)s", partner=key.partner),
    )


def own_line(key: Key, read: Read | Refusal, plan: Plan) -> Read | Refusal:
    """A line as this key may send it: a partner's own sales, returns, visits and declared activities."""
    if not key.partner or isinstance(read, Refusal):
        return read
    fact = read.fact
    refusal = foreign_source(key, fact.source, "source")
    if refusal is None and fact.type not in {
        SALE,
        RETURN,
        VISIT,
        *(t.key for t in plan.program.activity_types),
    }:
        refusal = Refusal(
            RefusalCode.UNKNOWN_TYPE,
            sentence("the key of a partner does not send this"),
            "type",
            sentence("send it with a key of the program"),
        )
    named: list[tuple[Reference, str]] = [(fact.sale, "sale.source")] if fact.sale is not None else []
    named += [
        (tender.redemption, f"tenders[{number}].redemption.source")
        for number, tender in enumerate(fact.tenders)
        if tender.redemption is not None
    ]
    for reference, field in named:
        refusal = refusal or foreign_source(key, reference.source, field)
    return refusal or other_partner(key, fact.partner) or read


def own_answer(key: Key, answer: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """What is answered about a line, to a partner: only what concerns the points that it issues and takes."""
    if not key.partner:
        return answer
    partner = plan.partners.get(key.partner)
    currency = partner.currency if partner is not None else ""
    shown = {name: answer[name] for name in _ANSWERED if name in answer}
    for name in ("points", "spendable"):
        if name in shown:
            shown[name] = {held: text for held, text in shown[name].items() if held == currency}
    if "rules" in shown:
        shown["rules"] = [rule for rule in shown["rules"] if rule["currency"] == currency]
    if shown.get("code") == RefusalCode.SALE_KNOWN.value:
        shown["message"] = "a sale of the same ticket is known"
    return shown
