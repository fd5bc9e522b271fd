"""Cut botocore's service models to the operations that we call: a client is then made several times faster.

`python -m tools.models` writes `vendor/aws-models/`, which Chalice puts at the top of the package.
`chalicelib/aws/clients.py` reads these, in a checkout and in the package. Without them botocore
reads its own.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

import botocore
from botocore.loaders import Loader

from tools.calls import ROOT, Operation, definitions

MODELS = ROOT / "vendor" / "aws-models"
# What every client reads beside its service's own files.
SHARED = ("_retry", "partitions", "sdk-default-configuration")
# The protocols that botocore 1.34.145 knows, the version of Lambda's older runtimes. A model names the first
# that its service offers: the one that a newer botocore prefers may be unknown to an older one.
PROTOCOLS = ("query", "ec2", "rest-xml", "rest-json", "json")
# Makes botocore translate the error codes of another protocol into those of `query`.
COMPATIBLE = "awsQueryCompatible"
README = f"""Cut by `make models`, from the data of botocore {botocore.__version__}, to what this app calls.
botocore is Copyright Amazon.com, Inc. or its affiliates, under the Apache License 2.0.
"""

Files = Mapping[str, str]


def called() -> Mapping[str, frozenset[str]]:
    """Return the operations that the adapters call, by service."""
    calls = {call for definition in definitions().values() for call in definition.calls}
    return {service: frozenset(of_service(service, calls)) for service in sorted({one for one, _ in calls})}


def of_service(service: str, calls: Iterable[Operation]) -> Iterable[str]:
    """Return the operations of one service."""
    return (operation for one, operation in calls if one == service)


def files() -> Files:
    """Return every file by its path below `vendor/aws-models`."""
    loader = Loader(include_default_search_paths=True)
    services = called()
    found = {"README": README, "endpoints.json": text(endpoints(loader.load_data("endpoints"), services))}
    for name in SHARED:
        found[f"{name}.json"] = text(loader.load_data(name))
    for service, operations in services.items():
        version = loader.determine_latest_version(service, "service-2")
        place = f"{service}/{version}"
        found[f"{place}/service-2.json"] = text(
            cut(loader.load_service_model(service, "service-2"), operations)
        )
        found[f"{place}/endpoint-rule-set-1.json"] = text(loader.load_data(f"{place}/endpoint-rule-set-1"))
        pages = loader.load_service_model(service, "paginators-1")["pagination"]
        used = {name: pages[name] for name in sorted(operations & pages.keys())}
        found[f"{place}/paginators-1.json"] = text({"pagination": used})
    return found


def cut(model: Mapping[str, Any], operations: frozenset[str]) -> Mapping[str, Any]:
    """Return a service model with these operations and the shapes that they need.

    Documentation is left out, except that of `clientContextParams`: botocore cannot make a client without it.
    """
    kept = {name: model["operations"][name] for name in sorted(operations)}
    waiting, shapes = list(shape_names(kept)), dict[str, Any]()
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            waiting.extend(shape_names(shapes[name]))
    ordered = {name: shapes[name] for name in sorted(shapes)}
    smaller: Mapping[str, Any] = bare({**model, "operations": kept, "shapes": ordered})
    context = {name: part for name, part in model.items() if name == "clientContextParams"}
    return {**smaller, **context, "metadata": spoken(smaller["metadata"])}


def spoken(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a service's metadata with one protocol, which every botocore in use knows.

    Raises ValueError when the service offers none of `PROTOCOLS`.
    """
    offered = metadata.get("protocols", [metadata["protocol"]])
    known = [one for one in PROTOCOLS if one in offered]
    if not known:
        raise ValueError(
            f"{metadata['serviceId']} offers {offered}, and botocore 1.34.145 knows only {PROTOCOLS}"
        )
    rest = {name: value for name, value in metadata.items() if name != COMPATIBLE or known[0] != "query"}
    return {**rest, "protocol": known[0], "protocols": known[:1]}


def shape_names(part: Any) -> Iterable[str]:
    """Yield every shape that a part of a model refers to."""
    match part:
        case {"shape": str(name), **rest}:
            yield name
            yield from shape_names(rest)
        case dict():
            for value in part.values():
                yield from shape_names(value)
        case list():
            for value in part:
                yield from shape_names(value)


def bare(part: Any) -> Any:
    """Return a part of a model without its documentation; a member may well be named so."""
    match part:
        case dict():
            return {
                name: bare(value)
                for name, value in part.items()
                if not (name == "documentation" and isinstance(value, str))
            }
        case list():
            return [bare(value) for value in part]
        case _:
            return part


def endpoints(whole: Mapping[str, Any], services: Iterable[str]) -> Mapping[str, Any]:
    """Return the endpoints of our services, in every partition and region."""
    loader = Loader(include_default_search_paths=True)
    prefixes = {
        loader.load_data(f"{one}/{loader.determine_latest_version(one, 'service-2')}/service-2")["metadata"][
            "endpointPrefix"
        ]
        for one in services
    }
    return {
        **whole,
        "partitions": [
            {
                **partition,
                "services": {
                    name: service for name, service in partition["services"].items() if name in prefixes
                },
            }
            for partition in whole["partitions"]
        ],
    }


def text(data: Any) -> str:
    """Return JSON as small as it gets, on one line."""
    return json.dumps(data, separators=(",", ":")) + "\n"


def write() -> None:
    """Write every file, and nothing else, below `vendor/aws-models`."""
    shutil.rmtree(MODELS, ignore_errors=True)
    for name, content in files().items():
        path = MODELS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


if __name__ == "__main__":
    write()
