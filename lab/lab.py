"""The whole system on one machine: AWS's API, the data plane, the nodes, the app; started, used, and gone."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from lab import aws as api
from lab.aws import Aws, Changes
from lab.certificates.acme import Acme, open_acme
from lab.cloudwatch.alarms import Change, ringing
from lab.cloudwatch.console import console, over_http
from lab.cloudwatch.metrics import Point, healthy, healthy_targets, measuring
from lab.dns.server import DnsServer, by_name, open_dns
from lab.elb.dataplane import DataPlane, follow
from lab.events import EventBridge, emitting, invoker, rules_of
from lab.fidelity.knobs import KNOBS
from lab.lambda_.api import STAGE, start_api, start_functions
from lab.machine.addresses import Network, claim
from lab.machine.processes import Processes, open_processes, with_server_paths
from lab.machine.threads import beside
from lab.nodes import brokers
from lab.nodes.brokers import Cluster, Node
from lab.nodes.vpc import Vpc, prepare

Say = Callable[[str], None]


@dataclass(frozen=True)
class Lab:
    """A lab that runs. Its URLs are empty in a lab without the app."""

    directory: Path
    network: Network
    processes: Processes
    aws: Aws
    data_plane: DataPlane
    cluster: Cluster
    vpc: Vpc
    api_url: str
    functions_url: str
    events: EventBridge
    console_url: str
    minute: float
    alarms: Sequence[Change]
    """What the alarms did so far: it grows."""
    acme: Acme | None
    """An ACME CA; None in a lab without the app."""
    dns: DnsServer
    """What resolves the hosted zones' names and the load balancers' own."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes, in the order in which they were started."""
        return tuple(self.cluster.nodes.values())

    def addresses(self, load_balancer: str) -> Mapping[str, str]:
        """Return the addresses by zone of a load balancer of that name, also before it exists.

        A network one's name here is `lab.elb.network.key` of its own.
        """
        return {zone: self.data_plane.address(load_balancer, zone) for zone in self.vpc.subnets}

    def environment(self) -> dict[str, str]:
        """Return what a process of the app's sees."""
        return app_environment(self.aws, self.data_plane.hosts, self.functions_url, self.acme, self.dns)

    def device_environment(self) -> dict[str, str]:
        """Return what a device's process sees: names as the lab's DNS server answers them, and no account."""
        return {**with_server_paths(os.environ), **_naming(self.dns)}

    def run_node(self, name: str, tags: Mapping[str, str] | None = None, *, spot: bool = False) -> Node:
        """Run one more instance with a broker, the zones in turn; with `spot` a Spot instance."""
        return run_node(self.cluster, self.vpc, name, tags, spot=spot)


def app_environment(
    aws: Aws, hosts: Path, functions_url: str, acme: Acme | None = None, dns: DnsServer | None = None
) -> dict[str, str]:
    """Return the environment that leads the app to the lab; `OWNER` gives way to the app's configuration."""
    return {
        **aws.environment("app"),
        "OWNER": "emq-elb-lab",
        "LAB_HOSTS": str(hosts),
        **_naming(dns),
        "PYTHONUNBUFFERED": "1",
        **({"AWS_ENDPOINT_URL_LAMBDA": functions_url} if functions_url else {}),
        **(acme.environment() if acme else {}),
    }


def _naming(dns: DnsServer | None) -> dict[str, str]:
    """Return what leads a Python process to the lab's names (`lab/names`)."""
    asked = {"LAB_DNS": f"{dns.address}:{dns.port}"} if dns else {}
    return {**asked, "PYTHONPATH": str(Path(__file__).parent / "names")}


def run_node(
    cluster: Cluster, vpc: Vpc, name: str, tags: Mapping[str, str] | None = None, *, spot: bool = False
) -> Node:
    """Run an instance with a broker, the zones in turn."""
    subnets = list(vpc.subnets.values())
    subnet = subnets[len(cluster.nodes) % len(subnets)]
    return brokers.run(cluster, name, subnet, security_groups=[vpc.node_group], tags=tags, spot=spot)


