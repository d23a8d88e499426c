"""What each page costs the server, worst first: every page of every face, found by following links.

    python -m bench.pages [--rounds N] [--json FILE] [--profile NAME]

Works on the data of PALIER_DATA_DIR: make it with `palier demo --no-serve`. With --members N it makes N members of
the benches' program instead, in the benches' own directory. A page over LIMIT ends it with status 1. What is judged is
processor time of interpreter and database (bench/cost.py); wall clock is told beside it.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import re
import statistics
import sys
from collections import defaultdict
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console
from rich.table import Table

from bench.cost import Cost, Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from django.test import Client

    from palier.activities.runtime import Runtime

LIMIT = 200.0
"""Milliseconds that a page may cost the server."""
VISITORS = 3
_ROUNDS = 10


class Line(msgspec.Struct, frozen=True):
    """One page: how often it was asked for, its statements, and milliseconds.

    `undisturbed` is what the dearest of its addresses cost at the best of its rounds: what other processes add is not
    in it. `server` is what was spent, with whatever disturbed it.
    """

    page: str
    asked: int
    statements: int
    undisturbed: float
    server_p50: float
    server_p95: float
    python_p50: float
    database_p50: float
    wall_p50: float
    wall_p95: float
    example: str


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when every page is within LIMIT."""
    parser = argparse.ArgumentParser(description="What each page costs the server, worst first.")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="how often each page is asked for")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the lines")
    parser.add_argument("--members", type=int, metavar="N", help="pages over N made-up members")
    parser.add_argument("--visitors", type=int, default=VISITORS, help="members whose pages are opened")
    parser.add_argument("--program", default="", help="the program, where there are several")
    parser.add_argument("--only", default="", metavar="WORDS", help="the pages whose name contains this")
    parser.add_argument("--profile", action="store_true", help="say where the time of these pages goes")
    options = parser.parse_args(arguments)
    os.environ["PALIER_DEMO"] = "true"
    with _data(options.members):
        lines, missing = measure(options)
    _print(lines, missing)
    if options.json:
        content = {"load": os.getloadavg(), "nice": os.nice(0), "rounds": options.rounds, "pages": lines}
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    return 0 if all(line.undisturbed <= LIMIT for line in lines) else 1


@contextmanager
def _data(members: int | None) -> Iterator[None]:
    if members is None:
        from palier.cli.session import open_database

        with open_database():
            yield
        return
    from bench import crowd, database
    from palier.cli.session import set_up_django

    with database.server() as server, crowd.there(server, members):
        set_up_django()
        yield


def measure(options: Any) -> tuple[list[Line], list[str]]:
    """Every page that is reached, with its cost; and the names of pages that nothing leads to."""
    from palier.members import lookups
    from palier.tills import shifts
    from tests.web.addresses import addresses

    # All looks at members are one person's here, and one till's.
    lookups.MOST_AN_HOUR = shifts.BROWSED = 1_000_000  # type: ignore[misc]
    meter = Meter()
    costs: dict[str, dict[int, list[Cost]]] = defaultdict(dict)
    examples: dict[int, str] = {}
    asks = _asks(options.program, options.visitors)
    for number, (name, example, ask) in enumerate(asks):
        if options.only not in name:
            continue
        examples[number] = example
        costs[name][number] = []
        ask()
        ask()
        profile = cProfile.Profile() if options.profile else None
        for _ in range(options.rounds):
            with meter.measured() as cost:
                if profile is not None:
                    profile.enable()
                ask()
                if profile is not None:
                    profile.disable()
            costs[name][number].append(cost)
        if profile is not None:
            _explain(name, example, costs[name][number][-1], profile)
    every = {one.name for one in addresses("", "portal", "till", "console", "widget")}
    missing = sorted(every - {name.partition(" ")[0] for name, _, _ in asks})
    lines = [_line(name, found, examples) for name, found in costs.items()]
    return sorted(lines, key=lambda line: -line.undisturbed), missing


