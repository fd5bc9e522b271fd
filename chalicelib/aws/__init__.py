"""One AWS service per file: shapes and error codes translated to values and errors of `model`.

The adapters decide nothing, but for what a refusal means: `refusals` has the table of that. Each function is
one AWS call, or one call for each page. Page: docs/architecture.md.
"""

PURE = ("refusals",)
