"""The demo: a year of a grocery's history, imported, verified, summed up and served."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import typer

if TYPE_CHECKING:
    import psycopg

    from palier.activities.figures import Figures
    from palier.activities.runtime import Runtime
    from palier.rewards.document import Reward

PROGRAM: Final = "grocery"
BASKETS: Final = 155_848
LAST_BASKET: Final = "2018-01-01T04:01:20+00:00"
KEY_FILE: Final = "demo-key"
OWNER: Final = "owner@example.org"
CARDS: Final = ("2800011", "2800012", "2800013")
"""Cards of the members whose pages are shown, for the demo's till."""
CASHIER: Final = "cashier@example.org"
PIN: Final = "2580"
COUPONS_AT_ONCE: Final = 100


class Visitor(NamedTuple):
    """A member whose pages the demo shows: his tier, the signature that lets in, his card (none if it is another's)."""

    tier: str
    signature: str
    card: str


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    serve: bool = typer.Option(True, help="Serve when the history is there; --no-serve ends instead."),
    json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
    host: str = typer.Option("127.0.0.1", help="Address to serve on."),
    port: int = typer.Option(8000, min=1, max=65535, help="Port to serve on."),
    original_dates: bool = typer.Option(
        False, "--original-dates", help="Keep the dates of 2017 instead of moving the year up to now."
    ),
) -> int:
    """Import a year of a grocery's history, verify it, sum it up, and serve it. A second run starts at once."""
    from palier.cli.session import open_database

    with open_database(role="owner"):
        from palier.site.migration import migrate

        migrate()
        with open_database():
            summary, violations, key = _prepare(quiet=json, weeks=0 if original_dates else None)
            visitors = _visitors() if serve and not json else []
            owner = _owner()
            cashier = _cashier() if serve and not json else ""
    if json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(summary)).decode())
    else:
        _show(summary, key, f"http://{host}:{port}" if serve else "", visitors, owner, cashier)
    if violations:
        return 1
    if serve:
        os.environ["PALIER_DEMO"] = "true"
        from palier.site.supervisor import Supervisor

        Supervisor(
            host,
            port,
            on_ready=lambda address: print(f"Palier serves on {address} (Ctrl-C stops it).", flush=True),
        ).run()
    return 0


