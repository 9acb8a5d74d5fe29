"""The locked door: who is let in, who is not and why, in whose name the database is asked; tokens made by an independent library."""

import json
import os
import re
import subprocess
import time

import jwt as pyjwt
import pytest
from support.services import DAEMON, DAEMON_ROLE, Daemon, Database

ADMIN_ROLE = "rad_door_admin"
SECRET = "0123456789abcdef0123456789abcdef-for-tests"
PASSWORD = "correct horse battery staple"
BOOKING = {"patientId": "AUTH1", "patientName": "Locke Smith", "modality": "MRI", "studyType": "Brain MRI", "datetime": "2031-05-05T15:00:00Z",
           "referringPhysician": "Dr. Keyes"}


def command(database, *arguments, stdin="", code=0):
    done = subprocess.run([str(DAEMON), *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False,
                          env={"PATH": os.environ["PATH"], "DATABASE_URL": database.url.replace(DAEMON_ROLE, ADMIN_ROLE)})
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout.strip() if code == 0 else done.stderr.strip()


@pytest.fixture(scope="module")
def door(cluster):
    """A daemon that asks who is there, in front of a database of two sites."""
    database = Database.create(cluster, "auth")
    home = database.value("SELECT code FROM radscheduler.site")
    database.execute("SELECT radscheduler.create_site('ANNEX', 'Annex', 'UTC')")
    if not database.rows("SELECT FROM pg_roles WHERE rolname = %s", ADMIN_ROLE):
        database.execute(f"CREATE ROLE {ADMIN_ROLE} LOGIN")
    database.execute("SELECT radscheduler.grant_role('admin', %s), radscheduler.grant_site(%s, '*')", ADMIN_ROLE, ADMIN_ROLE)
    command(database, "user", "add", "rivera", "Ana Rivera", "--scopes", "appointments:read,hl7:ingest", "--site", home, stdin=PASSWORD + "\n")
    command(database, "user", "add", "okafor", "Chidi Okafor", "--scopes", "analytics:read", "--site", "ANNEX", stdin=PASSWORD + "\n")
    daemon = Daemon(database.url, JWT_SECRET=SECRET)
    daemon.home, daemon.database = home, database
    yield daemon
    daemon.stop()
    database.close()


def token(door, login="rivera", password=PASSWORD, **more):
    return door.post("/api/v1/auth/login", json={"login": login, "password": password, **more})


def bearer(text):
    return {"headers": {"Authorization": f"Bearer {text}"}}


def signed(claims, key=SECRET, algorithm="HS256", **headers):
    now = int(time.time())
    body = {"iss": "radscheduler", "aud": "radscheduler-users", "sub": "elsewhere", "iat": now, "exp": now + 600, **claims}
    return pyjwt.encode({name: value for name, value in body.items() if value is not None}, key, algorithm=algorithm, headers=headers or None)


def test_without_a_credential_only_health_is_open(door):
    assert door.get("/health").status_code == 200
    assert door.get("/health/live").status_code == 200
    for call in (door.get("/api/appointments"), door.get("/api/analytics/dashboard"), door.get("/api/v1/auth/me"), door.post("/api/hl7/appointment", json=BOOKING),
                 door.post("/api/hl7/raw", data="MSH|", headers={"Content-Type": "text/plain"})):
        assert call.status_code == 401, call.text
        assert call.headers["WWW-Authenticate"].startswith("Bearer")
        assert call.headers["Content-Type"] == "application/problem+json" and call.json()["code"] == "unauthorized"


def test_signing_in_gives_a_token_that_opens_what_its_scopes_name(door):
    reply = token(door)
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert body["user"] == {"login": "rivera", "site": door.home, "scopes": ["appointments:read", "hl7:ingest"]}
    assert door.get("/api/v1/auth/me", **bearer(body["token"])).json()["name"] == "user:rivera"
    assert door.get("/api/appointments", **bearer(body["token"])).status_code == 200
    refused = door.get("/api/analytics/dashboard", **bearer(body["token"]))
    assert refused.status_code == 403 and "analytics:read" in refused.json()["detail"]
    # An independent library reads it, and it is signed with the secret.
    claims = pyjwt.decode(body["token"], SECRET, algorithms=["HS256"], audience="radscheduler-users", issuer="radscheduler")
    assert claims["sub"] == "rivera" and claims["exp"] - claims["iat"] == 8 * 3600


def test_what_is_done_stands_in_the_audit_log_under_its_name_and_site(door):
    reply = door.post("/api/hl7/appointment", json=BOOKING, **bearer(token(door).json()["token"]))
    assert reply.status_code == 201, reply.text
    rows = door.database.rows("SELECT e.actor, s.code FROM radscheduler.audit_event e JOIN radscheduler.site s USING (site_id) WHERE e.action = 'appointment.created'")
    assert [(row["actor"], row["code"]) for row in rows] == [("user:rivera", door.home)]


def test_a_credential_sees_its_own_site_only(door):
    other = door.database.value("SELECT radscheduler.create_api_key('Annex reader', '{appointments:read}') FROM set_config('radscheduler.site', 'ANNEX', false)")
    listed = door.get("/api/appointments", headers={"X-API-Key": other})
    assert listed.status_code == 200 and listed.json()["appointments"] == []
    mine = door.get("/api/appointments", **bearer(token(door).json()["token"]))
    assert [row["patient_id"] for row in mine.json()["appointments"]] == ["AUTH1"]


def test_wrong_logins_are_alike_and_slow_down(door):
    unknown, wrong = token(door, "nobody"), token(door, password="something else entirely")
    assert unknown.status_code == wrong.status_code == 401
    assert unknown.json()["detail"] == wrong.json()["detail"]
    door.database.execute("UPDATE radscheduler.app_user SET failures = 6 WHERE login = 'okafor'")
    assert token(door, "okafor", "not this one either").status_code == 401
    closed = token(door, "okafor")
    assert closed.status_code == 429 and 1 <= int(closed.headers["Retry-After"]) <= 16
    door.database.execute("UPDATE radscheduler.app_user SET failures = 0, closed_until = NULL WHERE login = 'okafor'")
    assert token(door, "okafor").status_code == 200
    assert door.database.value("SELECT count(*) FROM radscheduler.audit_event WHERE action = 'login.failed'") >= 2


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"login": "rivera"}', '{"login": "rivera", "login": "x", "password": "y"}', '{"login": 1, "password": "y"}'])
def test_a_login_that_is_none_is_refused(door, body):
    reply = door.post("/api/v1/auth/login", data=body, headers={"Content-Type": "application/json"})
    assert reply.status_code in (400, 429)


