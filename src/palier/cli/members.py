"""Commands on members: find and enrol them, their wallets, their history, and every decision explained."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Final

import typer

from palier.cli import erasure
from palier.cli.session import LANGUAGE, Language, tell

if TYPE_CHECKING:
    from palier.activities.queries import Wallet, Wallets
    from palier.activities.runtime import Runtime
    from palier.activities.telling import Story
    from palier.engine.explain import Words
    from palier.members.queries import MemberView

_PROGRAM: Final = typer.Option(
    None, "--program", help="Key of the program; needed where there are several.", show_default=False
)
_REF: Final = typer.Argument(
    help="A member's reference (m_...) or an identity as KIND:VALUE, such as card:123.", show_default=False
)
_JSON: Final = typer.Option(False, "--json", help="Print it as JSON.")


def register(app: typer.Typer) -> None:
    members = typer.Typer(help="Members: find, list, enrol.", no_args_is_help=True)
    members.command("find")(find)
    members.command("list")(list_members)
    members.command("enrol")(enrol)
    members.command("progress")(progress)
    members.command("referral-code")(referral_code)
    members.command("merge")(merge)
    members.command("unmerge")(unmerge)
    members.command("erase")(erasure.erase)
    members.command("erase-again")(erasure.erase_again)
    app.add_typer(members, name="members")
    app.command()(wallet)
    app.command()(history)
    app.command()(explain)


def program_of(connection: Any, key: str | None) -> Runtime:
    """The program with this key; without one, the only program there is."""
    from palier.activities.runtime import runtime
    from palier.engine.sentences import sentence
    from palier.programs.queries import list_programs, no_program
    from palier.site.refusal import Refused

    if key is None:
        keys = [version.key for version in list_programs(connection)]
        if not keys:
            raise Refused(sentence("There is no program yet; publish one with `palier apply FILE`."))
        if len(keys) > 1:
            raise Refused(sentence("Say which program with --program: %(names)s.", names=", ".join(keys)))
        key = keys[0]
    found = runtime(connection, key)
    if found is None:
        raise no_program(key)
    return found


def member_of(connection: Any, program: Runtime, ref: str) -> int:
    """The member of a reference or KIND:VALUE."""
    from palier.engine.sentences import sentence, whole
    from palier.members.queries import IdentityError, resolve
    from palier.site.refusal import Refused

    try:
        member_id = resolve(connection, program.program_id, ref)
    except IdentityError as error:
        raise Refused(whole(error)) from None
    if member_id is None:
        raise Refused(
            sentence(
                "%(key)s has no member %(ref)s; `palier members list` shows those there are, "
                "`palier members enrol KIND:VALUE` makes one.",
                key=program.key,
                ref=ref[:80],
            )
        )
    return member_id


def find(
    ref: str = _REF,
    program: str | None = _PROGRAM,
    json: bool = _JSON,
) -> int:
    """Find a member by reference or identity."""
    from palier.cli.session import open_database
    from palier.members import queries
    from palier.site import database

    with open_database(with_django=False), database.connect() as connection:
        found = program_of(connection, program)
        view = queries.read(connection, found.program_id, member_of(connection, found, ref))
    assert view is not None
    _print_members([view], json)
    return 0


def list_members(
    program: str | None = _PROGRAM,
    after: str = typer.Option(
        None, "--after", help="Go on after this member's reference.", show_default=False
    ),
    limit: int = typer.Option(50, "--limit", min=1, max=10_000, help="How many."),
    json: bool = _JSON,
) -> int:
    """List members, a page at a time."""
    from palier.cli.session import open_database
    from palier.members import queries
    from palier.site import database

    with open_database(with_django=False), database.connect() as connection:
        found = program_of(connection, program)
        start = member_of(connection, found, after) if after else -1
        views = queries.list_members(connection, found.program_id, start, limit)
    _print_members(list(views), json)
    if len(views) == limit and not json:
        tell("More: palier members list --after %(ref)s", ref=views[-1].ref)
    return 0


def enrol(
    identities: list[str] = typer.Argument(help="KIND:VALUE, such as card:123; one or several."),
    program: str | None = _PROGRAM,
    locale: str = typer.Option("en", "--locale", help="The member's language."),
    referred_by: str = typer.Option(
        None, "--referred-by", help="Referral code of the member who brought this one.", show_default=False
    ),
    json: bool = _JSON,
) -> int:
    """Enrol a member by identities; who is enrolled already is found."""
    from palier.activities import batch
    from palier.activities.enrolment import enrol as enrol_one
    from palier.activities.operations import NotDone
    from palier.cli.session import open_database
    from palier.engine.sentences import sentence, whole
    from palier.members import operations, queries
    from palier.site import clock, database, ids
    from palier.site.refusal import Refused

    pairs: dict[str, str] = {}
    for text in identities:
        kind, colon, value = text.partition(":")
        if not colon:
            raise Refused(
                sentence("%(text)r is no identity; write KIND:VALUE, such as card:123.", text=text[:60])
            )
        pairs[kind] = value
    with open_database(with_django=False), database.connect() as connection:
        found = program_of(connection, program)
        ids.take_node(connection)
        connection.commit()
        new = operations.NewMember(pairs, locale=locale)
        now = clock.now()
        try:
            joining = batch.attempt(
                connection, lambda: enrol_one(connection, found, new, referred_by, now=now)
            )
        except NotDone as refused:
            raise _refused(refused) from None
        answer = joining.enrolled
        if answer.problem:
            raise Refused(whole(answer.problem))
        view = queries.read(connection, found.program_id, answer.member_id)
    assert view is not None
    if not json:
        tell("Enrolled.") if answer.created else tell("Enrolled before.")
        if joining.referral:
            print(_REFERRALS[joining.why])
    _print_members([view], json)
    return 0


_REFERRALS: Final = {
    "": "The referral is recorded.",
    "already_member": "No referral is recorded: the member was enrolled before.",
    "mailbox_known": "No referral is recorded: another member has an address of the same mailbox.",
    "no_referral": "No referral is recorded: the program rewards none.",
}


def _refused(refused: Any) -> Exception:
    from palier.engine.sentences import whole
    from palier.site.refusal import Refused

    return Refused(whole(refused.refusal.said, refused.refusal.advice))


def referral_code(ref: str = _REF, program: str | None = _PROGRAM, json: bool = _JSON) -> int:
    """Show a member's referral code, made when it is first asked for."""
    import msgspec

    from palier.activities import enrolment
    from palier.cli.session import open_database
    from palier.members import refs
    from palier.site import clock, database

    with open_database(with_django=False), database.connect() as connection:
        found = program_of(connection, program)
        member_id = member_of(connection, found, ref)
        code, link, _ = enrolment.referral_code(connection, found, member_id, now=clock.now())
        connection.commit()
    if json:
        shown = {"member": refs.encode(member_id), "code": code, "link": link}
        print(msgspec.json.encode(shown).decode())
    else:
        print(f"{code}  {link}")
    return 0


