"""The command that tells a program's figures, and counts them again from nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from palier.cli.session import LANGUAGE, Language

if TYPE_CHECKING:
    from palier.engine.words import ProgramWords


def register(app: typer.Typer) -> None:
    app.command()(insights)


def insights(
    program: str = typer.Argument(help="Key of the program.", show_default=False),
    days: int = typer.Option(30, "--days", help="The last so many days: 30, 90 or 365."),
    recount: bool = typer.Option(
        False, "--recount", help="First forget what was counted, and count everything again from the ledger."
    ),
    json: bool = typer.Option(False, "--json", help="Print everything as JSON."),
    language: Language = LANGUAGE,
) -> int:
    """Tell a program's figures: members, points, cost, retention. What was committed is sealed and counted first."""
    import msgspec

    from palier.cli.session import open_database
    from palier.engine.sentences import sentence
    from palier.site.refusal import Refused

    with open_database():
        from palier.cli.members import program_of
        from palier.engine.words import ProgramWords
        from palier.insights import operations, queries
        from palier.insights.answers import plain
        from palier.site import clock, database

        if days not in queries.DAYS:
            raise Refused(
                sentence("Figures are told of the last 30, 90 or 365 days, not %(days)s.", days=days)
            )
        with database.connect() as connection:
            found = program_of(connection, program)
            connection.rollback()
            now = clock.now()
            if recount:
                operations.recount(connection, found, now=now)
            _seal()
            operations.count_all(connection, found, now=now)
            period = queries.period_of(found, days, now=now)
            figures = queries.read(connection, found, period, now=now)
            told = plain(found.at(now), figures, queries.cohorts(connection, found, period.last))
    if json:
        print(msgspec.json.format(msgspec.json.encode({"program": program, **told})).decode())
    else:
        _show(told, ProgramWords(found.at(now).program, language))
    return 0


def _seal() -> None:
    """Without a worker nobody else does: an import or a rerate just done would be told of in part, or not at all."""
    from datetime import UTC, datetime

    from palier.ledger.seal import LedgerChanged, seal
    from palier.site import database
    from palier.site.refusal import Refused

    with database.connect(autocommit=True) as connection:
        try:
            while seal(connection, now=datetime.now(UTC)):
                pass
        except LedgerChanged as error:
            raise Refused(str(error)) from None


def _show(told: dict[str, Any], words: ProgramWords) -> None:
    from rich.console import Console
    from rich.table import Table

    from palier.engine.currencies import localized

    say, language = words.say, words.language
    colon = say(": ", "\u00a0: ")
    table = Table(title=f"{told['from']} – {told['through']}", title_justify="left")
    table.add_column(say("Figure", "Chiffre"))
    table.add_column(say("now", "maintenant"), justify="right", style="bold")
    table.add_column(say("period before", "période précédente"), justify="right")

    def row(name: str, figure: dict[str, Any], unit: str = "") -> None:
        shown = [
            "–" if value is None else localized(str(value), language) + (f" {unit}" if unit else "")
            for value in (figure["now"], figure["before"])
        ]
        table.add_row(name, *shown)

    row(say("Members", "Membres"), told["members"])
    row(say("Joined", "Inscrits"), told["joined"])
    row(say("Active within 30 days", "Actifs sur 30 jours"), told["active_30_days"])
    row(say("Active within 90 days", "Actifs sur 90 jours"), told["active_90_days"])
    row(say("Sales", "Ventes"), told["sales"])
    row(say("Spend", "Montant"), told["spend"], told["money"])
    for item in told["currencies"]:
        unit = words.noun(item["currency"], False)
        table.add_section()
        for name, english, french in (
            ("issued", "issued", "émis"),
            ("redeemed", "used", "utilisés"),
            ("expired", "expired", "expirés"),
            ("taken_back", "taken back", "repris"),
            ("outstanding", "outstanding", "en circulation"),
            ("pending", "pending", "en attente"),
        ):
            row(f"{unit}{colon}{say(english, french)}", item[name])
        row(f"{unit}{colon}{say('liability', 'engagement')}", item["liability"], told["money"])
        table.add_row(
            f"{unit}{colon}{say('never used', 'jamais utilisés')}", _breakage(item["breakage"], words), ""
        )
    if told["tiers"]:
        table.add_section()
        for item in told["tiers"]:
            row(words.tier(item["tier"]), item["members"])
    table.add_section()
    first = told["first_reward"]
    days = first["median_days"]
    median = (
        "–" if days is None else say("within {} days", "en {} jours").format(localized(str(days), language))
    )
    if days == 1 or (words.fr and days == 0):
        median = median.rstrip("s")
    table.add_row(
        say("Had a reward", "Ont eu une récompense"), localized(str(first["members"]), language), ""
    )
    table.add_row(say("half of them, of joining", "la moitié, après l'inscription"), median, "")
    Console().print(table)


def _breakage(found: dict[str, Any], words: ProgramWords) -> str:
    if found["answer"] == "estimated":
        share, low, high = (words.decimal(found[f"{name}_percent"]) for name in ("share", "low", "high"))
        return f"{share} % ({low} – {high})"
    return {
        "never": words.say("they do not expire", "ils n'expirent pas"),
        "too_little_history": words.say("too little history", "trop peu d'historique"),
        "nothing_redeemed": words.say("nothing used yet", "rien d'utilisé encore"),
    }[found["answer"]]
