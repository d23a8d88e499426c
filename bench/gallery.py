"""What each program of the gallery would have brought over a grocery's year: writes docs/gallery-figures.md.

    python -m bench.gallery [--only KEY ...] [--workers N]

The history is Complete Journey (`palier.connectors.complete_journey`). How it is read for a program that is not a
grocer's stands in READINGS and is printed with the figures; a program that counts nothing of what a till sends
is in SKIPPED, with the reason.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from palier.activities.backtest import FileHistory, Order, judges_by, over_file
from palier.activities.wire import MAX_LINES
from palier.cli.brought import percent
from palier.connectors import complete_journey
from palier.engine.amounts import from_minor
from palier.engine.backtest import Totals
from palier.engine.brought import limit_of
from palier.engine.clock import instant
from palier.engine.lint import looked
from palier.engine.plan import Plan
from palier.engine.program import Program
from palier.programs import gallery

PAGE = Path(__file__).resolve().parent.parent / "docs" / "gallery-figures.md"
WEEKS = 470
"""Whole weeks by which the history is moved: it then begins on 2026-01-04, when agreements and campaigns run."""
NOW = instant(datetime.fromisoformat("2027-02-01T00:00:00+00:00"))
"""Behind the end of the moved history: the intake takes nothing that is yet to come."""

Activity = dict[str, Any]


class Reading(msgspec.Struct, frozen=True):
    """How the history is read for one program. `words` tell it.

    `times`: dollars as so much of the program's money. `fee`: the membership, and the amount that each household
    pays for it just before its first basket; fees are no spend. `partners`: department -> the partner at which a
    basket was bought of which most is of that department, "" for all others. `categories`: department -> category.
    `follows`: an activity that comes so many days after each basket.
    """

    words: str
    times: int = 1
    fee: tuple[str, str] | None = None
    partners: dict[str, str] = {}
    categories: dict[str, str] = {}
    follows: tuple[str, int] | None = None


PLAIN = Reading("")
READINGS = {
    "coalition": Reading(
        "A basket of which most is gasoline was bought at the filling station, of which most is of the drugstore's "
        "department at the chemist's, any other at the grocer's.",
        partners={"FUEL": "station", "DRUG GM": "chemist", "": "grocer"},
    ),
    "coins_marketplace": Reading(
        "A dollar counts as 80 rupees; ten days after each basket its return window is over.",
        times=80,
        follows=("return_window_over", 10),
    ),
    "outdoor_coop": Reading(
        "Each household joins just before its first basket; its fee is not counted as spent.",
        fee=("member", "30.00"),
    ),
    "paid_bundle": Reading(
        "Each household joins just before its first basket; its fee is not counted as spent.",
        fee=("bundle", "59.00"),
    ),
    "stamp_card": Reading(
        "A unit of the pastry department counts as a coffee.", categories={"PASTRY": "coffee"}
    ),
}
SKIPPED = {
    "course_bundle": "counts courses, of which the grocery sells none",
    "fan_club": "counts episodes, shares and reviews, which a till does not send",
    "pair_streaks": "counts messages and pages of a diary, which a till does not send",
}


def read(entry: gallery.Entry) -> Program:
    """The program as it is played: in the shop's own time zone."""
    return msgspec.structs.replace(entry.program(), time_zone=complete_journey.TIME_ZONE)


