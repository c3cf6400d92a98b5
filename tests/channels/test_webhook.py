from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from quakestream.channels import Accepted, Refused, Retry, load, names
from quakestream.channels.posting import is_public
from quakestream.channels.webhook import WebhookChannel
from quakestream.errors import Rejected
from tests.channels.receiver import Receiver
from tests.channels.shared import message, send


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/x",
        "https://LOCALHOST.:8080/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://metadata.google.internal/",
        "http://metadata/",
        "http://10.1.2.3/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://printer.local/",
        "http://[::127.0.0.1]/",
        "http://[::8.8.8.8]/",
        "http://[fec0::1]/",
        "http://[64:ff9b:1::7f00:1]/",
        "http://[100::1]/",
        "http://①②⑦.0.0.1/",
        "http://bücher.example/",
        "https://example.org/ä",
        "ftp://example.org/",
        "file:///etc/passwd",
        "https://user:secret@example.org/",
        "https://example.org:99999/",
        "https:///nothing",
        "https://example.org/a b",
        "https://example.org/" + "x" * 3000,
        "not a url",
        "",
    ],
)
def test_a_target_of_ones_own_network_or_none_at_all_is_refused(url: str) -> None:
    with pytest.raises(Rejected, match="url"):
        WebhookChannel().check({"url": url})


@pytest.mark.parametrize(
    "url", ["https://example.org/hook?x=1", "http://93.184.216.34:8080/", "https://[2606:2800::1]/"]
)
def test_a_target_in_the_world_is_good(url: str) -> None:
    WebhookChannel().check({"url": url})
    assert WebhookChannel().target({"url": f" {url} "}) == url


@pytest.mark.parametrize("secret", ["plain", "whsec_short", "whsec_%%%", "whsec_" + "A" * 400])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(Rejected, match="secret"):
        WebhookChannel().check({"url": "https://example.org/", "secret": secret})


def test_an_unknown_field_or_channel_is_refused() -> None:
    with pytest.raises(Rejected, match="unknown field"):
        WebhookChannel().check({"url": "https://example.org/", "uri": 1})
    with pytest.raises(Rejected, match=r"no channel is called 'pigeon'; there are .*webhook"):
        load("pigeon")
    assert "posting" not in names()


def test_a_name_that_leads_into_ones_own_network_is_not_connected_to() -> None:
    with Receiver() as receiver:
        at = message(target=f"http://ip6-localhost.example.invalid:{receiver.port}/")
        (unknown,) = send(WebhookChannel(), at)
        assert isinstance(unknown, Retry)
        assert not unknown.maybe_told
        (guarded,) = send(WebhookChannel(), message(target=receiver.url))  # past `check`: as if a name led there
        assert guarded == Refused("127.0.0.1 is in this machine's own network, where nothing is posted to")
        assert not receiver.did


def test_an_old_target_that_is_not_ascii_is_refused_and_costs_nothing() -> None:
    with Receiver() as receiver:
        odd = message(target=f"{receiver.url}ä")
        channel = WebhookChannel(allow_private=True)
        refused, accepted = send(channel, odd, message(target=receiver.url))
    assert isinstance(refused, Refused)
    assert "ASCII" in refused.why
    assert isinstance(accepted, Accepted)


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("accept", Accepted(by_receiver=True)),
        ("final", Refused("answer 422")),
        ("too many", Retry("answer 429", 1.0, maybe_told=False)),
        ("away", Retry("answer 503", None, maybe_told=False)),
        ("error", Retry("answer 500 oops", None, maybe_told=True)),
        ("redirect", Retry("answer 302: redirects are not followed", None, maybe_told=False)),
    ],
)
def test_answers_mean_what_they_say(behaviour: str, expected: Any) -> None:
    with Receiver({behaviour: 1}) as receiver:
        assert send(WebhookChannel(allow_private=True), message(target=receiver.url)) == [expected]


@pytest.mark.parametrize("behaviour", ["stall", "close", "half"])
def test_what_may_have_arrived_is_said_so(behaviour: str) -> None:
    with Receiver({behaviour: 1}) as receiver:
        (outcome,) = send(WebhookChannel(allow_private=True, timeout_s=0.3), message(target=receiver.url))
    assert isinstance(outcome, Retry)
    assert outcome.maybe_told


def test_who_is_not_there_was_not_told() -> None:
    with Receiver() as receiver:
        gone = receiver.url
    (outcome,) = send(WebhookChannel(allow_private=True), message(target=gone))
    assert isinstance(outcome, Retry)
    assert not outcome.maybe_told


def test_it_is_signed_and_says_which_message_it_is() -> None:
    with Receiver() as receiver:
        one = message(target=receiver.url)
        send(WebhookChannel(allow_private=True), one, one)
    assert receiver.did["accept"] == 2
    (received,) = receiver.accepted.values()
    Webhook(one.secret).verify(received.body, received.headers)
    assert received.event["id"] == received.headers["webhook-id"] == "ntf_1"
    assert received.event["data"] == {"kind": "alert"}


@pytest.mark.parametrize("mode", ["exercise", "test"])
def test_a_drill_reaches_nobody_who_did_not_ask(mode: Any) -> None:
    with Receiver() as receiver:
        drill = message(target=receiver.url, mode=mode)
        asked = message(target=receiver.url, mode=mode, asked=("actual", mode), key="asked")
        pressed = message(target=receiver.url, mode=mode, kind="test", key="pressed")
        refused, *taken = send(WebhookChannel(allow_private=True), drill, asked, pressed)
        assert isinstance(refused, Refused)
        assert taken == [Accepted(by_receiver=True)] * 2
        assert receiver.accepted.keys() == {"asked", "pressed"}


def test_public_is_what_the_whole_world_can_reach() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")
    assert is_public("64:ff9b::808:808")
    assert not is_public("224.0.0.1")
    assert not is_public("fe80::1%eth0")


def test_the_check_that_the_docs_show_holds_for_what_is_sent() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    shown: dict[str, Any] = {}
    exec(docs.partition("```python\n")[2].partition("```")[0], shown)  # noqa: S102 - the docs are ours
    with Receiver() as service:
        one = message(target=service.url)
        send(WebhookChannel(allow_private=True), one)
    (got,) = service.accepted.values()
    headers = got.headers
    assert shown["is_genuine"](one.secret, headers, got.body)
    assert not shown["is_genuine"](one.secret, headers, got.body + b" ")
    assert not shown["is_genuine"](one.secret, headers | {"webhook-timestamp": "1"}, got.body)
