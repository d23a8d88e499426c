"""How a program looks to its members: accent, logo, and the drawings of its units; changed apart from its rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace
from psycopg import Connection

from palier.engine.checker import Checker
from palier.engine.document import Picture
from palier.engine.program import Brand, Program
from palier.engine.sentences import sentence
from palier.programs.operations import amend
from palier.programs.queries import Version, document
from palier.site.refusal import Refused
from palier.staff.operations import write_log

DEFAULT_ACCENT: Final = "#1c5d45"
"""The accent of a program that names none."""


def accent_of(program: Program) -> str:
    """The accent that a program's pages begin from, as #rrggbb."""
    return program.brand.accent if program.brand is not None else DEFAULT_ACCENT


def with_logo(program: Program, logo: Picture | None, *, says_name: bool = False) -> Program:
    """The document with another logo, or without any."""
    if program.brand is None and logo is None:
        return program
    brand = program.brand or Brand(DEFAULT_ACCENT)
    return replace(program, brand=replace(brand, logo=logo, logo_says_name=says_name and logo is not None))


def with_look(program: Program, accent: str, icons: Mapping[str, str]) -> Program:
    """The document with another accent, and drawings of its units by the key of their currency."""
    if accent != accent_of(program):
        brand = program.brand or Brand(accent)
        program = replace(program, brand=replace(brand, accent=accent))
    return replace(
        program,
        point_currencies=[
            replace(item, icon=icons.get(item.key, item.icon)) for item in program.point_currencies
        ],
    )


def set_logo(
    connection: Connection[Any],
    key: str,
    logo: Picture | None,
    *,
    says_name: bool = False,
    by: str,
    role: str,
    now: int,
    reason: str = "",
) -> Version:
    """Publishes what is in force, and what takes effect later, with another logo or without any. Logged.

    In the caller's transaction. `is_new` is false where it was so already. Refuses an unknown program, and a logo
    without its text in each of the program's languages.
    """

    if logo is not None:
        found = document(connection, key)
        if found is not None:
            refuse_unsaid(found, logo)
    return publish_change(
        connection,
        key,
        lambda program: with_logo(program, logo, says_name=says_name),
        by=by,
        role=role,
        now=now,
        reason=reason or "logo",
    )


def publish_change(
    connection: Connection[Any],
    key: str,
    change: Callable[[Program], Program],
    *,
    by: str,
    role: str,
    now: int,
    reason: str,
) -> Version:
    """Publishes what is in force, and what takes effect later, with a changed look; see `amend`. Logged."""
    version = amend(connection, key, change, now=now, by=by)
    if version.is_new:
        what = f"program:{version.key}:{version.version}"
        write_log(connection, by, role, "program.publish", what, at=now, reason=reason)
    return version


def refuse_unsaid(program: Program, logo: Picture) -> None:
    """Refuses a logo that a document of this program could not name, with the place and the remedy."""
    checker = Checker(program)
    checker.source(logo.source, "logo", uploaded=True)
    checker.text(logo.alt, "alt")
    for problem in checker.problems:
        raise Refused(
            sentence(
                "%(path)s: %(message)s; %(remedy)s.",
                path=problem.path,
                message=problem.said,
                remedy=problem.advice,
            )
        )
