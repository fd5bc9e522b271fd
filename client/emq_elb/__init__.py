"""The command line `emq-elb`: it plans, applies and shows load balancers over the app's HTTP API.

It knows the API only by its answers and its own description, and shares no code with the app. The page is
docs/client.md. `cli` has the commands; what computes and does nothing else is named below.
"""

PURE = ("answers", "declared", "difference", "faults", "redact", "schema")
