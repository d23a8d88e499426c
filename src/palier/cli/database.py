"""Commands on the database itself."""

import typer


def register(app: typer.Typer) -> None:
    app.command()(migrate)


def migrate() -> None:
    """Bring the database's tables up to this release. Safe to repeat."""
    from palier.cli.session import open_database
    from palier.site.migration import migrate as apply_migrations

    with open_database(safe=False):
        applied = apply_migrations()
    print(f"Migrated: {applied} applied." if applied else "Nothing to migrate.")
