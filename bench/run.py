"""Measure: floors first, then the product, then each floor again after what is compared with it; print the ratios.

    python -m bench.run [--only NAME ...] [--quick] [--json FILE]

`--only` takes floors (F1) and measures (http_single); a measure brings its floor along. `--quick` shortens
each round, not their number. A floor or measure that fails is told with its reason, and the others go on. Ends
with status 1 when one failed or a required ratio is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
from rich.console import Console
from rich.table import Table

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import database
from bench.floors import FLOORS, Conditions
from bench.product import MEASURES
from bench.targets import TARGETS, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUNDS = 3
BUSY = 0.7
"""Load average above which the machine is not ours alone."""


class Line(msgspec.Struct, frozen=True):
    """One line of the table: medians, their ratio, and the verdict."""

    title: str
    measure: str
    against: str | None
    floor: float | None
    result: float
    value: float
    unit: str
    required: float
    aim: float
    met: bool
    aim_met: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when nothing failed and every required ratio that was measured is reached."""
    parser = argparse.ArgumentParser(description="Floors and product, measured in the same run.")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a floor or a measure")
    parser.add_argument(
        "--quick", action="store_true", help="short rounds: for a first look, not for a claim"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    options = parser.parse_args(arguments)
    every = {**FLOORS, **MEASURES}
    unknown = [name for name in options.only if name not in every]
    if unknown:
        parser.error(f"no bench named {', '.join(unknown)}; there are {', '.join(every)}")
    names = _needed(options.only) if options.only else list(every)

    console = Console()
    values: dict[str, list[float]] = {}
    failed: dict[str, str] = {}
    with database.server() as server:
        conditions = Conditions(server=server, rounds=ROUNDS, seconds=1.0 if options.quick else 5.0)
        machine = _machine(conditions)
        console.print(" · ".join(f"{name} {value}" for name, value in machine.items()), style="dim")
        if machine["load_before"] > BUSY:
            console.print("Other processes are busy: compare ratios, not rates.", style="yellow")
        for name in names:
            with console.status(f"{name}: {_summary(every[name])}"):
                reason = _take(values, name, every[name], conditions)
            if reason:
                failed[name] = reason
                console.print(f"{name}: failed: {reason}", style="bold red", markup=False)
                continue
            _tell(console, name, values[name])
            for floor in _floors_of(name):
                with console.status(f"{floor}, once more: {_summary(FLOORS[floor])}"):
                    again: dict[str, list[float]] = {}
                    if not _take(again, floor, FLOORS[floor], conditions):
                        values.setdefault(floor, []).extend(again[floor])
                        _tell(console, floor, values[floor])
    lines = [_line(target, values) for target in TARGETS if _measured(target, values)]
    _print(console, names, values, lines)
    for name, reason in failed.items():
        console.print(f"Failed: {name}: {reason}", style="bold red", markup=False)
    if options.json:
        content = {
            "machine": machine,
            "quick": options.quick,
            "rounds": ROUNDS,
            "values": values,
            "medians": {name: statistics.median(rounds) for name, rounds in values.items()},
            "targets": lines,
            "failed": failed,
        }
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    return 0 if not failed and all(line.met for line in lines) else 1


def _take(
    values: dict[str, list[float]],
    name: str,
    bench: Callable[[Conditions], list[float]],
    conditions: Conditions,
) -> str:
    """Runs one bench and keeps its values; the reason where it fails, which is not the end of the others."""
    try:
        found = bench(conditions)
        if not found:
            return "it returned no value"
        values[name] = found
    except SystemExit as refused:
        return str(refused)
    except Exception as error:
        traceback.print_exc()
        return f"{type(error).__name__}: {error}"
    return ""


def _floors_of(name: str) -> list[str]:
    """Floors that a measure is compared with: they are taken again after it, for a machine's pace changes."""
    return [target.against for target in TARGETS if target.measure == name and target.against in FLOORS]


def _tell(console: Console, name: str, rounds: Sequence[float]) -> None:
    console.print(
        f"{name}: median {statistics.median(rounds):,.0f} ({', '.join(f'{value:,.0f}' for value in rounds)})",
        style="dim",
        highlight=False,
    )


def _needed(only: Sequence[str]) -> list[str]:
    wanted = set(only)
    for target in TARGETS:
        if target.measure in only and target.against is not None:
            wanted.add(target.against)
    return [name for name in (*FLOORS, *MEASURES) if name in wanted]


def _measured(target: Target, values: dict[str, list[float]]) -> bool:
    return target.measure in values and (target.against is None or target.against in values)


def _line(target: Target, values: dict[str, list[float]]) -> Line:
    result = statistics.median(values[target.measure])
    floor = statistics.median(values[target.against]) if target.against is not None else None
    value = result / floor if floor is not None else result
    return Line(
        title=target.title,
        measure=target.measure,
        against=target.against,
        floor=floor,
        result=result,
        value=value,
        unit=target.unit,
        required=target.required,
        aim=target.aim,
        met=target.met(value, target.required),
        aim_met=target.met(value, target.aim),
    )


def _machine(conditions: Conditions) -> dict[str, Any]:
    with psycopg.connect(conditions.server.dsn("postgres"), autocommit=True) as connection:
        told = database.settings(connection, ("server_version", *database.DURABILITY))
    return {
        "cores": os.cpu_count(),
        "Python": platform.python_version(),
        "fdatasync_ms": round(database.fdatasync_ms(), 2),
        "load_before": round(os.getloadavg()[0], 2),
        **told,
    }


def _summary(bench: Any) -> str:
    return (bench.__doc__ or "").strip().splitlines()[0] if bench.__doc__ else bench.__name__


def _print(
    console: Console, names: Sequence[str], values: dict[str, list[float]], lines: Sequence[Line]
) -> None:
    floors = Table("floor", "what", "per second", title="Floors of this run")
    floors.columns[2].justify = "right"
    for name in names:
        if name in FLOORS and name in values:
            what = _summary(FLOORS[name]).removeprefix(f"{name}: ")
            floors.add_row(name, what, f"{statistics.median(values[name]):,.0f}")
    if floors.row_count:
        console.print(floors)
    if lines:
        table = Table("bench", "floor", "result", "ratio", "required", "aim", title="Product against floors")
        for column in table.columns[1:]:
            column.justify = "right"
        for line in lines:
            style = "green" if line.aim_met else "" if line.met else "bold red"
            ratio = f"{line.value:.2f}" if line.unit == "ratio" else ""
            suffix = " ms" if line.unit == "ms" else ""
            table.add_row(
                line.title,
                f"{line.against} {line.floor:,.0f}" if line.floor is not None else "",
                f"{line.result:,.1f}{suffix}" if suffix else f"{line.result:,.0f}",
                ratio,
                f"{line.required:g}{suffix}",
                f"{line.aim:g}{suffix}",
                style=style,
            )
        console.print(table)
    rest = sorted({target.measure for target in TARGETS} - set(MEASURES))
    if rest and len(names) == len(FLOORS) + len(MEASURES):
        console.print(f"Not measured, no bench yet: {', '.join(rest)}.", style="yellow")


if __name__ == "__main__":
    sys.exit(main())
