"""Commands that forget members: now, after a wait, and again after a restore."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from palier.cli.counting import counted
from palier.cli.session import tell

if TYPE_CHECKING:
    from palier.activities.runtime import Runtime
    from palier.privacy.erasure import Consequences
    from palier.staff.approvals import Person

REF: Final = typer.Argument(
    help="A member's reference (m_...) or an identity as KIND:VALUE, such as card:123.", show_default=False
)
PROGRAM: Final = typer.Option(
    None, "--program", help="Key of the program; needed where there are several.", show_default=False
)


def erase(
    ref: str = REF,
    reason: str = typer.Option(
        "", "--reason", help="Why, for the audit log; it names nobody.", show_default=False
    ),
    wait: int = typer.Option(0, "--wait", min=0, max=90, help="Carry it out after so many days."),
    undo: bool = typer.Option(False, "--undo", help="Take a request back that is not carried out yet."),
    program: str | None = PROGRAM,
    yes: bool = typer.Option(False, "--yes", "-y", help="Erase without asking."),
) -> int:
    """Forget who a member is: all that is personal goes, points lapse, the ledger stays under a reference of nobody."""
    from palier.activities import batch
    from palier.activities.operations import NotDone
    from palier.cli import members
    from palier.cli.session import open_database
    from palier.engine.sentences import sentence, whole
    from palier.members import refs
    from palier.privacy import erasure
    from palier.site import clock, database, ids
    from palier.site.refusal import Refused

    with open_database(with_django=False), database.connect() as connection:
        found = members.program_of(connection, program)
        ids.take_node(connection)
        connection.commit()
        member_id = members.member_of(connection, found, ref)
        now, known = clock.now(), refs.encode(member_id)
        try:
            if undo:
                done = batch.attempt(
                    connection, lambda: erasure.undo(connection, found, member_id, by=_operator(), now=now)
                )
                if not done:
                    raise Refused(sentence("%(known)s has no open request to be erased.", known=known))
                tell("The request is taken back: %(known)s stays a member.", known=known)
                return 0
            lost = erasure.consequences(connection, found, member_id, now=now)
            connection.rollback()
            if not yes and not typer.confirm(f"Erase {known}{_lost(found, lost)}? It cannot be undone"):
                raise Refused(sentence("Nobody was erased."))
            if wait:
                asked = batch.attempt(
                    connection,
                    lambda: erasure.ask(
                        connection, found, member_id, via="cli", by=_operator(), wait_days=wait, now=now
                    ),
                )
                written = datetime.fromtimestamp(asked.due_at // 1_000_000, UTC).strftime(
                    "%Y-%m-%d %H:%M UTC"
                )
                tell(
                    "%(known)s is erased at %(written)s; until then: palier members erase %(known)s --undo",
                    known=known,
                    written=written,
                )
                return 0
            settled = batch.attempt(
                connection,
                lambda: erasure.carry_out(
                    connection, found, member_id, via="cli", by=_operator(), reason=reason, now=now
                ),
            )
        except erasure.NotErased as refused:
            raise Refused(whole(refused.message, refused.remedy)) from None
        except NotDone as refused:
            raise Refused(whole(refused.refusal.said, refused.refusal.advice)) from None
    print(
        f"{known} is erased: {counted(settled.identities, 'identity', 'identities')}, "
        f"{counted(settled.sessions, 'session')}, {counted(settled.addresses, 'address', 'addresses')}, "
        f"{counted(settled.codes, 'code')}, {counted(settled.messages, 'message')}; of "
        f"{counted(settled.decisions, 'decision')} the amounts alone are kept."
    )
    return 0


def erase_again(
    file: Path = typer.Argument(
        ..., help="erasures.jsonl, as it was kept outside the database.", show_default=False
    ),
) -> int:
    """Repeat erasures after the database was restored from a copy older than they are."""
    from palier.activities import batch
    from palier.activities.operations import NotDone
    from palier.activities.runtime import runtime
    from palier.cli.session import open_database
    from palier.engine.sentences import sentence
    from palier.members import refs
    from palier.privacy import erasure
    from palier.site import clock, database, ids
    from palier.site.refusal import Refused

    try:
        receipts = erasure.read_receipts(file)
    except OSError as error:
        raise Refused(
            sentence("%(file)s cannot be read: %(why)s; check the name.", file=file, why=error)
        ) from None
    except ValueError as error:
        raise Refused(sentence("%(file)s cannot be used: %(error)s.", file=file, error=error)) from None
    again = 0
    with open_database(with_django=False), database.connect() as connection:
        ids.take_node(connection)
        connection.commit()
        for receipt in receipts:
            found = runtime(connection, receipt.program)
            if found is None:
                raise Refused(
                    sentence(
                        "%(file)s names the program %(program)s, which is not published here.",
                        file=file,
                        program=receipt.program[:60],
                    )
                )
            try:
                act = partial(
                    erasure.carry_out, connection, found, refs.decode(receipt.member), via="cli", by=_operator(),
                    reason="again, after a restore", now=clock.now(),
                )  # fmt: skip
                batch.attempt(connection, act)
            except NotDone:
                continue  # erased already, or enrolled after the copy
            except erasure.NotErased as refused:
                raise Refused(
                    sentence(
                        "%(member)s: %(why)s; %(remedy)s, then repeat this.",
                        member=receipt.member,
                        why=refused.message,
                        remedy=refused.remedy,
                    )
                ) from None
            again += 1
    print(f"Repeated: {again} of {counted(len(receipts), 'erasure')}; the others stood.")
    return 0


def _operator() -> Person:
    from getpass import getuser

    from palier.staff.approvals import Person

    user = getuser()
    return Person(f"cli:{user}", user, "operator")


def _lost(program: Runtime, lost: Consequences | None) -> str:
    from palier.activities.answers import points_text

    if lost is None or not lost.points:
        return ""
    told = ", ".join(f"{points_text(minor, program.latest, key)} {key}" for key, minor in lost.points.items())
    return f", who loses {told}"
