"""The `palier` command.

To add commands, write a module of this package with a function `register(app: typer.Typer) -> None` that
adds them, and name the module in `MODULES`; `palier.cli.server` is a short example. Two habits keep
`palier --help` fast and errors readable:

- a module imports nothing heavy at its top (no Django, psycopg, polars, no room of the platform): import
  inside the command; a command that needs the database opens it with `palier.cli.session.open_database()`;
- to refuse, raise `palier.site.refusal.Refused(sentence("One sentence with its remedy."))`: it is
  printed on stderr in the language of the command, which exits with 2. Anything else raised is a defect: one
  sentence, and the rest in a log file.
"""

import errno
import gc
import io
import os
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from typer import Typer

    from palier.engine.sentences import Value

# The order is that of `palier --help`.
MODULES: Final = (
    "demo",
    "server",
    "database",
    "programs",
    "describing",
    "lint",
    "gallery",
    "members",
    "campaigns",
    "rewards",
    "imports",
    "backtest",
    "orders",
    "vouchers",
    "settlements",
    "insights",
    "payouts",
    "approvals",
    "suppliers",
    "tills",
    "keys",
    "staff",
    "verify",
    "repair",
)


def application() -> "Typer":
    """The command with all its commands."""
    import typer

    app = typer.Typer(
        name="palier",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for name in MODULES:
        import_module(f"palier.cli.{name}").register(app)
    return app


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 defect or failed check, 2 refused or misused, 130 interrupted,
    141 nobody reads what it writes, 128 + n ended by signal n."""
    try:
        _end_in_order()
        _write_utf_8()
        code = _run()
    except KeyboardInterrupt:
        code = _interrupted()
    gc.freeze()
    sys.exit(code)


def _end_in_order() -> None:
    """Who is told to end, also by a terminal that closes, first lets go of what he holds, such as the database."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        # `nohup` has it ignored: so it stays.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)


def _write_utf_8() -> None:
    """Documents go into files and pipes as UTF-8, under any locale; a terminal shows `?` for what it cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if stream.isatty():
                stream.reconfigure(errors="replace")
            else:
                stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def _run() -> int:
    # What a command loads stays, and the system frees it: cycles are looked for seldom, and not at the end.
    gc.set_threshold(50_000, 20, 50)
    import typer

    from palier.site.refusal import Refused

    if not all(word.rpartition("=")[2].strip() for word in sys.argv[1:]):
        from palier.cli.misuse import empty_word

        if (nothing := empty_word(sys.argv[1:])) is not None:
            return _say(nothing, 2)
    try:
        status = application()(prog_name="palier", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except Refused as refusal:
        from palier.engine.sentences import reason_of

        return _say(reason_of(refusal), 2)
    except typer.Abort:
        return _interrupted() if _asked() else _unasked()
    except BrokenPipeError:
        return _unread()
    except SystemExit as ended:
        # Typer makes this of a pipe that breaks.
        if isinstance(ended.__context__, BrokenPipeError):
            return _unread()
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _unwritten(error)
        from palier.cli.misuse import misuse, unusable_word

        wrong = misuse(error) if hasattr(error, "format_message") else unusable_word(error)
        return _defect(error) if wrong is None else _say(wrong, 2)
    if status == 130:
        # Typer makes this of Ctrl-C.
        return _interrupted()
    return status if isinstance(status, int) else 0


def _asked() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _unasked() -> int:
    from palier.engine.sentences import sentence

    print(file=sys.stderr)
    return _say(sentence("It was not done: nobody answered. Where nobody can be asked, add --yes."), 2)


def _interrupted() -> int:
    from palier.engine.sentences import sentence

    return _say(sentence("Interrupted."), 130)


def _unread() -> int:
    """The reader (`head`) has seen enough."""
    _forget_output()
    return 141


def _unwritten(error: OSError) -> int:
    from palier.engine.sentences import sentence

    _forget_output()
    what = error.filename or sentence("What was to be written")
    return _say(sentence("%(what)s is not whole: the disk is full. Make room, run it again.", what=what), 2)


def _forget_output() -> None:
    """What is left unwritten is not complained of again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _say(sentence: "Value", code: int) -> int:
    """Prints a sentence in the language of the command, and gives the code to end with."""
    from palier.cli.session import in_command

    print(in_command(sentence), file=sys.stderr)
    return code


def _defect(error: Exception) -> int:
    """One sentence for people, the traceback for a file in the log folder, else in a temporary one."""
    import tempfile
    import time
    import traceback
    from pathlib import Path

    from palier.engine.sentences import sentence
    from palier.site.environment import environment

    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    name = f"defect-{stamp}-{os.getpid()}.log"
    text = "".join(traceback.format_exception(error))
    try:
        path = environment().directory / "logs" / name
        path.write_text(text)
    except Exception:
        path = Path(tempfile.gettempdir()) / name
        path.write_text(text)
    summary = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
    return _say(
        sentence(
            "Something went wrong inside Palier (%(kind)s: %(summary)s); details in %(path)s.",
            kind=type(error).__name__,
            summary=summary,
            path=path,
        ),
        1,
    )
