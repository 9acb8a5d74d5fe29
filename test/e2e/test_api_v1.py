"""/api/v1 over HTTP: what a program that books, moves and looks does, and what HTTP itself asks of the daemon."""

import gzip
import http.client
import json
import signal
import socket
import threading
import uuid

import pytest
import requests
from support.certificates import Authority
from support.openapi import check_answer
from support.services import Daemon, Database, eventually

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def key():
    return {"Idempotency-Key": str(uuid.uuid4())}


@pytest.fixture(scope="module")
def api(cluster):
    """Two daemons in front of one database with two scanners."""
    database = Database.create(cluster, "api_v1")
    database.execute("UPDATE radscheduler.site SET timezone = 'UTC'")
    for code in ("AMR1", "AMR2"):
        database.execute("SELECT radscheduler.add_resource(%s, %s, 'equipment', 'MR')", code, "Magnet " + code[-1])
    first, second = Daemon(database.url, RADSCHED_CORS_ORIGINS="https://console.example.org"), Daemon(database.url)
    first.db, first.second = database, second
    yield first
    first.stop()
    second.stop()
    database.close()


def booking(number, start, **more):
    return {"patient_id": f"APIUSER{number}", "patient_name": f"Avery Clientson{number}", "starts_at": start, "modality": "MR", "resources": ["AMR1"], **more}


def book(api, number, start, **more):
    reply = api.post("/api/v1/appointments", json=booking(number, start, **more), headers=key())
    assert reply.status_code == 201, reply.text
    return reply


def test_the_life_of_an_appointment(api):
    made = book(api, 1, "2031-02-03T10:00:00Z")
    where, tag = made.headers["Location"], made.headers["ETag"]
    seen = api.get(where)
    assert seen.json() == {name: value for name, value in made.json().items() if name != "warnings"} and seen.headers["ETag"] == tag
    assert api.get(where, headers={"If-None-Match": tag}).status_code == 304
    assert api.ask("PATCH", where, json={"notes": "ward 3"}).status_code == 428
    moved = api.ask("PATCH", where, json={"starts_at": "2031-02-03T11:00:00Z", "notes": "ward 3"}, headers={"If-Match": tag})
    assert moved.status_code == 200 and moved.json()["starts_at"].startswith("2031-02-03T11:00") and moved.headers["ETag"] != tag
    late = api.ask("PATCH", where, json={"notes": "ward 4"}, headers={"If-Match": tag})
    assert late.status_code == 412 and late.json()["current"]["notes"] == "ward 3"
    for action, state in (("confirm", "CONFIRMED"), ("arrive", "ARRIVED"), ("start", "IN_PROGRESS"), ("complete", "COMPLETED")):
        assert api.post(f"{where}/{action}").json()["status"] == state
    assert api.post(f"{where}/cancel", json={"reason": "too late"}).status_code == 409
    history = api.get(f"{where}/history").json()["items"]
    assert [one["event"] for one in history][:3] == ["appointment.created", "appointment.rescheduled", "appointment.modified"]
    assert api.get(f"{where}/rules").json()["items"] and api.get(f"{where}/conflicts").json()["items"] == []
    # The guide's routes show the same one.
    guide = api.get(where.replace("/v1", ""))
    assert guide.json()["appointment"]["notes"] == "ward 3"


def test_who_prefers_little_is_told_what_became_of_it(api):
    headers = {**key(), "Prefer": 'respond-async, return="minimal"; wait=5'}
    made = api.post("/api/v1/appointments", json=booking(75, "2031-02-26T10:00:00Z", patient_phone="12"), headers=headers)
    assert made.status_code == 201 and made.headers["Preference-Applied"] == "return=minimal"
    assert set(made.json()) == {"id", "version", "status", "warnings"} and [one["code"] for one in made.json()["warnings"]] == ["PHONE_UNUSABLE"]
    seen = api.get(made.headers["Location"])
    assert seen.headers["ETag"] == made.headers["ETag"] and all(seen.json()[name] == made.json()[name] for name in ("id", "version", "status"))
    again = api.post("/api/v1/appointments", json=booking(75, "2031-02-26T10:00:00Z", patient_phone="12"), headers=headers)
    assert again.json() == made.json() and again.headers["Idempotency-Replayed"] == "true"
    whole = api.post("/api/v1/appointments", json=booking(75, "2031-02-26T12:00:00Z"), headers={**key(), "Prefer": "return=representation"})
    assert whole.json()["patient"]["patient_id"] == "APIUSER75" and "Preference-Applied" not in whole.headers
    taken = api.post("/api/v1/appointments", json=booking(76, "2031-02-26T10:00:00Z"), headers={**key(), "Prefer": "return=minimal"})
    assert taken.status_code == 409 and taken.json()["alternatives"] and "Preference-Applied" not in taken.headers