def test_a_closed_or_changed_user_is_out_at_once(door):
    command(door.database, "user", "add", "brief", "Brief Guest", "--scopes", "appointments:read", "--site", door.home, stdin=PASSWORD + "\n")
    time.sleep(3.2)  # a token of the address's bucket
    pass_ = token(door, "brief").json()["token"]
    assert door.get("/api/appointments", **bearer(pass_)).status_code == 200
    command(door.database, "user", "scopes", "brief", "--scopes", "slots:read", "--site", door.home)
    gone = door.get("/api/appointments", **bearer(pass_))
    assert gone.status_code == 401 and "Sign in again" in gone.json()["detail"]
    command(door.database, "user", "close", "brief", "--site", door.home)
    assert "brief\tBrief Guest\tslots:read\tclosed" in command(door.database, "user", "list", "--site", door.home)


def test_keys_are_made_used_and_revoked(door):
    key = command(door.database, "key", "add", "Mirth channel", "--scopes", "appointments:read", "--expires", "30 days", "--site", door.home)
    assert re.fullmatch(r"rsk_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}", key)
    for how in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}):
        assert door.get("/api/appointments", headers=how).status_code == 200
    assert door.get("/api/v1/auth/me", headers={"X-API-Key": key}).json() == {
        "success": True, "kind": "api_key", "name": f"key:{key[4:12]}", "site": door.home, "scopes": ["appointments:read"]}
    assert door.post("/api/hl7/appointment", json=BOOKING, headers={"X-API-Key": key}).status_code == 403
    assert door.get("/api/appointments", headers={"X-API-Key": key[:-1] + ("a" if key[-1] != "a" else "b")}).status_code == 401
    command(door.database, "key", "revoke", key[4:12], "--site", door.home)
    assert door.get("/api/appointments", headers={"X-API-Key": key}).status_code == 401
    assert "revoked" in command(door.database, "key", "list", "--site", door.home)


def test_tokens_of_another_issuer_of_the_secret_are_taken(door):
    assert door.get("/api/appointments", **bearer(signed({"site": door.home, "scope": "read:appointments"}))).status_code == 200
    assert door.get("/api/appointments", **bearer(signed({"site": door.home, "scopes": ["appointments:*"]}))).status_code == 200


