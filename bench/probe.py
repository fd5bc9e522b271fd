"""One probe, 100 and 1,000: the `probe` story beside what else can say that a listener works.

All go through the same HAProxy to the same two brokers, over TLS 1.2 with a verified RSA-2048 certificate.
Ours reads load balancers, tags and the private CA from AWS, then goes the whole way at each target: TCP, TLS,
CONNECT, SUBSCRIBE, PUBLISH with QoS 1, its own message back. So do `mosquitto_rr` and npm's `mqtt`;
`mosquitto_pub` publishes with QoS 1 and hears nothing back; `openssl s_time` shakes hands and no more, which
is the floor.

*CPU each* is the work for one target, without the start that all share: Python or Node, imports, for ours
also everything that is read from AWS. What is loaded when the first target needs it is not: it weighs in the
figure for one target. The mosquitto programs are a process for each target, so that their start is part of
it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import npm
from bench.account import OWNER, Account, open_account, program
from bench.front import SECURE, Front, open_front
from bench.job import Chart, Contender, Figure, Goal, Job, Lineup, NotRun, Run
from bench.machine import first_line
from bench.peers import NotInstalledError
from bench.process import Ran, measure
from lab.aws import SECRET
from lab.fidelity.knobs import KNOBS
from lab.machine.processes import missing, with_server_paths
from lab.nodes.brokers import MQTT
from lab.nodes.vpc import prepare

STORY, PUB, RR, NODE, FLOOR = "ours: probe", "mosquitto_pub", "mosquitto_rr", "mqtt of npm", "openssl s_time"
# Each number of load balancers in a region of its own: the story probes all that there are.
REGIONS = {1: "eu-central-1", 100: "eu-west-1", 1000: "us-east-1"}
ONE_AFTER_ANOTHER = "a process each, one after another"
PUBLISHES_ONLY = f"publishes with QoS 1 and hears nothing back; {ONE_AFTER_ANOTHER}"
SHAKES_ONLY = "shakes hands and hangs up, as often as it can in two seconds"


@contextmanager
def open_lineup() -> Iterator[Lineup]:
    """Fill the regions and start the data plane; everybody uses the same."""
    with ExitStack() as stack:
        account = stack.enter_context(open_account())
        names = tuple(f"*.{region}.elb.amazonaws.com" for region in REGIONS.values())
        front = stack.enter_context(open_front(account.network, account.directory, names))
        fill(account, front)
        yield Lineup(
            tuple(one for count in REGIONS for one in contenders(account, front, count)),
            {
                "HAProxy": first_line(["haproxy", "-v"]).split()[2],
                "mosquitto": first_line(["mosquitto", "-h"]).split()[-1],
                "paho-mqtt": version("paho-mqtt"),
                "OpenSSL": first_line(["openssl", "version"]).split()[1],
                "Node": first_line(["node", "--version"]),
                "npm's mqtt": npm.MQTT.partition("@")[2],
            },
        )


def fill(account: Account, front: Front) -> None:
    """Make so many load balancers in each region, all of ours and with a certificate of the private CA."""
    from boto3.session import Session

    aws = account.aws
    KNOBS.load_balancers_quota = max(REGIONS)
    arn = aws.iam().upload_server_certificate(
        ServerCertificateName="bench",
        CertificateBody=front.leaf.certificate,
        PrivateKey=front.leaf.private_key,
        CertificateChain=front.authority.certificate,
    )["ServerCertificateMetadata"]["Arn"]
    secret = json.dumps(
        {"certificate": front.authority.certificate, "private_key": front.authority.private_key}
    )
    tags = [
        {"Key": "emq-elb:owner", "Value": OWNER},
        {"Key": "emq-elb:certificate", "Value": "private-ca"},
    ]
    listener = {
        "Protocol": "SSL",
        "LoadBalancerPort": SECURE,
        "InstanceProtocol": "TCP",
        "InstancePort": MQTT,
        "SSLCertificateId": arn,
    }
    for count, region in REGIONS.items():
        session = Session(aws_access_key_id="lab", aws_secret_access_key=SECRET, region_name=region)
        client: Any = partial(session.client, endpoint_url=aws.endpoint)
        subnet = next(iter(prepare(client("ec2")).subnets.values()))
        client("secretsmanager").create_secret(Name=f"{OWNER}/private-ca", SecretString=secret)
        elb = client("elb")
        for number in range(count):
            elb.create_load_balancer(
                LoadBalancerName=f"bench-{number}", Listeners=[listener], Subnets=[subnet], Tags=tags
            )


def contenders(account: Account, front: Front, count: int) -> Iterator[Contender | NotRun]:
    """Yield who probes so many targets."""
    case = f"{count:,} target{'s' if count > 1 else ''}"
    where = ["-h", front.address, "-p", str(front.port), "--cafile", str(front.authority_file)]
    yield Contender(case, STORY, lambda: story(account, front, count))
    for name, options, note in (
        (PUB, ["-t", "bench"], PUBLISHES_ONLY),
        (RR, ["-t", "bench/rr", "-e", "bench/rr"], ONE_AFTER_ANOTHER),
    ):
        if missing([name]):
            yield NotRun(case, name, "apt-get install mosquitto-clients")
        else:
            command = [name, *where, "-q", "1", "-m", "x", *options]
            yield Contender(case, name, partial(processes, command, count), note=note)
    try:
        yield Contender(
            case, NODE, partial(node, npm.installed(), front, count), note="one process, 64 at a time"
        )
    except NotInstalledError as error:
        yield NotRun(case, NODE, str(error))
    if missing(["openssl"]):
        yield NotRun(case, FLOOR, "apt-get install openssl")
    else:
        yield Contender(case, FLOOR, lambda: handshakes(front), note=SHAKES_ONLY)


def story(account: Account, front: Front, count: int) -> Run:
    """Run the story over every load balancer of the region."""
    command = program("probe_story", front.address, str(count))
    return account.run("probe", command, REGIONS[count], {"OWNER": OWNER})


def processes(command: Sequence[str], count: int) -> Run:
    """Run a process for each target, one after another."""
    ran = measure(command, times=count, environment=with_server_paths(os.environ))
    return took(ran) | {"each": ran.cpu / count * 1000}


def node(directory: Path, front: Front, count: int) -> Run:
    """Run npm's client."""
    script = Path(__file__).parent / "programs" / "probe.cjs"
    where = (front.address, str(front.port), str(front.authority_file), str(count))
    ran = measure(["node", str(script), str(directory), *where])
    return {**took(ran), **json.loads(ran.output)}


