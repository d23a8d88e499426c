"""Acts: what members do in mechanics, and what happens to them: fees, plays, quizzes, friends, occasions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from palier.engine.clock import EPOCH_DAY
from palier.engine.compiled import CompiledGame
from palier.engine.decisions import REDEMPTION, WALLET, Message, SaleRecord, Transfer
from palier.engine.facts import FRIEND_CONVERTED, MADE_SOURCE, RETURN, Fact, Inputs, Reference
from palier.engine.plan import ActivityPlan, Plan
from palier.engine.points import asked_for
from palier.engine.refusals import Refusal, RefusalCode
from palier.engine.sentences import sentence
from palier.engine.state import NEVER, Fee
from palier.engine.streaks import Streaks
from palier.engine.trace import Trace

_DAY = 24 * 3600 * 1_000_000


class Acts(Streaks):
    """Everything that is neither rated by rules alone nor a command."""

    __slots__ = ()

    def _refused(self, plan: Plan, fact: Fact, at: int) -> Refusal | None:
        """Why an act cannot be taken live: a play without its price or beyond its limits, a quiz too often."""
        if fact.type == "play":
            game = plan.games.get(str(fact.attributes.get("game", "")))
            if game is None or game.surprise or not game.active_from <= at < game.active_until:
                return Refusal(
                    RefusalCode.GAME_CLOSED,
                    sentence("the game is not open"),
                    "attributes.game",
                    sentence("play while it is open"),
                )
            if game.price is not None:
                currency, points = game.price
                # What is refused leaves no trace, an empty wallet neither.
                wallet = self.state.wallets.get(currency)
                spendable = wallet.spendable if wallet is not None else 0
                if points > spendable:
                    return Refusal(
                        RefusalCode.INSUFFICIENT_POINTS,
                        asked_for(plan, currency, points, spendable, sentence("can be spent")),
                        "attributes.game",
                        sentence("earn what a play costs first"),
                    )
            periods = plan.clock.periods(plan.clock.local(at)[0])
            for number, most in game.limits:
                counter = self.state.used.get(f"play:{game.key}:{number}")
                if counter is not None and counter[0] == periods[number] and counter[1] >= most:
                    return Refusal(
                        RefusalCode.LIMIT_REACHED,
                        sentence(
                            "%(most)s plays of %(key)s are allowed, and were played", most=most, key=game.key
                        ),
                        "attributes.game",
                        sentence("play again in the next period"),
                    )
        elif fact.type == "quiz":
            quiz = plan.quizzes.get(str(fact.attributes.get("quiz", "")))
            if quiz is not None and self.state.quizzes.get(quiz.key, (0, 0))[0] >= quiz.attempts:
                return Refusal(
                    RefusalCode.LIMIT_REACHED,
                    sentence(
                        "%(attempts)s attempts at %(key)s are allowed, and were made",
                        attempts=quiz.attempts,
                        key=quiz.key,
                    ),
                    "attributes.quiz",
                    sentence("the best attempt stands"),
                )
        return None

    def _act(
        self,
        plan: Plan,
        fact: Fact,
        inputs: Inputs,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
        messages: list[Message],
    ) -> None:
        """What an act or an occasion does beside what rules bring for it."""
        kind = fact.type
        attributes = fact.attributes
        if kind in ("opt_in", "opt_out"):
            self._opt(plan, fact, at, kind == "opt_in")
        elif kind == "play":
            game = plan.games.get(str(attributes.get("game", "")))
            if game is not None:
                self._play(plan, game, fact, inputs, at, transfers, trace)
        elif kind == "quiz":
            self._answer(plan, fact, at, transfers, trace)
        elif kind == "fee":
            self._join_membership(plan, fact, at, transfers, trace)
        elif kind == "save_for":
            found = plan.currencies.get(str(attributes.get("currency", "")))
            if found is not None:
                points = int(str(attributes.get("points", 0))) * 10**found.scale
                self.state.saving = (found.key, points, str(attributes.get("name", ""))) if points else None
        elif kind == "paired":
            self._paired(plan, fact)
        elif kind == "unpaired":
            self._unpaired(fact)
        elif kind == "pair_act":
            self._pair_act(plan, fact, at, transfers, trace)
        elif kind == "joined" and fact.other_member and self.state.referral is None:
            self.state.referral = (fact.other_member, fact.at, "")
            told = Fact(MADE_SOURCE, f"friend_{fact.id}", "friend_joined", fact.at)
            messages.append(Message(fact.other_member, told))
        elif kind == FRIEND_CONVERTED and plan.referral is not None and self._room_for_friend(plan, fact):
            wait = plan.referral.wait_days
            self._grant(plan, plan.referral.referrer, "referral", fact, at, transfers, trace, wait_days=wait)

    # --- friends --------------------------------------------------------------------------------------

    def _room_for_friend(self, plan: Plan, fact: Fact) -> bool:
        assert plan.referral is not None
        if not plan.referral.most:
            return True
        year = plan.clock.periods(plan.clock.local(fact.at)[0])[3]
        counter = self.state.used.get("referral")
        if counter is None or counter[0] != year:
            counter = self.state.used["referral"] = [year, 0]
        if counter[1] >= plan.referral.most:
            return False
        counter[1] += 1
        return True

    def _friend_lost(self, plan: Plan, record: SaleRecord) -> None:
        """A friend who converts no more leaves his place in the year to another."""
        counter = self.state.used.get("referral")
        year = plan.clock.periods(plan.clock.local(record.fact.at)[0])[3]
        rewarded = any(item.cause == "referral" for item in record.trace.grants)
        if rewarded and counter is not None and counter[0] == year:
            counter[1] -= 1

    def _convert(
        self,
        plan: Plan,
        context: Any,
        fact: Fact,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
        messages: list[Message],
    ) -> None:
        """The friend's first activity that converts rewards him, and is told to the member who brought him."""
        referral, known = plan.referral, self.state.referral
        if referral is None or known is None or known[2] or fact.type not in referral.matches:
            return
        who, joined_at, _ = known
        if referral.within_days and fact.at >= plan.clock.add_days(joined_at, referral.within_days):
            return
        match = referral.matches[fact.type]
        if match is not None and not match(context):
            return
        self.state.referral = (who, joined_at, f"{fact.source}:{fact.id}")
        self._grant(
            plan, referral.friend, "referral", fact, at, transfers, trace, wait_days=referral.wait_days
        )
        identifier = f"{FRIEND_CONVERTED}:{fact.source}:{fact.id}"
        messages.append(Message(who, Fact(MADE_SOURCE, identifier, FRIEND_CONVERTED, fact.at)))

    def _unconvert(
        self, plan: Plan, context: Any, sale: Fact, gone: bool, fact: Fact, at: int, messages: list[Message]
    ) -> bool:
        """Whether what is left of the converting activity converts no more; its referrer is then told."""
        known = self.state.referral
        if known is None or plan.referral is None or known[2] != f"{sale.source}:{sale.id}":
            return False
        match = plan.referral.matches.get(sale.type)
        if not gone and (match is None or match(context)):
            return False
        self.state.referral = (known[0], known[1], "")
        named = Reference(MADE_SOURCE, f"{FRIEND_CONVERTED}:{sale.source}:{sale.id}")
        undone = Fact(MADE_SOURCE, f"undone:{fact.source}:{fact.id}", RETURN, at, sale=named, whole=True)
        messages.append(Message(known[0], undone))
        return True

    # --- games ----------------------------------------------------------------------------------------

    def _play(
        self,
        plan: Plan,
        game: CompiledGame,
        fact: Fact,
        inputs: Inputs,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        """Takes a play's price, counts it, draws its field and gives the prize."""
        if game.price is not None:
            self._pay_play(plan, game.price, at, transfers, trace)
        periods = plan.clock.periods(plan.clock.local(fact.at)[0])
        for number, _ in game.limits:
            key = f"play:{game.key}:{number}"
            counter = self.state.used.get(key)
            if counter is None or counter[0] != periods[number]:
                counter = self.state.used[key] = [periods[number], 0]
            counter[1] += 1
        self._draw(plan, game, fact, inputs, at, transfers, trace)

    def _pay_play(
        self, plan: Plan, price: tuple[str, int], at: int, transfers: list[Transfer], trace: Trace
    ) -> None:
        currency, lacking = price
        for lot in self._wallet(currency).lots:
            part = min(lacking, lot.remaining)
            if part:
                lacking -= part
                lot.remaining -= part
                lot.redeemed += part
                trace.taken.append((lot.id, part))
                transfers.append(("redeem", WALLET, REDEMPTION, currency, lot.id, part, at))
        if lacking:
            self._owe(plan, currency, lacking, REDEMPTION, at, transfers, trace)

    def _surprises(
        self,
        plan: Plan,
        rules: ActivityPlan,
        context: Any,
        fact: Fact,
        inputs: Inputs,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        """Draws the surprises that come with an activity, where bytes were drawn for it."""
        for game in rules.games:
            match = game.matches[fact.type]
            if not game.active_from <= fact.at < game.active_until:
                continue
            if match is None or match(context):
                self._draw(plan, game, fact, inputs, at, transfers, trace)

    def _draw(
        self,
        plan: Plan,
        game: CompiledGame,
        fact: Fact,
        inputs: Inputs,
        at: int,
        transfers: list[Transfer],
        trace: Trace,
    ) -> None:
        if not inputs.draw:
            return
        won_at = self.state.won_at.get(game.key)
        cools = game.cool_down_days and won_at is not None
        if cools and fact.at < plan.clock.add_days(won_at or 0, game.cool_down_days):
            return
        field = game.field(inputs.draw)
        prize, given, stock = game.prizes[field]
        needed: dict[str, int] = {}
        if stock and given:
            needed[f"prize:{game.key}:{prize}"] = 1
        if game.budget and given:
            needed[f"game:{game.key}"] = sum(points for _, points in given)
        allotted = inputs.allotted
        if any(allotted.get(key, 0) - trace.budgets.get(key, 0) < amount for key, amount in needed.items()):
            trace.draws.append((game.key, field, ""))
            return
        for key, amount in needed.items():
            trace.budgets[key] = trace.budgets.get(key, 0) + amount
        trace.draws.append((game.key, field, prize))
        if given:
            self.state.won_at[game.key] = fact.at
            self._grant(plan, given, f"game:{game.key}:{prize}", fact, at, transfers, trace)

    # --- quizzes and memberships ----------------------------------------------------------------------

    def _answer(self, plan: Plan, fact: Fact, at: int, transfers: list[Transfer], trace: Trace) -> None:
        quiz = plan.quizzes.get(str(fact.attributes.get("quiz", "")))
        if quiz is None:
            return
        attempts, best = self.state.quizzes.get(quiz.key, (0, -1))
        if attempts >= quiz.attempts:
            return
        trace.score = score = quiz.score(str(fact.attributes.get("answers", "")))
        self.state.quizzes[quiz.key] = (attempts + 1, max(best, score))
        for step, least in enumerate(quiz.scores):
            if best < least <= score:
                self._grant(plan, quiz.given[step], f"quiz:{quiz.key}:{step + 1}", fact, at, transfers, trace)

    def _join_membership(
        self, plan: Plan, fact: Fact, at: int, transfers: list[Transfer], trace: Trace
    ) -> None:
        membership = plan.memberships.get(str(fact.attributes.get("membership", "")))
        if membership is None:
            return
        before = self.state.memberships.get(membership.key, 0)
        fees = self.state.fees.setdefault(membership.key, [])
        fees.append(Fee(fact.at, membership.months, f"{fact.source}:{fact.id}"))
        after = self.state.memberships[membership.key] = ends_of(plan, fees)
        trace.membership = (membership.key, before, after)
        self._grant(plan, membership.given, f"membership:{membership.key}", fact, at, transfers, trace)

    def _leave_membership(self, plan: Plan, sale: Fact, key: str) -> None:
        """A fee that came back: the membership lasts as long as the fees that stand make it last."""
        known = self.state.fees.get(key, [])
        own = f"{sale.source}:{sale.id}"
        fees = [fee for fee in known if fee.joins is not None or fee.activity != own]
        if any(fee.joins is None for fee in fees):
            self.state.fees[key] = fees
            self.state.memberships[key] = ends_of(plan, fees)
        else:
            self.state.fees.pop(key, None)
            self.state.memberships.pop(key, None)

    def _unwin(self, gone: Fact, old: Trace) -> None:
        """A win that came back cools nothing any more."""
        for game, _, prize in old.draws:
            if prize and self.state.won_at.get(game) == gone.at:
                del self.state.won_at[game]


def ends_of(plan: Plan, fees: Sequence[Fee]) -> int:
    """The instant at which a membership ends, by the fees that stand: each begins or prolongs it."""
    ends: dict[str, int] = {}
    for fee in fees:
        before = ends.get(fee.chain, 0)
        if fee.joins is not None:
            ends[fee.chain] = max(before, ends.get(fee.joins, 0))
        elif not fee.months or before == NEVER:
            ends[fee.chain] = NEVER
        else:
            ends[fee.chain] = months_later(plan, max(before, fee.at), fee.months)
    return ends.get("", 0)


def months_later(plan: Plan, at: int, months: int) -> int:
    """The same local day and clock time so many months later, or the last day of a shorter month."""
    clock = plan.clock
    day, _ = clock.local(at)
    here = date.fromordinal(day)
    month = here.year * 12 + here.month - 1 + months
    first = date(month // 12, month % 12 + 1, 1)
    following = date((month + 1) // 12, (month + 1) % 12 + 1, 1)
    there = min(first.toordinal() + here.day - 1, following.toordinal() - 1)
    wall = at + clock.offset(at) - (day - EPOCH_DAY) * _DAY
    return clock.at_wall((there - EPOCH_DAY) * _DAY + wall)
