"""Commands as they are typed, in the test's own process: a program of its own takes 0.2 s of processor, each time."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.main import get_command
from typer.testing import CliRunner

_built = functools.cache(get_command)
"""Once: it takes longer than most of what is typed."""


@contextlib.contextmanager
def logging_as_before() -> Iterator[None]:
    """A program sets up its log lines, and says what becomes of errors that nobody takes; with the block that ends."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    structlog.reset_defaults()


def typed(
    program: Any, *arguments: str, environment: Mapping[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Type these arguments behind the program's name (it is a Typer), in this folder, with this environment alone."""
    with pytest.MonkeyPatch.context() as patched, logging_as_before(), contextlib.chdir(folder):
        for name in list(os.environ):
            patched.delenv(name)
        for name, value in environment.items():
            patched.setenv(name, value)
        patched.setattr("typer.testing._get_command", _built)
        done = CliRunner().invoke(program, list(arguments))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(list(arguments), done.exit_code, done.stdout, done.stderr)
