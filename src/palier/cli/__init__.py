"""The `palier` command.

To add commands, write a module of this package with a function `register(app: typer.Typer) -> None` that
adds them, and name the module in `MODULES`; `palier.cli.server` is a short example. Two habits keep
`palier --help` fast and errors readable:

- a module imports nothing heavy at its top (no Django, psycopg, polars, no room of the platform): import
  inside the command; a command that needs the database opens it with `palier.cli.session.open_database()`;
- to refuse, raise `palier.site.refusal.Refused("One sentence with its remedy.")`: it is printed on stderr and
  the command exits with 2. Anything else raised is a defect: one sentence, and the rest in a log file.
"""

import gc
import os
import sys
from importlib import import_module
from typing import Any, Final, NoReturn

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


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 defect or failed check, 2 refused or misused."""
    # What a command loads stays, and the system frees it: cycles are looked for seldom, and not at the end.
    gc.set_threshold(50_000, 20, 50)
    import typer

    from palier.site.refusal import Refused

    app = typer.Typer(
        name="palier",
        help="Customer loyalty: exact points, explained, on an append-only ledger.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for name in MODULES:
        import_module(f"palier.cli.{name}").register(app)
    try:
        status = app(prog_name="palier", standalone_mode=False)
        code = status if isinstance(status, int) else 0
    except Refused as refusal:
        code = _say(str(refusal), 2)
    except (KeyboardInterrupt, typer.Abort):
        code = _say("Interrupted.", 130)
    except BrokenPipeError:
        # The reader (`head`) has seen enough; do not complain again when stdout is closed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _misuse(error) if hasattr(error, "format_message") else _defect(error)
    gc.freeze()
    sys.exit(code)


def _say(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code


def _misuse(error: Any) -> int:
    """What is wrong with the words of the command, in a line, and where to read about the right ones."""
    context = getattr(error, "ctx", None)
    message = error.format_message().strip()
    if context is None or "Usage:" in message:
        return _say(message, 2)
    return _say(f"{message.rstrip('.')}. Try `{context.command_path} --help`.", 2)


def _defect(error: Exception) -> int:
    """One sentence for people, the traceback for a file in the log folder, else in a temporary one."""
    import tempfile
    import time
    import traceback
    from pathlib import Path

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
        f"Something went wrong inside Palier ({type(error).__name__}: {summary}); details in {path}.", 1
    )
