"""Alerts as somebody makes them: from the form on the page to the receiver, and what a push becomes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Locator, Page, Worker

from tests.browser.conftest import KEPT, TOKEN, Launch, event, new_context
from tests.browser.dashboard import CANVAS, SOFTWARE_GL, Dashboard, System, draw_by_webgl
from tests.channels.receiver import Receiver
from tests.channels.test_others import Browser
from tests.free_ports import free_port
from tests.sizes import later
from tests.waiting import eventually

KEY: Final = "a-key-for-the-alerts"
HOME: Final = {"latitude": 10.0, "longitude": 20.5}
DAY_MS: Final = 86_400_000
SAVED_IN_THIS_TAB: Final = f"sessionStorage.setItem('quakestream-alerts-key', '{KEY}')"


@pytest.fixture(scope="module")
def alerting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    port = free_port()
    settings = {"ALERTS_TOKEN": KEY, "ALERT_PRIVATE_TARGETS": "true", "PUBLIC_URL": f"http://localhost:{port}"}
    settings["ALLOWED_HOSTS"] = "quakes.test"  # by which the test of an insecure page calls it
    with System(tmp_path_factory.mktemp("system"), port, TOKEN, **settings) as system:
        yield system


@pytest.fixture(scope="module")
def chromium() -> Chromium:
    """Draws its map on a canvas: these tests look beside it, and software WebGL is slow."""
    return KEPT.browser(*CANVAS)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def page(keyed: Page, alerting: System) -> Iterator[Dashboard]:
    """The dashboard of somebody who has the key; what the server refuses stands on a browser's console."""
    with Dashboard(keyed, alerting.url) as dashboard:
        yield dashboard
        assert [one for one in dashboard.complaints if "Failed to load resource" not in one] == []


@pytest.fixture(scope="module")
def keyed(chromium: Chromium) -> Iterator[Page]:
    """A tab in which the key stands."""
    with new_context(chromium) as context:
        context.add_init_script(SAVED_IN_THIS_TAB)
        yield context.new_page()


@pytest.fixture
def notified(launch: Launch) -> Iterator[BrowserContext]:
    """A whole browser: the headless shell shows no notifications."""
    with launch(*CANVAS, whole=True) as browser, browser.new_context(locale="en-GB", timezone_id="UTC") as context:
        yield context


@pytest.fixture
def notified_page(notified: BrowserContext, alerting: System) -> Iterator[Dashboard]:
    yield from opened(notified, alerting)


def opened(context: BrowserContext, alerting: System) -> Iterator[Dashboard]:
    """The dashboard of somebody who has the key; what the server refuses stands on a browser's console."""
    context.add_init_script(SAVED_IN_THIS_TAB)
    dashboard = Dashboard(context.new_page(), alerting.url)
    yield dashboard
    assert [one for one in dashboard.complaints if "Failed to load resource" not in one] == []


def fill(page: Dashboard, **fields: str) -> None:
    """Fields by their labels, in the form."""
    for label, value in fields.items():
        labelled(page, label.replace("_", " ")).fill(value)


def labelled(page: Dashboard, label: str) -> Locator:
    return page.page.locator("form.subscription").get_by_label(label)


def said(page: Dashboard, words: str) -> None:
    eventually(lambda: words in page.page.locator("#said").inner_text(), tell=page.page.locator("#rows").inner_text)


def previewed(page: Dashboard, words: str) -> None:
    eventually(
        lambda: words in page.page.locator("#preview").inner_text(), tell=page.page.locator("#preview").inner_text
    )


def made(page: Dashboard, name: str, receiver: Receiver, **more: str) -> None:
    """Make an alert for HOME that goes to a webhook, and save it."""
    page.open("?view=alerts&alert=new&projection=flat")
    fill(page, Name=name, Latitude=str(HOME["latitude"]), Longitude=str(HOME["longitude"]), **more)
    page.page.get_by_role("button", name="Webhook").click()
    fill(page, Address=receiver.url)
    page.page.get_by_role("button", name="Save alert").click()
    said(page, "Saved.")


