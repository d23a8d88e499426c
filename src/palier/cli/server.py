"""Commands that start the platform's processes, and ask how they are."""

import typer


def register(app: typer.Typer) -> None:
    app.command()(health)
    app.command()(version)


def health(json: bool = typer.Option(False, "--json", help="Print the whole state as JSON.")) -> int:
    """Say whether the database answers and keeps what it is given."""
    from palier.cli.session import open_database
    from palier.site.health import health as ask

    with open_database(safe=False, with_django=False):
        state = ask()
    if json:
        from json import dumps

        print(dumps(state.document()))
    else:
        print(f"Palier {state.version}, database {state.database}.")
        for sentence in state.unsafe:
            print(f"Unsafe: {sentence}.")
    return 0 if state.ok else 1


def version() -> None:
    """Print the version."""
    import palier

    print(palier.__version__)
