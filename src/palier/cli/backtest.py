"""What a program would have issued, cost and brought, over the live history or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from palier.cli.session import LANGUAGE, Language

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from palier.activities.backtest import FileHistory, Judges, Order
    from palier.activities.runtime import Runtime
    from palier.engine.backtest import Threshold, Totals
    from palier.engine.explain import Words
    from palier.engine.plan import Plan
    from palier.engine.program import Program

_PROGRAM: Final = typer.Argument(
    help="A program document, or the key of a published program.", show_default=False
)
_MAP: Final = typer.Option(
    None, "--map", help="FIELD=COLUMN, such as id=Ticket; repeat it.", show_default=False
)
_MAPPING: Final = typer.Option(
    None, "--mapping", help="A YAML file that says how columns are read.", show_default=False
)
_LIVE: Final = "live"


def register(app: typer.Typer) -> None:
    app.command()(backtest)


def backtest(
    program: str = _PROGRAM,
    history: str = typer.Option(
        ..., "--history", help="A file of activities, or `live`.", show_default=False
    ),
    against: str = typer.Option(
        None, "--against", help="Another document or key to compare with.", show_default=False
    ),
    threshold: str = typer.Option(
        None, "--threshold", help="A reward's price: days until it is reached.", show_default=False
    ),
    until: str = typer.Option(
        None,
        "--until",
        help="Instant or day at which to end [default: now; for a file, its last activity].",
        show_default=False,
    ),
    map: list[str] | None = _MAP,
    mapping: Path | None = _MAPPING,
    by_rule: bool = typer.Option(
        False, "--by-rule", help="Also what each rule and campaign brought; slower."
    ),
    workers: int = typer.Option(0, "--workers", min=0, max=64, help="Processes; 0 for one per core."),
    language: Language = LANGUAGE,
    json: bool = typer.Option(False, "--json", help="Print everything as JSON."),
) -> int:
    """Play a history through a program in memory; nothing is written.

    The published program over its live history must equal the ledger to the last unit: exit 1 where it does
    not. Another document over the live history tells who would have earned more or less.
    """
    import os
    import time

    from palier.cli.session import open_database
    from palier.site import clock

    started = time.monotonic()
    count = workers or os.cpu_count() or 1
    needs_database = (
        history == _LIVE or not _is_file(program) or (against is not None and not _is_file(against))
    )
    if not needs_database:
        order = _order(None, program, against, until, threshold, by_rule)
        totals = _over_file(order, history, map, mapping, clock.now(), count)
    else:
        with open_database(with_django=False):
            from palier.site import database

            with database.connect() as connection:
                order = _order(connection, program, against, until, threshold, by_rule)
                if history == _LIVE:
                    order, totals = _over_live(connection, program, order, clock.now(), count)
                else:
                    totals = _over_file(order, history, map, mapping, clock.now(), count)
    seconds = time.monotonic() - started
    plan = order.judges.latest
    if json:
        _print_json(plan, order, totals, seconds, history)
    else:
        _print_text(plan, order, totals, seconds, language)
    return 1 if order.exact and totals.differing else 0


# --- what is played -----------------------------------------------------------------------------------


def _is_file(text: str) -> bool:
    return Path(text).suffix.lower() in (".yaml", ".yml", ".json") or Path(text).is_file()


def _read(path: str) -> Program:
    from palier.cli.programs import read_document
    from palier.engine.sentences import sentence
    from palier.site.refusal import Refused

    found = read_document(Path(path))
    if found is None:
        raise Refused(sentence("%(path)s is not a valid program; see the problems above.", path=path))
    return found


def _judges(connection: Any, text: str) -> Judges:
    from palier.activities.backtest import judges_by, judges_of
    from palier.cli.members import program_of

    return judges_by(_read(text)) if _is_file(text) else judges_of(program_of(connection, text))


def _order(
    connection: Any,
    program: str,
    against: str | None,
    until: str | None,
    threshold: str | None,
    by_rule: bool = False,
) -> Order:
    from palier.activities.backtest import Order

    judges = _judges(connection, program)
    return Order(
        judges,
        _until(until, judges),
        _threshold(threshold, judges.latest.program),
        _judges(connection, against) if against is not None else None,
        cut=bool(until),
        by_rule=by_rule,
    )


def _until(text: str | None, judges: Judges) -> int:
    if not text:
        return 0
    from palier.cli.members import instant_of

    return instant_of(text, judges.latest.clock.zone)


def _threshold(text: str | None, document: Program) -> Threshold | None:
    """`500` of the first point currency, or `stars:500`."""
    if not text:
        return None
    from palier.engine.amounts import AmountError, to_minor
    from palier.engine.backtest import Threshold
    from palier.engine.sentences import sentence
    from palier.site.refusal import Refused

    key, colon, amount = text.rpartition(":")
    currencies = {currency.key: currency for currency in document.point_currencies}
    found = currencies.get(key) if colon else document.point_currencies[0]
    if found is None:
        raise Refused(
            sentence(
                "The program has no points %(key)r; it has %(names)s.",
                key=key[:40],
                names=", ".join(currencies),
            )
        )
    try:
        return Threshold(found.key, to_minor(amount, found.scale))
    except AmountError as error:
        raise Refused(sentence("--threshold: %(error)s.", error=error)) from None


def _over_live(connection: Any, text: str, order: Order, now: int, workers: int) -> tuple[Order, Totals]:
    import msgspec

    from palier.activities.backtest import judges_of, live
    from palier.cli.members import program_of
    from palier.engine.sentences import sentence
    from palier.programs.queries import find
    from palier.site.refusal import Refused

    document = order.judges.latest.program
    if find(connection, document.key) is None:
        raise Refused(
            sentence(
                'There is no published program "%(key)s", so it has no live history; name a file '
                "with --history.",
                key=document.key,
            )
        )
    published = program_of(connection, document.key)
    cut = order.cut and order.until < now
    order = msgspec.structs.replace(order, until=order.until or now, cut=cut)
    if cut and order.against is None and not _is_current(published, text, document):
        # The ledger has what came later: what judged live is played over the same span.
        order = msgspec.structs.replace(order, against=judges_of(published))
    elif not cut and order.against is None and _is_current(published, text, document):
        order = msgspec.structs.replace(order, judges=judges_of(published), exact=True)
    return order, live(connection, published, order, workers=workers)


def _is_current(published: Runtime, text: str, document: Program) -> bool:
    """Whether the document is what judged all of the live history."""
    if not _is_file(text):
        return True
    return len(published.stored.documents) == 1 and published.latest.program == document


def _over_file(
    order: Order, history: str, map: list[str] | None, mapping: Path | None, now: int, workers: int
) -> Totals:
    from palier.activities.backtest import over_file
    from palier.connectors.files import FileProblem
    from palier.site.refusal import Refused

    try:
        found = _history(history, order.judges.latest.program, map, mapping)
    except FileProblem as problem:
        raise Refused(problem.said) from None
    return over_file(found, order, now=now, workers=workers)


def _history(path: str, document: Program, map: list[str] | None, mapping: Path | None) -> FileHistory:
    from palier.activities.backtest import from_rows
    from palier.connectors.files import Reader, load_mapping, mapping_from_options

    chosen = mapping_from_options(map or [], load_mapping(mapping) if mapping is not None else None)
    types = {name: item.type for kind in document.activity_types for name, item in kind.attributes.items()}
    reader = Reader(Path(path), time_zone=document.time_zone, mapping=chosen, attribute_types=types)
    return from_rows(row for batch in reader.batches() for row in batch)


# --- printing -----------------------------------------------------------------------------------------


def _cost(plan: Plan, totals: Totals) -> tuple[int, int]:
    """In money: what was spent or may still be (the cost), and what may still be (the liability)."""
    cost = liability = 0
    for key, item in totals.currencies.items():
        liability += plan.worth(key, item.outstanding)
        cost += plan.worth(key, item.redeemed + item.outstanding)
    return cost, liability


def _print_json(plan: Plan, order: Order, totals: Totals, seconds: float, history: str) -> None:
    import msgspec

    from palier.activities.answers import points_text
    from palier.cli import brought
    from palier.cli.brought import percent
    from palier.engine.amounts import from_minor
    from palier.engine.backtest import percentile

    cost, liability = _cost(plan, totals)
    told: dict[str, Any] = {
        "program": plan.program.key,
        "history": history if history == _LIVE else Path(history).name,
        "members": totals.members,
        "activities": totals.activities,
        "passed_over": totals.passed_over,
        "decisions": totals.decisions,
        "seconds": round(seconds, 3),
        "money": plan.program.currency,
        "spend": from_minor(totals.spend, plan.exponent),
        "cost": from_minor(cost, plan.exponent),
        "liability": from_minor(liability, plan.exponent),
        "effective_return_percent": percent(cost, totals.spend),
        "currencies": {
            key: {name: points_text(getattr(item, name), plan, key) for name in type(item).__struct_fields__}
            for key, item in totals.currencies.items()
        },
        "tiers": {key: totals.tiers.get(key, 0) for key in plan.levels if key},
        "tiers_reached": {key: totals.reached.get(key, 0) for key in plan.levels if key},
    }
    told["mechanics"] = brought.plain(plan, totals.mechanics, totals.members)
    if order.by_rule:
        told["rules"] = brought.plain_rules(plan, totals.rules)
    if order.threshold is not None:
        told["threshold"] = {
            "currency": order.threshold.currency,
            "points": points_text(order.threshold.points, plan, order.threshold.currency),
            "members": len(totals.waits),
            "share_percent": percent(len(totals.waits), totals.members),
            "days": {f"p{rank}": percentile(totals.waits, rank) for rank in (10, 25, 50, 75, 90)},
        }
    if order.exact:
        told["ledger"] = {
            "equal": totals.differing == 0,
            "compared": totals.compared,
            "differing": totals.differing,
            "differences": [msgspec.to_builtins(item) for item in totals.differences],
        }
    elif totals.compared:
        told["changes"] = {
            "compared": totals.compared,
            "better": totals.better,
            "worse": totals.worse,
            "largest": [
                {
                    "member": item.member,
                    "currency": item.currency,
                    "points": points_text(item.points, plan, item.currency),
                }
                for item in totals.changes
            ],
        }
    print(msgspec.json.format(msgspec.json.encode(told)).decode())


_MEMBERS: Final = (("member", "members"), ("membre", "membres"))
_AMOUNTS: Final = (
    ("issued", "{noun} issued", "Émission {of}"),
    ("reversed", "{noun} reversed", "Reprise {of}"),
    ("redeemed", "{noun} redeemed", "Dépense {of}"),
    ("expired", "{noun} expired", "Expiration {of}"),
    ("adjusted", "{noun} adjusted", "Ajustement {of}"),
    ("received", "{noun} received", "Réception {of}"),
    ("spendable", "{noun} spendable", "{noun} à dépenser"),
    ("held", "{noun} held", "Mise de côté {of}"),
    ("pending", "{noun} pending", "{noun} en attente"),
    ("debt", "{noun} owed", "Dette {of}"),
)
"""What is told of a currency: field, and the words around its noun; in French `of` is the noun with its "de"."""
_ALWAYS: Final = ("issued", "redeemed", "expired", "pending", "spendable")


def _print_text(plan: Plan, order: Order, totals: Totals, seconds: float, language: str) -> None:
    from rich.console import Console

    from palier.cli import brought
    from palier.engine.currencies import localized
    from palier.engine.explain import Words

    console = Console(highlight=False)
    words = Words(plan, language)
    activities = words.counted_noun(
        totals.activities, (("activity", "activities"), ("activité", "activités"))
    )
    members = words.counted_noun(totals.members, _MEMBERS)
    took = localized(f"{seconds:.1f}", language)
    played = words.say(
        f": {activities} of {members} in {took} s.", f" : {activities} de {members} en {took} s."
    )
    console.print(f"[bold]{words.text(plan.program.name)}[/bold]{played}", soft_wrap=True)
    if totals.passed_over:
        rows = words.counted_noun(totals.passed_over, (("row", "rows"), ("ligne", "lignes")))
        console.print(
            words.say(
                f"{rows} passed over, which the intake would refuse.",
                f"{rows} de côté, que l'entrée refuserait.",
            )
        )
    table = brought.table_of_figures()
    _add_sums(table, plan, totals, words)
    _add_tiers(table, plan, totals, words)
    if order.threshold is not None:
        _add_waits(table, order.threshold, totals, words)
    console.print(table)
    brought.show(console, plan, totals.mechanics, totals.members, words)
    if order.by_rule:
        brought.show_rules(console, plan, totals.rules, words)
    _print_comparison(console, order, totals, words)


def _add_sums(table: Table, plan: Plan, totals: Totals, words: Words) -> None:
    """What was spent, what became of each currency, and what all of it costs."""
    from palier.cli.brought import percent

    say = words.say
    table.add_row(say("Spend", "Achats"), words.money(totals.spend), "")
    for key, item in totals.currencies.items():
        noun = words.noun(key, False)
        for field, english, french in _AMOUNTS:
            amount = getattr(item, field)
            if amount or field in _ALWAYS:
                worth = plan.worth(key, abs(amount))
                table.add_row(
                    say(english, french).format(noun=noun.capitalize(), of=words.of(noun)),
                    words.number(amount, key),
                    words.money(worth) if worth else "",
                )
    cost, liability = _cost(plan, totals)
    table.add_row(
        say("Liability at the end", "Engagement à la fin"),
        words.money(liability),
        say("spendable, held and pending", "à dépenser, mis de côté, en attente"),
    )
    table.add_row(
        say("Cost", "Coût"),
        words.money(cost),
        say("redeemed, and what may still be", "dépensé, et ce qui peut encore l'être"),
    )
    share = f"{words.decimal(percent(cost, totals.spend))} %"
    table.add_row(say("Effective return", "Retour effectif"), share, say("cost of spend", "coût sur achats"))


def _add_tiers(table: Table, plan: Plan, totals: Totals, words: Words) -> None:
    """How many members stand on each tier at the end, and how many reached it; all begin on the lowest."""
    for number, key in enumerate(plan.levels):
        if key:
            tier = words.tier(key)
            reached = words.decimal(str(totals.reached.get(key, 0)))
            table.add_row(
                words.say(f"Tier {tier}", f"Niveau {tier}"),
                words.decimal(str(totals.tiers.get(key, 0))),
                words.say(f"{reached} reached it", f"atteint par {reached}")
                if number
                else words.say("where members begin", "celui du début"),
            )


def _add_waits(table: Table, threshold: Threshold, totals: Totals, words: Words) -> None:
    """How many members reached the price of a reward, and after how long."""
    from palier.cli.brought import percent
    from palier.engine.backtest import percentile

    say = words.say
    goal = words.points(threshold.points, threshold.currency)
    share = f"{words.decimal(percent(len(totals.waits), totals.members))} %"
    table.add_row(
        say(f"Reached {goal}", f"Ont atteint {goal}"), share, words.counted_noun(len(totals.waits), _MEMBERS)
    )
    for rank, english, french in (
        (25, "a quarter of them", "un quart d'entre eux"),
        (50, "half of them", "la moitié d'entre eux"),
        (90, "nine in ten", "neuf sur dix"),
    ):
        days = percentile(totals.waits, rank)
        if days is not None:
            table.add_row(
                say(f"  by {english}", f"  {french}"),
                words.counted_noun(days, (("day", "days"), ("jour", "jours"))),
                say("after the first activity", "après la première activité"),
            )


def _print_comparison(console: Console, order: Order, totals: Totals, words: Words) -> None:
    def count(value: int) -> str:
        return words.decimal(str(value))

    compared = words.counted_noun(totals.compared, _MEMBERS)
    if order.exact and not totals.differing:
        console.print(
            words.say(
                f"[bold]Equal to the ledger to the last unit[/bold]: {compared}, every movement, wallet and tier.",
                f"[bold]Égal au grand livre à l'unité près[/bold] : {compared}, chaque mouvement, compte et niveau.",
            ),
            soft_wrap=True,
        )
    elif order.exact:
        console.print(
            words.say(
                f"[bold]NOT equal to the ledger[/bold]: {count(totals.differing)} of {compared} differ.",
                f"[bold]PAS égal au grand livre[/bold] : écart pour {count(totals.differing)} sur {compared}.",
            ),
            soft_wrap=True,
        )
        for item in totals.differences[:20]:
            told = words.say(
                f"{item.expected} in the ledger, {item.found} played",
                f"{item.expected} au grand livre, {item.found} une fois rejoué",
            )
            console.print(f"  {item.member}  {item.what}{words.say(': ', ' : ')}{told}", soft_wrap=True)
    elif totals.compared:
        other = (
            words.say("the other program", "à l'autre programme")
            if order.against is not None
            else words.say("what was earned", "à ce qui a été gagné")
        )
        better = words.counted_noun(totals.better, _MEMBERS)
        worse, same = count(totals.worse), count(totals.compared - totals.differing)
        console.print(
            words.say(
                f"Against {other}: {better} better off, {worse} worse, {same} the same.",
                f"Par rapport {other} : gain pour {better}, perte pour {worse}, rien de changé pour {same}.",
            ),
            soft_wrap=True,
        )
        for change in totals.changes[:10]:
            sign = "+" if change.points > 0 else ""
            console.print(f"  {change.member}  {sign}{words.points(change.points, change.currency)}")
