#!/usr/bin/env python3
"""A client as an integrator would write it, from the published API alone: paths, fields, statuses, forms of refusals.

It knows nothing of how the gateway is made. What it asks is said by the environment:

  IRA_URL, IRA_CERT, IRA_TOKEN   where the API is, the certificate it shows, a token
  IRA_CAMPAIGN                   a campaign whose calls reach the scripted callees
  IRA_CLOSED, IRA_TRUNKLESS      one that may not call at this hour, one without trunks

It ends with 0 where everything was as published, and says what was not otherwise.
"""

import json
import os
import queue
import re
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

URL = os.environ["IRA_URL"]
CAMPAIGN = os.environ["IRA_CAMPAIGN"]
# A callee who answers and says nothing, and one who is busy.
STAYS, BUSY = "+15005550002", "+15005550003"
PATIENCE_S = 60


class Webhooks:
    """A receiver of webhooks: an HTTP server that keeps what comes, by call."""

    def __init__(self, token):
        self.token = token
        self.events = queue.Queue()
        self.seen = []
        self.faults = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.take(self.headers, json.loads(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, headers, body):
        if headers["authorization"] != f"Bearer {self.token}":
            self.faults.append(f"authorization: {headers['authorization']}")
        if set(body) != {"event_name", "event_data"}:
            self.faults.append(f"the top level has {sorted(body)}")
        self.events.put(body)

    def wait(self, call_uuid, *names):
        """The first event of the call that has one of these names."""
        fits = lambda body: body["event_data"]["call_uuid"] == call_uuid and name_of(body) in names
        deadline = time.monotonic() + PATIENCE_S
        while True:
            for body in self.seen:
                if fits(body):
                    self.seen.remove(body)
                    return body["event_data"]
            left = deadline - time.monotonic()
            assert left > 0, f"no {names} of {call_uuid} came; {[name_of(body) for body in self.seen]}"
            try:
                self.seen.append(self.events.get(timeout=left))
            except queue.Empty:
                pass


def name_of(body):
    prefix, name = body["event_name"].split("::")
    assert prefix, body["event_name"]
    return name


class Api:
    """The API with a token."""

    def __init__(self, token):
        self.http = requests.Session()
        self.http.verify = os.environ["IRA_CERT"]
        self.http.trust_env = False
        if token is not None:
            self.http.headers["authorization"] = f"Bearer {token}"

    def post(self, path, body, **more):
        return self.http.post(f"{URL}/api/{path}", json=body, timeout=PATIENCE_S, **more)

    def get(self, path):
        return self.http.get(f"{URL}/api/{path}", timeout=PATIENCE_S)


def ok(answer):
    """What every answer that is not a refusal has."""
    body = answer.json()
    assert answer.status_code == 200, f"{answer.status_code}: {body}"
    assert body["status_code"] == 0 and isinstance(body["status"], str), body
    return body


def refused(answer, http, name, code=1):
    """What every refusal has."""
    body = answer.json()
    assert answer.status_code == http, f"expected {http}, got {answer.status_code}: {body}"
    assert body["status_code"] == code, body
    assert isinstance(body["status"], str) and body["status"], body
    assert body["error"]["name"] == name, body
    assert isinstance(body["error"]["retryable"], bool), body
    assert body["request_id"] == answer.headers["x-request-id"], body
    return body


def make_call(api, hooks, number, **more):
    params = {"event_url": hooks.url, "token": hooks.token, "order": 1047}
    asked = {"campaign_name": CAMPAIGN, "to_number": number, "call_params": params, **more}
    body = ok(api.post("makecall", asked))
    uuid.UUID(body["call_uuid"])
    assert isinstance(body["slowdown"], bool) and isinstance(body["cluster"], str), body
    return body["call_uuid"]


def a_call_from_its_start_to_its_end(api, hooks):
    call = make_call(api, hooks, STAYS)
    started = hooks.wait(call, "started")
    for field in ("timestamp", "tenant_id", "gateway", "dialer_ip", "network_ip", "sip_fields"):
        assert field in started, f"{field}: {started}"
    assert started["call_params"]["order"] == 1047, started
    assert started["call_type"] == started["direction"] == "outbound", started
    assert started["to_number"] == STAYS, started
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", started["timestamp"]), started
    hooks.wait(call, "answered")
    assert ok(api.post("dropcall", {"call_uuid": call}))["call_uuid"] == call
    hangup = hooks.wait(call, "hangup")
    assert hangup["final"] is True and hangup["hangup_cause"], hangup


def one_who_is_busy(api, hooks):
    call = make_call(api, hooks, BUSY)
    hangup = hooks.wait(call, "hangup")
    assert hangup["failure_status"] == "486", hangup
    assert hangup["failure_phrase"], hangup


def live_requests(api, hooks):
    call = make_call(api, hooks, STAYS)
    hooks.wait(call, "answered")
    of_call = {"call_uuid": call}
    ok(api.post("playfile", {**of_call, "filename": "hello.wav"}))
    assert hooks.wait(call, "play_done")["call_uuid"] == call
    ok(api.post("playfile", {**of_call, "filename": "menu.wav", "loop_count": 50, "stop_on_key": True}))
    ok(api.post("stopplay", of_call))
    hooks.wait(call, "play_stopped")
    for path in ("mutecall", "unmutecall", "holdcall", "unholdcall"):
        body = ok(api.post(path, of_call))
        assert body["call_uuid"] == call and body["cluster"], body
    ok(api.post("senddtmf", {**of_call, "digits": "1#"}))
    refused(api.post("playfile", {**of_call, "filename": "nonesuch.wav"}), 422, "prompt_unavailable")
    ok(api.post("dropcall", of_call))
    hooks.wait(call, "hangup")
    ended = api.post("stopplay", of_call)
    refused(ended, 409, "call_ended")


def digits_are_asked_for(api, hooks):
    # This one presses 4321# after 4 s.
    call = make_call(api, hooks, "+15005550006")
    hooks.wait(call, "answered")
    asked = {
        "call_uuid": call, "var_name": "pin", "audio_type": "file", "prompt_message": "code.wav",
        "error_message": "sorry.wav", "minimum_digits": 1, "maximum_digits": 5, "minimum_tries": 3,
        "timeout": 10, "term_keys": "#", "reg_expr": "^[0-9]+$",
    }
    ok(api.post("getvaliddtmf", asked))
    got = hooks.wait(call, "dtmf_collected")
    assert got["var_name"] == "pin" and got["valid"] is True and got["digits"].isdigit(), got
    assert hooks.wait(call, "dtmf")["digit"] in "0123456789#", got
    simple = {"call_uuid": call, "var_name": "more", "digit_count": 3, "timeout": 5, "term_keys": "#"}
    ok(api.post("getsimpledtmf", simple))
    assert hooks.wait(call, "dtmf_collected")["var_name"] == "more"
    ok(api.post("dropcall", {"call_uuid": call}))
    hooks.wait(call, "hangup")


def what_is_refused(api, hooks):
    call = {"campaign_name": CAMPAIGN, "to_number": STAYS}
    unknown = {"call_uuid": str(uuid.uuid4())}
    closed = refused(api.post("makecall", {**call, "campaign_name": os.environ["IRA_CLOSED"]}), 403, "outside_hours", 3)
    published = r"This campaign is not allowed outside of production hours \d{4}-\d{4}"
    assert re.fullmatch(published, closed["status"]), closed
    refused(api.post("makecall", {**call, "campaign_name": "nonesuch"}), 404, "unknown_campaign")
    refused(api.post("makecall", {**call, "campaign_name": os.environ["IRA_TRUNKLESS"]}), 409, "no_trunks")
    for path in ("dropcall", "stopplay", "holdcall"):
        refused(api.post(path, unknown), 404, "unknown_call")
    for body in ({}, {**call, "to_number": "+1500{555"}, {**call, "dial_timeout": "soon"}, {**call, "nonesuch": 1}):
        answer = refused(api.post("makecall", body), 422, "invalid_field")
        assert answer["detail"], answer
        for mistake in answer["detail"]:
            assert set(mistake) == {"loc", "msg", "type"} and mistake["loc"][0] == "body", mistake
    direct = api.post("makecalldirect", {**call, "cluster": "nonesuch"})
    refused(direct, 503, "clusters_unreachable", 2)


def who_is_let_in(api, hooks):
    call = {"campaign_name": CAMPAIGN, "to_number": STAYS}
    none = Api(None).post("makecall", call)
    refused(none, 401, "no_token")
    assert none.headers["www-authenticate"].startswith("Bearer"), none.headers
    refused(Api("ira_nonesuch").post("makecall", call), 400, "invalid_token")


def what_may_be_repeated(api, hooks):
    params = {"event_url": hooks.url, "token": hooks.token}
    call = {"campaign_name": CAMPAIGN, "to_number": BUSY, "call_params": params}
    key = {"idempotency-key": str(uuid.uuid4())}
    first = ok(api.post("makecall", call, headers=key))
    assert ok(api.post("makecall", call, headers=key)) == first
    refused(api.post("makecall", {**call, "to_number": STAYS}, headers=key), 409, "conflict")
    hooks.wait(first["call_uuid"], "hangup")
    several = ok(api.post("makecalls", {"calls": [call, {"to_number": BUSY}, {**call, "idempotency_key": "x"}]}))
    assert [result["http_status"] for result in several["results"]] == [200, 422, 200], several
    for result in several["results"]:
        if result["status_code"] == 0:
            hooks.wait(result["call_uuid"], "hangup")


def what_is_told_of_a_call(api, hooks):
    call = make_call(api, hooks, BUSY)
    hooks.wait(call, "hangup")
    shown = api.get(f"calls/{call}").json()
    assert (shown["state"], shown["final"]) == ("busy", True), shown
    assert "token" not in shown["call_params"], shown
    events = api.get(f"calls/{call}/events").json()["events"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), events
    assert api.get(f"calls/{call}/explain").json()["path"], call
    assert any(each["call_uuid"] == call for each in api.get("calls?limit=100").json()["calls"])


def main():
    hooks = Webhooks("s3cret")
    api = Api(os.environ["IRA_TOKEN"])
    failed = 0
    for step in (
        a_call_from_its_start_to_its_end, one_who_is_busy, live_requests, digits_are_asked_for, what_is_refused,
        who_is_let_in, what_may_be_repeated, what_is_told_of_a_call,
    ):
        begun = time.monotonic()
        try:
            step(api, hooks)
            print(f"ok      {step.__name__} ({time.monotonic() - begun:.1f} s)")
        except Exception as error:  # each step is told of, whatever became of the one before
            failed += 1
            print(f"FAILED  {step.__name__}: {type(error).__name__}: {error}")
    for fault in hooks.faults:
        failed += 1
        print(f"FAILED  a webhook: {fault}")
    return 1 if failed else 0


sys.exit(main())
