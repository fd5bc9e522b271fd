"""Every job, in the order of the page."""

from __future__ import annotations

from bench import coldstart, network, network_reconcile, probe, provision, reconcile, register, rotate, swap
from bench.job import Job

JOBS: tuple[Job, ...] = (
    provision.JOB,
    register.JOB,
    rotate.JOB,
    reconcile.JOB,
    network.JOB,
    network_reconcile.JOB,
    swap.JOB,
    probe.JOB,
    coldstart.JOB,
)
