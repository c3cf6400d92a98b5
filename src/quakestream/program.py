"""Running a program: signals, its HTTP server, its exit code. Both services use it, alone or together in one process.

A program is a coroutine function that is given `Stop` and answers with an exit code:

    raise SystemExit(program.run(lambda stop: serve(settings, log, stop=stop), settings.shutdown_timeout_s))

Exit codes: 0 as asked; 1 something went wrong, which the log tells; 2 the settings are at fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from types import FrameType
from typing import Any, Final, TypeVar

import structlog
import uvicorn
import uvloop

from quakestream import doors, output, waits
from quakestream.errors import ConfigError, Fatal, Retryable
from quakestream.garbage import collect_seldom

VANISHED_S: Final = 30.0
"""How long what was sent may stay unacknowledged before the client counts as gone."""
MAX_KERNEL_UNSENT_BYTES: Final = 128 * 1024
"""Of a client that does not read, the kernel else keeps 3 MB and more."""
OTHER_FILES: Final = 300
"""Open files beside connections: the log, the catalogue, clients of others."""
FREE_PORT_ATTEMPTS: Final = 10
"""How often a port is looked for that is free on several addresses."""
PATIENCE_PAUSE_S: Final = 1.0
GRACEFUL_S: Final = 2
"""How long HTTP requests that are being answered may take when the program stops."""

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Stop(asyncio.Event):
    """Set when the program is to stop in order. `last_words` are called when it must end at once: what is left."""

    def __init__(self) -> None:
        super().__init__()
        self.last_words: list[Callable[[], None]] = []


def run(main: Callable[[Stop], Coroutine[Any, Any, int]], shutdown_timeout_s: float) -> int:
    """Run a program; its exit code.

    SIGTERM or SIGINT stops it in order. A second one, or the time-out, ends the process at once, with exit code 1.
    """
    stop = Stop()
    loop = uvloop.new_event_loop()
    collect_seldom()
    # Closing the loop waits for its threads: that, too, is within the time-out.
    with _signals(stop, loop, shutdown_timeout_s), asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(stop))


async def together(stop: Stop, *programs: Coroutine[Any, Any, int]) -> int:
    """Run several programs side by side; when one ends, the others stop in order. The worst of their exit codes."""
    tasks = [asyncio.create_task(one) for one in programs]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    return max(await asyncio.gather(*tasks))


async def patiently(what: str, opening: Callable[[], T], stop: asyncio.Event) -> T | None:
    """What `opening` gives, as soon as it can; off the loop. None: the program is to stop before.

    Raises:
        QuakestreamError: what does not pass.
    """
    while not stop.is_set():
        try:
            return await asyncio.to_thread(opening)
        except Retryable as error:
            log.warning(f"waiting for {what}", reason=str(error))  # noqa: G004 - the sentence that people look for
        await waits.is_set(stop, PATIENCE_PAUSE_S)
    return None


async def exit_code(program: Awaitable[int]) -> int:
    """The program's exit code; for one that raises, the code that fits, and a line in the log that says why."""
    try:
        return await program
    except ConfigError as error:
        log.critical(str(error))
        return 2
    except Fatal as error:
        log.critical(str(error))
    except Exception:
        log.critical("stopped by an unexpected error", exc_info=True)
    return 1


