"""The program itself, used from its deployment to its removal: at AWS, or in the lab.

A `Site` is where it happens. The steps know the program by its HTTP API alone, and look at AWS beside it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

NAME = "conform"


class DidNotHoldError(Exception):
    """The program did not do what it promises; the message says what."""


class Site(Protocol):
    """Where the program is deployed, and where its brokers run."""

    @property
    def region(self) -> str:
        """The region."""

    @property
    def credentials(self) -> Any:
        """botocore's credentials, for requests to the API."""

    @property
    def settled(self) -> float:
        """Seconds that a schedule of a minute and AWS's health checks may take."""

    def client(self, service: str) -> Any:
        """Return a client for AWS."""

    def deploy(self) -> str:
        """Deploy the program; return the URL of its API."""

    def run_brokers(self) -> Sequence[str]:
        """Run two instances, each with a broker on 1883; return their ids."""

    def subnets(self) -> Sequence[str]:
        """Return two public subnets, in which the instances are."""

    def stop(self, instance: str) -> None:
        """Stop an instance."""

    def remove(self) -> None:
        """Remove the program."""


@dataclass(frozen=True)
class Reply:
    """An answer of the API: its status, and its JSON."""

    status: int
    body: Any


@dataclass
class Use:
    """What the steps share."""

    site: Site
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    pause: float = 2.0
    url: str = ""
    instances: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str = "", body: object = None) -> Reply:
        """Ask the API about the load balancer, under Signature Version 4."""
        url = f"{self.url}/load-balancers/{NAME}{path}"
        content = None if body is None else json.dumps(body).encode()
        signed = AWSRequest(method, url, {"Content-Type": "application/json"}, content)
        SigV4Auth(self.site.credentials, "execute-api", self.site.region).add_auth(signed)
        request = Request(url, content, dict(signed.headers), method=method)  # noqa: S310 - the API's own URL
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
                return Reply(answer.status, json.loads(answer.read()))
        except HTTPError as error:
            with error:
                text = error.read().decode()
            return Reply(error.code, json.loads(text) if text.startswith("{") else text)

    def until(self, look: Callable[[], object], seconds: float, what: str) -> None:
        """Look until it is so; DidNotHoldError when the time is over."""
        deadline = self.clock() + seconds
        while not look():
            if self.clock() >= deadline:
                raise DidNotHoldError(f"not so within {seconds:.0f} s: {what}")
            self.sleep(self.pause)

    def states(self) -> Mapping[str, str]:
        """Return what AWS says of each instance's health."""
        answer = self.site.client("elb").describe_instance_health(LoadBalancerName=NAME)
        return {one["InstanceId"]: one["State"] for one in answer["InstanceStates"]}


def hold(promise: bool, what: str) -> None:
    """Raise DidNotHoldError unless it is so."""
    if not promise:
        raise DidNotHoldError(what)


def steps(use: Use) -> Sequence[tuple[str, Callable[[], str]]]:
    """Return the steps in their order: title and what to do."""
    return (
        ("A throw-away stage is deployed", lambda: deployed(use)),
        ("Two small instances run a broker", lambda: brokers(use)),
        ("The article's load balancer, on request", lambda: provisioned(use)),
        ("Both instances are in service", lambda: in_service(use)),
        ("The probe speaks MQTT through it", lambda: probed(use)),
        ("The same request again changes nothing", lambda: unchanged(use)),
        ("The certificate is replaced", lambda: rotated(use)),
        ("One instance stops", lambda: stopped(use)),
        ("The load balancer is deleted", lambda: deleted(use)),
    )


def run_steps(use: Use) -> bool:
    """Do all steps until one does not hold, then remove the program; return whether all held."""
    held = True
    try:
        for number, (title, step) in enumerate(steps(use), 1):
            use.say(f"{number}. {title}")
            use.say(f"   {step()}")
    except DidNotHoldError as error:
        use.say(f"   did not hold: {error}")
        held = False
    finally:
        use.say("The stage is removed")
        use.site.remove()
    return held


def deployed(use: Use) -> str:
    """Deploy, and find the API refusing nothing that is signed."""
    use.url = use.site.deploy()
    use.until(lambda: use.ask("GET").status == 404, 60, "the API answers 404 for what is not there")
    return use.url


def brokers(use: Use) -> str:
    """Run the instances."""
    use.instances = [*use.site.run_brokers()]
    return ", ".join(use.instances)


