"""Commands on vouchers and on pools of suppliers' codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import typer

from palier.cli.counting import counted
from palier.cli.session import tell

if TYPE_CHECKING:
    from palier.activities.runtime import Runtime
    from palier.vouchers.operations import Issued
    from palier.vouchers.pools import Imported

_PROGRAM: Final = typer.Argument(help="Key of the program.", show_default=False)
_POOL: Final = typer.Argument(help="Key of the pool, such as cinema-20.", show_default=False)
_VOUCHER: Final = typer.Argument(help="The voucher's reference, v_…", show_default=False)
_FILE: Final = typer.Argument(help="A CSV, XLSX or Parquet file with a column `code`.", show_default=False)
_OUT: Final = typer.Option(..., "--out", help="The CSV file to write the codes to.", show_default=False)
_JSON: Final = typer.Option(False, "--json", help="Print it as JSON.")
_SHOWN: Final = 20


def register(app: typer.Typer) -> None:
    vouchers = typer.Typer(
        help="Vouchers: generate, show, cancel; pools of suppliers' codes.", no_args_is_help=True
    )
    vouchers.command("generate")(generate)
    vouchers.command("show")(show)
    vouchers.command("cancel")(cancel)
    vouchers.command("unlock")(unlock)
    pool = typer.Typer(help="Pools of suppliers' codes.", no_args_is_help=True)
    pool.command("create")(create_pool)
    pool.command("import")(import_pool)
    pool.command("list")(list_pools)
    pool.command("withdraw")(withdraw_pool)
    vouchers.add_typer(pool, name="pool")
    app.add_typer(vouchers, name="vouchers")


@contextmanager
def _opened(program: str | None) -> Iterator[tuple[Any, Runtime]]:
    """A connection and the program; what the room refuses becomes one sentence."""
    from palier.cli.members import program_of
    from palier.cli.session import open_database
    from palier.engine.sentences import whole
    from palier.site import database
    from palier.site.ids import take_node
    from palier.site.refusal import Refused

    with open_database(with_django=False), database.connect() as connection:
        from palier.vouchers.refusals import VoucherRefused

        found = program_of(connection, program)
        take_node(connection)
        connection.commit()
        try:
            yield connection, found
        except VoucherRefused as refused:
            raise Refused(whole(refused.message, refused.remedy)) from None


def _actor() -> str:
    from getpass import getuser

    return f"cli:{getuser()}"


def generate(
    program: str = _PROGRAM,
    count: int = typer.Option(..., "--count", min=1, help="How many.", show_default=False),
    effect: str = typer.Option(
        ..., "--effect", help="What each brings, as JSON, or @FILE with it.", show_default=False
    ),
    out: Path = _OUT,
    proof: Literal["code", "pin"] = typer.Option(
        "code", "--proof", help="code: a long code; pin: a short one with a PIN."
    ),
    max_uses: int = typer.Option(1, "--max-uses", min=1, help="How often each can be used."),
    expires: str = typer.Option(
        None, "--expires", help="The last day, such as 2027-12-31, or an instant.", show_default=False
    ),
    origin: str = typer.Option("print", "--origin", help="Where they come from, such as campaign:spring."),
) -> int:
    """Make vouchers for print and write their codes to a new file, this once: only their hashes are kept."""
    from palier.cli.members import instant_of
    from palier.engine.sentences import sentence
    from palier.site import clock
    from palier.site.refusal import Refused

    brings = _effect(effect)
    with _opened(program) as (connection, found):
        from palier.staff.operations import write_log
        from palier.vouchers import operations

        now = clock.now()
        made: list[Issued] = []
        while len(made) < count:
            made += operations.issue_many(
                connection,
                found.program_id,
                min(count - len(made), operations.MOST_AT_ONCE),
                effect=brings,
                max_uses=max_uses,
                expires_at=instant_of(expires, found.latest.clock.zone) if expires else None,
                origin=origin,
                proof=proof,
                now=now,
            )
        write_log(
            connection, _actor(), "operator", "voucher.generate", program, at=now, reason=f"{count}, {origin}"
        )
        # The file is complete before the vouchers exist: a full disk leaves neither.
        try:
            _write_codes(out, made)
            connection.commit()
        except OSError as error:
            raise Refused(
                sentence(
                    "%(out)s cannot be written (%(why)s); no voucher was made.",
                    out=out,
                    why=error,
                )
            ) from None
        except BaseException:
            out.unlink(missing_ok=True)
            raise
    print(f"{counted(count, 'voucher')} made; the codes are in {out} and nowhere else.")
    return 0


def _effect(text: str) -> dict[str, Any]:
    """An effect as typed, or from a file."""
    import json

    from palier.engine.sentences import sentence
    from palier.site.refusal import Refused

    try:
        content = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
        found = json.loads(content, parse_float=_no_float)
    except (OSError, ValueError) as error:
        raise Refused(
            sentence(
                'The effect cannot be read (%(error)s); write JSON such as \'{"kind": '
                '"amount_off", "amount": "5.00"}\'.',
                error=error,
            )
        ) from None
    if not isinstance(found, dict):
        raise Refused(sentence("The effect is no JSON object; write one in braces."))
    return found


def _no_float(text: str) -> Any:
    raise ValueError(f"the decimal {text} stands without quotes")


def _write_codes(out: Path, made: list[Issued]) -> None:
    import csv
    import os

    # Readable by nobody else, and never over another file.
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["voucher", "code", "pin"])
            writer.writerows((item.voucher_ref, item.code, item.pin) for item in made)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def show(program: str = _PROGRAM, voucher: str = _VOUCHER, json: bool = _JSON) -> int:
    """Show a voucher and what was done with it. Its code is not shown."""
    from palier.engine.clock import moment
    from palier.site import clock

    with _opened(program) as (connection, found):
        from palier.vouchers import operations, queries

        standing = queries.read(connection, found.program_id, voucher)
        if standing is None:
            raise operations.no_such_voucher()
        uses = queries.uses(connection, found.program_id, voucher)
        state = queries.state_at(standing, clock.now())
    if json:
        import msgspec

        content = {**msgspec.structs.asdict(standing), "state": state, "history": uses}
        print(msgspec.json.encode(content).decode())
        return 0
    end = (
        "no end" if standing.expires_at is None else f"until {moment(standing.expires_at):%Y-%m-%d %H:%M} UTC"
    )
    print(f"{standing.voucher_ref}: {state}, used {standing.uses} of {standing.max_uses}, {end}")
    tell("  from %(origin)s; proof: %(proof)s", origin=standing.origin, proof=standing.proof)
    for item in uses:
        where = " ".join(text for text in (item.channel, item.location, item.actor) if text)
        word = "used" if item.kind == "use" else "given back"
        print(f"  {moment(item.at):%Y-%m-%d %H:%M} {word} {item.source} {item.id} {where}".rstrip())
    return 0


def cancel(
    program: str = _PROGRAM,
    voucher: str = _VOUCHER,
    reason: str = typer.Option(..., "--reason", help="Why, for the audit log.", show_default=False),
) -> int:
    """End a voucher for good. Uses that were made stay."""
    from palier.site import clock

    with _opened(program) as (connection, found):
        from palier.staff.operations import write_log
        from palier.vouchers import operations

        now = clock.now()
        operations.cancel(connection, found.program_id, voucher, now=now)
        write_log(connection, _actor(), "operator", "voucher.cancel", voucher, at=now, reason=reason)
        connection.commit()
    tell("Cancelled %(voucher)s.", voucher=voucher)
    return 0


def unlock(program: str = _PROGRAM) -> int:
    """Forget the failed tries of codes in a program, so that everyone who waits may try again."""
    from palier.site import clock

    with _opened(program) as (connection, found):
        from palier.staff.operations import write_log
        from palier.vouchers import guesses

        count = guesses.open_again(connection, found.program_id)
        write_log(connection, _actor(), "operator", "voucher.unlock", program, at=clock.now())
        connection.commit()
    print(f"Forgotten: {counted(count, 'counter')} of failed tries.")
    return 0


# --- pools ------------------------------------------------------------------------------------------------


def create_pool(
    program: str = _PROGRAM,
    pool: str = _POOL,
    name: str = typer.Option(..., "--name", help="What it holds, for people.", show_default=False),
    low_at: int = typer.Option(
        ..., "--low-at", min=0, help="Free codes at which it is low.", show_default=False
    ),
) -> int:
    """Make a pool, or change its name and alert."""
    from palier.site import clock

    with _opened(program) as (connection, found):
        from palier.staff.operations import write_log
        from palier.vouchers import pools

        now = clock.now()
        kept = pools.create(connection, found.program_id, pool, name=name, low_at=low_at, now=now)
        write_log(
            connection,
            _actor(),
            "operator",
            "pool.keep",
            f"{program}:{pool}",
            at=now,
            reason=f"low at {low_at}",
        )
        connection.commit()
    tell("%(key)s: %(free)s free, low at %(low_at)s.", key=kept.key, free=kept.free, low_at=kept.low_at)
    return 0


def import_pool(
    program: str = _PROGRAM,
    pool: str = _POOL,
    file: Path = _FILE,
    sheet: str = typer.Option(None, "--sheet", help="Sheet of a workbook with several.", show_default=False),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would come of it; write nothing."),
    json: bool = _JSON,
) -> int:
    """Bring a supplier's codes into a pool, each once; they are kept encrypted. Delete the file afterwards."""
    from palier.connectors.tables import FileProblem, open_table
    from palier.site import clock
    from palier.site.refusal import Refused

    with _opened(program) as (connection, found):
        from palier.staff.operations import write_log
        from palier.vouchers import pools

        now = clock.now()
        try:
            lines = pools.lines_of(open_table(file, sheet=sheet))
            result = pools.import_codes(connection, found.program_id, pool, lines, now=now, dry_run=dry_run)
        except FileProblem as problem:
            raise Refused(problem.said) from None
        if dry_run:
            connection.rollback()
        else:
            write_log(
                connection, _actor(), "operator", "pool.import", f"{program}:{pool}", at=now,
                reason=f"{result.added} codes",
            )  # fmt: skip
            connection.commit()
        stock = pools.read(connection, found.program_id, pool, now=now)
    if json:
        import msgspec

        print(msgspec.json.encode(result).decode())
    else:
        _tell(result, dry_run)
        tell("%(key)s: %(free)s free.", key=stock.key, free=stock.free)
    return 1 if result.refused else 0


