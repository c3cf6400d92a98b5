"""What a real browser sends: for another site's page, for `up`'s own, and for the button of a message's link."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from tests.end_to_end.programs import Site
from tests.free_ports import free_port
from tests.waiting import eventually

TOKEN = "0123456789abcdef-control"
FETCH = """async ([url, mode, token]) => {
  const headers = token ? { Authorization: `Bearer ${token}`, "Content-Type": "application/json" } : {};
  try { return (await fetch(url, { method: "POST", mode, headers, body: "{}" })).status; }
  catch (error) { return String(error); }
}"""


@contextmanager
def foreign_page() -> Iterator[str]:
    """The origin of another site, whose server has nothing but a page that says so."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Nothing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()


class _Nothing(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Nothing on the test's own output."""


def posted(page: Page, url: str, mode: str = "cors", token: str = "") -> int | str:
    answer: int | str = page.evaluate(FETCH, [url, mode, token])
    return answer


def test_pages_control_the_stream_only_from_ups_own_origin_and_with_the_token(
    tmp_path: Path, context: BrowserContext
) -> None:
    port = str(free_port())
    with Site(tmp_path, LOG_EVENTS="false", USGS_FEED_URL="http://127.0.0.1:9/", CONTROL_TOKEN=TOKEN) as site:
        ports = ("--service-port", "0", "--consumer-port", port, "--data-dir", str(site.data_dir))
        up = site.start("quakestream", "up", *ports, "--no-fallback")
        start = f"{up.url('earthquake-service')}/earthquake-events/start"
        consumer = up.url("earthquake-consumer")

        page = context.new_page()
        page.goto(f"http://localhost:{port}/health/live")  # of that origin, without the dashboard's own policy
        assert posted(page, start, token=TOKEN) == 200
        assert posted(page, start, token=TOKEN[:-1] + "x") == 401
        assert posted(page, start) == 401

        page.goto(f"http://localhost:{port}/health/live")  # of our origin, and a form as the link's page has it
        form = "document.body.innerHTML = '<form method=post action=/alerts/confirm/x><button>ok</button></form>'"
        page.evaluate(form)
        with page.expect_response("**/alerts/confirm/x") as answered:
            page.get_by_role("button").click()
        assert answered.value.status == 404, "not kept out: the link leads nowhere"

        with foreign_page() as url:
            page.goto(url)
            assert "TypeError" in str(posted(page, start, token=TOKEN)), "the preflight fails"
            posted(page, start, "no-cors")
            posted(page, f"{consumer}/api/v1/drills", "no-cors")
            eventually(lambda: len(up.log("request refused", "cross_site", url)) == 3)
        assert up.log("start was asked for", f"http://localhost:{port}")
        assert not up.log("start was asked for", url)
