"""Settlement statements as papers, in English and French: what a partner, or the operator, puts into its books.

Every figure is that of the statement (`settlements`), set by the habits of the language. The lines stand on the paper
as long as there are few; all of them are in the CSV of the same name.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal

from msgspec import Struct

from palier.activities import settlements
from palier.activities.runtime import Runtime
from palier.activities.settlements import Settled
from palier.connectors.bank_files import plain_cell
from palier.connectors.papers import pdf, pictures
from palier.connectors.rows import MARK
from palier.engine.amounts import from_minor
from palier.engine.clock import moment
from palier.engine.currencies import localized, money
from palier.engine.phrases import MONTHS, date_words, text_of
from palier.engine.settlement import Line, Statement
from palier.engine.words import ProgramWords

Language = Literal["en", "fr"]
MOST_LINES: Final = 400
"""Lines that stand on the paper; where there are more, none does."""

_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "kind": "Settlement statement",
        "operator_kind": "Settlement of the coalition",
        "for": "Statement of", "period": "Period", "number": "Number", "state": "As known at",
        "after": "Recorded after", "side": "Side", "operator": "Operator of the program",
        "currency": "Points", "money": "Money",
        "pays": "{who} pays the operator", "paid": "The operator pays {who}", "nothing": "Nothing is to be paid",
        "operator_pays": "The operator pays in all", "operator_paid": "The operator is paid in all",
        "net": "owed {owed}, less owing {owing}",
        "net_ahead": "owed {owed}, less paid ahead {ahead}, less owing {owing}",
        "summary": "In short", "what": "", "points": "points", "amount": "amount",
        "issued": "Earned with {who}", "reversed": "Taken back by returns and corrections",
        "owed": "Owed for points earned", "ahead": "of that paid ahead",
        "used": "Used with {who}", "given_back": "Given back to members",
        "owing": "Owing for points used", "expired": "Paid for and expired: nothing comes back",
        "total_pays": "To be paid by {who}", "total_paid": "To be paid to {who}",
        "partners": "Partners", "partner": "partner", "p_owed": "owed", "p_ahead": "paid ahead",
        "p_owing": "owing", "p_net": "net", "clearing": "Operator (clearing)", "sum": "Together",
        "days": "By day", "day": "day", "d_issued": "issued", "d_reversed": "taken back", "d_used": "used",
        "d_given_back": "given back", "d_owed": "owed", "d_owing": "owing", "total": "total",
        "lines": "Lines", "l_day": "day", "l_line": "line", "l_what": "ticket", "l_kind": "kind",
        "l_points": "points", "l_price": "price", "l_amount": "amount",
        "k_issued": "issued", "k_reversed": "taken back", "k_used": "used", "k_given_back": "given back",
        "rounding": "Lines and days are exact, with all their decimals; owed, paid ahead and owing are rounded once "
        "each, half a cent away from zero. Below zero: to the one whose statement this is.",
        "many": "The {count} lines are in the CSV of this statement; each has the same number on both sides.",
        "same": "Each line has the same number on both sides, with the opposite sign.",
        "unpriced": "{count} lines without an agreement in force have the price 0.",
        "foot": "{program} · {number} · computed from the ledger, as known at {known}",
        "page": "page {page} of {pages}",
    },
    "fr": {
        "kind": "Relevé de compensation",
        "operator_kind": "Compensation de la coalition",
        "for": "Relevé de", "period": "Période", "number": "Numéro", "state": "Tel que connu le",
        "after": "Enregistré après le", "side": "Côté", "operator": "Opérateur du programme",
        "currency": "Points", "money": "Devise",
        "pays": "{who} paie à l'opérateur", "paid": "L'opérateur paie à {who}", "nothing": "Il n'y a rien à payer",
        "operator_pays": "L'opérateur paie en tout", "operator_paid": "L'opérateur reçoit en tout",
        "net": "dû {owed}, moins à recevoir {owing}",
        "net_ahead": "dû {owed}, moins payé d'avance {ahead}, moins à recevoir {owing}",
        "summary": "En bref", "what": "", "points": "points", "amount": "montant",
        "issued": "Gagnés chez {who}", "reversed": "Repris par des retours et des corrections",
        "owed": "Dû pour les points gagnés", "ahead": "dont payé d'avance",
        "used": "Utilisés chez {who}", "given_back": "Rendus aux membres",
        "owing": "À recevoir pour les points utilisés", "expired": "Payés et expirés : rien n'est rendu",
        "total_pays": "À payer par {who}", "total_paid": "À payer à {who}",
        "partners": "Partenaires", "partner": "partenaire", "p_owed": "dû", "p_ahead": "payé d'avance",
        "p_owing": "à recevoir", "p_net": "net", "clearing": "Opérateur (compensation)", "sum": "Ensemble",
        "days": "Par jour", "day": "jour", "d_issued": "émis", "d_reversed": "repris", "d_used": "utilisés",
        "d_given_back": "rendus", "d_owed": "dû", "d_owing": "à recevoir", "total": "total",
        "lines": "Lignes", "l_day": "jour", "l_line": "ligne", "l_what": "ticket", "l_kind": "nature",
        "l_points": "points", "l_price": "prix", "l_amount": "montant",
        "k_issued": "émis", "k_reversed": "repris", "k_used": "utilisés", "k_given_back": "rendus",
        "rounding": "Les lignes et les jours sont exacts, avec toutes leurs décimales ; dû, payé d'avance et à "
        "recevoir sont arrondis une fois chacun, le demi-centime loin de zéro. Sous zéro : en faveur de celui dont "
        "c'est le relevé.",
        "many": "Les {count} lignes sont dans le CSV de ce relevé ; chacune a le même numéro des deux côtés.",
        "same": "Chaque ligne a le même numéro des deux côtés, avec le signe contraire.",
        "unpriced": "{count} lignes sans accord en vigueur ont le prix 0.",
        "foot": "{program} · {number} · calculé depuis le grand livre, tel que connu le {known}",
        "page": "page {page} sur {pages}",
    },
}  # fmt: skip


class Sheet(Struct, frozen=True):
    """A statement ready to be set: its texts, its name without ending, and the instant that it states."""

    name: str
    content: dict[str, Any]
    made_at: datetime

    def pdf(self) -> bytes:
        """The statement as PDF."""
        return pdf("statement", self.content, made_at=self.made_at)

    def pictures(self) -> list[bytes]:
        """The statement as PNG, a picture a page."""
        return pictures("statement", self.content, made_at=self.made_at)


def sheet(runtime: Runtime, settled: Settled, lines: Iterable[Line], language: Language) -> Sheet:
    """The statement of a partner, or the operator's side where none was asked for."""
    return _Setter(runtime, settled, language).sheet(list(_few(lines)))


