"""What a listener answers, byte by byte: each answer ends a probe with a cause, in bounded memory."""

from __future__ import annotations

import socket
import ssl
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.probe.device import DeviceClient, probe_address
from chalicelib.tls import connect as tls
from chalicelib.tls.handshake import Trust
from lab.machine.tls import looking
from tests.probe.test_mqtt_bounds import target_at
from tests.world.certificates import authority, leaf
from tests.world.servers import ADDRESS, Talk, serving, tls_context
from tests.x509.test_fuzz import spoilt

NAME = "mqtt.example.com"
ROOT = authority("Wire fuzz CA")
# Seconds: a listener that hangs up costs far less.
PATIENCE = 5
# Bytes: what one session may read, and what the libraries hold.
MEMORY = 4_000_000
ENOUGH = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck]
)
# Answers to CONNECT, SUBSCRIBE and PUBLISH, and a message, in MQTT 3.1.1:
# https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html#_Toc398718033
CONNACK, SUBACK, PUBACK = b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x01", b"\x40\x02\x00\x02"
MESSAGE = b"\x32\x09\x00\x03a/b\x00\x07xy"


def sending(answers: bytes) -> Talk:
    """Send all of it once the client has said something, and hang up."""

    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answers)

    return talk


@ENOUGH
@given(spoilt(CONNACK + SUBACK + MESSAGE + PUBACK + MESSAGE), st.sampled_from(("3.1.1", "5")))
def test_no_packet_makes_a_probe_fail_without_a_cause(answers: bytes, protocol: str) -> None:
    means = DeviceClient(trust=Trust(()))
    with serving(sending(answers)) as server:
        target = target_at(server.port, protocol)  # type: ignore[arg-type] # one of the two
        tracemalloc.start()
        outcome = probe_address(target, ADDRESS, means, deadline=time.monotonic() + PATIENCE)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert outcome.failure is not None, "it hung up before the echo"
    assert outcome.failure.cause
    assert peak <= MEMORY


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a server of TLS 1.2 sends first: ServerHello, Certificate, ServerKeyExchange, ServerHelloDone."""
    context = tls_context(leaf(NAME, signed_by=ROOT), Path(tmp_path_factory.mktemp("tls")))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    client = looking().wrap_bio(ssl.MemoryBIO(), to_server, server_hostname=NAME)
    for side in (client, server):
        with pytest.raises(ssl.SSLWantReadError):
            side.do_handshake()
    return to_client.read()


@ENOUGH
@given(st.data())
def test_no_byte_of_a_handshake_makes_it_fail_without_a_cause(flight: bytes, data: st.DataObject) -> None:
    answers = data.draw(spoilt(flight))
    trust = Trust((ROOT.certificate_pem,), system=False)
    with serving(sending(answers)) as server:
        tracemalloc.start()
        result = tls.handshake(ADDRESS, server.port, NAME, trust=trust, timeout=PATIENCE)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert not result.verified
    assert result.cause
    assert peak <= MEMORY
