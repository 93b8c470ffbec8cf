"""Make the rows of profile anew from the log, while the old ones serve: python -m services.profile.rebuild"""

from services.profile.service import SERVICE
from services.profile.settings import Settings
from shared.rebuild import main

if __name__ == "__main__":
    main(SERVICE, Settings)
