"""The floor of the engine (F6): the least that any decision must do, by hand, in mutable slots.

Five rules, a tier multiplier, a daily cap, a monthly lot and a rolling tier metric, nothing checked and
nothing explained. No product code; it only says what this machine's Python can do at best.
"""

from __future__ import annotations

DAY = 86_400_000_000
MONTH = 30 * DAY


class Member:
    """One member's state."""

    __slots__ = ("day", "earned_today", "lots", "points", "spend", "tier", "visits")

    def __init__(self) -> None:
        self.points = 0
        self.spend = 0
        self.tier = 0
        self.visits = 0
        self.day = -1
        self.earned_today = 0
        self.lots: dict[int, int] = {}


class Sale:
    """One sale: instant in microseconds, amount in cents."""

    __slots__ = ("amount", "at", "category", "channel", "quantity")

    def __init__(self, at: int, amount: int, channel: str, category: str, quantity: int) -> None:
        self.at = at
        self.amount = amount
        self.channel = channel
        self.category = category
        self.quantity = quantity


def decide(member: Member, sale: Sale) -> int:
    """Points earned by the sale, with the member's state moved on."""
    amount = sale.amount
    day = sale.at // DAY
    points = amount // 100
    if sale.category == "PRODUCE":
        points += amount // 50
    if sale.channel == "app":
        points += 10
    if day % 7 == 5:
        points += amount // 200
    if member.visits % 10 == 9:
        points += 50
    if member.tier:
        points = points * (120 if member.tier == 1 else 150) // 100
    if day != member.day:
        member.day = day
        member.earned_today = 0
    room = 500 - member.earned_today
    if points > room:
        points = room
    member.earned_today += points
    member.visits += 1
    member.spend += amount
    if member.tier < 2 and member.spend >= 100_000:
        member.tier = 2 if member.spend >= 300_000 else 1
    if points:
        member.points += points
        expiry = sale.at // MONTH + 13
        member.lots[expiry] = member.lots.get(expiry, 0) + points
    return points