def handshakes(front: Front) -> Run:
    """Shake hands for two seconds; the figures but one are left out, since they are of any number."""
    command = ["openssl", "s_time", "-connect", f"{front.address}:{front.port}", "-new", "-time", "2"]
    ran = measure([*command, "-CAfile", str(front.authority_file), "-verify", "2"])
    count = next(int(line.split()[0]) for line in ran.output.splitlines() if " connections in " in line)
    return {"each": ran.cpu / count * 1000}


def took(ran: Ran) -> dict[str, float]:
    """Return the figures of a whole process."""
    return {"seconds": ran.seconds, "cpu": ran.cpu, "memory": ran.memory}


MOST = "1,000 targets"
JOB = Job(
    name="probe",
    title="Probe",
    figures=(
        Figure("seconds", "wall, s", digits=2),
        Figure("cpu", "CPU, s", digits=2),
        Figure("start", "of which start, s", digits=2),
        Figure("each", "CPU each, ms", digits=2),
        Figure("memory", "memory, MB"),
    ),
    open=open_lineup,
    reference=FLOOR,
    compared=("each",),
    charts=(Chart("each", "CPU for each target, without the start that targets share"),),
    goals=(
        Goal(
            "at most 2.5 of an OpenSSL handshake's CPU each",
            "each",
            of=(MOST, STORY),
            beside=(MOST, FLOOR),
            most=2.5,
        ),
        Goal("less CPU each than `mosquitto_pub`", "each", of=(MOST, STORY), beside=(MOST, PUB), most=1),
        Goal("1,000 targets within a tick of 60 s", "seconds", of=(MOST, STORY), most=60),
        Goal("1,000 targets in 256 MB", "memory", of=(MOST, STORY), most=256),
    ),
    unsaid=(
        "What the way to a real load balancer costs: here an answer takes microseconds, there milliseconds.",
        "How long it takes at Lambda, where a function of 256 MB has about a seventh of a CPU.",
        "What a server thinks of it: HAProxy, the brokers and the clients share this machine's CPUs.",
        "What a thousand different certificates take to read: here all are the same, and are read once.",
    ),
)