def baskets(most: int = 0) -> dict[str, list[Activity]]:
    """The baskets by household in order of time; of `most` households, spread over all, where that is not 0."""
    households: dict[str, list[Activity]] = {}
    for rows in complete_journey.reader(WEEKS).batches():
        for row in rows:
            assert row.problem is None, row.problem
            activity = row.activity
            households.setdefault(activity["member"]["external_id"], []).append(activity)
    names = sorted(households)
    return {name: households[name] for name in names[:: max(1, len(names) // most) if most else 1]}


def history(households: dict[str, list[Activity]], reading: Reading) -> FileHistory:
    """The households' activities as one program reads them. The currency is left out: amounts are its own."""
    members = []
    for name, bought in households.items():
        sent = list(_fees(bought[:1], reading)) + [_as_read(basket, reading) for basket in bought]
        if reading.follows is not None:
            sent += [_following(basket, *reading.follows) for basket in bought]
        parts = [sent[start : start + MAX_LINES] for start in range(0, len(sent), MAX_LINES)]
        members.append((name, [msgspec.json.encode(part) for part in parts]))
    return FileHistory(members, sum(len(bought) for bought in households.values()), 0)


def _as_read(basket: Activity, reading: Reading) -> Activity:
    read_as = {key: value for key, value in basket.items() if key != "currency"}
    if reading.times > 1:
        read_as["amount"] = _times(basket["amount"], reading.times)
    if reading.times > 1 or reading.categories:
        read_as["lines"] = [
            {
                **line,
                "category": reading.categories.get(line["category"], line["category"]),
                "amount": _times(line["amount"], reading.times),
            }
            for line in basket["lines"]
        ]
    if reading.partners:
        largest = max(basket["lines"], key=lambda line: _cents(line["amount"]), default={"category": ""})
        read_as["partner"] = reading.partners.get(largest["category"], reading.partners[""])
    return read_as


def _fees(first: Iterable[Activity], reading: Reading) -> Iterable[Activity]:
    for basket in first:
        if reading.fee is not None:
            membership, paid = reading.fee
            before = datetime.fromisoformat(basket["occurred_at"]) - timedelta(seconds=1)
            yield {
                "source": basket["source"],
                "id": f"fee-{basket['id']}",
                "type": "fee",
                "member": basket["member"],
                "occurred_at": before.isoformat(),
                "amount": paid,
                "attributes": {"membership": membership},
            }


def _following(basket: Activity, kind: str, days: int) -> Activity:
    after = datetime.fromisoformat(basket["occurred_at"]) + timedelta(days=days)
    return {
        "source": basket["source"],
        "id": f"{kind}-{basket['id']}",
        "type": kind,
        "member": basket["member"],
        "occurred_at": after.isoformat(),
        "sale": {"source": basket["source"], "id": basket["id"]},
    }


def _cents(amount: str) -> int:
    return int(amount.replace(".", ""))


def _times(amount: str, factor: int) -> str:
    return from_minor(_cents(amount) * factor, 2)


def play(program: Program, sent: FileHistory, *, workers: int) -> Totals:
    """The backtest, watched for first rewards, up to the last activity."""
    order = Order(judges_by(program), 0, looked=looked(program))
    return over_file(sent, order, now=NOW, workers=workers)


def unbalanced(totals: Totals) -> dict[str, int]:
    """The point currencies whose points are not all somewhere, with what is missing."""
    found = {}
    for key, item in totals.currencies.items():
        came = item.issued + item.adjusted + item.received
        went = item.reversed + item.redeemed + item.expired
        there = item.spendable + item.held + item.pending - item.debt
        if came != went + there:
            found[key] = came - went - there
    return found


def unmet(program: Program, reading: Reading) -> list[str]:
    """The activity types that a program counts and the history does not have."""
    types = {rule.on for rule in program.rules}
    types |= {rule.on for campaign in program.campaigns for rule in campaign.rules}
    types |= {kind for goal in program.goals for kind in goal.on}
    types |= {kind for streak in program.streaks for kind in streak.on}
    types |= {kind for game in program.games for kind in game.on}
    types |= {"play" for game in program.games if game.kind != "surprise"}
    types |= {"quiz"} if program.quizzes else set()
    types |= {"joined"} if program.referral is not None else set()
    types |= {"fee"} if program.memberships else set()
    sent = {"sale"} | ({"fee"} if reading.fee else set())
    sent |= {reading.follows[0]} if reading.follows is not None else set()
    return sorted(types - sent)


# --- the page -----------------------------------------------------------------------------------------


def _first_reward(totals: Totals) -> str:
    seen = totals.seen
    assert seen is not None
    half = -(-seen.asked // 2) - 1
    if not 0 <= half < len(seen.waits):
        return "not reached"
    days = seen.waits[half]
    return f"{days} day{'' if days == 1 else 's'}"


def _worth(plan: Plan, totals: Totals) -> int:
    return sum(plan.worth(key, item.redeemed + item.outstanding) for key, item in totals.currencies.items())


def _number(plan: Plan, currency: str, points: int) -> str:
    whole, dot, rest = from_minor(points, plan.currencies[currency].scale).partition(".")
    return f"{int(whole):,}{dot}{rest}"


def _row(entry: gallery.Entry, plan: Plan, totals: Totals) -> str:
    name = plan.program.name.en
    cells = [
        f"[{name}](#{entry.key})",
        f"{totals.members:,}",
        f"{totals.activities:,}",
        f"{totals.passed_over:,}",
        f"{percent(_worth(plan, totals), totals.spend)} %",
        _first_reward(totals),
    ]
    return "| " + " | ".join(cells) + " |"


def _section(entry: gallery.Entry, reading: Reading, plan: Plan, totals: Totals) -> list[str]:
    lines = [f"## {entry.key}", "", f"**{plan.program.name.en}.**"]
    if reading.words:
        lines[-1] += f" {reading.words}"
    if missing := unmet(plan.program, reading):
        told = ", ".join(f"`{kind}`" for kind in missing)
        lines[-1] += f" It also counts what this history does not have: {told}."
    lines += [
        "",
        "| points | issued | reversed | redeemed | expired | outstanding |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for currency in plan.program.point_currencies:
        item = totals.currencies.get(currency.key)
        if item is None:
            lines.append(f"| {currency.key} | 0 | 0 | 0 | 0 | 0 |")
            continue
        counts = (item.issued, item.reversed, item.redeemed, item.expired, item.outstanding)
        cells = " | ".join(_number(plan, currency.key, count) for count in counts)
        lines.append(f"| {currency.key} | {cells} |")
    lines.append("")
    if reached := _reached(plan, totals):
        lines += ["| reached | members | share |", "|---|---:|---:|", *reached, ""]
    if used := totals.mechanics.used:
        lines += ["| shared limit | used | of |", "|---|---:|---:|"]
        for key in sorted(used):
            limit, unit = limit_of(plan, key)
            shown = [_number(plan, unit, count) if unit else f"{count:,}" for count in (used[key], limit)]
            lines.append(f"| {key} | {shown[0]} | {shown[1]} |")
        lines.append("")
    return lines


def _reached(plan: Plan, totals: Totals) -> list[str]:
    found: list[tuple[str, int]] = []
    found += [
        (f"tier {tier}", totals.reached.get(tier, 0)) for tier in plan.levels[1:] if plan.ladder is not None
    ]
    for goal in plan.program.goals:
        steps = totals.mechanics.steps.get(goal.key, {})
        # Later rounds of one that repeats are counted, but not shown one by one.
        found += [
            (f"{goal.key}, {step.name.en}", steps.get(number, 0)) for number, step in enumerate(goal.steps, 1)
        ]
    for game in plan.program.games:
        won = sum(
            totals.mechanics.won.get(f"{game.key}:{prize.key}", 0) for prize in game.prizes if prize.grants
        )
        found.append((f"{game.key}, prizes won", won))
    found += [(f"{key}, members who paid", count) for key, count in sorted(totals.mechanics.paying.items())]
    return [
        f"| {name} | {count:,} | {percent(count, totals.members)} % |"
        if "prizes" not in name
        else f"| {name} | {count:,} | |"
        for name, count in found
    ]


def page(played: Sequence[tuple[gallery.Entry, Totals]], households: dict[str, list[Activity]]) -> str:
    """The figures as a page."""
    bought = sum(map(len, households.values()))
    lines = [
        "# The gallery over a grocery's year",
        "",
        "<!-- Generated by `make gallery-figures`; edit bench/gallery.py. -->",
        "",
        "What each program of [the gallery](gallery.md) would have brought, had it run in the grocery of the demo's "
        f"history: Complete Journey, {len(households):,} households, {bought:,} baskets, described as simulated "
        "from real shopping patterns. Nobody redeems and nothing is returned in it, so what is issued either expires "
        "or is outstanding.",
        "",
        f"For every program the history is moved by {WEEKS} weeks, to begin on 2026-01-04, when the gallery's "
        "agreements and campaigns run; a dollar counts as one unit of the program's money, and the calendar is that of "
        "New York, unless it says otherwise. A number of a history, not a forecast: members would have bought "
        "otherwise.",
        "",
        "- *effective return*: the worth of what was redeemed or is still outstanding, as a share of what was spent;",
        "- *first reward*: the days within which half of the households known long enough had a first reward: a unit "
        "of kind reward or cash, or else points worth 5 of the program's money (500 of a money without decimals);",
        "- *passed over*: activities that the intake would have refused.",
        "",
        "| program | members | activities | passed over | effective return | first reward |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    plans = {entry.key: Plan(read(entry), 1) for entry, _ in played}
    lines += [_row(entry, plans[entry.key], totals) for entry, totals in played]
    lines += ["", "Not played:", ""]
    lines += [f"- `{key}` {reason}." for key, reason in sorted(SKIPPED.items())]
    lines.append("")
    for entry, totals in played:
        lines += _section(entry, READINGS.get(entry.key, PLAIN), plans[entry.key], totals)
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Plays every program that can be, and writes the page; with --only prints instead."""
    parser = argparse.ArgumentParser(description="The gallery over a grocery's year.")
    parser.add_argument(
        "--only", action="append", default=[], metavar="KEY", help="print these, write nothing"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args()
    households = baskets()
    played = []
    for entry in gallery.entries():
        if entry.key in SKIPPED or (options.only and entry.key not in options.only):
            continue
        reading = READINGS.get(entry.key, PLAIN)
        totals = play(read(entry), history(households, reading), workers=options.workers)
        if missing := unbalanced(totals):
            raise SystemExit(f"{entry.key}: points are missing: {missing}")
        print(
            f"{entry.key}: {totals.activities:,} activities, {totals.passed_over:,} passed over", flush=True
        )
        played.append((entry, totals))
    text = page(played, households)
    if options.only:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