async def until(stop: asyncio.Event, *working: asyncio.Future[Any]) -> None:
    """Wait until `stop` is set, or one of what is at work ends or fails; its error is logged with its trace at once.

    Raises:
        Fatal: something failed.
    """
    asked = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait([asked, *working], return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
    for ended in done - {asked}:
        error = None if ended.cancelled() else ended.exception()  # nobody asked it to end
        if isinstance(error, Fatal):  # whose message says it all
            raise error
        log.critical("unexpected error: stopping in order", exc_info=error)
        raise Fatal("stopped by an unexpected error; the traceback is above") from error


@contextlib.asynccontextmanager
async def listening(
    app: Callable[..., Any],
    *,
    name: str,
    host: str,
    port: int,
    max_connections: int = 1000,
    max_per_address: int | None = None,
    handed_over: Callable[[], int] = lambda: 0,
    http: type[doors.Guarded] = doors.Guarded,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Listening]:
    """Answer HTTP while the block runs; `name` is how the program calls itself in its log.

    `http` may be a protocol of the program's own. `handed_over`: how many connections it has given to others, which are
    among the `max_connections`, but not among the `max_per_address` (None: as many as in all). `tls`: answer HTTPS.

    Raises:
        Fatal: the address can't be listened on; one line that says why.
    """
    _allow_files(max_connections + OTHER_FILES)
    listeners = _listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    url = f"{'https' if tls else 'http'}://{shown}:{listeners[0].getsockname()[1]}"
    config = doors.Config(
        app,
        tls=tls,
        doors=doors.Doors(max_connections, max_per_address or max_connections, handed_over),
        http=http,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=doors.IDLE_S,
        timeout_graceful_shutdown=GRACEFUL_S,
    )
    server = _Server(config)
    answering = asyncio.create_task(server.serve(sockets=listeners), name=f"{name} http")
    try:
        while not server.started and not answering.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        log.info(f"{name} listening on {url}")  # noqa: G004 - the sentence that people look for
        yield Listening(url, answering)
    finally:
        server.should_exit = True
        await answering


class Listening:
    """A server that answers at `url` for as long as its task, `answering`, runs."""

    def __init__(self, url: str, answering: asyncio.Task[None]) -> None:
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self.answering = answering


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the program's, not one server's."""
        yield


def _listen(host: str, port: int) -> list[socket.socket]:
    """One socket for each address that `host` means, all on the same port."""
    try:
        wanted = _addresses(host)
    except OSError as error:
        raise Fatal(f"can't listen on {host}: {error.strerror or error}") from None
    for attempt in range(1, FREE_PORT_ATTEMPTS + 1):
        listeners: list[socket.socket] = []
        try:
            for address in wanted:
                listeners.append(_listen_on(address, listeners[0].getsockname()[1] if listeners else port))
        except OSError as error:
            for listener in listeners:
                listener.close()
            if port == 0 and listeners and attempt < FREE_PORT_ATTEMPTS:
                continue  # a port that is free on one address is not on another
            raise Fatal(f"can't listen on {host} port {port}: {error.strerror or error}") from None
        break
    return listeners


def _addresses(host: str) -> list[str]:
    """The addresses that a host means: of `localhost` and `::` those of both families that this machine has.

    Raises:
        OSError: it has no address.
    """
    both = {"localhost": ["127.0.0.1", "::1"], "::": ["0.0.0.0", "::"]}  # noqa: S104 - it is asked for
    if host.lower() in both:
        return [address for address in both[host.lower()] if ":" not in address or _has_ipv6()]
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def _listen_on(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, port), family=family)  # one of IPv6 takes no IPv4
    if sys.platform == "linux":  # each connection inherits them
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(VANISHED_S * 1000))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_KERNEL_UNSENT_BYTES)
    return listener


def _allow_files(wanted: int) -> None:
    """Have as many files open as that many connections take; where the system allows fewer, say so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning("the system allows fewer open files than connections may need", allowed=allowed, wanted=wanted)


@contextlib.contextmanager
def _signals(stop: Stop, loop: asyncio.AbstractEventLoop, timeout_s: float) -> Iterator[None]:
    def handle(number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if timer.is_alive():
            _end_at_once(stop, f"a second signal ({name})")
        timer.start()
        with contextlib.suppress(RuntimeError):  # the loop is closed: stopping is all but done
            loop.call_soon_threadsafe(_ask, stop, name)

    timer = threading.Timer(timeout_s, _end_at_once, (stop, f"not done after {timeout_s:g} s"))
    timer.daemon = True
    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _ask(stop: Stop, signal_name: str) -> None:
    log.info("stopping", signal=signal_name)
    stop.set()


def _end_at_once(stop: Stop, why: str) -> None:
    try:
        for say in stop.last_words:
            say()
        log.critical("ended at once", why=why)
        output.flush_all()
    finally:
        os._exit(1)
