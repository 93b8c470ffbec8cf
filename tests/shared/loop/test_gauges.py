"""What the gauges of a partition say while it is ours, and that they say nothing once it is not."""

import pytest
from prometheus_client import Gauge

from shared import metrics
from shared.loop import runner as loop_runner
from tests.shared.loop.bench import Bench, eventually, running
from tests.shared.loop.folding import answers, surveys
from tests.shared.loop.memory_log import MemoryLog
from tests.shared.loop.tally import SERVICE, records


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(loop_runner, "STOPPED_SECONDS", 0.02)


def _value(gauge: Gauge, partition: int) -> float | None:
    found = [
        sample.value
        for sample in gauge.collect()[0].samples
        if sample.labels["service"] == SERVICE.name and sample.labels["partition"] == str(partition)
    ]
    return found[0] if found else None


async def test_a_hole_shows_as_stopped_and_its_end_as_gone_on(bench: Bench):
    batch = records(answers(surveys(5)))
    log = MemoryLog()
    log.put([*batch[:2], *batch[3:]])
    owner = await bench.owned(log=log)
    runner = bench.runner(owner, log)
    partition = owner.lease.partition
    gauges = (metrics.stopped, metrics.paused)

    def shown(value: float | None):
        async def seen() -> bool:
            return all(_value(gauge, partition) == value for gauge in gauges)

        return seen

    async with running(runner):
        await eventually(shown(1.0))
        log.put(batch[2:])
        await eventually(shown(0.0))
    assert await shown(None)()


async def test_what_is_not_ours_any_more_is_not_reported(bench: Bench):
    """A partition that was stopped is no trouble of the worker that gave it back."""
    batch = records(answers(surveys(3)))
    log = MemoryLog()
    log.put([batch[0], batch[2]])
    owner = await bench.owned(log=log)
    runner = bench.runner(owner, log)

    async def stopped():
        return runner.stopped

    async with running(runner):
        await eventually(stopped)
        assert _value(metrics.paused, owner.lease.partition) is not None
    assert runner.stopped is None
    for gauge in (metrics.stopped, metrics.paused, metrics.lag_seconds):
        assert _value(gauge, owner.lease.partition) is None
