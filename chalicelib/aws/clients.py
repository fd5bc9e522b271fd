"""The boto3 clients, each made when it is first used and kept for the life of the container."""

from __future__ import annotations

from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from chalicelib.aws.library_logs import hold_at_warning

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.session import Session as CoreSession
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elb import ElasticLoadBalancingClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_secretsmanager import SecretsManagerClient


class Clients:
    """boto3 clients by the name of the service; lazily, because each costs tens of milliseconds to make.

    Retries are botocore's `standard` mode with five attempts: it backs off with jitter and retries only what
    may be retried. `adaptive` adds a rate limit of the client's own, which helps a process that lives long
    and calls much; a Lambda container's few calls give it nothing to learn from, and AWS calls it
    experimental (https://docs.aws.amazon.com/boto3/latest/guide/retries.html).
    """

    def __init__(self, session: Session | None = None) -> None:
        hold_at_warning()
        self._given = session
        self._making = (
            Lock()
        )  # making a client is the one thing that a boto3 session cannot do in two threads

    @cached_property
    def _session(self) -> CoreSession:
        from chalicelib.aws.sessions import open_session

        return self._given._session if self._given else open_session()  # noqa: SLF001 - shown nowhere else

    def _client(self, service: str, region: str | None = None) -> Any:
        session = self._session
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=3,
            read_timeout=10,
            max_pool_connections=10,
        )
        with self._making:
            return session.create_client(service, region_name=region, config=config)

    @property
    def region(self) -> str:
        """The region that the load balancers are in."""
        return str(self._session.get_config_variable("region"))

    @property
    def dns_suffix(self) -> str:
        """What AWS's host names end in here: `amazonaws.com`, `amazonaws.com.cn` …"""
        partition = self._session.get_partition_for_region(self.region)
        return "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"

    def elb_in(self, region: str) -> ElasticLoadBalancingClient:
        """Classic Elastic Load Balancing in another region: a certificate of IAM can be in use in any."""
        if region == self.region:
            return self.elb
        return cast("ElasticLoadBalancingClient", self._client("elb", region))

    @cached_property
    def acm(self) -> ACMClient:
        """AWS Certificate Manager, in this region."""
        return cast("ACMClient", self._client("acm"))

    @cached_property
    def autoscaling(self) -> AutoScalingClient:
        """EC2 Auto Scaling: lifecycle states and hooks."""
        return cast("AutoScalingClient", self._client("autoscaling"))

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """CloudWatch: alarms, dashboards, metrics."""
        return cast("CloudWatchClient", self._client("cloudwatch"))

    @cached_property
    def ec2(self) -> EC2Client:
        """EC2: instances, subnets, security groups."""
        return cast("EC2Client", self._client("ec2"))

    @cached_property
    def elb(self) -> ElasticLoadBalancingClient:
        """Classic Elastic Load Balancing (2012-06-01)."""
        return cast("ElasticLoadBalancingClient", self._client("elb"))

    @cached_property
    def eventbridge(self) -> EventBridgeClient:
        """EventBridge, to announce what was changed."""
        return cast("EventBridgeClient", self._client("events"))

    @cached_property
    def functions(self) -> LambdaClient:
        """Lambda, to carry work on in the background."""
        return cast("LambdaClient", self._client("lambda"))

    @cached_property
    def iam(self) -> IAMClient:
        """IAM (global): server certificates."""
        return cast("IAMClient", self._client("iam"))

    @cached_property
    def route53(self) -> Route53Client:
        """Route 53 (global): the records by which a CA sees that a name is ours."""
        return cast("Route53Client", self._client("route53"))

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        """Secrets Manager, in this region."""
        return cast("SecretsManagerClient", self._client("secretsmanager"))
