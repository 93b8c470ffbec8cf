"""What segments cost an event: `python -m tests.campaign.bench [SEGMENTS]`. Prints, asserts nothing."""

import sys
import time
from datetime import timedelta

from services.campaign.projector import derive
from tests.campaign.folding import fold, segments
from tests.strategies import START, bought, make_event

ROUNDS = 200


def _rule(number: int) -> dict[str, object]:
    return {
        "all": [
            {"field": "purchases.count", "op": ">=", "value": number % 40},
            {"field": "purchases.spend", "op": ">=", "value": str(10 * number)},
            {"not": {"field": "tags", "op": "contains", "value": f"tag-{number}"}},
            {
                "count": {"type": "purchase.completed", "within_days": 1 + number % 90},
                "op": "<",
                "value": 5,
            },
        ]
    }


def main(most: int) -> None:
    state = fold(
        make_event(bought(order_id=str(n)), time=START + timedelta(days=n), number=n + 1)
        for n in range(50)
    )
    clock = START + timedelta(days=60)
    for number in (0, most):
        policies = segments(*(_rule(n) for n in range(number)))
        derive(state, clock, policies)
        started = time.perf_counter()
        for _ in range(ROUNDS):
            derive(state, clock, policies)
        each = (time.perf_counter() - started) / ROUNDS * 1e6
        per = f", {each / number:.2f} us a segment" if number else ""
        print(f"{number} segments: {each:.0f} us an event{per}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