_REASON: Final = typer.Option(..., "--reason", help="Why; it stays in both histories.", show_default=False)


def merge(
    ref: str = _REF,
    into: str = typer.Option(..., "--into", help="The member that takes over.", show_default=False),
    reason: str = _REASON,
    program: str | None = _PROGRAM,
    yes: bool = typer.Option(False, "--yes", "-y", help="Merge without asking."),
) -> int:
    """Merge a member into another: points, tier, goals, history to come; everything it had acts there."""
    made, gone, stays = _merging(program, ref, into, reason, ask=not yes)
    if made:
        tell("%(gone)s is merged into %(stays)s.", gone=gone, stays=stays)
    else:
        tell("%(gone)s was merged into %(stays)s before.", gone=gone, stays=stays)
    tell("To undo it: palier members unmerge %(gone)s --reason TEXT", gone=gone)
    return 0


def unmerge(ref: str = _REF, reason: str = _REASON, program: str | None = _PROGRAM) -> int:
    """Undo a merge: both members stand as if it had not been. Name the member that was merged."""
    _, gone, stays = _merging(program, ref, None, reason)
    tell(
        "%(gone)s is a member of its own again; what came in between stays with %(stays)s.",
        gone=gone,
        stays=stays,
    )
    return 0


def _merging(
    program: str | None, ref: str, into: str | None, reason: str, *, ask: bool = False
) -> tuple[bool, str, str]:
    """Merges (`into` given; with `ask`, once that is confirmed) or undoes it; whether anything was done, and the two
    references."""
    from functools import partial

    from palier.activities import batch, merging
    from palier.activities.operations import NotDone
    from palier.cli.session import open_database
    from palier.engine.sentences import sentence
    from palier.members import refs
    from palier.site import clock, database, ids
    from palier.site.refusal import Refused

    with open_database(with_django=False), database.connect() as connection:
        found = program_of(connection, program)
        ids.take_node(connection)
        connection.commit()
        gone = member_of(connection, found, ref)
        own = refs.encode_as("merge", ids.new_id())
        told = {"reason": reason, "actor": "cli", "role": "operator", "source": "cli", "id": own}
        now = clock.now()
        act: Any
        if into is not None:
            stays = member_of(connection, found, into)
            connection.rollback()
            if ask and not typer.confirm(f"Merge {ref} into {into}, with all it has?"):
                raise Refused(sentence("Nothing was merged."))
            act = partial(merging.merge, connection, found, from_id=gone, into_id=stays, now=now, **told)
        else:
            act = partial(merging.unmerge, connection, found, from_id=gone, now=now, **told)
        try:
            made = batch.attempt(connection, act)
        except NotDone as refused:
            raise _refused(refused) from None
    return made.done, refs.encode(made.member_id), refs.encode(made.into_id)


