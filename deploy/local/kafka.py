"""A real Apache Kafka for one machine: one KRaft node, from the jars that Maven fetches."""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import IO

from deploy.local.errors import MissingTool, StartFailed
from deploy.local.ports import free_port, is_free
from deploy.local.processes import end, hold, one_at_a_time, said_since, size_of, spawn

POM = Path(__file__).parent.parent / "kafka" / "pom.xml"
LIBS = Path(__file__).parent.parent.parent / ".local" / "kafka-libs"
_JAVA = 17
_STARTED = "Kafka Server started"
_STILL_DYING = ("Failed to acquire lock", "Address already in use")

_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={logs}
# A topic that a metadata request made would forget its records after 7 days.
auto.create.topics.enable=false
unclean.leader.election.enable=false
# One node: everything Kafka keeps for itself has one replica.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
# A killed broker may register again only when its old session has run out (default: 9 s).
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=5000
# A small machine.
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
log.cleaner.dedupe.buffer.size=16777216
"""
_JVM = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)


class KafkaServer:
    """One broker and controller in one process, owned by this process and ending with it.

    `start` and `stop` may be repeated; the ports stay the same as long as nobody else takes them.
    Errors: `MissingTool` (Java, Maven), `StartFailed`, `AlreadyRunning`.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        libs_dir: Path = LIBS,
        log_path: Path | None = None,
        advertised_port: int | None = None,
    ) -> None:
        """`advertised_port`: where clients are sent, if something stands in front of the broker."""
        self._dir = data_dir.absolute()
        self._libs = libs_dir.absolute()
        self._advertised = advertised_port
        self.log_path = log_path or self._dir.with_name(f"{self._dir.name}.log")
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    @staticmethod
    def missing(libs_dir: Path = LIBS) -> str | None:
        """One sentence about what has to be installed first; None when nothing is missing."""
        java = _java_version()
        if java is None:
            return f"Kafka needs Java {_JAVA} or newer, and there is no java here."
        if java < _JAVA:
            return f"Kafka needs Java {_JAVA} or newer, and the java here is version {java}."
        if not _complete(libs_dir) and shutil.which("mvn") is None:
            return "Kafka's jars come from Maven Central through mvn, and there is no mvn here."
        return None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The Java process, once started."""
        return self._process

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def bootstrap(self) -> str:
        """host:port for clients. Raises FileNotFoundError before the first start."""
        return f"127.0.0.1:{self._kept_ports()['broker']}"

    @property
    def url(self) -> str:
        """The value of EVENT_LOG_URL."""
        return f"kafka://{self.bootstrap}"

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, seconds: float = 60) -> None:
        """Fetches the jars, formats the storage (both once), returns when the broker serves."""
        if self.running():
            return
        self.fetch()
        if self._lock is None:
            lock = self._dir.with_name(f"{self._dir.name}.lock")
            self._lock = hold(lock, f"another process uses the Kafka in {self._dir}.")
        self._dir.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + seconds
        self._configure()
        self._format()
        while not self._started(deadline):
            time.sleep(0.3)
            self._configure()

    def stop(self) -> None:
        """Ends the broker, politely first. Within 25 seconds."""
        end(self._process, ((signal.SIGTERM, 20), (signal.SIGKILL, 5)))
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def fetched(self) -> bool:
        return _complete(self._libs)

    def fetch(self) -> None:
        """Gets the jars unless they are there. Raises MissingTool, StartFailed."""
        missing = self.missing(self._libs)
        if missing:
            raise MissingTool(missing)
        with one_at_a_time(self._libs.with_name(f"{self._libs.name}.lock")):
            if not _complete(self._libs):
                self._fetch()

    def _fetch(self) -> None:
        fresh = self._libs.with_name(f"{self._libs.name}.{os.getpid()}")
        command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={fresh}"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            reason = next((line for line in done.stdout.splitlines() if "ERROR" in line), "")
            raise StartFailed(f"Maven could not fetch Kafka's jars: {reason.strip()}")
        (fresh / "complete").write_text(_fingerprint())
        shutil.rmtree(self._libs, ignore_errors=True)
        fresh.rename(self._libs)

    def _started(self, deadline: float) -> bool:
        """Spawns the broker and waits for it; False: a dying predecessor was still in its way."""
        before = size_of(self.log_path)
        logging = f"-Dlog4j2.configurationFile={POM.with_name('log4j2.properties')}"
        settings = str(self._dir / "server.properties")
        # What its libraries unpack stays behind when the broker is killed: here, until it starts again.
        unpacked = self._dir / "tmp"
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir()
        options = (*_JVM, f"-Djava.io.tmpdir={unpacked}", logging)
        command = [_java(), *options, "-cp", f"{self._libs}/*", "kafka.Kafka", settings]
        self._process = spawn(command, log_path=self.log_path, env=os.environ, cwd=self._dir)
        while self._process.poll() is None:
            if _STARTED in said_since(self.log_path, before):
                return True
            if time.monotonic() > deadline:
                self.stop()
                raise StartFailed(f"Kafka did not come up in time; see {self.log_path}.")
            time.sleep(0.05)
        said = said_since(self.log_path, before)
        if any(word in said for word in _STILL_DYING) and time.monotonic() < deadline - 1:
            return False
        code = self._process.returncode
        raise StartFailed(f"Kafka did not start (exit code {code}); see {self.log_path}.")

    def _configure(self) -> None:
        """Writes the settings; another port only where somebody has taken ours."""
        ports = self._kept_ports() if (self._dir / "ports.json").exists() else {}
        for name in ("broker", "controller"):
            if name not in ports or not is_free(ports[name]):
                ports[name] = free_port(ports.values())
        (self._dir / "ports.json").write_text(json.dumps(ports))
        told = {**ports, "advertised": self._advertised or ports["broker"]}
        settings = _SETTINGS.format(**told, logs=self._dir / "log")
        (self._dir / "server.properties").write_text(settings)

    def _kept_ports(self) -> dict[str, int]:
        kept: dict[str, int] = json.loads((self._dir / "ports.json").read_text())
        return kept

    def _format(self) -> None:
        """Makes the storage; a mark afterwards tells a complete one from one cut short."""
        mark = self._dir / "formatted"
        if mark.exists():
            return
        shutil.rmtree(self._dir / "log", ignore_errors=True)
        tool = [_java(), "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{self._libs}/*"]
        tool += ["kafka.tools.StorageTool", "format", "-t", _cluster_id()]
        tool += ["-c", str(self._dir / "server.properties")]
        done = subprocess.run(tool, check=False, capture_output=True, text=True, cwd=self._dir)
        if done.returncode != 0:
            raise StartFailed(f"Kafka could not format its storage: {done.stderr.strip()}")
        mark.write_text("yes\n")


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").exists():
        return str(Path(home) / "bin" / "java")
    return "java"


def _java_version() -> int | None:
    """Major version of the Java that would be used; None where there is none that works."""
    try:
        done = subprocess.run([_java(), "-version"], check=False, capture_output=True, text=True)
    except OSError:
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(found[1]) if found and done.returncode == 0 else None


def _fingerprint() -> str:
    return hashlib.sha256(POM.read_bytes()).hexdigest()


def _complete(libs_dir: Path) -> bool:
    """Whether the jars are there, all of them, and those that the pom asks for."""
    mark = libs_dir / "complete"
    return mark.exists() and mark.read_text() == _fingerprint()


def _cluster_id() -> str:
    """22 characters of base64; Kafka's tool takes a leading dash for an option."""
    while True:
        name = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not name.startswith("-"):
            return name