def test_from_the_form_to_the_receiver(
    alerting: System, context: BrowserContext, receiver: Receiver, now_ms: int
) -> None:
    past = now_ms - 2 * DAY_MS
    alerting.post(event("Earlier", now_ms, magnitude=6.0, timestamp=past, updated=past))
    eventually(lambda: alerting.count() == 1)
    page = Dashboard(context.new_page(), alerting.url)
    page.open("?projection=flat&period=all")
    page.page.keyboard.press("5")
    eventually(lambda: "view=alerts" in page.query())
    page.page.get_by_label("Key for alerts").fill("not the key at all")
    page.page.get_by_role("button", name="Open").click()
    eventually(lambda: "That is not the key" in page.page.locator("#rows").inner_text())
    page.page.get_by_label("Key for alerts").fill(KEY)
    page.page.keyboard.press("Enter")
    page.page.get_by_role("link", name="New alert").click()
    eventually(lambda: "alert=new" in page.query())

    fill(page, Name="Home", Latitude=str(HOME["latitude"]), Longitude=str(HOME["longitude"]))
    previewed(page, "Would have fired 1 time in the last 30 days")  # before anything is saved, or a channel chosen
    labelled(page, "Expected shaking").select_option("9")
    previewed(page, "Would have fired 0 times")
    labelled(page, "Expected shaking").select_option("4")
    page.page.get_by_role("button", name="Webhook").click()
    fill(page, Address=receiver.url)
    page.page.get_by_role("button", name="Save alert").click()
    said(page, "Saved.")
    assert "alert=sub_" in page.query()
    assert page.page.locator("h1").inner_text() == "Home"

    alerting.post(event("Felt", now_ms, magnitude=6.4, location={"latitude": 10.1, "longitude": 20.4, "depth": 10.0}))
    eventually(lambda: len(receiver.accepted) == 1)
    (received,) = receiver.accepted.values()
    told = json.loads(received.body)["data"]
    assert (told["kind"], told["mode"], told["subscription"]["name"]) == ("alert", "actual", "Home")
    page.page.reload()
    told_list = page.page.locator(".told")
    eventually(lambda: "Alert" in told_list.inner_text() and "arrived" in told_list.inner_text())
    page.page.locator("#back").click()
    eventually(lambda: "active" in page.page.locator(".card").inner_text())
    assert "shaking IV or more" in page.page.locator(".card").inner_text()


def test_what_is_wrong_stands_beside_its_field(page: Dashboard) -> None:
    page.open("?view=alerts&alert=new&projection=flat")
    fill(page, Latitude="91", Longitude="x")
    labelled(page, "Expected shaking").select_option("")
    page.page.get_by_role("button", name="Webhook").click()
    fill(page, Address="ftp://example.org")
    page.page.get_by_role("button", name="Save alert").click()
    latitude = labelled(page, "Latitude")
    eventually(lambda: latitude.get_attribute("aria-invalid") == "true")
    assert "−90 to 90" in page.page.locator("#f-where-latitude-fault").inner_text()
    assert "−180 to 180" in page.page.locator("#f-where-longitude-fault").inner_text()
    assert latitude.get_attribute("aria-describedby") == "f-where-latitude-fault"
    eventually(lambda: latitude.evaluate("(one) => one === document.activeElement"))
    fill(page, Latitude="10", Longitude="20,5")  # as half of the world writes it
    assert latitude.get_attribute("aria-invalid") is None  # what is mended is said no more
    page.page.get_by_role("button", name="Save alert").click()
    eventually(lambda: "as 100" in page.page.locator("#f-where-radius_km-fault").inner_text())
    fill(page, Only_epicentres_within="300")
    page.page.get_by_role("button", name="Save alert").click()
    eventually(lambda: "begins with https://" in page.page.locator(".channel .fault").inner_text())
    assert page.violations() == []


