"""Certificates of N load balancers end in ten days and are replaced; or none is due, and that is seen.

Each load balancer has one of its own, signed by the same private CA. Ours is the story behind the function
`rotate`. Beside it, replayed call by call as read from their code: letsencrypt-aws, which knows its load
balancers from its configuration, and lemur, which first brings its database up to date. Everybody makes keys
and has them signed by the same function in its own process. There is no data plane, so that nobody makes the
handshakes which ours alone would; see [the swap](#swap-a-certificate-under-load).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial

from bench.account import (
    CALLS,
    CPU,
    EVENTS,
    MEMORY,
    OWNER,
    READS,
    SECONDS,
    WRITES,
    Account,
    counts,
    deployed,
    open_account,
    program,
)
from bench.job import Chart, Contender, Goal, Job, Lineup, Run
from bench.provisioning import authority
from bench.tools import versions
from chalicelib.model.names import CERTIFICATE_TAG, OWNER_TAG, certificate_path
from chalicelib.x509.pem import Bundle, certificate_name
from lab.aws import ACCOUNT, REGION
from lab.certificates.issuer import bundle, keep
from lab.fidelity.iam import set_quota
from lab.fidelity.knobs import KNOBS

OURS, FLOOR = "ours: rotate", "boto3, the floor"
LETSENCRYPT, LEMUR = "letsencrypt-aws", "lemur"
WATCHED = "ours: rotate, uploaded certificates"
DUE = {"1 is due": 1, "20 are due": 20, "100 are due": 100}
IDLE = "100, none is due"
# So many keys take all the time: only counts are taken, once.
MANY = 100
DAYS_LEFT, DAYS_LEFT_IDLE = 10, 80
WAYS = {OURS: "story", LETSENCRYPT: "letsencrypt_aws", LEMUR: "lemur", FLOOR: "floor"}
NOTES = {
    OURS: (
        "reads the private CA from its secret, examines what is due and what is new; a handshake would save"
        " one read for each that is due"
    ),
    WATCHED: "certificates that nobody renews, so that no secret is read",
    LETSENCRYPT: (
        "renews 45 days ahead; left out are its calls of ACME and Route 53, and 15 s of sleep for each"
    ),
    LEMUR: "assumes its role for every function of its plugin; left out is its database",
    FLOOR: "lists by the largest pages, uploads and swaps; touches whatever is there, whosever it is",
}


@dataclass(frozen=True)
class Estate:
    """How many load balancers there are, how long their certificates last, and where those come from."""

    balancers: int
    days_left: int
    source: str = "private-ca"

    def build(self, account: Account) -> dict[str, str]:
        """Make all of it in an empty account; return the ARNs that are served, by load balancer."""
        vpc = account.empty()
        set_quota(ACCOUNT, 1000)
        made, elb, iam = authority(), account.aws.elb(), account.aws.iam()
        account.write("ca.pem", made.certificate)
        account.write("ca-key.pem", made.private_key)
        keep(account.aws, f"{OWNER}/private-ca", made)
        served = {}
        for name, one in certificates(self.balancers, self.days_left).items():
            answer = iam.upload_server_certificate(
                Path=certificate_path(OWNER, REGION, name),
                ServerCertificateName=certificate_name(REGION, name, one),
                CertificateBody=one.certificate,
                PrivateKey=one.private_key,
            )
            served[name] = answer["ServerCertificateMetadata"]["Arn"]
            elb.create_load_balancer(
                LoadBalancerName=name,
                Listeners=[
                    {
                        "Protocol": "SSL",
                        "LoadBalancerPort": 8883,
                        "InstanceProtocol": "TCP",
                        "InstancePort": 1883,
                        "SSLCertificateId": served[name],
                    }
                ],
                Subnets=[*vpc.subnets.values()],
                Tags=[{"Key": OWNER_TAG, "Value": OWNER}, {"Key": CERTIFICATE_TAG, "Value": self.source}],
            )
        return served


@cache
def certificates(count: int, days_left: int) -> Mapping[str, Bundle]:
    """Return certificates, by the load balancers that they are for; made once, for their keys take long."""
    made = {f"lb-{number}": bundle(authority(), [host(number)], days_left) for number in range(count)}
    return {name: Bundle(one.certificate, one.private_key) for name, one in made.items()}


def host(number: int) -> str:
    """Return the name that the clients of a load balancer use."""
    return f"lb-{number}.example.com"


def rotate(account: Account, estate: Estate, way: str) -> Run:
    """Build the estate, have it rotated, and see that exactly what was due is replaced."""
    before = estate.build(account)
    asked = {
        "names": [*before],
        "certificate": str(account.directory / "ca.pem"),
        "private_key": str(account.directory / "ca-key.pem"),
        "before_days": 45 if way == "letsencrypt_aws" else 30,
    }
    request = account.write("request.json", asked)
    command = program("rotate_story") if way == "story" else program("rotate_replays", way, request)
    ran = account.run(way, command, more=deployed() if way == "story" else {})
    described = account.aws.elb().describe_load_balancers()["LoadBalancerDescriptions"]
    after = {
        one["LoadBalancerName"]: one["ListenerDescriptions"][0]["Listener"]["SSLCertificateId"]
        for one in described
    }
    replaced = sum(after[name] != arn for name, arn in before.items())
    if replaced != (estate.balancers if estate.days_left == DAYS_LEFT else 0):
        raise RuntimeError(f"{replaced} of {estate.balancers} are replaced")
    return ran


@contextmanager
def open_lineup() -> Iterator[Lineup]:
    """Yield every way for every estate, each run once already."""
    with open_account() as account:
        KNOBS.load_balancers_quota = 200
        for way in WAYS.values():
            rotate(account, Estate(1, DAYS_LEFT), way)
        yield Lineup(tuple(_lineup(account)), versions())


def _lineup(account: Account) -> Iterator[Contender]:
    for case, balancers in DUE.items():
        for name, way in WAYS.items():
            run = partial(rotate, account, Estate(balancers, DAYS_LEFT), way)
            if balancers < MANY:
                yield Contender(case, name, run, NOTES[name])
            else:
                yield Contender(case, name, partial(counts, run), NOTES[name], rounds=1)
    for name, way in WAYS.items():
        idle = Estate(100, DAYS_LEFT_IDLE)
        yield Contender(IDLE, name, partial(rotate, account, idle, way), NOTES[name])
        if name == OURS:
            watched = Estate(100, DAYS_LEFT_IDLE, source="pem")
            yield Contender(IDLE, WATCHED, partial(rotate, account, watched, way), NOTES[WATCHED])


JOB = Job(
    name="rotate",
    title="Rotate certificates",
    figures=(CALLS, READS, WRITES, EVENTS, SECONDS, CPU, MEMORY),
    open=open_lineup,
    reference=OURS,
    compared=("calls", "cpu"),
    charts=(Chart("calls", "AWS calls to rotate, and to see that nothing is due"),),
    goals=(
        Goal("nothing due of 100, uploaded certificates: at most 8 calls", "calls", (IDLE, WATCHED), most=8),
        Goal("nothing due of 100, private CA: at most 9 calls", "calls", (IDLE, OURS), most=9),
        Goal("letsencrypt-aws takes 300", "calls", (IDLE, LETSENCRYPT), least=300),
    ),
    unsaid=(
        "How the others behave as whole programs: only their AWS calls are replayed, in their order.",
        "What a rotation costs that fails: nothing here makes handshakes, or goes back.",
    ),
)
