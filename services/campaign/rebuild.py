"""Make the rows of campaign anew from the log, while the old ones serve: python -m services.campaign.rebuild"""

from services.campaign.service import SERVICE
from services.campaign.settings import Settings
from shared.rebuild import main

if __name__ == "__main__":
    main(SERVICE, Settings)
