"""Run one real Apache Kafka broker (KRaft mode) for development and tests; needs Java 17, and Maven the first time.

    python deploy/kafka/run.py [--port 29092] [--data-dir data/kafka] [--properties FILE] [--topic NAME]

It stays in the foreground, says when it is ready, and stops in order upon SIGINT or SIGTERM. What was acknowledged is
there again after any end, SIGKILL included. This is one broker with no copy of anything, so each append is flushed to
the disk before it is acknowledged (`log.flush.interval.messages=1`): power loss loses nothing either. A cluster keeps
copies on other machines instead (replication factor 3, `min.insync.replicas=2`), and leaves flushing to the system.

Topics are not made by asking for them (`auto.create.topics.enable=false`): a client that came first would make them
with one partition, where the services make them with the number that is configured. `--topic` makes one as they do:
`make kafka` has the stream's made, for whoever publishes before them.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Final, NoReturn

HERE: Final = Path(__file__).resolve().parent
LIBS: Final = HERE.parents[1] / ".cache" / "kafka" / "libs"
START_LIMIT_S: Final = 90.0
STOP_LIMIT_S: Final = 30.0
MAX_MESSAGE_BYTES: Final = 17 * 1024 * 1024  # above the largest record that the event log takes

PARTITIONS: Final = 6
TOPIC: Final = {
    "cleanup.policy": "delete",
    "max.message.bytes": str(16 * 1024 * 1024 + 64 * 1024),
    "retention.ms": str(30 * 86_400_000),
    "retention.bytes": str(4 * 1024**3),
    "segment.bytes": str(1024**3),
}
"""Of the stream's topic: what the services make it with where nothing else is set. A test holds the two together."""

# After SIGKILL the controller waits for the session of the broker that was: hence a short one.
PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://localhost:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs={data_dir}/log
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
log.flush.interval.messages=1
message.max.bytes={max_message_bytes}
replica.fetch.max.bytes={max_message_bytes}
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
"""

LOGGING: Final = """\
<Configuration status="error">
  <Appenders>
    <RollingFile name="file" fileName="{data_dir}/kafka.log" filePattern="{data_dir}/kafka.%i.log">
      <PatternLayout pattern="%d{{ISO8601}} %p %c{{1}} %m%n"/>
      <SizeBasedTriggeringPolicy size="10 MB"/>
      <DefaultRolloverStrategy max="2"/>
    </RollingFile>
  </Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="file"/></Root></Loggers>
