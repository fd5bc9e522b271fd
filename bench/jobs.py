"""Every job, in the order of the page."""

from __future__ import annotations

from bench import coldstart, provision
from bench.job import Job

JOBS: tuple[Job, ...] = (provision.JOB, coldstart.JOB)
