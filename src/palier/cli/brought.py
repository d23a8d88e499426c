"""What mechanics and rules brought in a backtest, as plain data and as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from palier.engine.brought import Mechanics, RuleTotals
    from palier.engine.explain import Words
    from palier.engine.plan import Plan
    from palier.engine.words import Nouns

_PERIODS: Final[dict[str, Nouns]] = {
    "day": (("day", "days"), ("jour", "jours")),
    "week": (("week", "weeks"), ("semaine", "semaines")),
    "month": (("month", "months"), ("mois", "mois")),
}
LENGTHS: Final = ((1, 1), (2, 3), (4, 6), (7, 13), (14, 29), (30, 99), (100, None))
"""Lengths of streaks that are told together, as (from, through)."""


def percent(part: int, whole: int) -> str:
    """Hundredths of a percent, rounded down: "1.04"."""
    from palier.engine.amounts import from_minor

    return from_minor(part * 10_000 // whole, 2) if whole > 0 else "0.00"


def plain(plan: Plan, mechanics: Mechanics, members: int) -> dict[str, Any]:
    """What mechanics brought, by kind; kinds that the program does not have are left out."""
    told: dict[str, Any] = {}
    if goals := {key: _steps(plan, mechanics, key, members) for key in plan.goals}:
        told["goals"] = goals
    if streaks := {key: _lengths(mechanics.best.get(key, {}), members) for key in plan.streaks}:
        told["streaks"] = streaks
    if games := {key: _game(plan, mechanics, key) for key in plan.games}:
        told["games"] = games
    if limits := {key: _limit(plan, key, used) for key, used in sorted(mechanics.used.items())}:
        told["limits"] = limits
    if granted := {name: _granted(plan, units) for name, units in sorted(mechanics.granted.items())}:
        told["granted"] = granted
    if plan.referral is not None:
        told["friends_converted"] = mechanics.converted
    if paying := {key: mechanics.paying.get(key, 0) for key in plan.memberships}:
        told["memberships"] = paying
    return told


def plain_rules(plan: Plan, rules: dict[str, RuleTotals]) -> dict[str, Any]:
    """What each rule brought in points and their worth in money, in the order of the document."""
    from palier.activities.answers import points_text
    from palier.engine.amounts import from_minor

    campaigns = _campaigns(plan)
    told = {}
    for key, rule in plan.rules.items():
        found = rules.get(key)
        issued, back = (found.issued, found.reversed) if found is not None else (0, 0)
        told[key] = {
            "campaign": campaigns.get(key),
            "currency": rule.currency,
            "issued": points_text(issued, plan, rule.currency),
            "reversed": points_text(back, plan, rule.currency),
            "worth": from_minor(plan.worth(rule.currency, issued - back), plan.exponent),
        }
    return told


def _campaigns(plan: Plan) -> dict[str, str]:
    """Rule -> the campaign that it belongs to."""
    return {rule.key: campaign.key for campaign in plan.document.campaigns for rule in campaign.rules}


def _steps(plan: Plan, mechanics: Mechanics, key: str, members: int) -> list[dict[str, Any]]:
    goal = next(goal for goal in plan.document.goals if goal.key == key)
    if not goal.steps:
        return []
    reached = mechanics.steps.get(key, {})
    told = []
    for number in range(1, max([len(goal.steps), *reached]) + 1):
        round_, place = divmod(number - 1, len(goal.steps))
        step = goal.steps[place]
        told.append(
            {
                "step": number,
                "round": round_ + 1,
                "at": step.at,
                "name": step.name.en or step.name.fr,
                "members": reached.get(number, 0),
                "share_percent": percent(reached.get(number, 0), members),
            }
        )
    return told


def _lengths(best: dict[int, int], members: int) -> list[dict[str, Any]]:
    """How many members had their longest streak in each range of lengths; who never began stands first."""
    begun = sum(count for length, count in best.items() if length)
    told: list[dict[str, Any]] = [{"from": 0, "through": 0, "members": members - begun}]
    for low, high in LENGTHS:
        count = sum(
            number for length, number in best.items() if length >= low and (high is None or length <= high)
        )
        told.append({"from": low, "through": high, "members": count})
    return told


def _game(plan: Plan, mechanics: Mechanics, key: str) -> dict[str, Any]:
    game = next(game for game in plan.document.games if game.key == key)
    total = plan.games[key].total
    plays = mechanics.plays.get(key, 0)
    return {
        "plays": plays,
        "prizes": {
            prize.key: {
                "won": mechanics.won.get(f"{key}:{prize.key}", 0),
                "won_percent": percent(mechanics.won.get(f"{key}:{prize.key}", 0), plays),
                "odds_percent": percent(prize.weight, total),
            }
            for prize in game.prizes
        },
    }


def _limit(plan: Plan, key: str, used: int) -> dict[str, Any]:
    from palier.activities.answers import points_text
    from palier.engine.brought import limit_of

    limit, currency = limit_of(plan, key)
    return {
        "currency": currency or None,
        "used": points_text(used, plan, currency),
        "limit": points_text(limit, plan, currency),
    }


def _granted(plan: Plan, units: dict[str, int]) -> dict[str, Any]:
    from palier.activities.answers import points_text
    from palier.engine.amounts import from_minor

    worth = sum(plan.worth(currency, points) for currency, points in units.items())
    return {
        "units": {currency: points_text(points, plan, currency) for currency, points in units.items()},
        "worth": from_minor(worth, plan.exponent),
    }


# --- tables -------------------------------------------------------------------------------------------


def show(console: Console, plan: Plan, mechanics: Mechanics, members: int, words: Words) -> None:
    """Prints what mechanics brought; nothing where the program has none."""
    told = plain(plan, mechanics, members)
    say = words.say
    names = {item.key: words.text(item.name) for item in _named(plan)}
    table = table_of_figures()
    for key, steps in told.get("goals", {}).items():
        _head(table, names[key], say("members who reached it", "membres qui y sont arrivés"))
        if not steps:
            table.add_row(say("  measures only", "  mesure seulement"), "", "")
        for step in steps:
            goal = next(goal for goal in plan.document.goals if goal.key == key)
            name = words.text(goal.steps[(step["step"] - 1) % len(goal.steps)].name)
            around = say(f", round {step['round']}", f", tour {step['round']}") if step["round"] > 1 else ""
            share = f"{words.decimal(step['share_percent'])} %"
            place = f"{words.decimal(step['at'])}{say(': ', ' : ')}{name}"
            table.add_row(f"  {place}{around}", _count(words, step), share)
    for key, lengths in told.get("streaks", {}).items():
        _head(
            table,
            names[key],
            say("members by their longest run", "membres selon leur plus longue série"),
        )
        for part in lengths:
            if part["members"]:
                table.add_row(f"  {_range(part, plan.streaks[key].period, words)}", _count(words, part), "")
    for key, game in told.get("games", {}).items():
        _head(table, names[key], say("won, and the odds of it", "lots gagnés, et leurs chances"))
        table.add_row(say("  draws", "  tirages"), words.decimal(str(game["plays"])), "")
        shown = {prize.key: prize for item in plan.document.games if item.key == key for prize in item.prizes}
        for prize, found in game["prizes"].items():
            won, odds = words.decimal(found["won_percent"]), words.decimal(found["odds_percent"])
            table.add_row(
                f"  {words.text(shown[prize].name)}",
                words.decimal(str(found["won"])),
                say(f"{won} % of draws, {odds} %", f"{won} % des tirages, {odds} %"),
            )
    if "limits" in told:
        _head(
            table, say("Shared limits", "Limites communes"), say("used, of the whole", "utilisé, sur le tout")
        )
        for key, limit in told["limits"].items():
            noun = f" {words.noun(limit['currency'], False)}" if limit["currency"] else ""
            whole = f"{say('of', 'sur')} {words.decimal(limit['limit'])}{noun}"
            table.add_row(f"  {_cause(plan, key, words)}", words.decimal(limit["used"]), whole)
    if "granted" in told:
        _head(
            table,
            say("Given by mechanics", "Offert par les mécaniques"),
            say("less what was taken back; worth", "moins ce qui a été repris ; valeur"),
        )
        for name, units in mechanics.granted.items():
            for currency, points in units.items():
                worth = plan.worth(currency, abs(points))
                table.add_row(
                    f"  {_cause(plan, name, words)}",
                    words.points(points, currency),
                    words.money(worth) if worth else "",
                )
    if "friends_converted" in told:
        friends = words.decimal(str(told["friends_converted"]))
        table.add_row(say("Friends who converted", "Amis venus pour de bon"), friends, "")
    for key, paying in told.get("memberships", {}).items():
        table.add_row(names[key], words.decimal(str(paying)), say("members who paid", "membres qui ont payé"))
    if table.row_count:
        console.print(table)


def _cause(plan: Plan, key: str, words: Words) -> str:
    """What gave, or what is limited, by its name: "goal:trail", "partner:fuel:2026-03", "prize:wheel:car"."""
    kind, _, rest = key.partition(":")
    own, _, last = rest.partition(":")
    document = plan.document
    if kind == "tier":
        return words.tier(own)
    if kind == "referral":
        return words.say("friends brought", "amis venus")
    parts: dict[str, Sequence[Any]] = {
        "campaign": document.campaigns,
        "game": document.games,
        "goal": document.goals,
        "membership": document.memberships,
        "partner": document.partners,
        # A prize of a game has its own name behind the game's; one of a leaderboard has none.
        "prize": document.games if last else document.leaderboards,
        "quiz": document.quizzes,
        "streak": document.streaks,
    }
    found = next((part for part in parts.get(kind, ()) if part.key == own), None)
    if found is None:
        return key
    if kind == "prize" and last:
        last = next((words.text(prize.name) for prize in found.prizes if prize.key == last), last)
    return f"{words.text(found.name)}, {last}" if last else words.text(found.name)


def show_rules(console: Console, plan: Plan, rules: dict[str, RuleTotals], words: Words) -> None:
    """Prints what each rule brought, with its worth, and the same by campaign."""
    from palier.engine.brought import RuleTotals as Sums

    campaigns = _campaigns(plan)
    shown = {rule.key: words.text(rule.name) for rule in plan.program.rules}
    say = words.say
    table = table_of_figures()
    _head(table, say("Rules", "Règles"), say("issued less reversed; worth", "émis moins repris ; valeur"))
    sums: dict[str, list[int]] = {}
    for key, rule in plan.rules.items():
        found = rules.get(key, Sums())
        points = found.issued - found.reversed
        worth = plan.worth(rule.currency, points)
        if key in campaigns:
            total = sums.setdefault(campaigns[key], [0, 0])
            total[0] += 1
            total[1] += worth
        table.add_row(f"  {shown[key]}", words.points(points, rule.currency), words.money(worth))
    if sums:
        _head(table, say("Campaigns", "Campagnes"), say("rules; worth", "règles ; valeur"))
    names = {campaign.key: words.text(campaign.name) for campaign in plan.document.campaigns}
    for key, (count, worth) in sums.items():
        table.add_row(f"  {names[key]}", words.decimal(str(count)), words.money(worth))
    console.print(table)


def _named(plan: Plan) -> list[Any]:
    document = plan.document
    return [*document.goals, *document.streaks, *document.games, *document.memberships]


def table_of_figures() -> Table:
    """An empty table: what is told, its figure, and what else is to be said of it."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right", style="bold")
    table.add_column(style="dim")
    return table


def _head(table: Table, title: str, what: str) -> None:
    table.add_row(f"[bold]{title}[/bold]", "", what)


def _count(words: Words, part: dict[str, Any]) -> str:
    return words.decimal(str(part["members"]))


def _range(part: dict[str, Any], period: str, words: Words) -> str:
    low, high = part["from"], part["through"]
    if not low:
        return words.say("none", "aucune")
    if high == low:
        return words.counted_noun(low, _PERIODS[period])
    noun = _PERIODS[period][words.fr][1]
    span = (
        words.say(f"{low} and more", f"au moins {low}")
        if high is None
        else f"{low} {words.say('to', 'à')} {high}"
    )
    return f"{span} {noun}"


__all__ = ["percent", "plain", "plain_rules", "show", "show_rules", "table_of_figures"]
