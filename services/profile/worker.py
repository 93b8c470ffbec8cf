"""The worker process of profile: folds `customers` into one row per customer, announces, numbers."""

from services.profile.service import SERVICE
from services.profile.settings import Settings
from shared.roots import run_worker

if __name__ == "__main__":
    run_worker(SERVICE, Settings())