def _tell(result: Imported, dry_run: bool) -> None:
    print(
        f"{counted(result.lines, 'line')}: {result.added} {'would be ' if dry_run else ''}added, "
        f"{counted(len(result.duplicates), 'duplicate')}, {len(result.refused)} refused."
    )
    told = sorted([*result.duplicates, *result.refused])
    for item in told[:_SHOWN]:
        print(f"  line {item.line}: {item.reason}")
    if len(told) > _SHOWN:
        print(f"  and {len(told) - _SHOWN} more; --json lists them")


def list_pools(
    program: str = typer.Argument(None, help="Key of the program.", show_default=False), json: bool = _JSON
) -> int:
    """List the pools with their stock; ends with 1 where one is low or empty."""
    from palier.site import clock

    with _opened(program) as (connection, found):
        from palier.vouchers import pools

        listed = pools.list_pools(connection, found.program_id, now=clock.now())
    if json:
        import msgspec

        print(msgspec.json.encode(listed).decode())
    elif not listed:
        tell("There is no pool yet; make one with `palier vouchers pool create`.")
    else:
        width = max(len(pool.key) for pool in listed)
        for pool in listed:
            print(
                f"{pool.key:{width}}  {pool.state:7}  {pool.free:>8} free  {pool.taken:>8} taken"
                f"  {pool.revealed:>8} revealed  {pool.expired:>6} expired  low at {pool.low_at}  {pool.name}"
            )
    return 1 if any(pool.state != "stocked" for pool in listed) else 0


def withdraw_pool(
    program: str = _PROGRAM,
    pool: str = _POOL,
    reason: str = typer.Option(..., "--reason", help="Why, for the audit log.", show_default=False),
) -> int:
    """Take all free codes out of a pool for good, such as when the supplier has blocked them."""
    from palier.site import clock

    with _opened(program) as (connection, found):
        from palier.staff.operations import write_log
        from palier.vouchers import pools

        now = clock.now()
        count = pools.withdraw(connection, found.program_id, pool, now=now)
        write_log(
            connection, _actor(), "operator", "pool.withdraw", f"{program}:{pool}", at=now, reason=reason
        )
        connection.commit()
    print(f"{counted(count, 'code')} withdrawn.")
    return 0
