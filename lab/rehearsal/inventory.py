"""Everything at AWS that a deployment, or a load balancer of it, could leave behind."""

from __future__ import annotations

from lab.aws import Aws
from lab.inventory import flat, of_load_balancers


def inventory(aws: Aws) -> frozenset[str]:
    """Return what there is, each thing as its kind and its name."""
    alarms = aws.cloudwatch().describe_alarms()
    kinds = {
        "secret": [one["Name"] for one in aws.secretsmanager().list_secrets()["SecretList"]],
        "alarm": [one["AlarmName"] for one in alarms["MetricAlarms"]],
        "dashboard": [one["DashboardName"] for one in aws.cloudwatch().list_dashboards()["DashboardEntries"]],
        "function": [one["FunctionName"] for one in aws.client("lambda").list_functions()["Functions"]],
        # A service-linked role is AWS's own, and stays.
        "role": [
            one["RoleName"]
            for one in aws.iam().list_roles()["Roles"]
            if not one["Path"].startswith("/aws-service-role/")
        ],
        "rule": [one["Name"] for one in aws.client("events").list_rules()["Rules"]],
        "API": [one["name"] for one in aws.client("apigateway").get_rest_apis()["items"]],
        "log group": [one["logGroupName"] for one in aws.client("logs").describe_log_groups()["logGroups"]],
        "bucket": [one["Name"] for one in aws.client("s3").list_buckets()["Buckets"]],
    }
    return of_load_balancers(aws) | flat(kinds)
