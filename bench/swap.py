"""A certificate is replaced while devices use the load balancer: who is turned away, and for how long.

Twenty MQTT sessions stay open and ping, and a new device comes every 20 ms: TCP, TLS with the certificate
verified, CONNECT, CONNACK. Meanwhile the certificate is replaced, on the same data plane for all:

- **ours** runs the `rotate` story: a new certificate of the private CA is examined, uploaded, set on the
  listener, and proven by handshakes with every address;
- **in place** is the floor: `UploadServerCertificate`, then `SetLoadBalancerListenerSSLCertificate` until ELB
  knows the certificate. Nothing is examined or proven;
- **delete and create** is the order of `aws_elb` in Terraform's AWS provider and of Ansible's
  `elb_classic_lb`, as read from their code: to both a listener with another certificate is another listener,
  so that the old one is deleted first. Where ELB does not know the certificate yet, Terraform tries again.

A *gap* is the time from the first device that is turned away to the next one that is let in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.job import Chart, Contender, Figure, Goal, Job, Lineup, Run
from bench.load import gap, load
from bench.machine import first_line
from bench.stage import NOTHING, THEIRS, Stage, listener, program, put_back, served, set_up, upload
from lab.demo.declaration import NAME
from lab.demo.steps import SECURE
from lab.fidelity.knobs import KNOBS
from lab.lab import open_lab
from lab.machine.processes import until

OURS, IN_PLACE, RECREATED = "ours: rotate", "in place", "delete and create"
AT_ONCE, LATER = "known to ELB at once", "known to ELB after 5 s"
CASES = {AT_ONCE: 0.0, LATER: 5.0}
RETRY = 0.5
"""Seconds between two tries with a certificate that ELB does not know; Terraform begins with as many."""


@contextmanager
def open_lineup() -> Iterator[Lineup]:
    """Start the lab without the app's schedules, and two load balancers: ours, and one made by hand."""
    with open_lab(nodes=2, app=False) as lab:
        stage = set_up(lab)
        yield Lineup(
            tuple(one for case in CASES for one in contenders(stage, case)),
            {"HAProxy": first_line(["haproxy", "-v"]).split()[2]},
        )


def contenders(stage: Stage, case: str) -> Iterator[Contender]:
    """Yield who replaces a certificate."""
    yield Contender(
        case,
        OURS,
        lambda: swapped(stage, NAME, case, lambda: program(stage.lab, "rotate_one", NAME)),
        note="its time includes the start of Python, the examination and the proof",
    )
    yield Contender(case, IN_PLACE, lambda: swapped(stage, THEIRS, case, lambda: in_place(stage)))
    yield Contender(
        case,
        RECREATED,
        lambda: swapped(stage, THEIRS, case, lambda: recreate(stage)),
        note=f"tries every {RETRY} s, more often than Terraform; the listener's SSL policy is lost",
    )


def swapped(stage: Stage, name: str, case: str, act: Callable[[], object]) -> Run:
    """Replace the certificate of a load balancer under load, and return what its devices noticed."""
    KNOBS.certificate_propagation_seconds = CASES[case]
    before = served(stage, name)
    with load(stage.addresses(name), SECURE, stage.authority_file) as noticed:
        began = time.monotonic()
        act()
        until(lambda: not served(stage, name) & {*before, NOTHING}, 60, "another one is seen everywhere")
        seconds = time.monotonic() - began
    if name == THEIRS:
        put_back(stage)
    return {
        "came": len(noticed.attempts),
        "failed": noticed.failed,
        "gap": gap(noticed.attempts),
        "dropped": noticed.dropped,
        "seconds": seconds,
    }


def in_place(stage: Stage) -> None:
    """Set a new certificate on the listener, as soon as ELB knows it."""
    arn = upload(stage)
    until(
        lambda: known(
            stage,
            lambda: stage.elb.set_load_balancer_listener_ssl_certificate(
                LoadBalancerName=THEIRS, LoadBalancerPort=SECURE, SSLCertificateId=arn
            ),
        ),
        60,
        "ELB knows the certificate",
        pause=RETRY,
    )


def recreate(stage: Stage) -> None:
    """Delete the listener and create one with a new certificate, as soon as ELB knows it.

    The data plane looks at the API four times a second, and would miss a deletion that a creation follows at
    once; so it is waited for, as long as it takes, and no longer.
    """
    arn = upload(stage)
    stage.elb.delete_load_balancer_listeners(LoadBalancerName=THEIRS, LoadBalancerPorts=[SECURE])
    balancer = stage.lab.data_plane.served[THEIRS].balancer
    until(lambda: not balancer.load_balancer.listeners, 20, "the listener is gone")
    until(
        lambda: known(
            stage,
            lambda: stage.elb.create_load_balancer_listeners(
                LoadBalancerName=THEIRS, Listeners=[listener(arn)]
            ),
        ),
        60,
        "ELB knows the certificate",
        pause=RETRY,
    )


def known(stage: Stage, set_certificate: Callable[[], object]) -> bool:
    """Return whether ELB knew the certificate."""
    try:
        set_certificate()
    except stage.elb.exceptions.CertificateNotFoundException:
        return False
    return True


JOB = Job(
    name="swap",
    title="Swap a certificate under load",
    figures=(
        Figure("came", "devices that came"),
        Figure("failed", "turned away"),
        Figure("gap", "gap, s", digits=2),
        Figure("dropped", "sessions dropped"),
        Figure("seconds", "until seen everywhere, s", digits=1),
    ),
    open=open_lineup,
    reference=OURS,
    compared=(),
    charts=(Chart("gap", "How long no device is let in while the certificate is replaced"),),
    goals=tuple(
        Goal(f"{promise}, {case}", figure, of=(case, OURS), most=0)
        for case in CASES
        for promise, figure in (("nobody is turned away", "failed"), ("no session is dropped", "dropped"))
    ),
    unsaid=(
        "How long the gap is at AWS: ELB's own time to take a listener off and put it on comes on top.",
        "Whether AWS cuts the sessions of a listener that is deleted: HAProxy lets them live.",
        "How long ELB takes to know a certificate: AWS says up to 15 minutes, the five seconds are ours.",
    ),
)
