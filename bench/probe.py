"""One run of the probe over 1,000 targets, beside `mosquitto_pub` and `openssl s_time`.

All against the same mosquitto on loopback, over TLS 1.2 with a verified RSA-2048 certificate. A probe is the
whole way, from the TCP connection to its own message back; `mosquitto_pub` publishes with QoS 1 and hears
nothing back; `openssl s_time` shakes hands and no more. CPU is the client's own, the broker's is left out.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from lab.addresses import answers, claim, free_port
from lab.brokers import mosquitto
from lab.lifetimes import issue
from lab.processes import open_processes

TARGETS = 1000
PUBLISHED = 100
MEASURED = ("seconds", "cpu", "memory")


def measure() -> Iterator[str]:
    """Yield the table."""
    with broker() as (address, port, directory):
        authority = directory / "ca.pem"
        one, many = probed(1, address, port, authority), probed(TARGETS, address, port, authority)
        published, handshakes = publish(address, port, authority), shake(address, port, authority)
    each = (many["cpu"] - one["cpu"]) / (TARGETS - 1)
    yield "| | count | seconds | CPU each, ms | peak memory, MB |"
    yield "|---|---:|---:|---:|---:|"
    yield row(f"probe, {TARGETS} targets in one run", TARGETS, many["seconds"], each, many["memory"])
    yield row("probe, one target, with the start of Python", 1, one["seconds"], one["cpu"], one["memory"])
    yield row("`mosquitto_pub`, a process each", PUBLISHED, published[0], published[1] / PUBLISHED)
    yield row("`openssl s_time -new`", handshakes[0], handshakes[2], handshakes[1] / handshakes[0])
    yield ""
    yield f"{many['ok']:.0f} of {TARGETS} were ok{told(many)}. All go to one broker, whose queue of new"
    yield "connections (100 in mosquitto) is shorter than the 200 that are tried at a time."


def row(what: str, count: int, seconds: float, cpu: float, memory: float | None = None) -> str:
    """Return one line of the table; `cpu` is seconds for each."""
    peak = "" if memory is None else f"{memory:.0f}"
    return f"| {what} | {count} | {seconds:.1f} | {cpu * 1000:.1f} | {peak} |"


def told(run: Mapping[str, float]) -> str:
    """Return the causes of what was not ok, with how often."""
    causes = [f"{name} {times:.0f}" for name, times in run.items() if name not in {*MEASURED, "ok"}]
    return f" ({', '.join(causes)})" if causes else ""


@contextmanager
def broker() -> Iterator[tuple[str, int, Path]]:
    """Run a mosquitto behind TLS; yield where, and the directory with `ca.pem`."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="emq-elb-bench-")))
        network = stack.enter_context(claim(Random()))  # noqa: S311 - picks an address, keeps no secret
        processes = stack.enter_context(open_processes(directory))
        address = network.host(10)
        port = free_port(address)
        root, root_key = authority()
        leaf, key = issue(root, root_key, address, datetime.now(UTC) + timedelta(days=1))
        for name, text in (("ca.pem", root), ("leaf.pem", leaf), ("key.pem", key)):
            (directory / name).write_text(text)
        configuration = directory / "mosquitto.conf"
        configuration.write_text(
            f"{mosquitto(address, port)}certfile {directory / 'leaf.pem'}\nkeyfile {directory / 'key.pem'}\n"
            "tls_version tlsv1.2\nmax_connections -1\n"
        )
        processes.start(
            "mosquitto", ["mosquitto", "-c", str(configuration)], ready=lambda: answers(address, port)
        )
        yield address, port, directory


def authority() -> tuple[str, str]:
    """Return a new authority, as PEM."""
    from chalicelib.adapters.issuers.private_ca import create_authority

    made = create_authority("bench", now=datetime.now(UTC))
    return made.certificate, made.private_key


def probed(count: int, address: str, port: int, authority: Path) -> dict[str, float]:
    """Probe that many targets in a process of its own, as a function would."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.probe", str(count), address, str(port), str(authority)],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def publish(address: str, port: int, authority: Path) -> tuple[float, float]:
    """Publish with `mosquitto_pub`; return seconds and the CPU's."""
    where = ["-h", address, "-p", str(port), "--cafile", str(authority)]
    command = ["mosquitto_pub", *where, "-q", "1", "-t", "bench", "-m", "x"]
    before, began = children(), time.monotonic()
    for _ in range(PUBLISHED):
        subprocess.run(command, check=True, capture_output=True, timeout=20)
    return time.monotonic() - began, children() - before


def shake(address: str, port: int, authority: Path) -> tuple[int, float, float]:
    """Shake hands for three seconds; return how often, the CPU's seconds, and seconds."""
    before, began = children(), time.monotonic()
    command = ["openssl", "s_time", "-connect", f"{address}:{port}", "-new", "-time", "3"]
    done = subprocess.run(
        [*command, "-CAfile", str(authority), "-verify", "2"],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    count = next(int(line.split()[0]) for line in done.stdout.splitlines() if " connections in " in line)
    return count, children() - before, time.monotonic() - began


def children() -> float:
    """Return the CPU seconds of the children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Probe, in the process that is measured, and print what it took."""
    from chalicelib.adapters.attempts import Attempt, attempt_all
    from chalicelib.adapters.mqtt import Means
    from chalicelib.core.handshake import Trust
    from chalicelib.core.verdict import Target

    count, address, port, authority = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    means = Means(trust=Trust((authority.read_text(),)))
    attempts = [
        Attempt(
            Target(load_balancer=str(number), host=address, port=port, secure=True, hostname=address), means
        )
        for number in range(count)
    ]
    began = time.monotonic()
    tried = list(attempt_all(attempts, lambda host: (host,), timeout=10, until=began + 55))
    seconds = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    measured = (seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
    causes = Counter(outcome.failure.cause if outcome.failure else "ok" for _, outcome in tried)
    print(json.dumps({**dict(zip(MEASURED, measured, strict=True)), **causes}))


if __name__ == "__main__":
    main()
