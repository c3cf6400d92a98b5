"""The authorities that httpx trusts, read once in each process.

It reads them for each client, and so for each `httpx.get`: 0.02 s of processor, more than all the rest of a call.
"""

from __future__ import annotations

import functools
import os
import ssl
from typing import Any

from httpx._transports import default


def read_once() -> None:
    """From now on, in this process and in what is forked from it."""
    by_httpx = default.create_ssl_context

    @functools.cache
    def known(trust_env: bool, _file: str | None, _folder: str | None) -> ssl.SSLContext:
        return by_httpx(trust_env=trust_env)

    def create(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        if verify is not True or cert is not None:
            return by_httpx(verify=verify, cert=cert, trust_env=trust_env)
        return known(trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))

    default.create_ssl_context = create