def wallet(
    ref: str = _REF,
    program: str | None = _PROGRAM,
    as_of: str = typer.Option(
        None, "--as-of", help="How it stood at this instant or day (now by default).", show_default=False
    ),
    known_at: str = typer.Option(
        None, "--known-at", help="By what was recorded until this instant or day.", show_default=False
    ),
    language: Language = LANGUAGE,
    json: bool = _JSON,
) -> int:
    """Show what a member has: spendable, pending, held and owed points, and what expires when."""
    from palier.activities import queries
    from palier.cli.session import open_database
    from palier.programs.telling import tell
    from palier.site import clock, database

    with open_database(with_django=False), database.connect() as connection:
        found = program_of(connection, program)
        member_id = member_of(connection, found, ref)
        now = clock.now()
        zone = found.latest.clock.zone
        at = instant_of(as_of, zone) if as_of else None
        known = tell(connection, found.program_id, instant_of(known_at, zone)) if known_at else None
        told = queries.wallets(connection, found, member_id, as_of=at, known_at=known, now=now)
        standing = queries.standing(connection, found, member_id, as_of=at, known_at=known, now=now)
    assert told is not None
    assert standing is not None
    if json:
        _print_wallet_json(found, ref, told)
    else:
        _print_wallet(found, ref, told, standing.tier, language)
    return 0


def progress(
    ref: str = _REF,
    program: str | None = _PROGRAM,
    language: Language = LANGUAGE,
    json: bool = _JSON,
) -> int:
    """Show what a member is after: tier, goals, streaks, badges, open games, quizzes, memberships, a wish."""
    from palier.activities import queries
    from palier.cli.session import open_database
    from palier.site import clock, database

    with open_database(), database.connect() as connection:
        found = program_of(connection, program)
        member_id = member_of(connection, found, ref)
        standing = queries.standing(connection, found, member_id, now=clock.now())
        assert standing is not None
        if json:
            from json import dumps

            from palier.api.views import Views

            print(dumps(Views(found).progress(member_id, standing), ensure_ascii=False, indent=2))
            return 0
    from palier.cli.progress import show

    show(found, ref, standing, language)
    return 0


def history(
    ref: str = _REF,
    program: str | None = _PROGRAM,
    limit: int = typer.Option(20, "--limit", min=1, max=10_000, help="How many, the latest first."),
    language: Language = LANGUAGE,
    json: bool = _JSON,
) -> int:
    """List a member's decisions, the latest first, each in one line."""
    from palier.activities import queries
    from palier.activities.telling import tell
    from palier.cli.session import open_database
    from palier.site import database

    with open_database(with_django=False), database.connect() as connection:
        found = program_of(connection, program)
        member_id = member_of(connection, found, ref)
        lines = queries.history(connection, found.program_id, member_id, before=None, limit=limit)
        stories = tell(connection, found, member_id, lines)
    if json:
        _print_stories_json(found, stories, language, steps=False)
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right", style="bold")
    table.add_column(overflow="fold")
    for story in stories:
        points = _points(story, language)
        table.add_row(_local(story, found), _kind(story, language), points, story.sentence(language))
    Console(highlight=False).print(table)
    if not stories:
        print(_said(language, "Nothing yet.", "Rien encore."))
    return 0


