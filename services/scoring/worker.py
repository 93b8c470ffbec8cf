"""The worker process of scoring."""

from services.scoring.service import SERVICE
from services.scoring.settings import Settings
from shared.roots import run_worker

if __name__ == "__main__":
    run_worker(SERVICE, Settings())
