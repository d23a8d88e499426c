"""Commands that start the platform's processes, and ask how they are."""

import os

import typer


def register(app: typer.Typer) -> None:
    app.callback()(palier)
    app.command()(serve)
    app.command(hidden=True)(web)
    app.command()(worker)
    app.command()(health)
    app.command()(version)


def serve(
    host: str = typer.Option("127.0.0.1", help="Address to serve on."),
    port: int = typer.Option(8000, min=1, max=65535, help="Port to serve on."),
) -> None:
    """Run the platform: database, web and worker. Restarts what dies; Ctrl-C or SIGTERM stops all."""
    from palier.site.supervisor import Supervisor

    Supervisor(
        host,
        port,
        on_ready=_say_where,
    ).run()


def _say_where(address: str) -> None:
    """Where it serves; and while nobody has an account, how the first one is made."""
    print(f"Palier serves on {address} (Ctrl-C stops it).", flush=True)
    code = _set_up_code()
    if code:
        print(
            f"Nobody has an account yet: open {address}/console/set-up and write the set-up code {code}.",
            flush=True,
        )


def _set_up_code() -> str:
    """The code of the first set-up; "" where there is an account, or the database does not answer now."""
    import django
    import psycopg

    from palier.site import database

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palier.site.settings")
    django.setup(set_prefix=False)
    from palier.staff import accounts, admission

    try:
        with database.connect("app") as connection:
            return admission.set_up_code() if accounts.is_empty(connection) else ""
    except psycopg.Error:
        return ""


def web(host: str = "127.0.0.1", port: int = 8000) -> None:
    """Run the web process alone; `serve` does this."""
    from palier.site.web import run

    run(host, port)


def worker() -> None:
    """Run the worker alone; `serve` does this. Needs a database that runs."""
    from palier.cli.session import open_database
    from palier.site.parent import end_with_supervisor, stop_event

    stop = stop_event()
    end_with_supervisor()
    with open_database():
        from palier.jobs.worker import run

        run(stop)


def health(json: bool = typer.Option(False, "--json", help="Print the whole state as JSON.")) -> int:
    """Say whether the database answers, keeps what it is given and has room; exit with 1 if not."""
    from palier.site import database, embedded

    if database.is_embedded():
        embedded.ensure_running()
    try:
        from palier.site.health import health as ask

        state = ask()
    finally:
        if database.is_embedded():
            embedded.release()
    if json:
        from json import dumps

        print(dumps(state.document()))
    else:
        print(f"Palier {state.version}, database {state.database}.")
        for sentence in state.unsafe:
            print(f"Unsafe: {sentence}.")
        for sentence in state.findings:
            print(f"Look after it: {sentence}.")
    return 0 if state.ok and state.disk_state != "full" else 1


def version() -> None:
    """Print the version."""
    from palier import __version__

    print(__version__)


def _tell_version(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit


def palier(
    version: bool = typer.Option(
        False, "--version", help="Print the version.", callback=_tell_version, is_eager=True
    ),
) -> None:
    """Customer loyalty: exact points, explained, on an append-only ledger."""
