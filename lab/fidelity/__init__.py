"""Corrections that make moto answer as AWS does, one module per service.

moto is the AWS API of the lab and of the tests, but it accepts what AWS refuses and forgets what AWS
keeps. Each correction names the page of AWS that it follows, and has a test.
"""

from __future__ import annotations

from importlib import import_module

from lab import quick

SERVICES = (
    "acm",
    "apigateway",
    "authorization",
    "autoscaling",
    "awslambda",
    "cloudwatch",
    "ec2",
    "elb",
    "elbv2",
    "events",
    "iam",
    "route53",
    "secretsmanager",
)


def install() -> None:
    """Correct the moto of this process, for `mock_aws` and for its server alike; twice is as good as once."""
    quick.install()
    for service in SERVICES:
        import_module(f"lab.fidelity.{service}").install()
