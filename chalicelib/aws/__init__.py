"""One AWS service per file: shapes and error codes translated to values and errors of `model`.

The adapters decide nothing. Each function is one AWS call, or one call for each page.
Page: docs/architecture.md.
"""
