"""`python -m services.scoring.train`: see `--help`."""

import sys

from services.scoring.train.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