def explain(
    ref: str = _REF,
    source: str = typer.Argument(None, help="Source of one activity.", show_default=False),
    id: str = typer.Argument(None, help="Its id.", show_default=False),
    program: str | None = _PROGRAM,
    limit: int = typer.Option(10, "--limit", min=1, max=1000, help="How many, without an activity."),
    language: Language = LANGUAGE,
    json: bool = _JSON,
) -> int:
    """Explain a member's decisions by hand-checkable arithmetic: the latest ones, or one activity in full."""
    from palier.activities import queries
    from palier.activities.telling import tell
    from palier.cli.session import open_database
    from palier.engine.sentences import sentence
    from palier.site import clock, database
    from palier.site.refusal import Refused

    if source and not id:
        raise Refused(sentence("Name the activity by its source and its id: palier explain REF SOURCE ID."))
    with open_database(with_django=False), database.connect() as connection:
        found = program_of(connection, program)
        member_id = member_of(connection, found, ref)
        if source:
            known = queries.find_activity(connection, found.program_id, source, id)
            if known is None or known.line is None or known.line.member_id != member_id:
                state = (
                    ""
                    if known is None or known.line is not None
                    else sentence(" that was applied (%(status)s)", status=known.status)
                )
                raise Refused(
                    sentence(
                        "The member has no activity %(source)s %(id)s%(state)s; `palier history` lists them.",
                        source=source,
                        id=id,
                        state=state,
                    )
                )
            stories = tell(connection, found, member_id, [known.line, *known.corrections])
        else:
            lines = queries.history(connection, found.program_id, member_id, before=None, limit=limit)
            stories = tell(connection, found, member_id, lines)
        told = queries.wallets(connection, found, member_id, now=clock.now())
        standing = queries.standing(connection, found, member_id, now=clock.now())
    assert told is not None
    assert standing is not None
    if json:
        _print_stories_json(found, stories, language, steps=True)
        return 0
    if not source:
        _print_wallet(found, ref, told, standing.tier, language)
        print()
    for story in stories:
        _print_story(story, found, language)
    return 0


# --- printing -----------------------------------------------------------------------------------------


def _said(language: str, english: str, french: str) -> str:
    return french if language == "fr" else english