def declaration(use: Use) -> dict[str, Any]:
    """Return the body of the PUT: the article's listeners, a certificate of the private CA, quick checks."""
    return {
        "subnets": [*use.site.subnets()],
        "instances": use.instances[:],
        "listeners": [
            {"protocol": "SSL", "port": 8883, "instance_protocol": "TCP", "instance_port": 1883},
            {"protocol": "HTTP", "port": 18083, "instance_protocol": "HTTP", "instance_port": 18083},
        ],
        "certificate": {"issuer": "private-ca"},
        "health_check": {
            "target": "TCP:1883",
            "interval": 5,
            "timeout": 2,
            "unhealthy_threshold": 2,
            "healthy_threshold": 2,
        },
        "connection_draining": 5,
    }


def provisioned(use: Use) -> str:
    """Ask for the load balancer, and wait where AWS makes one wait."""
    reply = use.ask("PUT", body=declaration(use))
    hold(reply.status in {201, 202}, f"the PUT answers 201 or 202, not {reply}")
    use.until(lambda: use.ask("GET").body.get("state") == "ready", 900, "the load balancer is ready")
    return f"{reply.status}, {', '.join(one['action'] for one in reply.body['actions'])}"


def in_service(use: Use) -> str:
    """Wait for AWS's word on the instances that run."""
    use.until(
        lambda: {use.states().get(one) for one in use.instances} == {"InService"}, 300, "all are in service"
    )
    return f"{len(use.instances)} of {len(use.instances)}"


def probed(use: Use) -> str:
    """Probe until it is well: a new DNS name takes a minute to be known."""
    seen: list[Reply] = []

    def well() -> bool:
        seen.append(use.ask("POST", "/probe"))
        return seen[-1].status == 200 and seen[-1].body["verdict"] == "ok"

    try:
        use.until(well, 300, "the probe's verdict is ok")
    except DidNotHoldError as late:
        raise DidNotHoldError(f"{late}; the last answer is {seen[-1]}") from None
    return "; ".join(f"{one['address']}: {one['times_ms']['echo']} ms" for one in seen[-1].body["targets"])


def unchanged(use: Use) -> str:
    """Ask for the same again."""
    reply = use.ask("PUT", body=declaration(use))
    hold(reply.status == 200 and reply.body["changed"] is False, f"nothing changes, not {reply}")
    return "no change"


def rotated(use: Use) -> str:
    """Replace the certificate, and see the new one served."""
    before = certificate(use)
    reply = use.ask("POST", "/rotate")
    hold(reply.status in {200, 202}, f"the rotation answers 200 or 202, not {reply}")
    use.until(lambda: certificate(use) != before, 900, "AWS names another certificate")
    probed(use)
    return f"{reply.status}, {reply.body.get('state')}; another certificate is served"


def certificate(use: Use) -> str:
    """Return the ARN of the certificate that AWS serves."""
    (found,) = use.site.client("elb").describe_load_balancers(LoadBalancerNames=[NAME])[
        "LoadBalancerDescriptions"
    ]
    arns: list[str] = [
        one["Listener"]["SSLCertificateId"]
        for one in found["ListenerDescriptions"]
        if one["Listener"].get("SSLCertificateId")
    ]
    return arns[0]


def stopped(use: Use) -> str:
    """Stop an instance: the event takes it out, the other one serves on."""
    gone = use.instances.pop()
    use.site.stop(gone)
    use.until(lambda: gone not in registered(use), 120 + use.site.settled, f"{gone} is deregistered")
    in_service(use)
    probed(use)
    return f"{gone} is out, {use.instances[0]} serves"


def registered(use: Use) -> set[str]:
    """Return the instances that are registered."""
    (found,) = use.site.client("elb").describe_load_balancers(LoadBalancerNames=[NAME])[
        "LoadBalancerDescriptions"
    ]
    return {one["InstanceId"] for one in found["Instances"]}


def deleted(use: Use) -> str:
    """Delete the load balancer with its certificate and its security group."""
    reply = use.ask("DELETE", "?force=true")
    hold(reply.status in {200, 202}, f"the DELETE answers 200 or 202, not {reply}")
    use.until(lambda: use.ask("GET").status == 404, 300, "the load balancer is gone")
    return f"{reply.status}, {', '.join(one['action'] for one in reply.body['actions'])}"
