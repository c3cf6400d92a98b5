"""For Docker's HEALTHCHECK: exit 0 where a program of this container can serve, and none says that it can't."""

from __future__ import annotations

import os
import ssl
import sys
import urllib.error
import urllib.request


def main() -> int:
    answers = 0
    scheme = "https" if os.environ.get("TLS_CERT") else "http"
    nobody_else = ssl.create_default_context()
    nobody_else.check_hostname = False  # it is this container, and the certificate is for the name outside
    nobody_else.verify_mode = ssl.CERT_NONE
    for port in {os.environ.get("PORT") or "3001", os.environ.get("PORT") or "3002"}:
        try:
            with urllib.request.urlopen(f"{scheme}://127.0.0.1:{port}/health/ready", timeout=4, context=nobody_else):  # noqa: S310 - of this container
                answers += 1
        except urllib.error.HTTPError as error:
            print(error.read().decode(errors="replace"))
            return 1
        except OSError:
            continue  # the other program's container
    return 0 if answers else 1


if __name__ == "__main__":
    sys.exit(main())
