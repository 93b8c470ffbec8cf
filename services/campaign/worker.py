"""The worker process of campaign: folds `customers` into one row per customer, announces segments."""

from services.campaign.service import SERVICE
from services.campaign.settings import Settings
from shared.roots import run_worker

if __name__ == "__main__":
    run_worker(SERVICE, Settings())
