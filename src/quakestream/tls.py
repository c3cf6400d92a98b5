"""The certificate that HTTP is served with."""

from __future__ import annotations

import ssl
from pathlib import Path


def server_context(certificate: str, key: str, password: str) -> ssl.SSLContext:
    """What speaks TLS for the holder of these PEM files. `key`: empty where it stands with the certificate.

    Raises:
        ValueError: they can't be read, or do not belong together; one line that says which.
    """
    for path in filter(None, (certificate, key)):
        if "-----BEGIN" in path:
            raise ValueError("the path of a PEM file is wanted, not what stands in it")
        try:
            Path(path).open("rb").close()
        except (OSError, ValueError) as error:
            raise ValueError(f"{path[:200]}: {getattr(error, 'strerror', None) or error}") from None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # a function, so that OpenSSL asks nobody at the terminal
        context.load_cert_chain(certificate, key or None, lambda: password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise ValueError(_why(error, key or certificate, password)) from None
    return context


def _why(error: Exception, key: str, password: str) -> str:
    reason = getattr(error, "reason", None) or str(error)
    if reason == "KEY_VALUES_MISMATCH":
        return "is not the certificate of that key"
    if _is_locked(key):
        return f"the key {'has another' if password else 'has a'} password (TLS_KEY_PASSWORD)"
    return "can't be used: no certificate and key in PEM" if "PEM lib" in reason else f"can't be used: {reason}"


def _is_locked(path: str) -> bool:
    return "ENCRYPTED" in Path(path).read_text(errors="replace")
