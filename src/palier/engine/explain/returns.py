"""What a return keeps, takes back and gives back."""

from __future__ import annotations

from msgspec.structs import replace

from palier.engine.explain.earning import Earning
from palier.engine.explain.telling import Step
from palier.engine.words import NO_BREAK


class Returns(Earning):
    """A return: what is kept brings as before, the difference is taken back."""

    def returned(self) -> list[Step]:
        trace = self.trace
        back = self.money(trace.returned)
        first = self.say(f"{back} returned of this sale", f"retour de {back} sur cet achat")
        if trace.cut:
            cut = self.money(trace.cut)
            first += self.say(f", {cut} beyond it ignored", f", sans compter {cut} au-delà")
        if not trace.returned and not trace.cut:
            first = self.say("what it names is taken back", "ce que cela nomme est repris")
        steps = [Step("", first)]
        kept = self.earned()
        for step in kept:
            steps.append(
                Step(self.say(f"kept, {step.title}", f"conservé, {step.title}"), step.text, 0, step.currency)
            )
        if not kept and trace.returned:
            steps.append(
                Step("", self.say("what is kept brings nothing", "ce qui est conservé ne rapporte rien"))
            )
        steps += self.mechanics()
        steps += self.taken_back()
        for currency, amount in self.moved_by("earn").items():
            said = self.points(amount, currency)
            steps.append(Step("", self.say(f"{said} more", f"{said} de plus"), amount, currency))
        return steps + self.given_back()

    def taken_back(self) -> list[Step]:
        """By currency: points taken back, and from where."""
        pending = self.moved_by("reverse", debit="pending")
        lapsed = self.moved_by("unexpire")
        wallet = self.moved_by("reverse", debit="wallet")
        owed = self.moved_by("debt")
        repaid = self.moved_by("repay")
        steps = []
        for currency in sorted({*pending, *wallet, *owed}):
            parts = []
            for amount, english, french in (
                (pending.get(currency, 0), "pending", "en attente"),
                (wallet.get(currency, 0) - lapsed.get(currency, 0), "from the balance", "sur le solde"),
                (lapsed.get(currency, 0), "that had expired", "après expiration"),
                (owed.get(currency, 0), "already spent, owed", "en dette, car déjà en usage"),
            ):
                if amount:
                    parts.append(f"{self.number(amount, currency)} {self.say(english, french)}")
            total = pending.get(currency, 0) + wallet.get(currency, 0) + owed.get(currency, 0)
            said = self.points(total, currency)
            text = self.say(f"{said} taken back: ", f"reprise de {said}{NO_BREAK}: ") + " + ".join(parts)
            if repaid.get(currency):
                amount_text = self.number(repaid[currency], currency)
                text += self.say(
                    f" ({amount_text} settled at once)", f" (règlement immédiat de {amount_text})"
                )
            # What had expired was gone before: the member loses nothing by it a second time.
            steps.append(Step("", text, lapsed.get(currency, 0) - total, currency))
        if self.trace.written_off:
            currencies = [*pending, *wallet, *(rule.currency for rule in self.trace.rules)]
            currency = currencies[0] if currencies else next(iter(self.plan.currencies))
            said = self.points(self.trace.written_off, currency)
            steps.append(
                Step("", self.say(f"{said} already spent, let go", f"abandon de {said}, déjà en usage"))
            )
        return steps

    def refunded(self) -> list[Step]:
        """A redemption, or a part of it, undone."""
        steps = self.given_back()
        if not steps:
            text = self.say("nothing was left to give back", "il ne restait rien à restituer")
            steps = [Step("", text)]
        reason = self.told.fact.reason if self.told.fact is not None else ""
        if reason:
            steps[0] = replace(steps[0], text=f"{steps[0].text} ({reason})")
        return steps

    def given_back(self) -> list[Step]:
        steps = []
        for kind, english, french in (
            ("restore", "{} given back to where they came from", "restitution de {} à leur lot d'origine"),
            ("regrant", "{} given back with a new end", "restitution de {} avec une nouvelle échéance"),
        ):
            for currency, amount in self.moved_by(kind).items():
                text = self.say(english, french).format(self.points(amount, currency))
                steps.append(Step("", text, amount, currency))
        return steps + self.lapsed_at_once()

    def lapsed_at_once(self) -> list[Step]:
        """Points that came, or came back, to a lot that had lapsed."""
        steps = []
        for currency, amount in self.moved_by("expire").items():
            said = self.points(amount, currency)
            text = self.say(f"{said} expired at once", f"expiration immédiate de {said}")
            steps.append(Step("", text, -amount, currency))
        return steps