def test_a_taken_time_is_refused_with_the_way_out(api):
    book(api, 2, "2031-02-04T10:00:00Z")
    refused = api.post("/api/v1/appointments", json=booking(3, "2031-02-04T10:10:00Z"), headers=key())
    assert refused.status_code == 409 and refused.json()["conflict"] == "EQUIPMENT_DOUBLE_BOOKED"
    free = refused.json()["alternatives"][0]
    assert api.post("/api/v1/appointments", json=booking(3, free["start"], resources=[free["resource"]]), headers=key()).status_code == 201
    checked = api.post("/api/v1/appointments/check", json={"patient_id": "APIUSER4", "starts_at": "2031-02-04T10:10:00Z", "resources": ["AMR1"]})
    assert checked.json()["bookable"] is False
    found = api.post("/api/v1/slots/search", json={"modality": "MR", "earliest": "2031-02-04T10:00:00Z", "latest": "2031-02-04T12:00:00Z", "duration_minutes": 30, "limit": 3})
    offer = found.json()["items"][0]
    held = api.post("/api/v1/holds", json={"starts_at": offer["starts_at"], "resources": [offer["resource"]], "duration_minutes": 30}, headers=key())
    assert held.status_code == 201, held.text
    assert [one["id"] for one in api.get("/api/v1/holds").json()["items"]] == [held.json()["id"]]
    taken = book(api, 4, offer["starts_at"], resources=[offer["resource"]], duration_minutes=30, hold=held.json()["id"])
    assert taken.json()["conflicts"] == [] and api.get(held.headers["Location"]).status_code == 404


def test_a_conflict_is_worked_off(api):
    guide = {"patientId": "APIUSER5", "patientName": "Avery Clientson5", "modality": "MRI", "studyType": "MRI knee", "referringPhysician": "Dr Reedley", "resource": "AMR2"}
    for number, minute in ((5, "00"), (6, "10")):
        assert api.post("/api/hl7/appointment", json={**guide, "patientId": f"APIUSER{number}", "datetime": f"2031-02-05T10:{minute}:00Z"}).status_code == 201
    listed = api.get("/api/v1/conflicts", params={"severity": "critical", "from": "2031-02-05", "to": "2031-02-06"}).json()["items"]
    assert [one["code"] for one in listed] == ["EQUIPMENT_DOUBLE_BOOKED"]
    solved = api.post(f"/api/v1/conflicts/{listed[0]['id']}/resolve", json={"alternative": 1})
    assert solved.status_code == 200 and solved.json()["conflict"]["state"] == "resolved" and solved.json()["appointment"]["status"] == "SCHEDULED"
    assert api.post(f"/api/v1/conflicts/{listed[0]['id']}/accept", json={"reason": "both fit"}).status_code == 409


def test_a_list_goes_on_where_it_ended(api):
    for hour in range(8, 13):
        book(api, 20 + hour, f"2031-02-06T{hour:02}:00:00Z", duration_minutes=30)
    path, seen = "/api/v1/appointments?date=2031-02-06&limit=2", []
    while path:
        reply = api.get(path)
        seen += [one["patient"]["patient_id"] for one in reply.json()["items"]]
        path = reply.links.get("next", {}).get("url")
        assert bool(path) == bool(reply.json()["next"])
    assert seen == [f"APIUSER{20 + hour}" for hour in range(8, 13)]
    unknown = api.get("/api/v1/appointments?form=2031-02-06")
    assert unknown.status_code == 400 and unknown.json()["parameter"] == "form" and "from" in unknown.json()["hint"]


