"""What left or entered a wallet by a command, and what time alone brought about."""

from __future__ import annotations

from collections.abc import Sequence

from palier.engine.explain.telling import Step, Telling
from palier.engine.state import NEVER
from palier.engine.words import NO_BREAK


class Spending(Telling):
    """Redemptions, holds, adjustments, transfers; releases and expiries."""

    def from_lots(self, taken: Sequence[tuple[int, int]], currency: str) -> str:
        """The parts by lot with their end: "300 good through 30 June 2026 + 200 without end"."""
        parts = []
        for lot, amount in taken:
            expires_at = self.told.expiries.get(lot)
            end = (
                f" {self.good_through(expires_at, self.several(amount, currency))}"
                if expires_at is not None
                else ""
            )
            parts.append(f"{self.number(amount, currency)}{end}")
        return " + ".join(parts)

    def spent(self) -> list[Step]:
        return self.taken("{} spent", "dépense de {}")

    def taken(self, english: str, french: str) -> list[Step]:
        """Points that left their lots: which, until when they were good, and what was lacking."""
        currency = self.currency()
        trace = self.trace
        total = sum(amount for _, amount in trace.taken) + trace.owed + trace.written_off
        parts = [self.from_lots(trace.taken, currency)] if trace.taken else []
        if trace.owed:
            parts.append(self.number(trace.owed, currency) + self.say(" owed", " en dette"))
        if trace.written_off:
            parts.append(self.number(trace.written_off, currency) + self.say(" let go", " sans suite"))
        text = self.say(english, french).format(self.points(total, currency))
        if len(trace.taken) > 1 or len(parts) > 1 or self.told.expiries:
            text += (f"{NO_BREAK}: " if self.fr else ": ") + " + ".join(parts)
        if self.told.fact is not None and self.told.fact.reason:
            text += f" ({self.told.fact.reason})"
        return [Step("", text, -total, currency)]

    def held(self) -> list[Step]:
        step = self.taken("{} set aside", "mise de côté de {}")[0]
        return [Step("", step.text, 0, step.currency)]

    def captured(self) -> list[Step]:
        steps = self.taken("{} spent of those set aside", "dépense de {} sur la mise de côté")
        return steps + self.freed()

    def freed(self) -> list[Step]:
        late = self.told.type == "hold_expired"
        why = self.say(", not used in time", ", faute d'usage à temps") if late else ""
        steps = []
        for currency, amount in self.moved_by("unhold").items():
            several = self.several(amount, currency)
            free = self.say(
                f" set aside {'are' if several else 'is'} free again",
                f" de nouveau utilisable{'s' * several}",
            )
            steps.append(Step("", self.points(amount, currency) + free + why, 0, currency))
        return steps

    def adjusted(self) -> list[Step]:
        fact = self.told.fact
        reason = self.trace.reason or (fact.reason if fact is not None else "")
        named = self.hand_reason()
        if named:
            joint = f"{NO_BREAK}: " if self.fr else ": "
            reason = f"{named}{joint}{reason}" if reason else named
        steps = []
        added = self.moved_by("adjust", credit="wallet")
        for currency, amount in added.items():
            text = f"+{self.points(amount, currency)}" + (f" ({reason})" if reason else "")
            steps.append(Step("", text, amount, currency))
        if added:
            return steps
        currency = self.currency()
        total = sum(amount for _, amount in self.trace.taken) + self.trace.owed
        text = self.points(-total, currency) + (f" ({reason})" if reason else "")
        return [Step("", text, -total, currency)]

    def hand_reason(self) -> str:
        """What the program calls the reason of an adjustment; empty where none was chosen."""
        fact = self.told.fact
        key = str(fact.attributes.get("reason_code", "")) if fact is not None else ""
        adjustments = self.plan.program.adjustments
        reasons = adjustments.reasons if adjustments is not None else []
        return next((self.text(reason.name) for reason in reasons if reason.key == key), key)

    def tier_given(self) -> list[Step]:
        fact = self.told.fact
        if fact is None:
            return []
        name = self.tier(str(fact.attributes.get("tier", "")))
        end = self.through(int(fact.attributes.get("until", 1)))
        text = self.say(f"tier {name} given {end}", f"niveau {name} accordé {end}")
        return [Step("", text + (f" ({fact.reason})" if fact.reason else ""))]

    def tier_taken(self) -> list[Step]:
        reason = self.told.fact.reason if self.told.fact is not None else ""
        text = self.say("the given tier is taken back", "le niveau accordé est repris")
        return [Step("", text + (f" ({reason})" if reason else ""))]

    def moved(self) -> list[Step]:
        out = self.told.type == "transfer_out"
        currency = self.currency()
        fact = self.told.fact
        if out:
            total = sum(amount for _, amount in self.trace.taken)
        else:
            total = sum(self.moved_by("transfer_in").values()) or (fact.points if fact is not None else 0)
        other = fact.other_member if fact is not None else ""
        said = self.points(total, currency)
        if out:
            text = self.say(f"{said} given", f"don de {said}") + (
                self.say(f" to {other}", f" à {other}") if other else ""
            )
        else:
            text = self.say(f"{said} received", f"réception de {said}") + (
                self.say(f" from {other}", f" {self.of(other)}") if other else ""
            )
        return [Step("", text, -total if out else total, currency)]

    def merged(self) -> list[Step]:
        """All that went from one member to the one it was merged into: on either side, what moved."""
        fact = self.told.fact
        other = fact.other_member if fact is not None else ""
        out = self.told.type == "merge_out"
        first = (
            self.say(f"merged into {other}", f"fusionné avec {other}")
            if out
            else self.say(f"{other} was merged in", f"reprise de {other}")
        )
        steps = [Step("", first + (f" ({fact.reason})" if fact is not None and fact.reason else ""))]
        sign = -1 if out else 1
        lapsed = self.moved_by("unexpire" if out else "expire")
        moved = (
            self.moved_by("merge_out", debit="wallet") if out else self.moved_by("merge_in", credit="wallet")
        )
        for currency, amount in moved.items():
            whole = amount - lapsed.get(currency, 0)
            if whole:
                steps.append(Step("", self.points(sign * whole, currency), sign * whole, currency))
        waiting = (
            self.moved_by("merge_out", debit="pending")
            if out
            else self.moved_by("merge_in", credit="pending")
        )
        for currency, amount in waiting.items():
            said = self.points(amount, currency)
            steps.append(Step("", self.say(f"{said} pending", f"{said} en attente")))
        owed = self.moved_by("merge_out", credit="debt") if out else self.moved_by("merge_in", debit="debt")
        for currency, amount in owed.items():
            said = self.points(amount, currency)
            steps.append(Step("", self.say(f"{said} owed", f"dette de {said}")))
        return steps

    def unmerged(self) -> list[Step]:
        fact = self.told.fact
        other = fact.other_member if fact is not None else ""
        return [Step("", self.say(f"merge with {other} undone", f"fusion avec {other} annulée"))]

    def left(self) -> list[Step]:
        """The end of a membership: what there was has lapsed."""
        steps = [Step("", self.say("left the program", "a quitté le programme"))]
        for currency, amount in self.moved_by("expire").items():
            said = self.points(amount, currency)
            steps.append(Step("", self.say(f"{said} given up", f"abandon de {said}"), -amount, currency))
        return steps

    # --- due work ---------------------------------------------------------------------------------

    def released(self) -> list[Step]:
        return [
            Step(
                "",
                self.say(
                    f"{self.points(amount, currency)} can be spent from now on",
                    f"{self.points(amount, currency)} utilisable{'s' * self.several(amount, currency)} dès maintenant",
                ),
                amount,
                currency,
            )
            for currency, amount in self.moved_by("release").items()
        ]

    def expired(self) -> list[Step]:
        steps = []
        for kind, _, _, currency, lot, amount, _ in self.told.transfers:
            if kind != "expire":
                continue
            said = self.points(amount, currency)
            expires_at = self.told.expiries.get(lot)
            end = (
                f", {self.good_through(expires_at, self.several(amount, currency))}"
                if expires_at is not None and expires_at < NEVER
                else ""
            )
            steps.append(
                Step("", self.say(f"{said} expired{end}", f"expiration de {said}{end}"), -amount, currency)
            )
        return steps
