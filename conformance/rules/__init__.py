"""The rules, a module for each topic; importing this package fills `conformance.rule.RULES`."""

from importlib import import_module

TOPICS = (
    "elb_balancers",
    "elb_subnets",
    "elb_listeners",
    "elb_policies",
    "elb_settings",
    "elb_instances",
    "elb_deletion",
    "elbv2_balancers",
    "elbv2_listeners",
    "elbv2_targets",
    "certificates",
    "ec2",
    "autoscaling",
    "events",
    "route53",
    "cloudwatch",
    "functions",
    "apigateway",
    "access",
)

for topic in TOPICS:
    import_module(f"conformance.rules.{topic}")