def _asks(key: str, visitors: int) -> list[tuple[str, str, Callable[[], Any]]]:
    """What is asked for: a name, an example of its address, and the asking."""
    from bench import visits
    from palier.activities.runtime import runtime
    from palier.members import refs
    from palier.programs.queries import list_programs
    from palier.site import database

    with database.connect() as connection:
        keys = [one.key for one in list_programs(connection)]
        key = key or keys[0]
        program = runtime(connection, key)
        if program is None:
            raise SystemExit(f"There is no program {key}; there are {', '.join(keys)}.")
        connection.rollback()
        members = some_members(connection, program)[:visitors]
        connection.rollback()
    found: list[visits.Found] = []
    stranger = visits.browser()
    doors = [f"/{face}/{key}/" for face in ("portal", "till")]
    found += visits.crawl(
        stranger,
        ["/", *doors, "/console/sign-in"],
        ("front", "health", "portal", "till", "console", "widget"),
    )
    for member in members:
        browser = visits.member_browser(key, member)
        starts = [f"/portal/{key}/", f"/widget/{key}/sample", *_plain_addresses("portal", key)]
        found += visits.crawl(browser, starts, ("portal", "widget"))
    owner = visits.owner_browser()
    seen = [f"/console/{key}/members/{refs.encode(member)}" for member in members]
    found += visits.crawl(owner, ["/console/", *seen, *_plain_addresses("console", key)], ("console",))
    asks: list[tuple[str, str, Callable[[], Any]]] = [
        (one.name, one.path, partial(_got, one.browser, one.path)) for one in found
    ]
    return asks + _at_the_till(program, members) + _searches(owner, program, members)


def _plain_addresses(face: str, key: str) -> list[str]:
    """The addresses that name nothing but the program: links may lead to them only on some days."""
    from tests.web.addresses import addresses

    return [one.path for one in addresses(face, program=key) if not one.objects]


def some_members(connection: Any, program: Runtime) -> list[int]:
    """Members of whom much is stored, and one of whom little is."""
    rows = connection.execute(
        "-- bench.visitors\nselect member_id from transfer where program_id = %s group by member_id"
        " order by count(*) desc, member_id limit 2",
        (program.program_id,),
    ).fetchall()
    rows += connection.execute(
        "-- bench.visitor\nselect member_id from member where program_id = %s"
        " and status = 'active' order by member_id limit 1",
        (program.program_id,),
    ).fetchall()
    return [row[0] for row in rows]


def _got(browser: Client, path: str) -> Any:
    answer = browser.get(path)
    if answer.status_code >= 500:
        raise SystemExit(f"{path} answered {answer.status_code}")
    if answer.streaming:
        answer.getvalue()
    return answer


# --- forms that find ------------------------------------------------------------------------------------


def _identities(program: Runtime, member: int) -> dict[str, str]:
    """One identity of each kind of one member, given to him where he has none."""
    from palier.members import operations
    from palier.site import clock, database

    given = {"card": "2811000", "phone": "+33 6 12 34 56 78", "email": "pages@example.org"}
    with database.connect() as connection:
        for kind, value in given.items():
            operations.add_identity(
                connection,
                program.program_id,
                member,
                kind,
                value,
                now=clock.now(),
            )
        connection.commit()
    return given


def _at_the_till(program: Runtime, members: Sequence[int]) -> list[tuple[str, str, Callable[[], Any]]]:
    """The counter as it stands through a sale, and finding a member at it."""
    from django.urls import resolve

    from bench import visits

    asks: list[tuple[str, str, Callable[[], Any]]] = []
    root = f"/till/{program.key}/"
    known = _identities(program, members[0])
    states: dict[str, list[tuple[str, dict[str, str]]]] = {
        "empty": [],
        "with a member": [("find", {"who": known["card"]})],
        "with a basket": [("find", {"who": known["card"]}), ("amount", {"amount": "25.00"})],
        "with rewards": [("find", {"who": known["card"]}), ("reward", {})],
        "taking back": [("find", {"who": known["card"]}), ("return", {})],
        "enrolling": [("join", {})],
    }
    for what, forms in states.items():
        tablet = visits.till_browser(program)
        for name, form in forms:
            tablet.post(root + name, form)
        asks.append((f"till:counter {what}", root, partial(_got, tablet, root)))
        for one in ("shell", "sw.js", "manifest.webmanifest", "unlock", "sign-in", "pin"):
            if not forms:
                asks.append((resolve(root + one).view_name, root + one, partial(_got, tablet, root + one)))
    for kind, value in known.items():
        sent = partial(_posted, visits.till_browser(program), root + "find", {"who": value})
        asks.append((f"till:find by {kind}", root + "find", sent))
    return asks


