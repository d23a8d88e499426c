"""Commands on the database itself."""

import typer

from palier.cli.session import tell


def register(app: typer.Typer) -> None:
    app.command()(migrate)


def migrate(
    check: bool = typer.Option(False, "--check", help="Change nothing; exit with 1 if something is missing."),
) -> int:
    """Bring the database's tables up to this release. Safe to repeat."""
    from palier.cli.session import open_database

    with open_database(role="owner"):
        from palier.site import migration

        if check:
            missing = migration.missing()
            print("\n".join(missing)) if missing else tell("Nothing to migrate.")
            return 1 if missing else 0
        applied = migration.migrate()
    tell("%(count)s migrations applied.", count=applied) if applied else tell("Nothing to migrate.")
    return 0
