"""What every database's Alembic environment does: run on the connection that it is handed."""

from alembic import context


def run() -> None:
    """Called by each `migrations/env.py`."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"],
        target_metadata=attributes["metadata"],
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()
