"""Alembic's way in."""

from shared.migrations_env import run

run()
