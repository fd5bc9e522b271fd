"""Devices at a load balancer, until standard input ends: some stay connected, others come one after another.

Prints `ready` when the sessions are open and the first devices have come, and at the end what they noticed.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path

from lab.machine.tls import trusting

SESSIONS = 20
BETWEEN_PINGS = 0.2
BETWEEN_DEVICES = 0.02
PATIENCE = 5.0
SETTLED = 25  # devices that have come before anything may begin

CONNACK = b"\x20\x02\x00\x00"
PINGREQ, PINGRESP, DISCONNECT = b"\xc0\x00", b"\xd0\x00", b"\xe0\x00"


@dataclass
class Seen:
    """What was noticed so far."""

    attempts: list[tuple[float, bool]] = field(default_factory=list)
    dropped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def connect_packet(client_id: str) -> bytes:
    """MQTT 3.1.1's CONNECT with a clean session and a keepalive of a minute."""
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(client_id).to_bytes(2, "big") + client_id.encode()
    return b"\x10" + len(body).to_bytes(1, "big") + body


async def connected(
    address: str, port: int, context: ssl.SSLContext, client_id: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a session that the broker has accepted. Raises OSError."""
    reader, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=address)
    try:
        writer.write(connect_packet(client_id))
        answer = await reader.readexactly(len(CONNACK))
    except (asyncio.IncompleteReadError, OSError) as error:
        writer.close()
        raise OSError(f"closed before CONNACK: {type(error).__name__}") from error
    if answer != CONNACK:
        writer.close()
        raise OSError(f"refused: {answer.hex()}")
    return reader, writer


async def stay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen, end: asyncio.Event
) -> None:
    """Ping until the end; a session that is cut or silent counts as dropped."""
    try:
        while not end.is_set():
            writer.write(PINGREQ)
            async with asyncio.timeout(PATIENCE):
                await reader.readuntil(PINGRESP)
            await asyncio.sleep(BETWEEN_PINGS)
        writer.write(DISCONNECT)
    except (OSError, asyncio.IncompleteReadError) as error:
        seen.dropped += 1
        seen.reasons[f"session: {type(error).__name__}"] += 1
    writer.close()


async def come(address: str, port: int, context: ssl.SSLContext, client_id: str, seen: Seen) -> None:
    """Connect and leave."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await connected(address, port, context, client_id)
        writer.write(DISCONNECT)
        writer.close()
        seen.attempts.append((began, True))
    except OSError as error:  # TimeoutError and ssl.SSLError too
        seen.attempts.append((began, False))
        seen.reasons[f"{type(error).__name__}: {error}"] += 1


async def main() -> None:
    """Run until standard input ends."""
    port, authority, *addresses = int(sys.argv[1]), sys.argv[2], *sys.argv[3:]
    context = trusting(Path(authority))
    seen, end, numbers, turns = Seen(), asyncio.Event(), count(), cycle(addresses)
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, lambda: end.set() if not sys.stdin.readline() else None)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(SESSIONS):
            session = await connected(next(turns), port, context, f"session-{next(numbers)}")
            tasks.create_task(stay(*session, seen, end))
        ready = False
        while not end.is_set():
            tasks.create_task(come(next(turns), port, context, f"device-{next(numbers)}", seen))
            with suppress(TimeoutError):
                async with asyncio.timeout(BETWEEN_DEVICES):
                    await end.wait()
            if not ready and len(seen.attempts) >= SETTLED:
                ready = True
                print("ready", flush=True)
        loop.remove_reader(sys.stdin)
    print(json.dumps({"attempts": seen.attempts, "dropped": seen.dropped, "reasons": dict(seen.reasons)}))


if __name__ == "__main__":
    asyncio.run(main())
