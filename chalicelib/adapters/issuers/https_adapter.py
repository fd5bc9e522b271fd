"""The HTTPS of `requests`, which certbot's `acme` library speaks through, over a TLS context of ours.

urllib3 would make one itself: strict on Python 3.13 and not before, with the ciphers of the build.
"""

from __future__ import annotations

from typing import Any

from requests.adapters import HTTPAdapter

from chalicelib.adapters.contexts import client_context


class HttpsAdapter(HTTPAdapter):
    """Connect with a context of ours, through a proxy as well; what it trusts is what `verify` names."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pool of direct connections."""
        super().init_poolmanager(*arguments, **options, ssl_context=client_context())

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Make the pool of connections through a proxy."""
        return super().proxy_manager_for(proxy, **options, ssl_context=client_context())
