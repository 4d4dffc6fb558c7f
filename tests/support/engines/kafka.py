"""Apache Kafka from its jars, as one process that is broker and controller."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import CreateAclsRequest

from tests.support.engines.engine_process import (
    EngineProcess,
    EngineUnavailable,
    fetching,
    fetching_allowed,
    given_or_serving,
    run,
    say,
)
from tests.support.engines.secured_engines import EngineAccess
from tests.support.ports import free_port

VERSION = "4.3.1"
JARS = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>simpul</groupId><artifactId>engines</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""
CLUSTER = "c2ltcHVsLXRlc3RzLWthZg"

# A killed broker may come back once its session has ended; a short one makes the tests of that short.
PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=1000
num.network.threads=2
num.io.threads=4
"""

# Another door beside the first: over TLS, and for who has an account. Who comes in by the first may do everything.
GUARDED = """listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},SASL_SSL://127.0.0.1:{guarded}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{guarded}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location={certificate}
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


TOPIC, GROUP = 2, 3
READ, WRITE, CREATE, DESCRIBE = 3, 4, 5, 8
PREFIXED, ALLOW = 4, 3
ALLOWED = {TOPIC: (CREATE, DESCRIBE, READ, WRITE), GROUP: (READ,)}
"""The permissions of a service by the codes of Kafka's protocol."""


def find() -> Path:
    """Return the folder of its jars, fetched if allowed (20 seconds, 44 MB). Raises EngineUnavailable."""
    with fetching("kafka") as folder:
        jars = folder / VERSION
        if (jars / f"kafka_2.13-{VERSION}.jar").exists():
            return jars
        if not fetching_allowed():
            raise EngineUnavailable("Kafka is not here; `make engines` fetches it with Maven (20 seconds, 44 MB, once)")
        say(f"Fetching Apache Kafka {VERSION} (44 MB, once) ...")
        (folder / "pom.xml").write_text(JARS)
        draft = folder / f"{VERSION}.part"
        copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={draft}"]
        run(["mvn", "-q", "-B", "-f", str(folder / "pom.xml"), *copy], seconds=600)
        draft.rename(jars)
        return jars


def server(folder: Path, access: EngineAccess | None = None) -> EngineProcess:
    """Prepare a Kafka server with its data in this folder, on free ports; it is formatted but not started.

    Its address is that of the secured listener, if there is one. Raises EngineUnavailable.
    """
    jars, port = find(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    ports = {"port": port, "controller": free_port(), "guarded": free_port()}
    text, accounts = PROPERTIES.format(**ports, data=folder / "kafka"), []
    if access is not None:
        text += GUARDED.format(**ports, certificate=access.certificate, user=access.user, password=access.password)
        kinds = ("SCRAM-SHA-512", "SCRAM-SHA-256")
        accounts = [f"--add-scram={kind}=[name={access.user},password={access.password}]" for kind in kinds]
    properties.write_text(text)
    java = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-cp", f"{jars}/*"]
    run([*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(properties), *accounts], seconds=60)
    return EngineProcess(
        name="kafka",
        address=f"127.0.0.1:{ports['guarded'] if access else port}",
        command=[*java, "kafka.Kafka", str(properties)],
        folder=folder,
        ready=lambda: answers(port) and (access is None or _create_account(port, access)),
    )


def _create_account(port: int, access: EngineAccess) -> bool:
    """Grant the account what a service does on topics and groups with its prefix; True when done."""

    async def allow() -> bool:
        admin = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}")
        try:
            await admin.start()
            answers = [await admin._send_request(rule) for rule in rules]  # it has no public way to say so
            return all(code == 0 for answer in answers for code, _ in answer.creation_responses)
        except KafkaError:
            return False
        finally:
            await admin.close()

    rules = [
        CreateAclsRequest(kind, access.name, PREFIXED, f"User:{access.user}", "*", operation, ALLOW)
        for kind, operations in ALLOWED.items()
        for operation in operations
    ]
    return asyncio.run(allow())


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run Kafka; its address is host:port."""
    with given_or_serving("SIMPUL_KAFKA", lambda: server(folder)) as address:
        yield address


def answers(port: int) -> bool:
    """Return whether it answers requests; its port opens some time before."""
    ask = struct.pack(">hhih", 18, 0, 1, -1)
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(struct.pack(">i", len(ask)) + ask)
        return len(connection.recv(4)) == 4
    return False
