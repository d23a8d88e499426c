"""The floor of the engine (F6): the least that any decision must do, by hand, in mutable slots.

Five rules, a tier on spend over a rolling year, caps by day and by month, a lot per month of expiry, and the
transfer that results; nothing checked, nothing explained, no rule read from a document. No product code: it
says what this machine's Python can do at best.
"""

from __future__ import annotations

from collections import deque

DAY = 86_400_000_000
MONTH = 30 * DAY
YEAR = 365 * DAY


class Lot:
    """What was earned with one expiry."""

    __slots__ = ("earned", "expires_at", "remaining")

    def __init__(self, expires_at: int) -> None:
        self.expires_at = expires_at
        self.earned = 0
        self.remaining = 0


class Transfer:
    """One movement of points."""

    __slots__ = ("amount", "at", "credit", "debit", "lot")

    def __init__(self, at: int, debit: str, credit: str, lot: int, amount: int) -> None:
        self.at = at
        self.debit = debit
        self.credit = credit
        self.lot = lot
        self.amount = amount


class Member:
    """One member's state."""

    __slots__ = (
        "day",
        "earned_month",
        "earned_today",
        "lots",
        "month",
        "points",
        "spend",
        "tier",
        "visits",
        "window",
    )

    def __init__(self) -> None:
        self.points = 0
        self.spend = 0
        self.tier = 0
        self.visits = 0
        self.day = -1
        self.month = -1
        self.earned_today = 0
        self.earned_month = 0
        self.lots: dict[int, Lot] = {}
        self.window: deque[tuple[int, int]] = deque()


class Sale:
    """One sale: instant in microseconds, amount in cents."""

    __slots__ = ("amount", "at", "category", "channel", "quantity")

    def __init__(self, at: int, amount: int, channel: str, category: str, quantity: int) -> None:
        self.at = at
        self.amount = amount
        self.channel = channel
        self.category = category
        self.quantity = quantity


def decide(member: Member, sale: Sale) -> list[Transfer]:
    """The transfers that the sale brings, with the member's state moved on."""
    at = sale.at
    amount = sale.amount
    day = at // DAY
    month = at // MONTH
    window = member.window
    while window and window[0][0] <= at - YEAR:
        member.spend -= window.popleft()[1]
    tier = 2 if member.spend >= 300_000 else 1 if member.spend >= 100_000 else 0
    if tier != member.tier:
        member.tier = tier
    points = amount // 100
    if sale.category == "PRODUCE":
        points += amount // 50
    if sale.channel == "app":
        points += 10
    if day % 7 == 5:
        points += amount // 200
    if member.visits % 10 == 9:
        points += 50
    if tier:
        points = points * (120 if tier == 1 else 150) // 100
    if day != member.day:
        member.day = day
        member.earned_today = 0
    if month != member.month:
        member.month = month
        member.earned_month = 0
    points = min(points, 500 - member.earned_today, 5000 - member.earned_month)
    member.earned_today += points
    member.earned_month += points
    member.visits += 1
    member.spend += amount
    window.append((at, amount))
    if not points:
        return []
    member.points += points
    expires_at = (month + 13) * MONTH
    lot = member.lots.get(expires_at)
    if lot is None:
        lot = member.lots[expires_at] = Lot(expires_at)
    lot.earned += points
    lot.remaining += points
    return [Transfer(at, "issuance", "wallet", expires_at, points)]
