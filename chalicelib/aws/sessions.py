"""botocore, started with no more than our calls need: every cold start pays for what it loads.

What is left out is never needed, and where it cannot be left out everything works as well, only later:
`docs/decisions/0008-what-a-cold-start-loads.md`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.session import Session

# botocore takes `ssl`'s own SSLContext from this adapter when it is there, else from where it comes from;
# with the adapter come all of pyOpenSSL, which acme needs, and of cryptography.
_ADAPTER = "urllib3.contrib.pyopenssl"


def open_session() -> Session:
    """Return botocore's session: boto3's is a shell around it, whose import brings what moves files to S3."""
    sys.modules.setdefault(_ADAPTER, None)  # type: ignore[arg-type] # None: it cannot be imported
    from botocore import httpsession
    from botocore.loaders import Loader
    from botocore.session import get_session

    from chalicelib.tls.contexts import client_context

    # botocore has no setting for TLS versions and ciphers: it makes all of its contexts by this function.
    httpsession.create_urllib3_context = client_context  # type: ignore[assignment] # it passes no arguments

    session = get_session()
    models = Path(os.environ.get("AWS_DATA_PATH", ""), "elb")
    if models.is_dir():
        # botocore's own loader also lists the four hundred services of its own data, several times.
        loader = Loader([str(models.parent)], include_default_search_paths=False)
        session.register_component("data_loader", loader)
    return session
