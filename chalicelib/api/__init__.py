"""The wire: request bodies, answers, problem documents (RFC 9457), OpenAPI.

API Gateway wakes it through `app`. It calls no AWS service. Page: docs/api.md.
"""

PURE = (
    "probes",
    "rotations",
)
