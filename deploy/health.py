"""For Docker's HEALTHCHECK: exit 0 where a program of this container can serve, and none says that it can't."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request


def main() -> int:
    answers = 0
    for port in {os.environ.get("PORT") or "3001", os.environ.get("PORT") or "3002"}:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=4):
                answers += 1
        except urllib.error.HTTPError as error:
            print(error.read().decode(errors="replace"))
            return 1
        except OSError:
            continue  # the other program's container
    return 0 if answers else 1


if __name__ == "__main__":
    sys.exit(main())
