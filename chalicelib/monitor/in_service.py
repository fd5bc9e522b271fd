"""Which of AWS's own metrics counts the instances in service behind a load balancer, and those out of it.

A classic load balancer has one count. A network one has one for each target group, so that the group of the
first listener that carries MQTT speaks for it.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-cloudwatch-metrics.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-cloudwatch-metrics.html
"""

from __future__ import annotations

from chalicelib.model.load_balancer import LoadBalancer
from chalicelib.model.metrics import Metric
from chalicelib.probe.plan import targets

_MINUTE = 60
_HEALTHY, _UNHEALTHY = "HealthyHostCount", "UnHealthyHostCount"


def healthy_hosts(balancer: LoadBalancer) -> Metric | None:
    """How many instances are in service; None where no target group is there to be counted.

    The maximum over the zones: below 1 no zone has any.
    """
    if balancer.arn is None:
        classic = (("LoadBalancerName", balancer.name),)
        return Metric("AWS/ELB", _HEALTHY, classic, "Maximum", _MINUTE)
    return _of_group(_HEALTHY, balancer)


def unhealthy_hosts(balancer: LoadBalancer) -> Metric | None:
    """How many registered instances are not in service, where no listing shows who is registered."""
    return _of_group(_UNHEALTHY, balancer)


def _of_group(name: str, balancer: LoadBalancer) -> Metric | None:
    mqtt = {target.port for target in targets(balancer)}
    by_use = sorted(balancer.listeners, key=lambda listener: (listener.port not in mqtt, listener.port))
    group = next((listener.target_group for listener in by_use if listener.target_group), None)
    if balancer.arn is None or group is None:
        return None
    dimensions = (
        ("LoadBalancer", balancer.arn.partition(":loadbalancer/")[2]),
        ("TargetGroup", group.rpartition(":")[2]),
    )
    return Metric("AWS/NetworkELB", name, dimensions, "Maximum", _MINUTE)
