"""What Lambda itself counts, as a line of a log that CloudWatch reads metrics from."""

from __future__ import annotations

import json
from datetime import UTC, datetime


def counted(function: str, error: str | None) -> str:
    """Return what Lambda itself counts of an invocation, in the format in which functions print metrics.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    """
    values = {"Invocations": 1, "Errors": int(error is not None)}
    directive = {
        "Namespace": "AWS/Lambda",
        "Dimensions": [["FunctionName"]],
        "Metrics": [{"Name": name} for name in values],
    }
    stamp = {"Timestamp": int(datetime.now(UTC).timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": stamp, "FunctionName": function, **values})
