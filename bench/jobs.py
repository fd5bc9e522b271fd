"""Every job, in the order of the page."""

from __future__ import annotations

from bench import coldstart, probe, provision, register
from bench.job import Job

JOBS: tuple[Job, ...] = (provision.JOB, register.JOB, probe.JOB, coldstart.JOB)
