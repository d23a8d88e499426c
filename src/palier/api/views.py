"""What rooms tell, in the words of the API: instants as text, amounts as decimals at their scale."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from palier.activities.answers import drawn, granted
from palier.activities.queries import (
    Expiry,
    Found,
    Pending,
    Redemption,
    Standing,
    Wallet,
    Wallets,
    metric_decimals,
)
from palier.activities.runtime import Runtime
from palier.activities.telling import Story
from palier.api.calls import written
from palier.api.pursuits import PursuitViews
from palier.engine.amounts import from_minor
from palier.engine.plan import Plan
from palier.engine.program import Attribute
from palier.engine.program import Program as Document
from palier.engine.trace import RuleTrace, Trace
from palier.ledger.queries import TransferView, changes
from palier.members import refs
from palier.members.queries import MemberView
from palier.programs.queries import Version

JsonObject = dict[str, Any]
_decimal = lru_cache(maxsize=8192)(from_minor)


class Views:
    """Writes answers of one program, with the scales and declared attributes of its latest version."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.plan: Plan = runtime.latest

    def points(self, currency: str, minor: int) -> str:
        """Points as decimal text."""
        found = self.plan.currencies.get(currency)
        return _decimal(minor, found.scale if found is not None else 0)

    def money(self, minor: int) -> str:
        """Money as decimal text."""
        return from_minor(minor, self.plan.exponent)

    # --- members --------------------------------------------------------------------------------------

    def member(self, found: MemberView) -> JsonObject:
        """A member without what finds him: identities are stored as hashes only."""
        declared = self.plan.program.member_attributes
        return {
            "member": found.ref,
            "status": found.status,
            "enrolled_at": written(found.enrolled_at),
            "attributes": {
                name: attribute_text(value, declared.get(name)) for name, value in found.attributes.items()
            },
            "locale": found.locale,
            "time_zone": found.time_zone,
            "ranked": found.ranked,
            **({"merged_into": found.merged_into} if found.merged_into is not None else {}),
        }

    def wallets(self, member_id: int, found: Wallets) -> JsonObject:
        """The wallets of a member, in the order of the program's currencies."""
        return {
            "member": refs.encode(member_id),
            "as_of": written(found.as_of),
            "known_at": written(found.known_at),
            "wallets": [self._wallet(wallet) for wallet in found.wallets.values()],
        }

    def _wallet(self, wallet: Wallet) -> JsonObject:
        key = wallet.currency
        return {
            "currency": key,
            "spendable": self.points(key, wallet.spendable),
            "pending": self.points(key, wallet.pending),
            "held": self.points(key, wallet.held),
            "debt": self.points(key, wallet.debt),
            "posted": self.points(key, wallet.posted),
            "lots": [
                {
                    "expires_at": written(lot.expires_at),
                    "spendable_until": written(lot.spendable_until),
                    "earned_at": written(lot.first_earned),
                    "spendable": self.points(key, lot.spendable),
                    "held": self.points(key, lot.held),
                    "moving": lot.moving,
                    "funder": lot.funder,
                }
                for lot in wallet.lots
            ],
            "waiting": [self._pending(key, entry) for entry in wallet.waiting],
        }

    def _pending(self, currency: str, entry: Pending) -> JsonObject:
        return {
            "source": entry.source,
            "id": entry.id,
            "points": self.points(currency, entry.points),
            "release_at": written(entry.release_at),
            "until_activity": entry.until or None,
            "expires_at": written(entry.expires_at),
        }

    def expiries(self, member_id: int, as_of: int, found: list[Expiry]) -> JsonObject:
        """What expires when."""
        return {
            "member": refs.encode(member_id),
            "as_of": written(as_of),
            "expiries": [
                {
                    "currency": item.currency,
                    "expires_at": written(item.expires_at),
                    "spendable_until": written(item.spendable_until),
                    "spendable": self.points(item.currency, item.spendable),
                    "held": self.points(item.currency, item.held),
                    "pending": self.points(item.currency, item.pending),
                    "moving": item.moving,
                }
                for item in found
            ],
        }

    def progress(self, member_id: int, found: Standing) -> JsonObject:
        """The tier, its metrics and what is missing for the next; then all that the member is after."""
        plan = self.plan
        following = found.next
        return {
            "member": refs.encode(member_id),
            "as_of": written(found.as_of),
            "tier": found.tier or None,
            "spend": self.money(found.spend),
            "points": from_minor(found.points, metric_decimals(plan, "points")),
            "visits": found.visits,
            "held_until": written(found.held_until) if found.held_until else None,
            "given_until": written(found.given_until) if found.given_until else None,
            "period_ends_at": written(found.period_ends_at),
            "next": None
            if following is None
            else {
                "tier": following.key,
                "needs": following.needs,
                "thresholds": [
                    {
                        "metric": item.metric,
                        "at_least": from_minor(item.at_least, metric_decimals(plan, item.metric)),
                        "current": from_minor(item.current, metric_decimals(plan, item.metric)),
                        "missing": from_minor(item.missing, metric_decimals(plan, item.metric)),
                    }
                    for item in following.thresholds
                ],
            },
            "waiting": [
                {"currency": currency, **self._pending(currency, entry)} for currency, entry in found.waiting
            ],
            **PursuitViews(plan).pursuits(found.pursuits),
        }

    # --- decisions ------------------------------------------------------------------------------------

    def line(self, story: Story) -> JsonObject:
        """One decision of a history, told in the program's languages."""
        line = story.line
        moved = changes(line.transfers)
        return {
            "type": line.type,
            "source": line.source,
            "id": line.id,
            "occurred_at": written(line.occurred_at),
            "recorded_at": written(line.recorded_at),
            "program_version": line.version,
            "tier": line.tier or None,
            "points": {key: self.points(key, total) for key, (total, _) in moved.items()},
            "spendable": {key: self.points(key, spendable) for key, (_, spendable) in moved.items()},
            "corrects": None
            if line.corrects is None
            else {"source": line.corrects[0], "id": line.corrects[1]},
            "sentence": {language: story.sentence(language) for language in self._languages(story)},
            "trace": self.trace(line.trace, line.transfers),
        }

    def _languages(self, story: Story) -> list[str]:
        return list(story.plan.program.languages)

    def decided(self, story: Story) -> JsonObject:
        """One decision with its transfers, and the rules that nearly brought something."""
        ref = refs.encode(story.line.member_id)
        return {
            **self.line(story),
            "why_not": {language: story.why_not(language) for language in self._languages(story)},
            "transfers": [self._transfer(ref, item) for item in story.line.transfers],
            "drawn": story.inputs.draw or None,
        }

    def _transfer(self, ref: str, item: TransferView) -> JsonObject:
        return {
            "kind": item.kind,
            "debit": item.debit,
            "credit": item.credit,
            "currency": item.currency,
            "points": self.points(item.currency, item.amount),
            "lot": f"{ref}.{item.lot_id}" if item.lot_id else None,
            "effective_at": written(item.effective_at),
            "recorded_at": written(item.recorded_at),
            "correction": bool(item.corrects_id),
        }

    def trace(self, trace: Trace, transfers: Sequence[TransferView]) -> JsonObject:
        """Why a decision came out as it did. What is owed is told in the currency of its transfers."""
        plan = self.runtime.timeline.plan_of(trace.version) or self.plan
        named = [item.currency for item in transfers if item.kind == "debt"]
        named += [item.currency for item in transfers]
        named += [item.currency for item in trace.rules]
        currency = named[0] if named else next(iter(plan.currencies))
        return {
            "version": trace.version,
            "tier": trace.tier or None,
            "tier_after": trace.tier_after or None,
            "rules": [self._rule(plan.program, item) for item in trace.rules],
            "returned": self.money(trace.returned),
            "not_returned": self.money(trace.cut),
            "owed": self.points(currency, trace.owed),
            "written_off": self.points(currency, trace.written_off),
            "late": trace.late,
            "reason": trace.reason,
            "draws": drawn(trace),
            "granted": granted(trace, plan),
            "score": trace.score if trace.score >= 0 else None,
        }

    def _rule(self, document: Document, item: RuleTrace) -> JsonObject:
        rule = next((rule for rule in document.rules if rule.key == item.rule), None)
        base: str | None = None
        if rule is not None and rule.per_spend is not None:
            base = self.money(item.base)
        elif rule is not None and rule.per_unit is not None:
            base = str(item.base)
        elif rule is not None and rule.multiply is not None:
            base = self.points(item.currency, item.base)
        return {
            "rule": item.rule,
            "currency": item.currency,
            "base": base,
            "raw": self.points(item.currency, item.raw),
            "multiplied": self.points(item.currency, item.multiplied),
            "earned": self.points(item.currency, item.earned),
            "pending": item.pending,
            "limit": item.limit or None,
        }

    def activity(self, found: Found, stories: Sequence[Story]) -> JsonObject:
        """One activity by its id; `stories` tells its decision, then the corrections of it."""
        answer: JsonObject = {
            "source": found.source,
            "id": found.id,
            "status": found.status,
            "received_at": written(found.received_at),
        }
        if found.line is not None:
            answer["member"] = refs.encode(found.line.member_id)
            answer["decision"] = self.decided(stories[0])
            answer["corrections"] = [self.decided(story) for story in stories[1:]]
        if found.code is not None:
            answer["code"] = found.code.value
        if found.sale is not None:
            answer["sale"] = {"source": found.sale[0], "id": found.sale[1]}
            answer["deadline_at"] = written(found.deadline_at)
        return answer

    def redemption(self, found: Redemption) -> JsonObject:
        """Points redeemed or held."""
        return {
            "redemption": found.ref,
            "member": refs.encode(found.member_id),
            "partner": found.partner,
            "currency": found.currency,
            "points": self.points(found.currency, found.points),
            "captured": self.points(found.currency, found.captured),
            "refunded": self.points(found.currency, found.refunded),
            "status": found.status,
            "created_at": written(found.created_at),
            "expires_at": written(found.expires_at) if found.expires_at else None,
            "source": found.source,
            "id": found.id,
        }


def attribute_text(value: str | int | bool, declared: Attribute | None) -> str | int | bool:
    """A stored attribute as it was sent: decimals and dates are texts."""
    if declared is None or isinstance(value, bool) or not isinstance(value, int):
        return value
    if declared.type == "decimal":
        return from_minor(value, declared.decimals)
    if declared.type == "date":
        return date.fromordinal(value).isoformat()
    return value


def version(found: Version) -> JsonObject:
    """One published version of a program."""
    return {
        "program": found.key,
        "version": found.version,
        "sha256": found.sha256,
        "effective_from": written(found.effective_from),
        "published_at": written(found.published_at),
        "published_by": found.published_by,
    }
