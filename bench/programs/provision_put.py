"""Ours, as the whole PUT: API Gateway's event to the app's handler, and its answer.

What the background does afterwards (it announces the changes, and lets the alarms follow) is done by another
process, as by another Lambda function.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from app import app
from chalicelib import container
from lab.lambda_.functions import Context

EVENT = Path(__file__).parents[2] / "events" / "apigateway-put-dry-run.json"


def main() -> None:
    """Hand the event to the app, or with `nothing` make the clients and end."""
    mode, request = sys.argv[1:]
    asked = json.loads(Path(request).read_text())
    if mode == "nothing":
        clients = container.clients()
        _ = clients.elb, clients.ec2, clients.iam
        return
    event = json.loads(EVENT.read_text())
    event |= {
        "path": f"/load-balancers/{asked['name']}",
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"name": asked["name"]},
        "body": json.dumps(asked["body"]),
        "isBase64Encoded": False,
    }
    answer = app(event, Context("emq-elb-dev", deadline=sys.maxsize))
    if answer["statusCode"] not in {200, 201}:
        raise SystemExit(f"{answer['statusCode']}: {answer['body']}")


if __name__ == "__main__":
    main()
