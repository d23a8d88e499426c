"""Commands of the second person: what waits for an approval, and the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import typer

from palier.cli.session import tell

if TYPE_CHECKING:
    from palier.staff.approvals import Approval, Person

_PROGRAM: Final = typer.Argument(help="Key of the program.", show_default=False)
_APPROVAL: Final = typer.Argument(help="Its id, such as ap_00q5d2m8x4k7s.", show_default=False)
_REASON: Final = typer.Option("", "--reason", help="Why, for the audit log.")
_JSON: Final = typer.Option(False, "--json", help="Print it as JSON.")


def register(app: typer.Typer) -> None:
    approvals = typer.Typer(help="What waits for a second person.", no_args_is_help=True)
    approvals.command("list")(list_approvals)
    approvals.command("approve")(approve)
    approvals.command("refuse")(refuse)
    app.add_typer(approvals, name="approvals")


def person() -> Person:
    """Who runs the command: the account of the process, which no variable of the environment can say otherwise."""
    import os
    from pwd import getpwuid

    from palier.staff.approvals import Person

    try:
        name = getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid-{os.getuid()}"
    return Person(f"cli:{name}", name, "operator")


def list_approvals(
    program: str = _PROGRAM,
    state: Literal["asked", "approved", "refused", "expired", "all"] = typer.Option(
        "asked", "--state", help="Which ones."
    ),
    limit: int = typer.Option(50, "--limit", min=1, max=1000, help="The latest so many."),
    json: bool = _JSON,
) -> int:
    """List what was asked of a second person, the latest first."""
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.site import clock, database
    from palier.staff import approvals

    with open_database(), database.connect() as connection:
        found = program_of(connection, program)
        now = clock.now()
        rows = approvals.listed(
            connection, found.program_id, now=now, state=None if state == "all" else state, limit=limit
        )
    if json:
        from json import dumps

        print(dumps([_shown(row, now) for row in rows], ensure_ascii=False, indent=2))
        return 0
    if not rows:
        tell("Nothing waits.") if state == "asked" else tell("There is none.")
    for row in rows:
        told = _shown(row, now)
        details = " ".join(
            f"{name}={value}" for name, value in row.payload.items() if name != "program" and value != ""
        )
        print(f"{told['approval']}  {told['state']}  {row.kind}  {row.object}  {details}")
        print(
            f"  asked by {row.asked_by} ({row.asked_name}), until {told['expires_at']}: {row.reason or '-'}"
        )
        if row.decided_by:
            print(f"  {told['state']} by {row.decided_by} at {told['decided_at']}: {row.decision or '-'}")
    return 0


def approve(
    program: str = _PROGRAM, approval: str = _APPROVAL, reason: str = _REASON, json: bool = _JSON
) -> int:
    """Approve as the second person: what was asked is done at once. Who asked cannot."""
    return _decide(program, approval, reason, json, approve=True)


def refuse(
    program: str = _PROGRAM, approval: str = _APPROVAL, reason: str = _REASON, json: bool = _JSON
) -> int:
    """Refuse what was asked. Who asked may do so too, and takes it back."""
    return _decide(program, approval, reason, json, approve=False)


def _decide(program: str, ref: str, reason: str, json: bool, *, approve: bool) -> int:
    from palier.activities import batch
    from palier.activities.operations import NotDone
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.engine.sentences import Begun, sentence
    from palier.members import refs
    from palier.programs import publishing  # noqa: F401 (says what follows a decision on a version)
    from palier.site import clock, database
    from palier.site.refusal import Refused
    from palier.staff import approvals
    from palier.staff.approvals import NotDecided

    approval_id = refs.decode_as("ap", ref)
    if approval_id is None:
        raise Refused(
            sentence(
                "%(ref)r is no approval; `palier approvals list PROGRAM` shows those that wait.", ref=ref[:40]
            )
        )
    with open_database(), database.connect() as connection:
        found = program_of(connection, program)
        now = clock.now()

        def decided() -> Approval:
            return approvals.decide(
                connection, found.program_id, approval_id,
                approve=approve, by=person(), decision=reason, now=now,
            )  # fmt: skip

        try:
            answer = batch.attempt(connection, decided)
        except NotDecided as error:
            raise Refused(
                sentence("%(error)s %(remedy)s.", error=error, remedy=Begun(error.remedy))
            ) from None
        except NotDone as error:
            raise Refused(sentence("It cannot be done now: %(why)s.", why=error.refusal.whole)) from None
    if json:
        from json import dumps

        print(dumps(_shown(answer, now), ensure_ascii=False, indent=2))
    else:
        verdict = sentence("Approved") if approve else sentence("Refused")
        tell("%(verdict)s: %(kind)s %(object)s.", verdict=verdict, kind=answer.kind, object=answer.object)
    return 0


def _shown(found: Approval, now: int) -> dict[str, object]:
    from palier.engine.clock import moment
    from palier.members import refs

    def written(at: int) -> str | None:
        return moment(at).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None

    return {
        "approval": refs.encode_as("ap", found.approval_id),
        "kind": found.kind,
        "object": found.object,
        "details": found.payload,
        "reason": found.reason,
        "state": found.standing(now),
        "asked_by": found.asked_by,
        "asked_name": found.asked_name,
        "asked_at": written(found.asked_at),
        "expires_at": written(found.expires_at),
        "decided_by": found.decided_by,
        "decided_at": written(found.decided_at),
        "decision": found.decision,
    }