def _few(lines: Iterable[Line]) -> Iterable[Line]:
    """The lines, up to one more than a paper holds."""
    for number, line in enumerate(lines):
        if number > MOST_LINES:
            return
        yield line


class _Setter:
    """One statement in one language."""

    def __init__(self, runtime: Runtime, settled: Settled, language: Language) -> None:
        self.runtime = runtime
        self.settled = settled
        self.language = language
        self.words = _WORDS[language]
        self.question = settled.question
        self.operator = self.question.partner is None
        # What is published later does not change the paper of what was known before.
        self.plan = runtime.at(settled.question.known_at)

    def say(self, key: str, **names: object) -> str:
        text = self.words[key].format(**names)
        # French typography: the colon and semicolon do not begin a line.
        if self.language == "fr":
            return text.replace(" :", "\u00a0:").replace(" ;", "\u202f;").replace("'", "’")
        return text.replace("'", "’")

    def name(self, key: str) -> str:
        """What a partner is called by what was in force then, else by any version; its key where none names it."""
        documents = [self.plan.document, *reversed(list(self.runtime.stored.documents.values()))]
        for document in documents:
            for partner in document.partners:
                if partner.key == key:
                    return (text_of(partner.name, self.language) or key).replace("'", "’")
        return key

    def money(self, minor: int) -> str:
        return money(minor, self.runtime.latest.program.currency, self.language)

    def number(self, text: str) -> str:
        return localized(text, self.language).replace("-", "−")

    def points(self, minor: int, scale: int) -> str:
        return self.number(from_minor(minor, scale)) if minor else ""

    def exact(self, texts: Sequence[str], *, empty: bool = False) -> list[str]:
        """Exact amounts of one column, with as many decimals as the finest has, so that they line up."""
        places = max((len(text.partition(".")[2]) for text in texts), default=0)
        found = []
        for text in texts:
            whole, _, fraction = text.partition(".")
            padded = f"{whole}.{fraction.ljust(places, '0')}" if places else whole
            found.append("" if empty and not text.strip("0.-") else self.number(padded))
        return found

    def day(self, day: int) -> str:
        return (
            f"{date.fromordinal(day):%d/%m/%Y}"
            if self.language == "fr"
            else date.fromordinal(day).isoformat()
        )

    def instant(self, at: int) -> str:
        zone = self.plan.clock.zone
        local = moment(at).astimezone(zone)
        words = date_words(local.date().isoformat(), self.language)
        return f"{words}, {local:%H:%M}"

    def period(self) -> str:
        year, month = self.question.period.name.split("-")
        return f"{MONTHS[self.language][int(month) - 1].capitalize()} {year}"

    # --- the paper ------------------------------------------------------------------------------------

    def sheet(self, lines: Sequence[Line]) -> Sheet:
        question = self.question
        number = f"{self.runtime.key}-{question.period.name}-{question.partner or 'operator'}"
        if question.known_after:
            number += "-later"
        program = text_of(self.plan.program.name, self.language) or self.runtime.key
        known = self.instant(question.known_at)
        who = self.name(question.partner) if question.partner is not None else self.say("operator")
        facts = [[self.say("for"), who], [self.say("period"), self.period()], [self.say("number"), number]]
        if question.known_after:
            facts.append([self.say("after"), self.instant(question.known_after)])
        else:
            facts.append([self.say("state"), known])
        few = len(lines) <= MOST_LINES
        count = sum(statement.lines for statement in self.settled.statements)
        notes = [self.say("rounding")]
        notes.append(self.say("same") if few else self.say("many", count=self.number(str(count))))
        unpriced = sum(statement.unpriced for statement in self.settled.statements)
        if unpriced:
            notes.append(self.say("unpriced", count=self.number(str(unpriced))))
        content: dict[str, Any] = {
            "language": self.language,
            "title": f"{self.say('operator_kind' if self.operator else 'kind')} {number}",
            "program": program.replace("'", "’"),
            "kind": self.say("operator_kind" if self.operator else "kind"),
            "facts": facts,
            "foot": self.say("foot", program=program, number=number, known=known),
            "page_of": self.say("page", page="{page}", pages="{pages}"),
            **self.lead(who),
            **self.summary(who),
            **self.partners(),
            **self.days(),
            **self.lines(lines if few else ()),
            "notes": notes,
        }
        return Sheet(number, content, moment(question.known_at))

    def lead(self, who: str) -> dict[str, str]:
        """The one figure: what is to be paid, by whom."""
        if self.operator:
            net = self.settled.clearing
            key = "operator_pays" if net >= 0 else "operator_paid"
            return {"lead": self.say(key), "amount": self.money(abs(net)), "beside": ""}
        net = sum(statement.net for statement in self.settled.statements)
        key = "pays" if net > 0 else "paid" if net < 0 else "nothing"
        ahead = sum(item.paid_ahead for item in self.settled.statements)
        beside = self.say(
            "net_ahead" if ahead else "net",
            owed=self.money(sum(item.owed for item in self.settled.statements)),
            ahead=self.money(ahead),
            owing=self.money(sum(item.owing for item in self.settled.statements)),
        )
        lead = self.say(key, who=who)
        return {"lead": lead[:1].upper() + lead[1:], "amount": self.money(abs(net)), "beside": beside}

    def summary(self, who: str) -> dict[str, Any]:
        rows: list[list[str]] = []
        for statement in () if self.operator else self.settled.statements:
            sums, scale = statement.sums, statement.scale
            rows += self.of_points(statement, 3)
            rows += [
                [self.say("issued", who=who), self.points(sums.issued, scale), ""],
                [self.say("reversed"), self.points(-sums.reversed, scale), ""],
                [self.say("owed"), "", self.money(statement.owed)],
            ]
            if statement.paid_ahead:
                rows.append([self.say("ahead"), "", self.money(-statement.paid_ahead)])
            rows += [
                [self.say("used", who=who), self.points(sums.used, scale), ""],
                [self.say("given_back"), self.points(-sums.given_back, scale), ""],
                [self.say("owing"), "", self.money(-statement.owing)],
            ]
            if statement.expired:
                rows.append([self.say("expired"), self.points(statement.expired, scale), ""])
        net = sum(statement.net for statement in self.settled.statements)
        total = [self.say("total_pays" if net >= 0 else "total_paid", who=who), "", self.money(abs(net))]
        return {
            "summary_title": self.say("summary"),
            "summary_heads": [self.say("what"), self.say("points"), self.say("amount")],
            "summary": rows,
            "summary_total": total if rows else None,
        }

    def of_points(self, statement: Statement, cells: int) -> list[list[str]]:
        """A row that says of which points the rows below are, where the partner has had more than one kind."""
        if not self.several(statement):
            return []
        noun = ProgramWords(self.plan.program, self.language).noun(statement.currency, False)
        return [[noun.replace("'", "’"), *[""] * (cells - 1)]]

    def several(self, statement: Statement) -> bool:
        return sum(item.partner == statement.partner for item in self.settled.statements) > 1

    def partners(self) -> dict[str, Any]:
        rows = []
        total: list[str] | None = None
        if self.operator and self.settled.statements:
            for item in self.settled.statements:
                points = [row[0] for row in self.of_points(item, 1)]
                rows.append(
                    [
                        ", ".join([self.name(item.partner), *points]),
                        self.money(item.owed),
                        self.money(-item.paid_ahead) if item.paid_ahead else "",
                        self.money(-item.owing),
                        self.money(item.net),
                    ]
                )
            rows.append([self.say("clearing"), "", "", "", self.money(self.settled.clearing)])
            net = sum(item.net for item in self.settled.statements) + self.settled.clearing
            total = [self.say("sum"), "", "", "", self.money(net)]
        return {
            "partners_title": self.say("partners"),
            "partners_heads": [self.say(key) for key in ("partner", "p_owed", "p_ahead", "p_owing", "p_net")],
            "partners": rows,
            "partners_total": total,
        }

    def days(self) -> dict[str, Any]:
        rows = []
        total: list[str] | None = None
        statements = [] if self.operator else self.settled.statements
        for statement in statements:
            rows += self.of_points(statement, 7)
            told = settlements.statement_shown(self.runtime, statement)["days"]
            owed = self.exact([item["owed"] for item in told], empty=True)
            owing = self.exact([item["owing"] for item in told], empty=True)
            for place, (day, sums) in enumerate(statement.days.items()):
                rows.append([self.day(day), *self.four(statement, sums), owed[place], owing[place]])
            total = [
                self.say("total"),
                *self.four(statement, statement.sums),
                self.number(from_minor(statement.owed, self.runtime.latest.exponent)),
                self.number(from_minor(statement.owing, self.runtime.latest.exponent)),
            ]
            if self.several(statement):
                # Points of two kinds have no sum.
                rows.append(total)
                total = None
        heads = ("day", "d_issued", "d_reversed", "d_used", "d_given_back", "d_owed", "d_owing")
        return {
            "days_title": self.say("days"),
            "days_heads": [self.say(key) for key in heads],
            "days": rows,
            "days_total": total,
        }

    def four(self, statement: Statement, sums: Any) -> list[str]:
        return [
            self.points(getattr(sums, kind), statement.scale)
            for kind in ("issued", "reversed", "used", "given_back")
        ]

    def lines(self, lines: Sequence[Line]) -> dict[str, Any]:
        shown = [settlements.line_shown(self.runtime, line, operator=self.operator) for line in lines]
        points = self.exact([told["points"] for told in shown])
        prices = self.exact([told["price"] for told in shown])
        amounts = self.exact([told["amount"] for told in shown])
        rows = []
        for place, (line, told) in enumerate(zip(lines, shown, strict=True)):
            ticket = f"{told['source']} {told['id']}" if told["id"] else told["source"]
            if self.operator:
                ticket = f"{self.name(told['partner'])} · {ticket}"
            rows.append(
                [
                    self.day(line.day),
                    # Zero-width spaces let the long names break where a column ends.
                    "\u200b.".join(told["line"].split(".")),
                    ticket if len(ticket) <= 60 else ticket[:59] + "…",
                    self.say(f"k_{told['kind']}"),
                    points[place],
                    prices[place],
                    amounts[place],
                ]
            )
        heads = ("l_day", "l_line", "l_what", "l_kind", "l_points", "l_price", "l_amount")
        return {
            "lines_title": self.say("lines"),
            "lines_heads": [self.say(key) for key in heads],
            "lines": rows,
        }


# --- as CSV -----------------------------------------------------------------------------------------------

COLUMNS: Final = (
    "line", "partner", "day", "at", "recorded_at", "kind", "points", "currency", "funder", "source", "id",
    "agreement", "price", "amount", "money", "correction",
)  # fmt: skip
_NUMBERS: Final = frozenset({"points", "price", "amount"})


def write_csv(rows: Iterable[dict[str, Any]], money: str, to: Any) -> None:
    """Lines as texts (`settlements.line_shown`) as CSV (RFC 4180) for spreadsheets, which compute no cell of it."""
    to.write(MARK)
    writer = csv.writer(to, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        full = {**row, "money": money, "correction": "yes" if row["correction"] else ""}
        writer.writerow([full[name] if name in _NUMBERS else plain_cell(str(full[name])) for name in COLUMNS])
