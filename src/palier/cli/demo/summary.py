"""What the demo prints: its figures, and the ways into its pages."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console
from rich.table import Table

from palier.cli.demo import PROGRAM
from palier.cli.demo.doors import PIN, Visitor

STANDINGS: Final = {"new": "new", "middle": "on the way", "top": "at the top"}
LABELS_ALWAYS: Final = ("issued", "outstanding")
UNITS: Final = {
    "free_loaf": "free loaves",
    "turn": "turns",
    "explorer": "explorer badges",
    "regular": "regular badges",
}
SAID_EN: Final = (
    "All of this is demonstration data: a simulated history of baskets; what members do besides follows a rule "
    "(docs/start.md)."
)
SAID_FR: Final = (
    "Tout ceci est une démonstration : un historique de paniers simulé ; ce que les membres font d'autre suit une "
    "règle (docs/start.md)."
)


def show(
    summary: dict[str, Any], key: str, address: str, visitors: list[Visitor], owner: str, cashier: str
) -> None:
    """Prints the figures, and with an address the ways into the pages; the same is said in French."""
    console = Console()

    def number(text: Any) -> str:
        whole, dot, rest = str(text).partition(".")
        return f"{int(whole):,}{dot}{rest}"

    table = Table(title="Fresh Stars: a year of a grocery's baskets", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_row("Members", number(summary["members"]))
    table.add_row("Baskets", number(summary["baskets"]))
    table.add_row("Activities in all, with what members did besides", number(summary["activities"]))
    table.add_row("Spend", f"{number(summary['spend'])} {summary['money']}")
    for item in summary["currencies"]:
        unit = item["currency"]
        table.add_section()
        for label in ("issued", "redeemed", "expired", "reversed", "pending", "outstanding"):
            if label in LABELS_ALWAYS or item[label] != "0":
                table.add_row(f"{UNITS.get(unit, unit).capitalize()} {label}", number(item[label]))
        if item["liability"] != "0.00":
            table.add_row("Worth of what is outstanding", f"{number(item['liability'])} {summary['money']}")
    table.add_section()
    for tier, members in summary["tiers"].items():
        table.add_row(f"Tier {tier}", number(members))
    table.add_section()
    coupons = summary["redemptions"]
    table.add_row(
        "Coupons redeemed", f"{number(coupons['redemptions'])} by {number(coupons['households'])} households"
    )
    done = summary["import"]
    if done:
        table.add_section()
        table.add_row("Imported", f"{number(done['sent'])} lines, {number(done['per_second'])} a second")
        table.add_row("Refused lines", number(done["refused"]))
        state = "clean" if summary["verified"] else "NOT CLEAN"
        table.add_row(
            "palier verify", f"{state}: {done['invariants']} invariants in {done['verify_seconds']} s"
        )
        for violation in done["violations"]:
            table.add_row("", str(violation))
    console.print(table)
    if done and done["refused_lines"]:
        for line in done["refused_lines"]:
            console.print(f"  line {line['line']}: {line['code']}: {line['reason']}")
    if address:
        console.print(f"\n{SAID_EN}\n{SAID_FR}")
        console.print("\nA member's pages, already signed in (this demonstration only):")
        for visitor in visitors:
            link = f"{address}/portal/{PROGRAM}/demo?as={visitor.signature}"
            told = STANDINGS[visitor.standing]
            console.print(f"      {told} ({visitor.tier}): {link}", soft_wrap=True)
        console.print(f"      join as somebody new: {address}/portal/{PROGRAM}/door", soft_wrap=True)
        console.print("\nThe console, already signed in as its owner (this demonstration only):")
        console.print(f"      {address}/console/demo-sign-in?as={owner}", soft_wrap=True)
        console.print(f"\nThe till, with its cashier, whose PIN is {PIN} (this demonstration only):")
        console.print(f"      {address}/till/{PROGRAM}/demo?as={cashier}", soft_wrap=True)
        cards = ", ".join(f"{visitor.card} ({visitor.tier})" for visitor in visitors)
        console.print(f"      cards to find those members by: {cards}", soft_wrap=True)
        console.print("\nA shop's page with the widget, as the member who is signed in:")
        console.print(f"      {address}/widget/{PROGRAM}/sample", soft_wrap=True)
        console.print(f"\nOpen  {address}/v1/docs        the API, readable")
        console.print(f"      {address}/v1/openapi.json")
        console.print(f"      {address}/health")
        console.print(f"Key   {key}", soft_wrap=True)
        console.print("Try   palier explain external_id:household-1 ", soft_wrap=True)
        console.print(
            f'      curl -H "Authorization: Bearer {key}" "{address}/v1/members?external_id=household-1"',
            soft_wrap=True,
        )
        console.print(
            f'      curl -H "Authorization: Bearer {key}" "{address}/v1/rewards?q=coffee"\n', soft_wrap=True
        )
