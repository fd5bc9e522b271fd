"""The alarms of a deployment: three for each load balancer, two for all.

<owner>/<load balancer>/probe        three minutes in a row without success, or without a probe at all
<owner>/<load balancer>/certificate  half of the time has passed in which it should have been renewed
<owner>/<load balancer>/nodes        three minutes without an instance in service
<owner>/rollbacks                    TLS handshakes with a certificate failed
<owner>/functions                    a function ended in an error, or the API answered 5xx; -2 and so on for
                                     more than ten metrics
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

from chalicelib.model.actions import Action, DeleteAlarms, PutMetricAlarm
from chalicelib.model.batches import batches
from chalicelib.model.load_balancer import Certificate, LoadBalancer
from chalicelib.model.metrics import (
    DAYS_TO_EXPIRY,
    NAMESPACE,
    ROLLBACKS,
    SUCCESS,
    Alarm,
    FoundAlarm,
    Metric,
    Query,
)
from chalicelib.model.names import ACME, PRIVATE_CA
from chalicelib.monitor.in_service import healthy_hosts
from chalicelib.probe.plan import enabled, targets
from chalicelib.x509.preflight import time_to_renew

FUNCTIONS = (
    "provision",
    "register",
    "drain",
    "reconcile",
    "rotate",
    "expiring",
    "probe",
    "deep_probe",
    "widget",
)
"""Ours by their names, which follow the owner's; of the API handler the API's own answers speak."""

FIRST_DATA_WITHIN = timedelta(minutes=5)
"""How long a new alarm waits for data before their absence is bad."""

LONG_LIFE = timedelta(days=3650)

_MINUTE = 60
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html
_METRICS_IN_MATH = 10
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html
_NAMES_IN_CALL = 100


def desired(
    owner: str,
    balancers: Iterable[LoadBalancer],
    *,
    api: str,
    renew_before: timedelta,
    topic: str | None,
    lives: Mapping[str, timedelta] | None = None,
) -> tuple[Alarm, ...]:
    """Every alarm that the deployment is to have; none while it has no load balancer.

    `api` is the API's name at API Gateway. `lives` is how long the certificate of each load balancer lives;
    one that is not known counts as long.
    """
    known = lives or {}
    found = [
        alarm
        for one in balancers
        for alarm in _of(owner, one, time_to_renew(known.get(one.name, LONG_LIFE), renew_before), topic)
    ]
    return (*found, *_of_all(owner, api, topic)) if found else ()


def alarm_changes(
    desired: Iterable[Alarm], actual: Mapping[str, FoundAlarm], now: datetime
) -> Iterator[Action]:
    """Hold them against each other by name; yield what makes the alarms that are there the wanted ones.

    What rings for nothing goes first, then what is missing, then what is to be changed: there may not be time
    for all.
    """
    wanted = {alarm.name: alarm for alarm in desired}
    surplus = sorted(actual.keys() - wanted.keys())
    for some in batches(surplus, _NAMES_IN_CALL):
        yield DeleteAlarms(reason="what they watched is gone", alarms=tuple(some))
    for name in sorted(wanted, key=lambda name: name in actual):
        by_now = _by_now(wanted[name], actual.get(name), now)
        if name not in actual or actual[name].alarm != by_now:
            yield PutMetricAlarm(reason="it is not as it is to be", alarm=by_now)


def _by_now(alarm: Alarm, found: FoundAlarm | None, now: datetime) -> Alarm:
    """The alarm as it is to be for now: what is new must not ring because no data have come yet.

    It begins with keeping its state while data are missing, and takes that for bad once it has a state, or
    when none have come for so long that this is what is wrong.
    """
    if alarm.missing != "breaching":
        return alarm
    waiting = replace(alarm, missing="ignore")
    if found is None:
        return waiting
    since = found.without_data
    still = found.alarm == waiting and since is not None and now - since < FIRST_DATA_WITHIN
    return waiting if still else alarm


def listed_life(certificate: Certificate | None, source: str, renew_before: timedelta) -> timedelta | None:
    """How long a certificate lives, as a listing of IAM shows it; None where it has to be read.

    The listing has the upload and the end. An issuer's certificate is uploaded at once, and one that lives
    long enough after its upload makes no difference; any other may have been uploaded late in its life.
    """
    if certificate is None or certificate.uploaded is None:
        return None
    days = ceil((certificate.not_after - certificate.uploaded) / timedelta(days=1))
    life = timedelta(days=days)
    return life if source in {PRIVATE_CA, ACME} or life / 3 >= renew_before else None


def _of(owner: str, balancer: LoadBalancer, to_renew: timedelta, topic: str | None) -> Iterable[Alarm]:
    ours = (("LoadBalancer", balancer.name),)
    if enabled(balancer) and targets(balancer):
        yield Alarm(
            name=f"{owner}/{balancer.name}/probe",
            description=f"Devices cannot use {balancer.name}, or nobody looks (docs/operations.md)",
            watched=Metric(NAMESPACE, SUCCESS, ours, "Minimum", _MINUTE),
            comparison="LessThanThreshold",
            threshold=1,
            datapoints=3,
            missing="breaching",
            topic=topic,
        )
    if any(listener.secure for listener in balancer.listeners):
        yield Alarm(
            name=f"{owner}/{balancer.name}/certificate",
            description=f"The certificate of {balancer.name} ends soon (docs/operations.md)",
            watched=Metric(NAMESPACE, DAYS_TO_EXPIRY, ours, "Minimum", 5 * _MINUTE),
            comparison="LessThanThreshold",
            threshold=round(to_renew / timedelta(days=1) / 2, 2),
            datapoints=1,
            missing="ignore",
            topic=topic,
        )
    if in_service := healthy_hosts(balancer):
        yield Alarm(
            name=f"{owner}/{balancer.name}/nodes",
            description=f"No instance is in service behind {balancer.name} (docs/operations.md)",
            watched=in_service,
            comparison="LessThanThreshold",
            threshold=1,
            datapoints=3,
            missing="breaching",
            topic=topic,
        )


def _of_all(owner: str, api: str, topic: str | None) -> Iterable[Alarm]:
    yield Alarm(
        name=f"{owner}/rollbacks",
        description="TLS handshakes with a new certificate failed: the old one is back (docs/operations.md)",
        watched=Metric(NAMESPACE, ROLLBACKS, (("Owner", owner),), "Sum", 5 * _MINUTE),
        comparison="GreaterThanThreshold",
        threshold=0,
        datapoints=1,
        missing="notBreaching",
        topic=topic,
    )
    errors = [
        Metric("AWS/Lambda", "Errors", (("FunctionName", f"{owner}-{name}"),), "Sum", 5 * _MINUTE)
        for name in FUNCTIONS
    ]
    yield from failures(f"{owner}/functions", [*errors, _server_errors(api)], topic)


def _server_errors(api: str) -> Metric:
    """How often the API answered 5xx: its own answers, and API Gateway's where the API handler failed.

    API Gateway counts by the API's name, which Chalice takes from the app: stages in one region share it.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
    """
    return Metric("AWS/ApiGateway", "5XXError", (("ApiName", api),), "Sum", 5 * _MINUTE)


def failures(name: str, counted: Sequence[Metric], topic: str | None) -> Iterable[Alarm]:
    """One alarm for every ten metrics that count failures: an alarm's math takes no more.

    Metrics Insights takes any number, but knows neither OR nor a part of a name.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
    """
    for part, some in enumerate(batches(counted, _METRICS_IN_MATH), start=1):
        errors = tuple(Query(f"e{number}", one) for number, one in enumerate(some))
        yield Alarm(
            name=name if part == 1 else f"{name}-{part}",
            description="A function ended in an error, or the API answered 5xx (docs/operations.md)",
            watched=(*errors, Query("errors", expression="SUM(METRICS())")),
            comparison="GreaterThanThreshold",
            threshold=0,
            datapoints=1,
            missing="notBreaching",
            topic=topic,
        )
