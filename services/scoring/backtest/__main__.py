"""`python -m services.scoring.backtest`: see `--help`."""

import os

# Before NumPy is imported: many threads on small matrices cost more than they bring, and the order
# of their sums would change the last digits from run to run.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

if __name__ == "__main__":
    import sys

    from services.scoring.backtest.command import main

    sys.exit(main(sys.argv[1:]))
