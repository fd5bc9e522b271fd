"""Send operations with the app's own clients, stopped before the network, and print what becomes of each.

python -m tests.deploy.sent DIRECTORY <<< '{"elb": ["DescribeTags"]}'

prints what the client sent when it was given every parameter, what it read from an answer that holds every
member of the operation's output, and how it pages; or the fault. The service models are those below
DIRECTORY, where the app looks for them, or botocore's own. The tests run this in a process of its own, with
the botocore that PYTHONPATH names.
"""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import botocore
from botocore import xform_name
from botocore.awsrequest import AWSResponse

from chalicelib.aws.clients import Clients, open_session

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BLOB = "eA=="


class Raw:
    """The body of an answer, as urllib3 gives it to botocore."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """Yield it whole."""
        yield self._body

    def read(self, *_: Any, **__: Any) -> bytes:
        """Return it whole, once."""
        body, self._body = self._body, b""
        return body


def outcome(clients: Clients, service: str, operation: str) -> Mapping[str, Any]:
    """Return what was sent and received by one call."""
    sent: dict[str, Any] = {}

    def answered(request: Any, **_: Any) -> AWSResponse:
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        sent.update(method=request.method, url=request.url, body=body)
        sent["target"] = text(request.headers.get("X-Amz-Target", b""))
        return AWSResponse(request.url, 200, {}, Raw(answer(model).encode()))  # type: ignore[arg-type] # as one

    try:
        client = clients._client(service)
        client.meta.events.register("before-send", answered)
        model, method = client.meta.service_model.operation_model(operation), xform_name(operation)
        # A parameter that chooses the endpoint changes how the request is signed, and no adapter gives one:
        # EventBridge's EndpointId needs awscrt.
        endpoint = {parameter.member_name for parameter in model.context_parameters}
        takes = model.input_shape
        parameters = {
            name: example(shape)
            for name, shape in (takes.members.items() if takes else ())
            if name not in endpoint or name in takes.required_members
        }
        received = getattr(client, method)(**parameters)
        paged = client.get_paginator(method)._pagination_cfg if client.can_paginate(method) else None
    except Exception as fault:  # noqa: BLE001 - the test shows every fault
        return {"fault": repr(fault)}
    received.pop("ResponseMetadata")
    return {"sent": sent, "received": received, "paged": paged}


def example(shape: Any, within: tuple[str, ...] = ()) -> Any:
    """Return a value with every member of a shape and one element in each list; no shape within itself."""
    within = (*within, shape.name)
    match shape.type_name:
        case "structure":
            members = list(shape.members.items())
            return {
                name: example(member, within)
                for name, member in (members[:1] if shape.is_tagged_union else members)
                if member.name not in within
            }
        case "list":
            return [example(shape.member, within)]
        case "map":
            return {example(shape.key, within): example(shape.value, within)}
        case "boolean":
            return True
        case "integer" | "long":
            return shape.metadata.get("min", 1)
        case "float" | "double":
            return 1.5
        case "timestamp":
            return AT
        case "blob":
            return b64decode(BLOB)
        case _:
            return (shape.enum or ["x" * max(1, shape.metadata.get("min", 1))])[0]


def answer(model: Any) -> str:
    """Return the body of an answer with every member of the operation's output."""
    # Newer versions choose one of several; older ones know one.
    service, shape = model.service_model, model.output_shape
    protocol = service.resolved_protocol if hasattr(service, "resolved_protocol") else service.protocol
    if shape is None:
        return "" if protocol.endswith("json") else "<Answer/>"
    if "payload" in shape.serialization:
        return text(example(shape)[shape.serialization["payload"]])
    if protocol.endswith("json"):
        return json.dumps(example(shape), default=lambda one: one.timestamp() if one == AT else BLOB)
    wrapper = shape.serialization.get("resultWrapper")
    inner = xml(wrapper or "Answer", shape, example(shape))
    return f"<Answer>{inner}</Answer>" if wrapper else inner


def xml(name: str, shape: Any, value: Any) -> str:
    """Return a value as AWS's XML has it (`query`, `ec2` and `rest-xml` alike)."""
    match shape.type_name:
        case "structure":
            inner = "".join(
                xml(member.serialization.get("name", key), member, value[key])
                for key, member in shape.members.items()
                if key in value
            )
        case "list":
            items = shape.member.serialization.get("name", "member")
            if shape.serialization.get("flattened"):
                return "".join(xml(name, shape.member, one) for one in value)
            inner = "".join(xml(items, shape.member, one) for one in value)
        case "map":
            inner = "".join(
                f"<entry>{xml('key', shape.key, key)}{xml('value', shape.value, one)}</entry>"
                for key, one in value.items()
            )
        case "boolean":
            inner = "true" if value else "false"
        case "timestamp":
            inner = value.isoformat()
        case "blob":
            inner = BLOB
        case _:
            inner = escape(str(value))
    return f"<{name}>{inner}</{name}>"


def text(value: Any) -> str:
    """Return bytes, the body of a stream, or anything else, as text."""
    value = value.read() if hasattr(value, "read") else value
    return value.decode() if isinstance(value, bytes) else str(value)


def main() -> None:
    """Read services and operations from standard input, and print what becomes of them."""
    clients = Clients(open_session(Path(sys.argv[1])))
    outcomes = {
        f"{service}:{operation}": outcome(clients, service, operation)
        for service, operations in json.load(sys.stdin).items()
        for operation in operations
    }
    print(json.dumps({"botocore": botocore.__version__, "outcomes": outcomes}, default=text))  # noqa: T201


if __name__ == "__main__":
    main()
