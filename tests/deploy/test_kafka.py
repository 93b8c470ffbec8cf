import asyncio
import subprocess

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from deploy.local import kafka as module
from deploy.local.errors import MissingTool
from deploy.local.kafka import KafkaServer


async def _admin(server: KafkaServer) -> AIOKafkaAdminClient:
    admin = AIOKafkaAdminClient(bootstrap_servers=server.bootstrap)
    await admin.start()
    return admin


async def _send(server: KafkaServer, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=server.bootstrap, acks="all")
    await producer.start()
    await asyncio.wait_for(producer.send_and_wait("kept", value, partition=0), 20)
    await producer.stop()


async def _end(server: KafkaServer) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=server.bootstrap, group_id=None)
    await consumer.start()
    partition = TopicPartition("kept", 0)
    ends = await consumer.end_offsets([partition])
    await consumer.stop()
    return ends[partition]


@pytest.mark.kafka
@pytest.mark.usefixtures("kafka")  # skips, or fails, where there is no Java
async def test_goes_on_after_a_kill_and_a_stop_on_the_same_port(tmp_path):
    server = KafkaServer(tmp_path / "kafka")
    server.start()
    port = server.bootstrap
    admin = await _admin(server)
    await admin.create_topics([NewTopic("kept", 1, 1)])
    await admin.close()
    await _send(server, b"one")
    server.process.kill()
    server.process.wait()
    server.start()
    assert server.bootstrap == port
    await _send(server, b"two")
    server.stop()
    assert not server.running()
    server.start()
    assert await _end(server) == 2
    server.stop()


@pytest.mark.kafka
async def test_no_topic_comes_into_being_by_being_asked_for(kafka):
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, request_timeout_ms=2000)
    await producer.start()
    with pytest.raises((KafkaError, TimeoutError)):
        await asyncio.wait_for(producer.send_and_wait("never-made", b"x"), 4)
    await producer.stop()
    admin = await _admin(kafka)
    assert "never-made" not in await admin.list_topics()
    await admin.close()


def _java_says(monkeypatch, text: str | None) -> None:
    def run(command, **_options):
        if text is None:
            raise FileNotFoundError(command[0])
        return subprocess.CompletedProcess(command, 0, "", text)

    monkeypatch.setattr(module.subprocess, "run", run)


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        (None, "there is no java here"),
        ('openjdk version "11.0.2" 2019-01-15', "version 11"),
        ('java version "1.8.0_392"', "version 8"),
    ],
)
def test_says_which_java_is_missing(monkeypatch, tmp_path, says, sentence):
    _java_says(monkeypatch, says)
    assert sentence in KafkaServer.missing(tmp_path)
    with pytest.raises(MissingTool, match=sentence):
        KafkaServer(tmp_path / "data", libs_dir=tmp_path).start()


def test_maven_is_needed_only_while_the_jars_are_not_there(monkeypatch, tmp_path):
    _java_says(monkeypatch, 'openjdk version "21" 2023-09-19')
    monkeypatch.setattr(module.shutil, "which", lambda _name: None)
    assert "mvn" in KafkaServer.missing(tmp_path)
    (tmp_path / "complete").write_text(module._fingerprint())
    assert KafkaServer.missing(tmp_path) is None
    (tmp_path / "complete").write_text("another pom's")
    assert "mvn" in KafkaServer.missing(tmp_path)
