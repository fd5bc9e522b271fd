"""What must be so before anything is made: AWS itself, no deployment of ours, and somebody's yes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from conformance.account import Budget
from conformance.record import shown
from conformance.rule import Rule
from conformance.run import estimate, made
from conformance.sweep import Thing, balancer_tags, network_tags

OWNER = "emq-elb:owner"
OURS = "/emq-elb/"
AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")

Client = Callable[..., Any]
"""Returns a client, given a service and, where it is not the run's own, a region."""


def is_aws(client: Client) -> bool:
    """Say whether the endpoints are AWS's own: an emulator's answer confirms nothing."""
    services = ("ec2", "elb", "elbv2", "iam", "route53")
    hosts = [urlsplit(client(service).meta.endpoint_url).hostname or "" for service in services]
    return all(host.endswith(AWS) for host in hosts)


def deployments(client: Client) -> Iterator[str]:
    """Return what of this program the account holds, in any region: certificates, and load balancers."""
    listed = client("iam").get_paginator("list_server_certificates").paginate(PathPrefix=OURS)
    for page in listed:
        for one in page["ServerCertificateMetadataList"]:
            yield f"server certificate {one['Path']}{one['ServerCertificateName']}"
    for region in client("ec2").describe_regions()["Regions"]:
        name = region["RegionName"]
        try:
            for balancer, tags in (*balancer_tags(client("elb", name)), *network_tags(client("elbv2", name))):
                if any(tag["Key"] == OWNER for tag in tags):
                    yield f"load balancer {balancer} in {name}"
        except (ClientError, BotoCoreError) as error:  # an organisation may deny a region
            yield from _unless_denied(name, error)


def _unless_denied(region: str, error: Exception) -> Iterator[str]:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if "AccessDenied" not in code and "Unauthorized" not in code:
        yield f"{region}, which cannot be looked at: {error}"


def plan(account: str, region: str, rules: Sequence[Rule], budget: Budget, leftovers: Sequence[Thing]) -> str:
    """Return what the run is about to do, what it takes and what it costs."""
    dollars, minutes = estimate(rules)
    lines = [
        f"{len(rules)} rules, asked of account {account} in {region}.",
        "Made for it, with the tag emq-elb:conformance, and deleted at its end:",
        *shown(made(rules)),
        f"It takes about {minutes:.0f} minutes, {budget.minutes:.0f} at most,",
        f"and costs about ${dollars:.2f}, ${budget.dollars:.2f} at most.",
    ]
    if leftovers:
        lines += [
            "Earlier runs left something; `make conform-sweep` deletes it:",
            *[f"   {one}" for one in leftovers],
        ]
    return "\n".join(lines)


def agreed(ask: Callable[[str], str]) -> bool:
    """Ask whether to go on."""
    try:
        return ask("Type yes to go on: ").strip().lower() == "yes"
    except EOFError:
        return False