def test_a_patient_is_found_by_post_only(api):
    book(api, 40, "2031-02-07T08:00:00Z")
    found = api.post("/api/v1/patients/search", json={"name": "clientson40 ave"}).json()["items"]
    assert [one["patient_id"] for one in found] == ["APIUSER40"]
    mine = api.get("/api/v1/appointments", params={"patient": found[0]["record"]}).json()["items"]
    assert len(mine) == 1
    assert api.get("/api/v1/patients/search?name=clientson").status_code == 405
    wrong = api.post("/api/v1/patients/search", json={"birth_date": "yesterday"})
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["pointer"] == "/birth_date"


def test_a_key_makes_one_booking_of_many_requests(api):
    """Two daemons, the same key at the same time: one appointment, and everybody who is answered gets the same one."""
    body, headers, replies = booking(50, "2031-02-10T10:00:00Z"), key(), []

    def send(daemon):
        for _ in range(40):
            reply = daemon.post("/api/v1/appointments", json=body, headers=headers)
            if reply.status_code != 409:
                replies.append(reply)
                return
            assert reply.json()["code"] == "request_in_progress", reply.text

    threads = [threading.Thread(target=send, args=(daemon,)) for daemon in (api, api.second) * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == 16 and {reply.status_code for reply in replies} == {201} and len({reply.text for reply in replies}) == 1
    assert sum("Idempotency-Replayed" not in reply.headers for reply in replies) == 1
    assert len(api.get("/api/v1/appointments?date=2031-02-10").json()["items"]) == 1
    # Keys of two things, in turn at both daemons, do not meet.
    other = key()
    for daemon in (api.second, api):
        assert daemon.post("/api/v1/appointments", json=booking(51, "2031-02-10T12:00:00Z"), headers=other).status_code == 201
        assert daemon.post("/api/v1/appointments", json=body, headers=headers).text == replies[0].text
    assert api.post("/api/v1/appointments", json=booking(52, "2031-02-10T14:00:00Z"), headers=headers).json()["code"] == "idempotency_key_reused"
    assert api.post("/api/v1/appointments", json=booking(52, "2031-02-10T14:00:00Z")).json()["code"] == "idempotency_key_required"


def test_methods_types_and_bodies(api):
    assert api.ask("OPTIONS", "/api/v1/appointments/1").headers["Allow"] == "GET, HEAD, PATCH, OPTIONS"
    wrong = api.ask("PUT", "/api/v1/appointments/1", json={})
    assert wrong.status_code == 405 and wrong.headers["Allow"] == "GET, HEAD, PATCH, OPTIONS"
    head = api.ask("HEAD", "/api/v1/conflicts")
    assert head.status_code == 200 and head.content == b"" and int(head.headers["Content-Length"]) > 0
    assert api.get("/api/v1/conflicts", headers={"Accept": "application/xml"}).status_code == 406
    assert api.post("/api/v1/appointments/check", data="<a/>", headers={"Content-Type": "application/xml"}).status_code == 415
    assert api.post("/api/v1/appointments/check", data="{", headers={"Content-Type": "application/json"}).json()["code"] == "invalid_json"
    assert api.post("/api/v1/appointments/check", data=b'{"patient_id": "\xff"}', headers={"Content-Type": "application/json"}).json()["code"] == "invalid_json"
    assert api.post("/api/v1/appointments/check", data=b"[" * 200000 + b"]" * 200000, headers={"Content-Type": "application/json"}).json()["code"] == "invalid_json"
    assert api.post("/api/v1/appointments/check", data=b" " * (2 << 20), headers={"Content-Type": "application/json"}).status_code == 413
    assert raw(api, b"GET /api/v1/appointments/%zz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 400")
    assert api.get("/api/v1/appointments/1%00").status_code == 400
    assert api.get("/api/v1/appointments/12x").status_code == 404
    assert api.get("/api/v1/nothing").status_code == 404


def test_answers_are_small_and_tell_browsers_what_they_may(api):
    packed = requests.get(api.base + "/api/openapi.json", timeout=30, stream=True, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and "Accept-Encoding" in packed.headers["Vary"]
    assert json.loads(gzip.decompress(packed.raw.read()))["openapi"] == "3.1.0"
    plain = requests.get(api.base + "/api/openapi.json", timeout=30, stream=True, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    for name, value in (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")):
        assert plain.headers[name] == value
    assert "default-src 'none'" in plain.headers["Content-Security-Policy"] and "Strict-Transport-Security" not in plain.headers
    page = api.get("/api/docs")
    assert "/api/v1/appointments/{id}" in page.text and "style-src 'sha256-" in page.headers["Content-Security-Policy"]
    assert api.get("/api/openapi.yaml").text.startswith("# The HTTP API")


def test_pages_of_listed_origins_only(api):
    asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}
    good = api.ask("OPTIONS", "/api/v1/appointments/1", headers={"Origin": "https://console.example.org", **asked})
    assert good.status_code == 204 and good.headers["Access-Control-Allow-Origin"] == "https://console.example.org"
    assert "PATCH" in good.headers["Access-Control-Allow-Methods"] and "If-Match" in good.headers["Access-Control-Allow-Headers"]
    bad = api.ask("OPTIONS", "/api/v1/appointments/1", headers={"Origin": "https://console.example.org.evil.example", **asked})
    assert not [name for name in bad.headers if name.startswith("Access-Control")] and bad.headers["Vary"] == "Origin"
    assert "ETag" in api.get("/health", headers={"Origin": "https://console.example.org"}).headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in api.second.get("/health", headers={"Origin": "https://console.example.org"}).headers


def test_a_trace_reaches_the_audit_log_and_tasks(api):
    sent = {"traceparent": f"00-{TRACE[::-1]}-00f067aa0ba902b7-01"}
    api.db.execute("INSERT INTO radscheduler.link (site_id, name) VALUES (radscheduler.current_site(), 'PACS')")
    assert api.post("/api/v1/appointments", json=booking(60, "2031-02-11T10:00:00Z"), headers={**key(), **sent}).status_code == 201
    assert api.db.value("SELECT t.trace_id FROM radscheduler.task t ORDER BY t.task_id DESC LIMIT 1") == TRACE[::-1]
    api.get("/api/v1/appointments?date=2031-02-11", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    assert api.db.value("SELECT count(*) FROM radscheduler.audit_event WHERE trace_id = %s AND action = 'read'", TRACE) == 1
    assert TRACE in api.log.read_text()


def test_metrics_name_routes_not_paths(api):
    api.get("/api/v1/appointments/424242")
    api.get("/some/where/else")
    text = api.get("/metrics").text
    assert 'radsched_http_requests_total{route="/api/v1/appointments/{id}",method="GET",code="404"}' in text and 'route="(none)",method="(other)",code="404"' in text
    assert "424242" not in text and "/some/where" not in text and "radsched_http_request_duration_seconds_bucket" in text


def raw(api, request):
    """Bytes as they are; all that comes back until the daemon closes or is silent."""
    with socket.create_connection(("127.0.0.1", api.http_port), timeout=3) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except TimeoutError:
            pass
        return answer


def test_requests_that_smuggle_do_not_get_through(api):
    """What proxies and servers read differently is refused, and what follows it is not taken for a request."""
    follow = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"POST /api/v1/appointments/check HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    for attack in (
        head + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + follow,
        head + b"Content-Length: 2\r\nContent-Length: 90\r\n\r\n{}" + follow,
        head + b"Content-Length: +2\r\n\r\n{}" + follow,
        head + b"Content-Length: 2, 2\r\n\r\n{}" + follow,
        head + b"Transfer-Encoding: chunked, identity\r\n\r\n{}" + follow,
        head + b"Transfer-Encoding: xchunked\r\n\r\n{}" + follow,
        head + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + follow,
        head + b" Content-Length: 2\r\n\r\n{}" + follow,
        head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n" + follow,
        b"GET /health\x00 HTTP/1.1\r\nHost: x\r\n\r\n" + follow,
        b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n" + follow,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 300,
    ):
        answer = raw(api, attack)
        assert b"HTTP/1.1 2" not in answer, (attack, answer)
        assert b"alive" not in answer, (attack, answer)
    assert api.get("/health/live").status_code == 200


def test_headers_cannot_be_injected(api):
    for path in ("/api/v1/appointments/1%0d%0aX-Evil:%201", "/api/v1/appointments?after=x%0d%0aX-Evil:%201", "/api/v1/conflicts?limit=1&code=%0d%0aX-Evil:1"):
        reply = api.get(path)
        assert "X-Evil" not in reply.headers and reply.status_code in (200, 400, 404)
    connection = http.client.HTTPConnection("127.0.0.1", api.http_port, timeout=10)
    connection.request("GET", "/api/v1/conflicts", headers={"If-None-Match": '"\xff"', "Prefer": "\xe9", "traceparent": "\xe9" * 55})
    assert connection.getresponse().status == 200


def test_a_saturated_pool_says_so_and_recovers(cluster):
    """Every connection waits for a lock: who comes next is told to come again; then all goes on."""
    database = Database.create(cluster, "api_saturated")
    daemon = Daemon(database.url, RADSCHED_DB_CONNECTIONS="2", RADSCHED_DB_STATEMENT_TIMEOUT="20s")
    blocker = database.connect()
    try:
        blocker.autocommit = False
        with blocker.cursor() as cursor:
            cursor.execute("LOCK TABLE radscheduler.conflict IN ACCESS EXCLUSIVE MODE")
        replies = []
        threads = [threading.Thread(target=lambda: replies.append(daemon.get("/api/v1/conflicts"))) for _ in range(6)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(replies) >= 4, seconds=15, what="answers to those who found no connection")
        assert {reply.status_code for reply in replies} == {503} and replies[0].json()["code"] == "too_busy" and replies[0].headers["Retry-After"]
        blocker.rollback()
        for thread in threads:
            thread.join()
        assert sorted(reply.status_code for reply in replies) == [200] * 2 + [503] * 4
        assert daemon.get("/api/v1/conflicts").status_code == 200
    finally:
        blocker.close()
        daemon.stop()
        database.close()


def test_what_takes_too_long_is_undone_and_told(cluster):
    database = Database.create(cluster, "api_late")
    daemon = Daemon(database.url, RADSCHED_DB_STATEMENT_TIMEOUT="1s")
    blocker = database.connect()
    try:
        blocker.autocommit = False
        with blocker.cursor() as cursor:
            cursor.execute("LOCK TABLE radscheduler.conflict IN ACCESS EXCLUSIVE MODE")
        late = daemon.get("/api/v1/conflicts")
        assert late.status_code == 504 and late.json()["code"] == "timeout"
    finally:
        blocker.close()
        daemon.stop()
        database.close()


def test_the_database_role_has_the_last_word(cluster):
    """A daemon whose role may only read: booking is a 403 that says whose right is missing."""
    database = Database.create(cluster, "api_reader")
    for kind in ("scheduler", "admin"):
        database.execute("SELECT radscheduler.revoke_role(%s, 'radschedulerd')", kind)
    database.execute("SELECT radscheduler.grant_role('reader', 'radschedulerd')")
    daemon = Daemon(database.url)
    try:
        refused = daemon.post("/api/v1/appointments", json=booking(1, "2031-02-03T10:00:00Z"), headers=key())
        assert refused.status_code == 403 and refused.json()["code"] == "forbidden"
        assert daemon.get("/api/v1/appointments").status_code == 200
    finally:
        daemon.stop()
        database.close()


def test_https_with_a_certificate_that_is_changed_under_it(cluster, tmp_path):
    database = Database.create(cluster, "api_tls")
    first, second = Authority(tmp_path / "first", "First"), Authority(tmp_path / "second", "Second")
    now = tmp_path / "now.pem", tmp_path / "now.key"

    def install(authority):
        for source, target in zip(authority.issue("daemon"), now):
            target.write_bytes(source.read_bytes())

    install(first)
    daemon = Daemon(database.url, tls=(*now, first.file))
    try:
        kept = requests.Session()
        reply = kept.get(daemon.base + "/api/v1/conflicts", verify=first.file, timeout=10)
        check_answer(reply)
        assert reply.status_code == 200 and reply.headers["Strict-Transport-Security"]
        assert b"HTTP/1.1 2" not in raw(daemon, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        now[0].write_text("garbage")
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: "http.certificate_failed" in daemon.log.read_text(), what="the bad certificate being told")
        assert daemon.get("/health").status_code == 200
        install(second)
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: '"http.certificate"' in daemon.log.read_text(), what="the new certificate being read")
        assert daemon.get("/health", verify=second.file).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            daemon.get("/health")
        assert kept.get(daemon.base + "/health", verify=first.file, timeout=10).status_code == 200  # the connection that was there goes on
    finally:
        daemon.stop()
        database.close()
