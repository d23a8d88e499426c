"""The command that reads what partners of a coalition owe and are owed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import typer

from palier.cli.session import LANGUAGE, Language

if TYPE_CHECKING:
    from palier.activities.runtime import Runtime
    from palier.activities.settlements import Settled

_WORDS: Final = {
    "en": {
        "nothing": "Nothing was earned or used with a partner in {}.",
        "title": "{partner}, {period}",
        "day": "day", "issued": "issued", "reversed": "taken back", "used": "used", "given_back": "given back",
        "owed": "owed", "owing": "owing", "total": "total",
        "owed_line": "{partner} owes for points earned with it: {owed} {money}",
        "ahead_line": "of that paid ahead: {paid_ahead} {money}",
        "owing_line": "it is owed for points used with it: {owing} {money}",
        "net_pays": "{partner} pays: {net} {money}", "net_paid": "{partner} is paid: {net} {money}",
        "expired": "points it paid for that expired: {expired}",
        "unpriced": "lines without an agreement in force: {unpriced}",
        "clearing_pays": "The operator pays in all: {net} {money}",
        "clearing_paid": "The operator is paid in all: {net} {money}",
        "own": "the program's own points that expired: {expired} {currency}",
    },
    "fr": {
        "nothing": "Rien n'a été gagné ni utilisé chez un partenaire en {}.",
        "title": "{partner}, {period}",
        "day": "jour", "issued": "émis", "reversed": "repris", "used": "utilisés", "given_back": "rendus",
        "owed": "doit", "owing": "reçoit", "total": "total",
        "owed_line": "{partner} doit pour les points gagnés chez lui : {owed} {money}",
        "ahead_line": "dont payé d'avance : {paid_ahead} {money}",
        "owing_line": "on lui doit pour les points utilisés chez lui : {owing} {money}",
        "net_pays": "{partner} paie : {net} {money}", "net_paid": "{partner} reçoit : {net} {money}",
        "expired": "points qu'il a payés et qui ont expiré : {expired}",
        "unpriced": "lignes sans accord en vigueur : {unpriced}",
        "clearing_pays": "L'opérateur paie en tout : {net} {money}",
        "clearing_paid": "L'opérateur reçoit en tout : {net} {money}",
        "own": "points du programme qui ont expiré : {expired} {currency}",
    },
}  # fmt: skip


def register(app: typer.Typer) -> None:
    app.command()(settlement)


def settlement(
    program: str = typer.Argument(help="Key of the program.", show_default=False),
    month: str = typer.Option(..., "--month", help="The month, such as 2026-03.", show_default=False),
    partner: str = typer.Option(
        None, "--partner", help="One partner's side; without it, the operator's.", show_default=False
    ),
    output: Literal["table", "csv", "json", "pdf"] = typer.Option(
        "table", "--format", help="table: the statements; csv: every line; json: both; pdf: a paper."
    ),
    file: Path = typer.Option(
        None, "--file", help="Where the paper is written; by default under its own name.", show_default=False
    ),
    known_at: str = typer.Option(
        None, "--known-at", help="By what was recorded until this instant or day.", show_default=False
    ),
    known_after: str = typer.Option(
        None, "--known-after", help="Only what was recorded after this instant or day.", show_default=False
    ),
    language: Language = LANGUAGE,
) -> int:
    """Show what partners owe for points earned with them, and are owed for points used with them."""
    import sys
    from json import dumps

    from palier.activities import settlements, statements
    from palier.activities.settlements import Question
    from palier.cli.members import instant_of, program_of
    from palier.cli.session import open_database
    from palier.engine.sentences import sentence
    from palier.programs.telling import tell
    from palier.site import clock, database
    from palier.site.refusal import Refused

    with open_database(with_django=False), database.connect() as connection:
        found = program_of(connection, program)
        zone = found.latest.clock.zone
        known = sorted(settlements.known_partners(found))
        if partner is not None and partner not in known:
            raise Refused(
                sentence(
                    '%(program)s has no partner "%(partner)s"; its partners: %(names)s.',
                    program=program,
                    partner=partner[:60],
                    names=", ".join(known) or sentence("none yet"),
                )
            )
        question = Question(
            settlements.month(found, month),
            tell(connection, found.program_id, instant_of(known_at, zone) if known_at else clock.now()),
            instant_of(known_after, zone) if known_after else 0,
            partner,
        )
        rows = (
            settlements.line_shown(found, line, operator=partner is None)
            for _, line in settlements.lines(connection, found, question)
        )
        if output == "csv":
            statements.write_csv(rows, found.latest.program.currency, sys.stdout)
            return 0
        settled = settlements.settle(connection, found, question)
        if output == "pdf":
            lines = (line for _, line in settlements.lines(connection, found, question))
            sheet = statements.sheet(found, settled, lines, language)
            path = file or Path(f"{sheet.name}.pdf")
            try:
                path.write_bytes(sheet.pdf())
            except OSError as error:
                raise Refused(
                    sentence(
                        "%(path)s cannot be written (%(why)s); name another file.",
                        path=path,
                        why=error,
                    )
                ) from None
            print(path)
            return 0
        if output == "json":
            shown = settlements.settled_shown(found, settled, operator=partner is None)
            print(dumps({**shown, "lines": list(rows)}, ensure_ascii=False, indent=2))
            return 0
    _print_table(found, settled, partner is None, language)
    return 0


def _print_table(program: Runtime, settled: Settled, operator: bool, language: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from palier.activities import settlements
    from palier.engine.currencies import localized

    words = _WORDS[language]
    shown = settlements.settled_shown(program, settled, operator=operator)

    def say(text: str) -> str:
        return localized(text, language)

    console = Console(highlight=False)
    if not shown["statements"]:
        console.print(words["nothing"].format(shown["period"]))
    for told in shown["statements"]:
        names = {**told, "period": shown["period"], "money": shown["money"]}
        names |= {name: say(told[name]) for name in ("owed", "paid_ahead", "owing", "expired")}
        table = Table(title=escape(words["title"].format(**names)), title_justify="left")
        table.add_column(words["day"], no_wrap=True)
        columns = ("issued", "reversed", "used", "given_back", "owed", "owing")
        for name in columns:
            table.add_column(words[name], justify="right", overflow="fold")
        for day in told["days"]:
            table.add_row(day["day"], *(say(day[name]) for name in columns))
        table.add_section()
        table.add_row(words["total"], *(say(told[name]) for name in columns))
        console.print(table)
        paid = told["net"].startswith("-")
        names["net"] = say(told["net"].lstrip("-"))
        lines = ["owed_line", "owing_line", "net_paid" if paid else "net_pays"]
        if told["paid_ahead"].strip("0.-"):
            lines.insert(1, "ahead_line")
        if told["expired"].strip("0.-"):
            lines.append("expired")
        if told["unpriced"]:
            lines.append("unpriced")
        for name in lines:
            console.print(f"  {escape(words[name].format(**names))}", soft_wrap=True)
    if operator:
        net = shown["clearing"]
        name = "clearing_paid" if net.startswith("-") else "clearing_pays"
        console.print(words[name].format(net=say(net.lstrip("-")), money=shown["money"]), soft_wrap=True)
        for currency, expired in shown["expired"].items():
            console.print(f"  {words['own'].format(expired=say(expired), currency=currency)}", soft_wrap=True)
