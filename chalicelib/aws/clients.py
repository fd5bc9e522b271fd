"""botocore's clients, each made when it is first used and kept for the life of the container.

botocore is started with no more than our calls need: every cold start pays for what it loads. What is left
out is never needed, and where it cannot be left out everything works as well, only later:
`docs/decisions/0008-what-a-cold-start-loads.md`.
"""

from __future__ import annotations

import sys
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from chalicelib.aws.library_logs import hold_at_warning

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elb import ElasticLoadBalancingClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

ROOT = Path(__file__).parents[2]
"""Where `app.py` is, in a checkout and in the package."""

# Chalice puts the content of `vendor/` at the top of the package.
_MODELS = ("aws-models", "vendor/aws-models")

_ATTEMPTS, _ATTEMPTS_ELSEWHERE = 5, 2

# botocore takes `ssl`'s own SSLContext from this adapter when it is there, else from where it comes from;
# with the adapter come all of pyOpenSSL, which acme needs, and of cryptography.
_ADAPTER = "urllib3.contrib.pyopenssl"


def open_session(root: Path = ROOT) -> Session:
    """Return botocore's session, which reads the service models that are below `root`, else botocore's own.

    boto3's session is a shell around it, whose import brings what moves files to S3.
    """
    sys.modules.setdefault(_ADAPTER, None)  # type: ignore[arg-type] # None: it cannot be imported
    from botocore import httpsession
    from botocore.loaders import Loader
    from botocore.session import get_session

    from chalicelib.tls.contexts import client_context

    # botocore has no setting for TLS versions and ciphers: it makes all of its contexts by this function.
    httpsession.create_urllib3_context = client_context  # type: ignore[assignment] # it passes no arguments

    session = get_session()
    if models := next((root / place for place in _MODELS if (root / place).is_dir()), None):
        # botocore's own loader also lists the four hundred services of its own data, several times.
        loader = Loader([str(models)], include_default_search_paths=False)
        session.register_component("data_loader", loader)
    return session


class Clients:
    """Clients by the name of the service; lazily, because each costs tens of milliseconds to make.

    Retries are botocore's `standard` mode with five attempts: it backs off with jitter and retries only what
    may be retried. `adaptive` adds a rate limit of the client's own, which helps a process that lives long
    and calls much; a Lambda container's few calls give it nothing to learn from, and AWS calls it
    experimental (https://docs.aws.amazon.com/boto3/latest/guide/retries.html).
    """

    def __init__(self, session: Session | None = None) -> None:
        hold_at_warning()
        self._given = session
        self._making = Lock()  # making a client is the one thing that a session cannot do in two threads

    @cached_property
    def _session(self) -> Session:
        return self._given or open_session()

    def _client(self, service: str, region: str | None = None) -> Any:
        session = self._session
        from botocore.config import Config

        # A region that is asked beside ours may be one that nobody answers for.
        attempts = _ATTEMPTS if region is None else _ATTEMPTS_ELSEWHERE
        config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
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
        """What AWS's host names end in here: `amazonaws.com`, `amazonaws.com.cn`, `amazonaws.eu` …"""
        here = self._session.get_partition_for_region(self.region)
        known = self._session.get_component("data_loader").load_data("partitions")["partitions"]
        return next(str(one["outputs"]["dnsSuffix"]) for one in known if one["id"] == here)

    def elb_in(self, region: str) -> ElasticLoadBalancingClient:
        """Classic Elastic Load Balancing in another region: a certificate of IAM can be in use in any."""
        if region == self.region:
            return self.elb
        return cast("ElasticLoadBalancingClient", self._client("elb", region))

    def elbv2_in(self, region: str) -> ElasticLoadBalancingv2Client:
        """The second API of Elastic Load Balancing in another region."""
        if region == self.region:
            return self.elbv2
        return cast("ElasticLoadBalancingv2Client", self._client("elbv2", region))

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
    def elbv2(self) -> ElasticLoadBalancingv2Client:
        """Elastic Load Balancing (2015-12-01): network load balancers."""
        return cast("ElasticLoadBalancingv2Client", self._client("elbv2"))

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
    def s3(self) -> S3Client:
        """S3, in this region: whose bucket gets access logs."""
        return cast("S3Client", self._client("s3"))

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        """Secrets Manager, in this region."""
        return cast("SecretsManagerClient", self._client("secretsmanager"))
