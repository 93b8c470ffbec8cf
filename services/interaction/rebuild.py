"""Make the rows of interaction anew from the log, while the old ones serve: python -m services.interaction.rebuild"""

from services.interaction.service import SERVICE
from services.interaction.settings import Settings
from shared.rebuild import main

if __name__ == "__main__":
    main(SERVICE, Settings)