@pytest.mark.long
def test_a_country_or_region_is_offered_by_its_name(page: Dashboard) -> None:
    page.open("?view=alerts&alert=new&projection=flat")
    offered = page.page.locator("#place-names option")
    for kind, name in (("Country", "Greece"), ("Region", "Southern Greece")):
        page.page.get_by_role("button", name=kind).click()
        eventually(lambda name=name: offered.locator(f"xpath=self::*[@value='{name}']").count() == 1)  # type: ignore[misc]
        labelled(page, kind).fill(name)
        previewed(page, "Would have fired")


@pytest.mark.long
def test_its_buttons(page: Dashboard, receiver: Receiver) -> None:
    made(page, "Buttons", receiver, Only_epicentres_within="300")
    page.page.get_by_role("button", name="Send a test message").click()
    eventually(lambda: len(receiver.accepted) == 1)
    (received,) = receiver.accepted.values()
    assert json.loads(received.body)["data"]["title"].startswith("TEST TEST TEST")
    told = page.page.locator(".told")
    eventually(lambda: "arrived" in told.inner_text(), tell=told.inner_text)
    assert "TEST" in told.inner_text()

    page.page.locator("#snooze").select_option("8")
    said(page, "Snoozed")
    assert "snoozed until" in page.page.locator("#rows").inner_text()
    page.page.get_by_role("button", name="End snoozing").click()
    said(page, "Awake again")

    page.page.get_by_text("Exercise: an earthquake that never was").click()
    assert "does not ask for exercises" in page.page.locator("details.drill").inner_text()
    page.page.get_by_label("Exercises too").check()
    page.page.get_by_role("button", name="Save changes").click()
    said(page, "Saved.")
    page.page.get_by_role("button", name="Play the exercise").click()
    eventually(lambda: len(receiver.accepted) == 2)
    titles = [json.loads(one.body)["data"]["title"] for one in receiver.accepted.values()]
    assert titles[-1].startswith("EXERCISE EXERCISE EXERCISE")

    page.page.get_by_role("button", name="Remove", exact=True).click()
    assert page.page.locator(":focus").get_attribute("id") == "remove-yes"
    page.page.keyboard.press("Enter")
    said(page, "Removed")
    eventually(lambda: "alert=" not in page.query())
    assert "Buttons" not in page.page.locator("#rows").inner_text()


def choose_a_place(page: Dashboard) -> None:
    page.open("?view=alerts&alert=new&projection=flat&camera=0,0,2")
    page.page.get_by_role("button", name="Choose on the map").click()

    def chosen() -> bool:
        page.click_map(right_px=60)
        latitude = labelled(page, "Latitude").input_value()
        return latitude != "" and abs(float(latitude)) < 1 and labelled(page, "Longitude").input_value() != "0.000"

    eventually(chosen)
    assert 5 < float(labelled(page, "Longitude").input_value()) < 20
    page.page.get_by_role("button", name="Choose on the map").click()
    page.page.get_by_role("button", name="Take the middle of the map").click()
    eventually(lambda: labelled(page, "Longitude").input_value() in {"0.000", "-0.000"})
    fill(page, Only_epicentres_within="500")
    page.page.locator("#map canvas").click(position={"x": 5, "y": 5})  # chooses nothing any more
    assert labelled(page, "Longitude").input_value() in {"0.000", "-0.000"}


@pytest.mark.parametrize("switches", [*later(SOFTWARE_GL), CANVAS], ids=["webgl", "canvas"])
def test_a_place_is_chosen_on_the_map(alerting: System, switches: tuple[str, ...]) -> None:
    with new_context(KEPT.browser(*switches)) as context:
        page = Dashboard(context.new_page(), alerting.url)
        page.page.add_init_script(SAVED_IN_THIS_TAB)
        if switches == SOFTWARE_GL:
            draw_by_webgl(context)
        choose_a_place(page)
        assert page.complaints == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ALERTS_TOKEN": ""}, "has set no key"),
        pytest.param({"ALERTS": "false"}, "switched off", marks=pytest.mark.long),
    ],
)
def test_where_there_are_none_it_says_why(
    context: BrowserContext, tmp_path: Path, settings: dict[str, str], words: str
) -> None:
    with System(tmp_path, free_port(), TOKEN, **settings) as system:
        page = Dashboard(context.new_page(), system.url)
        page.open("?view=alerts&projection=flat")
        page.page.get_by_label("Key for alerts").fill("some key")
        page.page.get_by_role("button", name="Open").click()
        eventually(lambda: words in page.page.locator("#rows").inner_text())
        assert page.page.get_by_label("Key for alerts").count() == 0