def _searches(
    owner: Client, program: Runtime, members: Sequence[int]
) -> list[tuple[str, str, Callable[[], Any]]]:
    """Finding a member in the console: whole values, one a search."""
    path = f"/console/{program.key}/members"
    return [
        (f"console:people:members by {kind}", path, partial(_posted, owner, path, {"what": value}))
        for kind, value in _identities(program, members[0]).items()
    ]


def _posted(browser: Client, path: str, form: dict[str, str]) -> Any:
    answer = browser.post(path, form)
    if answer.status_code not in (200, 302):
        raise SystemExit(f"{path} answered {answer.status_code} to a form")
    return answer


# --- telling --------------------------------------------------------------------------------------------


def _line(name: str, found: dict[int, list[Cost]], examples: dict[int, str]) -> Line:
    def at(percent: int, values: list[float]) -> float:
        ordered = sorted(values)
        return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 2)

    least = {number: min(cost.server for cost in costs) for number, costs in found.items()}
    dearest = max(least, key=lambda number: least[number])
    costs = [cost for of_one in found.values() for cost in of_one]
    server = [cost.server for cost in costs]
    wall = [cost.wall for cost in costs]
    return Line(
        page=name,
        asked=len(costs),
        statements=max(len(cost.statements) for cost in costs),
        undisturbed=round(least[dearest], 2),
        server_p50=at(50, server),
        server_p95=at(95, server),
        python_p50=round(statistics.median(cost.python for cost in costs), 2),
        database_p50=round(statistics.median(cost.database for cost in costs), 2),
        wall_p50=at(50, wall),
        wall_p95=at(95, wall),
        example=examples[dearest],
    )


def _explain(name: str, example: str, cost: Cost, profile: cProfile.Profile) -> None:
    print(f"\n{name}  {example}  python {cost.python:.1f} ms, database {cost.database:.1f} ms")
    for text, spent in sorted(cost.statements, key=lambda one: -one[1])[:8]:
        named = re.search(r"-- (\S+\.\S+)", text)
        print(f"  {spent:8.2f} ms  {named[1] if named else ' '.join(text.split())[:90]}")
    pstats.Stats(profile, stream=sys.stdout).sort_stats("cumulative").print_stats(
        "palier|django/template/base", 25
    )


def _print(lines: Sequence[Line], missing: Sequence[str]) -> None:
    table = Table(
        "page", "asked", "statements", "undisturbed", "p50", "p95", "interpreter", "database", "wall p50", "wall p95",
        title="Milliseconds of processor time that each page costs the server, worst first",
    )  # fmt: skip
    for column in table.columns[1:]:
        column.justify = "right"
    for line in lines:
        table.add_row(
            line.page,
            str(line.asked),
            str(line.statements),
            *(
                f"{value:.1f}"
                for value in (
                    line.undisturbed, line.server_p50, line.server_p95, line.python_p50, line.database_p50,
                    line.wall_p50, line.wall_p95,
                )
            ),
            style="bold red" if line.undisturbed > LIMIT else "",
        )  # fmt: skip
    console = Console(width=130 if not sys.stdout.isatty() else None)
    console.print(table)
    if missing:
        console.print(f"Not reached, or taking forms only: {', '.join(missing)}.", style="dim")


if __name__ == "__main__":
    sys.exit(main())