@contextmanager
def open_lab(
    *,
    nodes: int = 2,
    app: bool = True,
    brokers_running: str = "",
    minute: float = 60.0,
    settings: Callable[[Aws], dict[str, str]] = lambda _: {},
    say: Say = lambda _: None,
) -> Iterator[Lab]:
    """Start a lab and yield it when everything answers; at the end of the block nothing is left of it.

    `brokers_running` is `LAB_BROKERS`; `minute` is how many seconds a minute of the app's schedules takes;
    `settings` returns settings of the app's, from the AWS that is there by then;
    `say` hears of each part that is ready. After a failure the lab's directory, with the logs, stays;
    otherwise it goes too.
    """
    external = brokers.external_brokers(brokers_running)
    began = time.monotonic()

    def ready(part: str) -> None:
        say(f"{part} ({time.monotonic() - began:.1f} s)")

    with ExitStack() as stack:
        directory = stack.enter_context(directory_of_its_own())
        network = stack.enter_context(claim(Random()))  # noqa: S311 - picks an address, keeps no secret
        pool = stack.enter_context(ThreadPoolExecutor(4))
        aws = stack.enter_context(api.serve(network.aws))
        ready(f"AWS's API answers at {aws.endpoint}")
        processes = stack.enter_context(open_processes(directory))
        cluster = Cluster(aws.ec2(), processes, network, directory, external=external)
        data_plane = DataPlane(
            elb=aws.elb("dataplane"),
            elbv2=aws.elbv2("dataplane"),
            ec2=aws.ec2("dataplane"),
            processes=processes,
            directory=directory,
            network=network,
            certificate=api.server_certificate_pem,
            endpoints=cluster.endpoints,
            second=minute / 60,
        )
        KNOBS.instance_health, KNOBS.target_health = data_plane.instance_health, data_plane.target_health
        dns = stack.enter_context(_names(data_plane))
        acme: Acme | None = None
        if app:
            acme = stack.enter_context(open_acme(processes, network.acme))
            KNOBS.dns_shows = acme.show
            ready(f"an ACME CA answers at {acme.directory}")
        api_url = functions_url = ""
        # The app loads while moto does: both take seconds, and neither needs the other yet.
        running: list[Future[str]] = []
        if app:
            environment = app_environment(aws, data_plane.hosts, "", acme, dns) | settings(aws)
            functions_url = start_functions(processes, network.functions, environment)
            environment |= {"AWS_ENDPOINT_URL_LAMBDA": functions_url}
            running.append(pool.submit(start_api, processes, network.api, environment))
        warmed = pool.submit(api.warm, aws)
        if not external:
            brokers.start_backplane(cluster)
        warmed.result()
        ready("AWS's API is warm")
        vpc = prepare(aws.ec2())
        for number in range(len(external) or nodes):
            node = run_node(cluster, vpc, f"node-{number + 1}")
            ready(
                f"{node.name} is {node.instance_id}, a broker at {':'.join(map(str, node.endpoints[1883]))}"
            )
        for started in running:
            api_url = started.result()
            ready(f"the app answers at {api_url}")
        stack.enter_context(following(data_plane, Changes(aws.calls)))
        bridge = EventBridge(rules_of(functions_url) if app else (), invoker(functions_url))
        if bridge.rules:
            stack.enter_context(emitting(bridge, aws.ec2("eventbridge"), minute, Changes(aws.calls)))
        console_url, alarms = "", list[Change]()
        if app:
            logs = [directory / "functions.log", directory / "api.log"]
            ring = ringing(aws.cloudwatch(), alarms, bridge.put, minute)
            stack.enter_context(
                measuring(logs, aws.cloudwatch(), lambda: _in_service(aws), ring, max(1.0, minute / 20))
            )
            page = console(network.console, f"emq-elb-{STAGE}-widget", over_http(functions_url))
            console_url = stack.enter_context(page)
        yield Lab(
            directory,
            network,
            processes,
            aws,
            data_plane,
            cluster,
            vpc,
            api_url,
            functions_url,
            bridge,
            console_url,
            minute,
            alarms,
            acme,
            dns,
        )


def _in_service(aws: Aws) -> list[Point]:
    """Return what load balancers count themselves, of both kinds."""
    return healthy(aws.elb("cloudwatch")) + healthy_targets(aws.elbv2("cloudwatch"))


@contextmanager
def _names(data_plane: DataPlane) -> Iterator[DnsServer]:
    """Answer for the load balancers' addresses, to resolvers and in Route 53, until the end of the block."""
    KNOBS.addresses_of = data_plane.addresses_by_dns_name
    with open_dns(data_plane.network.dns, by_name(data_plane.addresses_by_dns_name, api.resolve)) as dns:
        yield dns


@contextmanager
def following(data_plane: DataPlane, changed: Callable[[], bool]) -> Iterator[None]:
    """Let the data plane follow AWS in a thread, until the end of the block."""
    with beside("dataplane", lambda stop: follow(data_plane, stop, changed)):
        yield


@contextmanager
def directory_of_its_own() -> Iterator[Path]:
    """Yield a new directory that only its owner may read; it stays after a failure, for its logs.

    Its keys do not: they are load balancers' `.pem` files.
    """
    directory = Path(tempfile.mkdtemp(prefix="emq-elb-lab-"))
    try:
        yield directory
    except Exception:
        for key in directory.rglob("*.pem"):
            key.unlink()
        raise
    except BaseException:
        shutil.rmtree(directory)
        raise
    shutil.rmtree(directory)


def brokers_setting() -> str:
    """Return `LAB_BROKERS` as the user set it."""
    return os.environ.get("LAB_BROKERS", "")
