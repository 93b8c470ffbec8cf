from shared import metrics


def test_the_glossary_lists_every_metric_with_a_sentence():
    exposed = {
        line.split()[2]
        for line in metrics.exposition().decode().splitlines()
        if line.startswith("# TYPE tenure_")
    }
    entries = metrics.glossary()
    # Counters are exposed with their suffix, histograms and counters also with `_created`.
    assert {name for name in exposed if not name.endswith("_created")} == {e.name for e in entries}
    assert len({entry.name for entry in entries}) == len(entries)
    assert all(entry.sentence.endswith(".") for entry in entries)
    assert {entry.type for entry in entries} == {"counter", "gauge", "histogram"}


def test_labels_carry_nothing_about_a_customer():
    labels = {label for entry in metrics.glossary() for label in entry.labels}
    assert labels <= {
        "service", "topic", "partition", "type", "verdict", "kind", "reason", "cause", "outcome",
        "command", "method", "route", "status", "purpose",
    }  # fmt: skip


def test_what_is_counted_is_exposed():
    metrics.pauses.labels("test", "database").inc()
    text = metrics.exposition().decode()
    assert 'tenure_pauses_total{cause="database",service="test"} 1.0' in text
    assert metrics.CONTENT_TYPE.startswith("text/plain")