</Configuration>
"""


def main() -> int:
    options = parse_arguments()
    java = find_java()
    fetch_jars()
    data_dir: Path = options.data_dir.resolve()
    properties = configure(data_dir, options)
    command = [java, "-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={data_dir}/log4j2.xml"]
    command += ["-cp", f"{LIBS}/*"]
    if port_taken(options.port):
        fail(f"port {options.port} is in use: is a broker running already?")
    format_storage(command, properties, data_dir, options.add_scram)
    return run([*command, "kafka.Kafka", str(properties)], options, data_dir)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run an Apache Kafka broker on this machine.")
    parser.add_argument("--port", type=int, default=29092, help="port on localhost (29092)")
    parser.add_argument("--data-dir", type=Path, default=Path("data/kafka"), help="where its data stays (data/kafka)")
    parser.add_argument("--controller-port", type=int, default=0, help="its controller's port (a free one)")
    parser.add_argument("--properties", type=Path, help="file with more of Kafka's server properties; they win")
    parser.add_argument("--topic", default="", help="topic to make as the services would make the stream's")
    parser.add_argument("--add-scram", action="append", default=[], help="a user, as kafka-storage's option; when new")
    return parser.parse_args()


def find_java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    return java or fail("Java is missing: install a Java 17 runtime (Debian: openjdk-17-jre-headless)")


def fetched() -> bool:
    """Whether Kafka is here, with the tools of its command line."""
    return all(any(LIBS.glob(jar)) for jar in ("kafka_2.13-*.jar", "kafka-tools-*.jar"))


def fetch_jars() -> None:
    """Let Maven fetch Kafka, once; an interrupted download leaves nothing behind."""
    if fetched():
        return
    maven = shutil.which("mvn") or fail("Maven is missing, and Kafka is not here yet: install maven, then try again")
    partial = LIBS.with_name(f"libs.{os.getpid()}")
    print("Fetching Apache Kafka with Maven …", flush=True)
    goal = [maven, "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
    if subprocess.run([*goal, f"-DoutputDirectory={partial}"], check=False).returncode:
        shutil.rmtree(partial, ignore_errors=True)
        fail("Maven could not fetch Apache Kafka: see above")
    before = LIBS.with_name(f"libs.{os.getpid()}.before")
    with contextlib.suppress(FileNotFoundError):
        LIBS.rename(before)  # of another version: a broker that runs from it goes on
    partial.rename(LIBS)
    shutil.rmtree(before, ignore_errors=True)


def configure(data_dir: Path, options: argparse.Namespace) -> Path:
    data_dir.mkdir(parents=True, exist_ok=True)
    values = {
        "port": options.port,
        "controller_port": options.controller_port or free_port(),
        "data_dir": data_dir,
        "max_message_bytes": MAX_MESSAGE_BYTES,
    }
    properties = data_dir / "server.properties"
    more = options.properties.read_text() if options.properties else ""
    properties.write_text(PROPERTIES.format(**values) + more)
    (data_dir / "log4j2.xml").write_text(LOGGING.format(**values))
    return properties


def format_storage(java: list[str], properties: Path, data_dir: Path, users: list[str]) -> None:
    """Prepare a new data folder; its cluster's id is written down first, so that a second try has the same."""
    if (data_dir / "log" / "meta.properties").exists():
        return
    cluster = data_dir / "cluster-id"
    if not cluster.exists():
        cluster.write_text("q" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22])
    tool = [*java, "kafka.tools.StorageTool", "format", "--ignore-formatted"]
    arguments = ["--config", str(properties), "--cluster-id", cluster.read_text()]
    arguments += [word for user in users for word in ("--add-scram", user)]
    done = subprocess.run([*tool, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        fail(f"Kafka could not prepare {data_dir}: {(done.stderr or done.stdout).strip()}")


def run(command: list[str], options: argparse.Namespace, data_dir: Path) -> int:
    """Start the broker, pass signals on to it, and wait for its end."""
    stopping, port = False, options.port
    output = (data_dir / "kafka.out").open("wb")
    # A session of its own: Ctrl-C reaches it once, through us.
    broker = subprocess.Popen(
        command,
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - there are no threads here
    )

    def stop(signum: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True
        broker.terminate()
        signal.signal(signum, lambda *_: broker.kill())  # a second signal ends it now

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    deadline = time.monotonic() + START_LIMIT_S
    while not stopping and broker.poll() is None and not answers(port):
        if time.monotonic() > deadline:
            broker.kill()
            fail(f"Kafka did not answer on port {port} within {START_LIMIT_S:.0f} s: see {data_dir}/kafka.log")
        time.sleep(0.1)
    if not stopping and broker.poll() is None and options.topic:
        make_topic(command[0], port, options.topic)
    if not stopping and broker.poll() is None:
        print(f"Kafka is ready on localhost:{port}", flush=True)
    while not stopping and broker.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            broker.wait(1.0)
    if stopping:
        return end(broker)
    return fail(f"Kafka ended by itself ({broker.returncode}): see {data_dir}/kafka.log and kafka.out", 1)


def make_topic(java: str, port: int, topic: str) -> None:
    """So that whoever publishes first publishes into it, though the services that would make it have not begun."""
    settings = [word for name, value in TOPIC.items() for word in ("--config", f"{name}={value}")]
    tool = [java, "-XX:TieredStopAtLevel=1", "-cp", f"{LIBS}/*", "org.apache.kafka.tools.TopicCommand"]
    asked = ["--bootstrap-server", f"localhost:{port}", "--create", "--if-not-exists", "--topic", topic]
    done = subprocess.run(
        [*tool, *asked, "--partitions", str(PARTITIONS), *settings],
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    if done.returncode:
        print(f"Topic {topic} could not be made: {(done.stderr or done.stdout).strip()}", file=sys.stderr, flush=True)


def end(broker: subprocess.Popen[bytes]) -> int:
    try:
        broker.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        broker.kill()
        fail(f"Kafka did not stop within {STOP_LIMIT_S:.0f} s and was killed", 1)
    return 0


def die_with_parent() -> None:
    """On Linux: when this program is killed, so is the broker; no orphan keeps the port."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def answers(port: int) -> bool:
    """Whether a broker answers Kafka's ApiVersions request (key 18, version 0, no client id)."""
    request = b"\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(len(request).to_bytes(4, "big") + request)
            return len(connection.recv(4)) > 0
    except OSError:
        return False


def port_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fail(reason: str, code: int = 2) -> NoReturn:
    print(reason, file=sys.stderr)
    raise SystemExit(code)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:  # before the broker was there
        raise SystemExit(130) from None
