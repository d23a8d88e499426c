"""The whole of a decision: what its type tells, and what went along."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from palier.engine.explain.returns import Returns
from palier.engine.explain.spending import Spending
from palier.engine.explain.telling import Step, net
from palier.engine.facts import RETURN, SALE
from palier.engine.words import NO_BREAK


class Teller(Returns, Spending):
    """Every type of decision has its way to be told."""

    def steps(self) -> list[Step]:
        told = self.told
        if told.type == "correction":
            return self.correction()
        tellers: dict[str, Callable[[], list[Step]]] = {
            RETURN: self.returned,
            "redeem": self.spent,
            "hold": self.held,
            "capture": self.captured,
            "release": self.freed,
            "refund": self.refunded,
            "hold_expired": self.freed,
            "adjust": self.adjusted,
            "grant_tier": self.tier_given,
            "revoke_tier": self.tier_taken,
            "transfer_out": self.moved,
            "transfer_in": self.moved,
            "released": self.released,
            "expired": self.expired,
            "tier_changed": list,
            "merge_out": self.merged,
            "merge_in": self.merged,
            "unmerged": self.unmerged,
            "left": self.left,
            "streak_saved": list,
            "streak_lapsed": list,
            "dividend": self.dividend,
            "prize": list,
        }
        steps = tellers.get(told.type, self.earned)()
        if told.type != RETURN:
            steps += self.mechanics()
        steps += self.standing()
        return steps or [Step("", self.say("nothing moved", "rien n'a bougé"))]

    def correction(self) -> list[Step]:
        told = self.told
        when = self.day(told.corrected_at) if told.corrected_at else ""
        if told.withdrawn:
            first = self.say(f"withdraws the decision of {when}", f"retire la décision du {when}")
        else:
            first = self.say(f"replaces the decision of {when}", f"remplace la décision du {when}")
        changed = net(self.told)
        changes = ", ".join(
            ("+" if amount > 0 else "") + self.points(amount, currency)
            for currency, amount in changed.items()
            if amount
        )
        unchanged = self.say("the amount stays", "le montant reste le même")
        joint = f"{NO_BREAK}: " if self.fr else ": "
        steps = [Step("", first + joint + (changes or unchanged))]
        if told.withdrawn:
            return steps
        new = msgspec.structs.replace(told, type=told.corrected_type or SALE, transfers=())
        teller = Teller(new, self.plan, self.language)
        earned = teller.earned() if new.type in (SALE, RETURN) or self.trace.rules else []
        return steps + earned + teller.mechanics()

    def standing(self) -> list[Step]:
        """What went along: a tier reached or lost, a debt paid, points released, lateness."""
        steps = []
        trace = self.trace
        if trace.tier_after and self.told.type != "grant_tier":
            levels = self.acting.plan.levels
            known = trace.tier in levels
            up = known and levels.index(trace.tier_after) > levels.index(trace.tier)
            before, after = self.tier(trace.tier), self.acting.tier(trace.tier_after)
            text = (
                self.say(f"{after} reached", f"niveau {after} atteint")
                if up
                else self.say(f"tier {before} → {after}", f"niveau {before} → {after}")
            )
            by_sale = self.told.type == RETURN and (up or not known or trace.tier == trace.tier_after)
            if by_sale or not trace.tier:
                # A return is judged by the tier that its sale saw, so how it fell is not known here; nor is it where
                # the version that judged has no tiers.
                text = self.say(f"tier now {after}", f"niveau désormais{NO_BREAK}: {after}")
            steps.append(Step("", text))
        if self.told.type not in ("released", "transfer_in", "adjust", "merge_in", "left"):
            for currency, amount in self.moved_by("release").items():
                said = self.points(amount, currency)
                steps.append(
                    Step("", self.say(f"{said} released", f"libération de {said}"), amount, currency)
                )
        if self.told.type not in (RETURN, "refund", "expired", "left"):
            steps += self.lapsed_at_once()
        for currency, amount in self.moved_by("repay").items():
            if self.told.type != RETURN:
                said = self.points(amount, currency)
                steps.append(
                    Step(
                        "",
                        self.say(
                            f"{said} paid what was owed",
                            f"{said} {'ont' if self.several(amount, currency) else 'a'} réglé la dette",
                        ),
                        -amount,
                        currency,
                    )
                )
        if trace.late:
            text = self.say(
                "came late: judged as of its own date, posted when it came",
                "arrivé tard : jugé à sa propre date, passé à son arrivée",
            )
            steps.append(Step("", text))
        return steps