def instant_of(text: str, zone: tzinfo) -> int:
    """An instant as typed, in microseconds; a day alone means its end in the zone."""
    from palier.engine.clock import instant
    from palier.engine.instants import ENDS
    from palier.engine.sentences import sentence
    from palier.site.refusal import Refused

    try:
        if text[:4] in ENDS:
            raise ValueError(text)
        if len(text) == 10:
            following = date.fromisoformat(text) + timedelta(days=1)
            return instant(datetime(following.year, following.month, following.day, tzinfo=zone)) - 1
        moment = datetime.fromisoformat(text)
        return instant(moment if moment.tzinfo is not None else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        raise Refused(
            sentence("%(text)r is no instant; write 2026-03-01 or 2026-03-01T10:00:00+01:00.", text=text[:40])
        ) from None


def _written(at: int) -> str:
    return datetime.fromtimestamp(at // 1_000_000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _print_members(views: list[MemberView], json: bool) -> None:
    if json:
        from json import dumps

        rows = [
            {
                "member": view.ref,
                "status": view.status,
                "enrolled_at": _written(view.enrolled_at),
                "attributes": view.attributes,
                "locale": view.locale,
            }
            for view in views
        ]
        print(dumps(rows, ensure_ascii=False))
        return
    for view in views:
        attributes = ", ".join(f"{name}: {value}" for name, value in view.attributes.items())
        print(f"{view.ref}  {view.status}  since {_written(view.enrolled_at)[:10]}  {attributes}".rstrip())


def _print_wallet_json(program: Runtime, ref: str, told: Wallets) -> None:
    from json import dumps

    from palier.activities.answers import points_text
    from palier.activities.queries import expiries

    plan = program.latest
    print(
        dumps(
            {
                "member": ref,
                "as_of": _written(told.as_of),
                "known_at": _written(told.known_at),
                "wallets": [
                    {
                        "currency": key,
                        "spendable": points_text(item.spendable, plan, key),
                        "pending": points_text(item.pending, plan, key),
                        "held": points_text(item.held, plan, key),
                        "debt": points_text(item.debt, plan, key),
                        "expiries": [
                            {
                                "expires_at": _written(end.expires_at),
                                "spendable": points_text(end.spendable, plan, key),
                                "pending": points_text(end.pending, plan, key),
                            }
                            for end in expiries(told)
                            if end.currency == key
                        ],
                    }
                    for key, item in told.wallets.items()
                ],
            },
            indent=2,
        )
    )


def _print_wallet(program: Runtime, ref: str, told: Wallets, tier: str, language: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from palier.engine.explain import Words

    console = Console(highlight=False)
    words = Words(program.latest, language)
    head = f"[bold]{ref}[/bold] · {words.text(program.latest.program.name)}"
    if tier:
        head += f" · {words.tier(tier)}"
    console.print(head)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right", style="bold", no_wrap=True)
    table.add_column(style="dim")
    for key, item in told.wallets.items():
        table.add_row(words.points(item.spendable, key), _said(language, "to spend", "à dépenser"))
        if item.pending:
            table.add_row(words.number(item.pending, key), _said(language, "pending", "en attente"))
        if item.held:
            table.add_row(words.number(item.held, key), _said(language, "set aside", "mis de côté"))
        if item.debt:
            table.add_row(words.number(item.debt, key), _said(language, "owed", "en dette"))
        for points, until in _ends(words, item, told.as_of):
            table.add_row(points, until)
    console.print(table)
    console.print(_said(language, "as of ", "au ") + f"{_written(told.as_of)}", style="dim", highlight=False)


MOST_ENDS: Final = 6
"""How many ends of one currency are told each in a line; those after them are told together."""


def _ends(words: Words, wallet: Wallet, as_of: int) -> list[tuple[str, str]]:
    """What of a wallet can be spent until when, soonest first: lines that add up to all that can be spent."""
    sums: dict[tuple[int, int], list[int]] = {}
    for lot in wallet.lots:
        if lot.spendable:
            sums.setdefault((lot.spendable_until, lot.expires_at), []).append(lot.spendable)
    ends = sorted(sums.items())
    # One line alone is told as it is: saying that it is one more would be no shorter.
    told = ends if len(ends) <= MOST_ENDS + 1 else ends[:MOST_ENDS]
    lines = []
    for (until, expires_at), lots in told:
        several = words.several(sum(lots), wallet.currency)
        good = words.still_good(expires_at, until, as_of, several)
        lines.append((words.number(sum(lots), wallet.currency), good))
    if rest := [points for _, lots in ends[len(told) :] for points in lots]:
        last = words.good_through(ends[-1][0][1], several=False)
        text = words.say(
            f"in {len(rest)} more lots, the last {last}", f"dans {len(rest)} autres lots, le dernier {last}"
        )
        lines.append((words.number(sum(rest), wallet.currency), text))
    return lines


def _local(story: Story, program: Runtime) -> str:
    at = datetime.fromtimestamp(story.line.occurred_at // 1_000_000, UTC)
    return at.astimezone(program.latest.clock.zone).strftime("%Y-%m-%d %H:%M")


def _kind(story: Story, language: str) -> str:
    from palier.engine.phrases import activity_name

    return activity_name(story.line.type, story.plan.program, language)


def _points(story: Story, language: str) -> str:
    """What the decision changed of all that the member has, by currency."""
    from palier.engine.explain import Words
    from palier.ledger.queries import changes

    words = Words(story.plan, language)
    parts = []
    for currency, (total, _) in changes(story.line.transfers).items():
        if total:
            parts.append(("+" if total > 0 else "") + words.number(total, currency))
    return " ".join(parts) or "0"


def _print_story(story: Story, program: Runtime, language: str) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    named = "" if story.line.source == "palier" else f"  {story.line.source} {story.line.id}"
    console.print(
        f"[dim]{_local(story, program)}[/dim]  [bold]{_kind(story, language)}[/bold]{escape(named)}"
        f"  [bold]{_points(story, language)}[/bold]",
        soft_wrap=True,
    )
    joint = "\u00a0: " if language == "fr" else ": "
    for step in story.steps(language):
        title = f"{step.title}{joint}" if step.title else ""
        console.print(f"    {escape(title)}[bold]{escape(step.text)}[/bold]", soft_wrap=True)
    for text in story.why_not(language):
        console.print(f"    [dim]– {escape(text)}[/dim]", soft_wrap=True)


def _print_stories_json(program: Runtime, stories: list[Story], language: str, *, steps: bool) -> None:
    from json import dumps

    from palier.activities.answers import points_text
    from palier.ledger.queries import changes

    rows = []
    for story in stories:
        row: dict[str, Any] = {
            "type": story.line.type,
            "source": story.line.source,
            "id": story.line.id,
            "occurred_at": _written(story.line.occurred_at),
            "program_version": story.line.version,
            "points": {
                currency: points_text(total, story.plan, currency)
                for currency, (total, _) in changes(story.line.transfers).items()
            },
            "sentence": story.sentence(language),
        }
        if steps:
            row["steps"] = [{"rule": step.title, "text": step.text} for step in story.steps(language)]
            row["why_not"] = story.why_not(language)
        rows.append(row)
    print(dumps(rows, ensure_ascii=False, indent=2))