def _prepare(*, quiet: bool, weeks: int | None) -> tuple[dict[str, Any], int, str]:
    import msgspec

    from palier.activities.figures import figures
    from palier.activities.runtime import runtime
    from palier.insights import operations as insights
    from palier.site import clock, database, ids

    with database.connect() as connection:
        ids.take_node(connection)
        connection.commit()
        program = runtime(connection, PROGRAM)
        if program is None:
            _publish(connection)
            program = runtime(connection, PROGRAM)
            assert program is not None
        _stock(connection, program)
        row = connection.execute(
            "-- demo.imported\nselect count(*) from activity_claim where program_id = %s and source = %s",
            (program.program_id, "complete-journey"),
        ).fetchone()
        connection.rollback()
        import_summary: dict[str, Any] = {}
        violations = 0
        if row is None or row[0] < BASKETS:
            import_summary = _import(connection, program, quiet, weeks)
            database.refresh_statistics()
            _do_due_work(connection, program, quiet)
        redeemed = _redeem(connection, program, quiet)
        insights.count_all(connection, program, now=clock.now())
        if import_summary:
            violations = _verify(connection, import_summary)
        key = _key(connection, program.program_id)
        found: Figures = figures(connection, program)
        connection.rollback()
        summary = {
            **msgspec.to_builtins(found),
            "import": import_summary or None,
            "redemptions": redeemed,
            "verified": (violations == 0) if import_summary else None,
            "now": datetime.fromtimestamp(clock.now() // 1_000_000).astimezone().isoformat(),
        }
        return summary, violations, key


def _publish(connection: psycopg.Connection[Any]) -> None:
    from palier.programs import gallery
    from palier.programs.files import read
    from palier.programs.operations import publish
    from palier.site import clock
    from palier.site.refusal import Refused

    entry = gallery.find(PROGRAM)
    if entry is None:
        raise Refused(f"The gallery's program {PROGRAM} is not installed; install the package again.")
    document = read(entry.document)
    if document.program is None:
        raise Refused(f"The demo's program does not fit this release: {document.problems[0]}")
    publish(connection, document.program, now=clock.now(), published_by="demo")
    connection.commit()


def _stock(connection: psycopg.Connection[Any], program: Runtime) -> None:
    """Fills an empty catalogue from the gallery; one that is there is left as it was changed."""
    from palier.programs import gallery
    from palier.rewards import catalogue, files, operations
    from palier.site import clock
    from palier.site.refusal import Refused

    entry = gallery.find(PROGRAM)
    if entry is None or entry.rewards is None:
        raise Refused(
            f"The rewards of the gallery's program {PROGRAM} are not installed; install the package again."
        )
    if next(catalogue.latest(connection, program.program_id), None) is None:
        found = files.read(entry.rewards, program.latest.document)
        if found.errors:
            raise Refused(f"The demo's rewards do not fit this release: {found.errors[0]}")
        operations.write(
            connection, program, found.rewards, by="demo", reason="the demo's catalogue", now=clock.now()
        )
    connection.commit()


def _weeks_to_now() -> int:
    """Whole weeks by which the year is moved so that its last basket lies within the last seven days."""
    from palier.site import clock

    last = datetime.fromisoformat(LAST_BASKET)
    return (datetime.fromtimestamp(clock.now() // 1_000_000, last.tzinfo) - last) // timedelta(weeks=1)


def _import(
    connection: psycopg.Connection[Any], program: Runtime, quiet: bool, weeks: int | None
) -> dict[str, Any]:
    from hashlib import sha256

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from palier.activities.imports import Progress as Imported
    from palier.activities.imports import import_rows
    from palier.connectors import complete_journey
    from palier.site import clock
    from palier.site.refusal import Refused

    # An import that was cut off goes on with the dates it began with: its ids are claimed with them.
    begun = _weeks_moved(connection, program)
    weeks = begun if begun is not None else weeks
    if weeks is None:
        weeks = _weeks_to_now()
    name = f"complete-journey+{weeks}w"
    refused: list[dict[str, str]] = []
    console = Console(stderr=True, quiet=quiet)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    )  # fmt: skip
    with bar:
        task = bar.add_task("Importing a year of baskets", total=BASKETS)

        def on_progress(progress: Imported) -> None:
            bar.update(task, completed=progress.done)

        try:
            summary = import_rows(
                connection,
                program,
                complete_journey.reader(weeks),
                clock=clock.now,
                name=name,
                sha256=sha256(name.encode()).hexdigest(),
                enrol_unknown=True,
                workers=2,
                on_progress=on_progress,
                on_refused=lambda lines: refused.extend(
                    {"line": str(item.row.line), "code": item.code, "reason": item.reason} for item in lines
                ),
            )
        except complete_journey.DatasetMissing as error:
            raise Refused(str(error)) from None
    return {
        "sent": summary.sent + summary.resumed,
        "applied": summary.applied,
        "duplicate": summary.duplicate,
        "refused": summary.refused,
        "parked": summary.parked,
        "seconds": round(summary.seconds, 1),
        "per_second": round(summary.sent / max(summary.seconds, 0.001)),
        "moved_weeks": weeks,
        "refused_lines": refused[:20],
    }


def _weeks_moved(connection: psycopg.Connection[Any], program: Runtime) -> int | None:
    """By how many weeks the year that is being imported, or was, is moved; None before the first import."""
    begun = connection.execute(
        "-- demo.begun\nselect name from import_file where program_id = %s and name like 'complete-journey+%%'"
        " order by created_at limit 1",
        (program.program_id,),
    ).fetchone()
    connection.rollback()
    return None if begun is None else int(begun[0].removeprefix("complete-journey+").removesuffix("w"))


def _redeem(connection: psycopg.Connection[Any], program: Runtime, quiet: bool) -> dict[str, int]:
    """The year's paper coupons, for what they are: rewards that cost no points, ordered and used at the till that day.

    A coupon that a household used twice on a day is two redemptions. Run again it changes nothing.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from palier.connectors import complete_journey
    from palier.engine.clock import DAY, HOUR, instant
    from palier.members import queries as members
    from palier.rewards import handing_out, operations, orders
    from palier.site import clock

    used = complete_journey.redemptions()
    households = sorted({item.household for item in used})
    told = {"redemptions": len(used), "households": len(households)}
    row = connection.execute(
        "-- demo.redeemed\nselect count(*) from order_claim where program_id = %s and source = %s",
        (program.program_id, "complete-journey"),
    ).fetchone()
    connection.rollback()
    weeks = _weeks_moved(connection, program)
    if weeks is None or (row is not None and row[0] == len(used)):
        return told
    zone = ZoneInfo("America/New_York")

    def noon(day: date) -> int:
        return instant(datetime(day.year, day.month, day.day, 12, tzinfo=zone) + timedelta(weeks=weeks))

    first, last = noon(used[0].day) - DAY, noon(used[-1].day) + DAY
    operations.write(
        connection,
        program,
        [_coupons(sorted({item.campaign for item in used}, key=int), first, last)],
        by="demo",
        reason="the paper coupons of the year",
        now=clock.now(),
    )
    connection.commit()
    hashes = {members.hashed("external_id", name): name for name in households}
    found = members.find_hashes(connection, program.program_id, hashes)
    ids = {hashes[value]: member_id for value, member_id in found.items()}
    connection.rollback()
    times: Counter[complete_journey.CouponRedemption] = Counter()
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        console=Console(stderr=True, quiet=quiet),
    )  # fmt: skip
    with bar:
        task = bar.add_task("Redeeming the year's coupons", total=len(used))
        for start in range(0, len(used), COUPONS_AT_ONCE):
            for item in used[start : start + COUPONS_AT_ONCE]:
                times[item] += 1
                # Twice on a day is twice, an hour apart.
                at = noon(item.day) + (times[item] - 1) * HOUR
                placed = orders.place(
                    connection,
                    program,
                    member_id=ids[item.household],
                    wanted=orders.Wanted(
                        "paper_coupon", variant=f"campaign_{item.campaign}", channel="store"
                    ),
                    source="complete-journey",
                    id=f"coupon:{item.household}:{item.day}:{item.campaign}:{item.coupon}:{times[item]}",
                    confirm=True,
                    actor="demo",
                    now=at,
                )
                if placed.items and not placed.replayed:
                    handing_out.use(
                        connection,
                        program,
                        ids[item.household],
                        placed.items[0].item_id,
                        uses=1,
                        now=at,
                    )
            connection.commit()
            bar.update(task, advance=min(COUPONS_AT_ONCE, len(used) - start))
    return told


def _coupons(campaigns: Sequence[str], first: int, last: int) -> Reward:
    """The reward that stands for the paper coupons: seen and ordered only while they were good."""
    from palier.engine.clock import moment
    from palier.engine.document import Text
    from palier.rewards.document import Price, Reward, Service, Variant, Visible

    return Reward(
        key="paper_coupon",
        name=Text(en="A paper coupon", fr="Un bon de réduction papier"),
        summary=Text(en="Cut out, and used at the till.", fr="Découpé, et utilisé en caisse."),
        gives=Service(uses=1, valid_days=1),
        category="coupons",
        prices=[Price()],
        variants=[
            Variant(key=f"campaign_{number}", name=Text(en=f"Campaign {number}", fr=f"Campagne {number}"))
            for number in campaigns
        ],
        visible=Visible(moment(first).isoformat(), moment(last).isoformat()),
        effective_from=moment(first).isoformat(),
    )


def _do_due_work(connection: psycopg.Connection[Any], program: Runtime, quiet: bool) -> None:
    from rich.console import Console

    from palier.activities import due
    from palier.ledger import seal
    from palier.site import clock

    now = clock.now()
    with Console(stderr=True, quiet=quiet).status("Expiring and releasing what was due"):
        due.advance_all(connection, program, now, now=now)
        due.confirm_clock(connection, now)
        connection.commit()
        from datetime import UTC

        while seal.seal(connection, now=datetime.now(UTC)):
            connection.commit()
        connection.commit()


def _verify(connection: psycopg.Connection[Any], into: dict[str, Any]) -> int:
    from palier.ledger.verify import report

    found = report(connection, PROGRAM)
    connection.rollback()
    into["invariants"] = len(found.invariants)
    into["verify_seconds"] = round(found.seconds, 1)
    into["violations"] = [violation._asdict() for violation in found.violations[:5]]
    return len(found.violations)


def _visitors() -> list[Visitor]:
    """A member of each tier, with the signature by which the portal of a demonstration lets in, and a card."""
    from django.core.signing import dumps

    from palier.engine.state import decode_state
    from palier.members import operations, refs
    from palier.programs.queries import find
    from palier.site import clock, database

    found: dict[str, int] = {}
    with database.connect() as connection:
        program_id = find(connection, PROGRAM)
        assert program_id is not None
        rows = connection.execute(
            """
            -- demo.some_members
            -- all members: a few of each tier, for links into the demo's portal
            select member_id, state from progress order by member_id limit 2000
            """
        )
        for member_id, state in rows:
            found.setdefault(decode_state(state).tier.key, member_id)
        visitors = []
        for (tier, member_id), card in zip(sorted(found.items()), CARDS, strict=False):
            own = operations.add_identity(connection, program_id, member_id, "card", card, now=clock.now())
            signature = dumps(refs.encode(member_id), salt=f"demo {PROGRAM}")
            visitors.append(Visitor(tier, signature, card if own else ""))
        connection.commit()
    return visitors


def _owner() -> str:
    """The way into the console of a demonstration, as its owner, whose account is made with it."""
    from django.core.signing import dumps

    from palier.site import clock, database
    from palier.staff import accounts, admission

    with database.connect() as connection:
        if accounts.find(connection, OWNER) is None:
            admission.invite(
                connection,
                email=OWNER,
                name="Demo owner",
                grants=[accounts.Grant(None, "owner")],
                now=clock.now(),
                actor="demo",
            )
            connection.commit()
    return dumps(OWNER, salt="demo console")


def _cashier() -> str:
    """The way to the till of a demonstration, with its cashier, whose account and PIN are made with it."""
    from django.core.signing import dumps

    from palier.programs.queries import find
    from palier.site import clock, database
    from palier.staff import accounts, admission, factors

    with database.connect() as connection:
        account = accounts.find(connection, CASHIER)
        if account is None:
            account, _ = admission.invite(
                connection,
                email=CASHIER,
                name="Demo cashier",
                grants=[accounts.Grant(find(connection, PROGRAM), "cashier")],
                now=clock.now(),
                actor="demo",
            )
            factors.set_pin(connection, account, PIN, now=clock.now())
            connection.commit()
    return dumps(CASHIER, salt=f"demo till {PROGRAM}")


def _key(connection: psycopg.Connection[Any], program_id: int) -> str:
    """The demo's API key, kept in the data directory: the demo's alone, a real key is shown only once."""
    from palier.site import clock
    from palier.site.environment import environment
    from palier.staff.operations import create_key
    from palier.staff.queries import RIGHTS, authenticate

    path = environment().directory / "secrets" / KEY_FILE
    if path.exists():
        token = path.read_text().strip()
        if authenticate(connection, f"Bearer {token}") is not None:
            return token
    made = create_key(connection, program_id, name="demo", rights=RIGHTS, now=clock.now(), actor="demo")
    connection.commit()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(made.token)
    return made.token


def _show(
    summary: dict[str, Any], key: str, address: str, visitors: list[Visitor], owner: str, cashier: str
) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()

    def number(text: Any) -> str:
        whole, dot, rest = str(text).partition(".")
        return f"{int(whole):,}{dot}{rest}"

    table = Table(title="Fresh Stars: a year of a grocery's baskets", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_row("Members", number(summary["members"]))
    table.add_row("Activities", number(summary["activities"]))
    table.add_row("Spend", f"{number(summary['spend'])} {summary['money']}")
    for item in summary["currencies"]:
        unit = item["currency"]
        table.add_section()
        for label in ("issued", "redeemed", "expired", "reversed", "pending", "outstanding"):
            table.add_row(f"{unit.capitalize()} {label}", number(item[label]))
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
        console.print("\nA member's pages, already signed in (this demonstration only):")
        for visitor in visitors:
            link = f"{address}/portal/{PROGRAM}/demo?as={visitor.signature}"
            console.print(f"      {visitor.tier}: {link}", soft_wrap=True)
        console.print(f"      join as somebody new: {address}/portal/{PROGRAM}/door", soft_wrap=True)
        console.print("\nThe console, already signed in as its owner (this demonstration only):")
        console.print(f"      {address}/console/demo-sign-in?as={owner}", soft_wrap=True)
        console.print(f"\nThe till, with its cashier, whose PIN is {PIN} (this demonstration only):")
        console.print(f"      {address}/till/{PROGRAM}/demo?as={cashier}", soft_wrap=True)
        cards = ", ".join(f"{visitor.card} ({visitor.tier})" for visitor in visitors if visitor.card)
        console.print(f"      cards to find those members by: {cards}", soft_wrap=True)
        console.print("\nA shop's page with the widget, as the member who is signed in above:")
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