@pytest.mark.parametrize("name, text", [
    ("expired", lambda: signed({"iat": 1, "exp": 2})),
    ("without exp", lambda: signed({"exp": None})),
    ("too long a life", lambda: signed({"exp": int(time.time()) + 90000})),
    ("another issuer", lambda: signed({"iss": "mallory"})),
    ("another audience", lambda: signed({"aud": "everybody"})),
    ("another key", lambda: signed({}, key="another secret of more than thirty-two bytes")),
    ("another algorithm", lambda: signed({}, algorithm="HS512")),
    ("no algorithm", lambda: signed({}, key=None, algorithm="none")),
    ("an unknown kid", lambda: signed({}, kid="other")),
    ("crit", lambda: signed({}, crit=["exp"])),
    ("nonsense", lambda: "abc"),
    ("huge", lambda: "a" * 9000),
])
def test_tokens_that_must_not_be_believed(door, name, text):
    reply = door.get("/api/appointments", **bearer(text()))
    assert reply.status_code == 401, name
    assert "mallory" not in reply.text


def test_basic_and_doubled_credentials_are_told_apart(door):
    assert "Bearer" in door.get("/api/appointments", auth=("rivera", PASSWORD)).json()["detail"]
    doubled = door.get("/api/appointments", headers={"Authorization": "Bearer x", "X-API-Key": "rsk_x"})
    assert doubled.status_code == 401 and "one of them" in doubled.json()["detail"]


def test_who_asks_too_often_waits(cluster):
    database = Database.create(cluster, "rate")
    daemon = Daemon(database.url, RADSCHED_AUTH="required", RADSCHED_RATE_LIMIT="1")
    try:
        key = database.value("SELECT radscheduler.create_api_key('Busy', '{appointments:read}')")
        codes = [daemon.get("/api/v1/auth/me", headers={"X-API-Key": key}).status_code for _ in range(14)]
        assert codes[:10] == [200] * 10 and 429 in codes
        assert daemon.get("/health").status_code == 200
        assert daemon.post("/api/v1/auth/login", json={"login": "a", "password": "b"}).status_code == 501
    finally:
        daemon.stop()
        database.close()


def test_no_secret_reaches_a_log(door):
    text = door.log.read_text()
    for secret in (PASSWORD, SECRET, "rsk_" + "x", "eyJ"):
        assert secret not in text
    assert any(json.loads(line).get("principal") == "user:rivera" for line in text.splitlines() if '"http.request"' in line)


@pytest.mark.parametrize("settings, words", [
    ({"NODE_ENV": "production"}, "HTTP without TLS"),
    ({"NODE_ENV": "production", "RADSCHED_HTTP_HOST": "127.0.0.1", "JWT_SECRET": "short"}, "shorter than 32 bytes"),
    ({"JWT_SECRET": "hackathon_secret_change_in_production"}, "public examples"),
    ({"NODE_ENV": "production", "RADSCHED_BEHIND_PROXY": "yes", "RADSCHED_AUTH": "open"}, "lets everybody in"),
    ({"RADSCHED_JWKS_FILE": "/nowhere"}, "RADSCHED_JWKS_FILE"),
    ({"JWT_SECRET": "x" * 40, "JWT_SECRET_FILE": "/nowhere"}, "both set"),
    ({"JWT_SECRET_FILE": "/nowhere"}, "cannot be read"),
])
def test_a_door_that_would_not_lock_does_not_start(settings, words):
    done = subprocess.run([str(DAEMON), "--check-config"], capture_output=True, text=True, timeout=60, check=False,
                          env={"PATH": os.environ["PATH"], "DATABASE_URL": "postgresql://localhost/x", **settings})
    assert done.returncode == 2 and words in done.stderr, done.stderr
    assert "hackathon_secret" not in done.stderr


def test_secrets_may_stand_in_files(tmp_path):
    (tmp_path / "secret").write_text(SECRET + "\n")
    done = subprocess.run([str(DAEMON), "--print-config"], capture_output=True, text=True, timeout=60, check=False,
                          env={"PATH": os.environ["PATH"], "DATABASE_URL": "postgresql://localhost/x", "JWT_SECRET_FILE": str(tmp_path / "secret")})
    assert done.returncode == 0 and "JWT_SECRET=***" in done.stdout


def test_without_any_of_this_it_says_that_it_is_open(system):
    assert system.get("/api/appointments").status_code == 200
    assert "is OPEN" in system.daemon.log.read_text()
