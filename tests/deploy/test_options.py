import pytest

from deploy.local.errors import LocalRunError
from deploy.local.options import options


def test_nothing_chosen(tmp_path):
    chosen = options({})
    assert (chosen.url, chosen.log, chosen.demo) == ("http://127.0.0.1:8000", "postgresql", "full")
    assert chosen.folder(tmp_path) == tmp_path / "postgresql-log"


def test_each_log_and_each_server_has_a_folder_of_its_own(tmp_path):
    chosen = [
        {},
        {"LOG": "kafka"},
        {"EVENT_LOG_URL": "kafka://a:9092"},
        {"EVENT_LOG_URL": "kafka://b:9092"},
        {"DATABASE_URL": "postgresql://a/postgres"},
        {"NAMESPACE": "brand"},
    ]
    assert len({options(one).folder(tmp_path) for one in chosen}) == len(chosen)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8001"),
        ("::1", "http://[::1]:8001"),
        ("localhost", "http://localhost:8001"),
    ],
)
def test_the_address_to_open(host, url):
    assert options({"HOST": host, "PORT": "8001"}).url == url


def test_the_log_follows_from_its_address():
    assert options({"EVENT_LOG_URL": "kafka://a:9092"}).log == "kafka"
    assert options({"EVENT_LOG_URL": "postgresql:///log", "LOG": "postgresql"}).log == "postgresql"


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"PORT": "80a"}, "PORT=80a is no port"),
        ({"PORT": "70000"}, "PORT=70000"),
        ({"LOG": "rabbit"}, "LOG=rabbit is unknown: LOG is one of postgresql, kafka"),
        ({"DEMO": "huge"}, "DEMO=huge is unknown"),
        ({"EVENT_LOG_URL": "amqp://x"}, "EVENT_LOG_URL starts with"),
        ({"EVENT_LOG_URL": "kafka://x", "LOG": "postgresql"}, "contradicts"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL starts with"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(variables, sentence):
    with pytest.raises(LocalRunError, match=sentence):
        options(variables)