@pytest.mark.long
def test_axe_finds_nothing_serious(page: Dashboard, receiver: Receiver) -> None:
    made(page, "Axe", receiver)
    page.page.locator("#test").click()
    eventually(lambda: "arrived" in page.page.locator("#rows").inner_text())
    page.open(page.page.evaluate("location.search"))
    eventually(lambda: page.page.locator(".told").is_visible())
    page.page.get_by_label("Quiet hours").check()
    for name in ("E-mail", "Other service"):
        page.page.get_by_role("button", name=name, exact=True).click()
    previewed(page, "Would have fired")
    assert page.violations_by_theme() == {"light": [], "dark": []}
    page.open("?view=alerts&projection=flat")
    eventually(lambda: page.page.locator(".card").count() > 0)
    assert page.violations_by_theme() == {"light": [], "dark": []}
    page.page.get_by_role("button", name="Forget the key").click()
    eventually(lambda: page.page.get_by_label("Key for alerts").count() == 1)
    assert page.violations_by_theme() == {"light": [], "dark": []}


@pytest.mark.long
def test_a_phone(chromium: Chromium, alerting: System, receiver: Receiver) -> None:
    phone = {"width": 390, "height": 844}
    with chromium.new_context(viewport=phone, has_touch=True, is_mobile=True, device_scale_factor=2) as context:
        context.add_init_script(SAVED_IN_THIS_TAB)
        page = Dashboard(context.new_page(), alerting.url)
        made(page, "Phone", receiver)
        assert page.page.evaluate("document.documentElement.scrollWidth") == phone["width"]
        assert page.violations() == []
        page.open("?view=alerts&projection=flat&language=de")
        eventually(lambda: "Neuer Alarm" in page.page.locator("#rows").inner_text())
        assert page.page.evaluate("document.documentElement.scrollWidth") == phone["width"]
        assert page.complaints == []


# --- this browser ---------------------------------------------------------------------------------------------------


def with_push_service(context: BrowserContext, browser: Browser) -> None:
    """A browser whose push service is ours: Chromium's own is not to be reached from here."""
    subscription = browser.fields["subscription"]
    context.add_init_script(
        f"""const made = {json.dumps(subscription)};
        PushManager.prototype.subscribe = async function () {{
          localStorage.setItem('subscribed', '1');
          return {{ endpoint: made.endpoint, toJSON: () => made }};
        }};
        PushManager.prototype.getSubscription = async () => localStorage.getItem('subscribed')
          ? {{ endpoint: made.endpoint, unsubscribe: async () => localStorage.removeItem('subscribed') }} : null;"""
    )


def taken(receiver: Receiver) -> bytes:
    """What the push service got next."""
    eventually(lambda: receiver.accepted)
    return receiver.accepted.popitem()[1].body


def notifications(worker: Worker) -> list[dict[str, Any]]:
    script = "async () => (await registration.getNotifications()).map(({ title, body, tag }) => ({ title, body, tag }))"
    shown: list[dict[str, Any]] = worker.evaluate(script)
    return shown


