"""Make the rows of scoring anew from the log, while the old ones serve: python -m services.scoring.rebuild"""

from services.scoring.service import SERVICE
from services.scoring.settings import Settings
from shared.rebuild import main

if __name__ == "__main__":
    main(SERVICE, Settings)
