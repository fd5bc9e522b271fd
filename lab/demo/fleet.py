"""A fleet of devices, run as a process of its own: each resolves a name, connects by TLS, and publishes.

`python -m lab.demo.fleet HOST PORT CA-FILE COUNT TOPIC` prints one JSON line for each thing that happens to a
device. SIGUSR1 lets half of the devices, in turn, end their sessions and begin others, as a device does
that starts again. A device keeps no DNS answer: each connection asks anew.
"""

from __future__ import annotations

import json
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from lab.machine.tls import trusting

KEEPALIVE = 60
PUBLISHES_EVERY = 0.4
TRIES_AGAIN_AFTER = 0.2
CONNECTS_WITHIN = 20.0

Event = Literal["connected", "failed", "dropped", "left", "acknowledged"]
Happened = Callable[[Event, str, str], None]
"""Takes an event, the device's name, and what belongs to it: an address, a message or an error."""


@dataclass
class Device:
    """One device: a session after another, until it ends."""

    name: str
    host: str
    port: int
    topic: str
    context: ssl.SSLContext
    happened: Happened
    again: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    sent: int = 0

    def live(self) -> None:
        """Hold one session after another."""
        while not self.ended.is_set():
            if not self._session():
                time.sleep(TRIES_AGAIN_AFTER)

    def _session(self) -> bool:
        """Hold one session until it ends; return whether it began at all."""
        client = Client(CallbackAPIVersion.VERSION2, client_id=self.name)
        client.tls_set_context(self.context)
        on_its_way: dict[int, str] = {}

        def acknowledged(_client: Client, _data: object, message: int, *_: Any) -> None:
            self.happened("acknowledged", self.name, on_its_way.pop(message))

        client.on_publish = acknowledged
        try:
            client.connect(self.host, self.port, KEEPALIVE)
            self._until_connected(client)
        except OSError as error:
            self.happened("failed", self.name, f"{type(error).__name__}: {error}")
            return False
        connection: Any = client.socket()
        self.happened("connected", self.name, connection.getpeername()[0])
        self.again.clear()
        publish_at = time.monotonic()
        while not self.again.is_set() and not self.ended.is_set():
            if time.monotonic() >= publish_at:
                publish_at += PUBLISHES_EVERY
                payload = f"{self.name} {self.sent}"
                self.sent += 1
                on_its_way[client.publish(self.topic, payload, qos=1).mid] = payload
            if client.loop(0.1) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self.happened("dropped", self.name, "")
                return True
        client.disconnect()
        while client.loop(0.1) == MQTTErrorCode.MQTT_ERR_SUCCESS:
            pass
        self.happened("left", self.name, "")
        return True

    def _until_connected(self, client: Client) -> None:
        """Wait for CONNACK; raise OSError when it does not come, or refuses."""
        end = time.monotonic() + CONNECTS_WITHIN
        while not client.is_connected():
            code = client.loop(0.1)
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or time.monotonic() > end:
                raise ConnectionError(f"no CONNACK: {code.name}")


def main(host: str, port: str, authority: str, count: str, topic: str) -> None:
    """Run the fleet until SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
    printing, context = threading.Lock(), trusting(Path(authority))

    def happened(event: Event, device: str, what: str) -> None:
        with printing:
            print(json.dumps({"event": event, "device": device, "what": what}), flush=True)

    devices = [
        Device(f"device-{number}", host, int(port), topic, context, happened) for number in range(int(count))
    ]
    threads = [threading.Thread(target=device.live, name=device.name) for device in devices]
    for thread in threads:
        thread.start()
    turn = 0
    while signal.sigwait({signal.SIGUSR1, signal.SIGTERM}) == signal.SIGUSR1:
        for device in devices[turn % 2 :: 2]:
            device.again.set()
        turn += 1
    for device in devices:
        device.ended.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