def test_a_push_is_shown_and_leads_to_its_earthquake(
    alerting: System, notified: BrowserContext, notified_page: Dashboard, receiver: Receiver, now_ms: int
) -> None:
    context, page, browser = notified, notified_page, Browser(receiver.url)
    context.grant_permissions(["notifications"], origin=alerting.url)
    with_push_service(context, browser)
    page.open("?view=alerts&alert=new&projection=flat")
    fill(page, Name="Here", Latitude="-30", Longitude="100")
    with context.expect_event("serviceworker") as registered:
        page.page.get_by_role("button", name="This browser").click()
    said(page, "This browser is added")
    page.page.get_by_role("button", name="Save alert").click()
    said(page, "Saved.")
    page.page.get_by_role("button", name="Send a test message").click()
    pushes = [browser.read(taken(receiver))]
    where = {"latitude": -30.1, "longitude": 100.1, "depth": 10.0}
    alerting.post(event("Pushed", now_ms, magnitude=6.6, location=where))
    told = browser.read(taken(receiver))
    while "TEST" in json.dumps(told):  # it may come twice, and takes its own place then
        told = browser.read(taken(receiver))
    pushes.append(told)

    # What the push service got is what a browser would get of it.
    tools = context.new_cdp_session(page.page)
    versions: list[dict[str, Any]] = []
    tools.on("ServiceWorker.workerRegistrationUpdated", lambda told: versions.extend(told["registrations"]))
    tools.send("ServiceWorker.enable")
    eventually(lambda: page.page.wait_for_timeout(50) or versions)
    origin, registration = alerting.url, versions[0]["registrationId"]
    worker = registered.value
    for shown, push in enumerate(pushes, 1):
        sent = {"origin": origin, "registrationId": registration, "data": json.dumps(push)}
        for _ in range(3):  # Chromium's tools lose one now and then; sent again, it takes its own place
            tools.send("ServiceWorker.deliverPushMessage", sent)
            with contextlib.suppress(AssertionError):
                eventually(lambda shown=shown: len(notifications(worker)) == shown, within_s=5)
                break
    titles = sorted(one["title"] for one in notifications(worker))
    assert titles[0] == "M 6.6 earthquake, Near Pushed"
    assert titles[1].startswith("TEST TEST TEST: ")
    assert all("http" not in one["body"] for one in notifications(worker))

    click = """async () => {
      const [notification] = (await registration.getNotifications()).filter((one) => one.title.includes('Pushed'));
      dispatchEvent(new NotificationEvent('notificationclick', { notification }));
    }"""
    worker.evaluate(click)
    wanted = next(one["id"] for one in alerting.earthquakes() if one["place"] == "Near Pushed")
    eventually(lambda: f"id={wanted}" in page.query(), tell=page.query)
    eventually(lambda: "Near Pushed" in page.page.locator(".hero").inner_text())

    page.open("?view=alerts&projection=flat")
    page.page.get_by_role("link", name="Here", exact=True).click()
    eventually(lambda: "also when the page is closed" in page.page.locator(".channel").inner_text())
    page.page.get_by_role("button", name="Remove", exact=True).click()
    page.page.locator("#remove-yes").click()
    said(page, "Removed")
    assert page.page.evaluate("localStorage.getItem('subscribed')") is None  # nothing leads here any more


def test_an_insecure_page_says_that_it_cannot_be_reached(keyed: Page, alerting: System) -> None:
    with Dashboard(keyed, alerting.url.replace("localhost", "quakes.test")) as page:
        page.open("?view=alerts&alert=new&projection=flat")
        eventually(lambda: "https" in page.page.locator("#hindrance").inner_text())
        assert page.page.get_by_role("button", name="This browser").is_disabled()
        assert [one for one in page.complaints if "Opener-Policy" not in one] == []


def test_a_browser_that_refuses_says_what_to_do(context: BrowserContext, alerting: System) -> None:
    context.add_init_script("Object.defineProperty(Notification, 'permission', { get: () => 'denied' })")
    context.add_init_script(SAVED_IN_THIS_TAB)
    page = Dashboard(context.new_page(), alerting.url)
    page.open("?view=alerts&alert=new&projection=flat")
    eventually(lambda: "blocked in this browser" in page.page.locator("#hindrance").inner_text())
    assert page.page.get_by_role("button", name="This browser").is_disabled()
