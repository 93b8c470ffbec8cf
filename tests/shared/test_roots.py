"""What every process asks for before it starts."""

import pytest

from services.profile.service import SERVICE
from services.profile.settings import Settings
from shared.roots import run_worker


def test_without_a_secret_no_process_starts(monkeypatch: pytest.MonkeyPatch):
    """Anybody could sign what only the door may, and look identifiers up."""
    monkeypatch.setenv("INBOUND_SECRET", "")
    with pytest.raises(SystemExit, match="INBOUND_SECRET is not set"):
        run_worker(SERVICE, Settings(database_url="postgresql://nowhere"))
