"""Requests that a page of another site, a stranger's run or a hostile client would make: every one is refused, and the lab goes on."""

import json
import socket
import time
from pathlib import Path

import pytest

from lab_server import lab

BEGIN = {"recipe": "gan", "data": "ring", "given": {"steps": 5}, "seed": 0}
SCRIPT = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """A lab over a folder with a run, a stranger's run, a link out of it, and a secret beside it."""
    place = tmp_path_factory.mktemp("place")
    root, secret = place / "runs", place / "secret"
    for folder in (root / "good" / "samples", root / SCRIPT / "samples", secret / "samples"):
        folder.mkdir(parents=True)
    config = {"recipe": "gan", "settings": {"steps": 10}, "data_settings": {}, "run_settings": {}, "data": "ring", "seed": 0,
              "device": "cpu"}
    for folder in (root / "good", root / SCRIPT, secret):
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "log.jsonl").write_text('{"step": 1, "discriminator/adversarial": 1.4}\n')
        (folder / "samples" / "000000.png").write_bytes(b"\x89PNG secret" if folder == secret else b"\x89PNG")
    (root / "link").symlink_to(secret, target_is_directory=True)
    (root / "good" / "samples" / "000001.png").symlink_to(secret / "samples" / "000000.png")
    for name, more in (("own", {"recipe": "./evil.py"}), ("option", {"settings": {"--out": "/tmp/x"}}), ("label", {"data": SCRIPT}),
                       ("deep", {"settings": {"steps": 10}, "seed": "0; rm"})):
        (root / name).mkdir()
        (root / name / "config.json").write_text(json.dumps(config | more))
    (root / "label" / "log.jsonl").write_text(json.dumps({"step": 1, SCRIPT: 1.0}) + "\n")
    with lab(root) as one:
        yield one


def post(there, path="/api/games", body=BEGIN, **headers):
    return there.ask("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})


# ------------------------------------------------------------------------------------------------ whose page asks
@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", "",
                                  "0.0.0.0:{port}", "127.0.0.1:{port}@evil.example"])
def test_a_foreign_host_is_refused(there, host):
    """Also a name that was made to lead to this machine (DNS rebinding)."""
    status, body = there.ask("GET", "/api/runs", headers={"Host": host.format(port=there.port)})
    assert status in (400, 421) and b"good" not in body


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1", "http://localhost:{port}"])
def test_a_foreign_origin_is_refused_even_with_the_token(there, origin):
    assert post(there, Origin=origin.format(port=there.port))[0] == 403
    assert there.ask("GET", "/api/runs", headers={"Origin": origin.format(port=there.port)})[0] == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_what_the_browser_says_of_another_site_is_believed(there, site):
    assert there.ask("GET", "/api/runs", headers={"Sec-Fetch-Site": site})[0] == 403


@pytest.mark.parametrize("token", ["", "x", "0" * 32])
def test_nothing_is_changed_without_the_token(there, token):
    for path in ("/api/games", "/api/runs/start", "/api/runs/stop", "/api/runs/resume", "/api/runs/fork", "/api/games/g1/do"):
        assert post(there, path, X_Sparring_Token=token)[0] == 403


def test_a_form_of_another_site_cannot_send_what_the_lab_takes(there):
    assert post(there, Content_Type="text/plain")[0] == 415
    assert post(there, Content_Type="application/x-www-form-urlencoded")[0] == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"])
def test_other_methods_are_refused(there, method):
    assert there.ask(method, "/api/games")[0] in (400, 405)


# ------------------------------------------------------------------------------------------------ headers and bodies
def request(there, *lines, body=b""):
    head = [*lines, f"Host: 127.0.0.1:{there.port}" if not any(line.startswith("Host") for line in lines) else ""]
    return "\r\n".join(line for line in head if line).encode() + b"\r\n\r\n" + body


TOKEN, JSON = "X-Sparring-Token: {token}", "Content-Type: application/json"


@pytest.mark.parametrize("lines", [
    ("GET /api/runs HTTP/1.1", "Host: 127.0.0.1:{port}", "Host: evil.example"),
    ("POST /api/games HTTP/1.1", TOKEN, TOKEN, JSON, "Content-Length: 2"),
    ("POST /api/games HTTP/1.1", TOKEN, JSON, "Transfer-Encoding: chunked"),
    ("POST /api/games HTTP/1.1", TOKEN, JSON, "Content-Length: 5", "Transfer-Encoding: chunked"),
    ("POST /api/games HTTP/1.1", TOKEN, JSON, "Content-Length: -1"),
    ("POST /api/games HTTP/1.1", TOKEN, JSON, "Content-Length: 99999999999"),
    ("GET /api/runs HTTP/1.1", "X-Long: " + "a" * 20_000),
    ("GET /api/runs HTTP/1.1", *(f"X-{i}: 1" for i in range(200))),
    ("GET http://evil.example/api/runs HTTP/1.1", "Host: evil.example"),
    ("GET /api/runs\x00 HTTP/1.1",), ("GET /api/runs HTTP/1.1", "Bad Header: x"), ("\x16\x03\x01 TLS",)])
def test_header_tricks_are_refused(there, lines):
    text = request(there, *(line.format(port=there.port, token=there.token) if "{" in line else line for line in lines))
    answer = there.raw(text + b"0\r\n\r\n")
    status = answer.split(b" ")[1:2]
    assert not answer or int(status[0]) >= 400, answer[:200]


def test_an_oversized_body_is_refused_before_it_is_read(there):
    assert post(there, body=b"{" + b" " * 300_000 + b"}")[0] == 413


@pytest.mark.parametrize("body", [
    b"", b"[]", b"nonsense", b'{"recipe": NaN}', b"[" * 100_000, b'{"recipe": 1}', b'{"recipe": "gan", "data": "/etc/passwd"}',
    b'{"recipe": "./evil.py", "data": "ring"}', b'{"recipe": "gan", "data": "ring", "given": {"--out": 1}}',
    b'{"recipe": "gan", "data": "ring", "given": {"lr": [1]}}', b'{"recipe": "gan", "data": "ring", "seed": -1}'])
def test_bodies_that_are_none_are_refused_in_a_sentence(there, body):
    status, said = post(there, body=body)
    assert status == 422 and json.loads(said)["error"].endswith(".")


@pytest.mark.slow
def test_a_slow_body_is_given_up(there):
    with socket.create_connection(("127.0.0.1", there.port), timeout=40) as link:
        link.sendall(request(there, "POST /api/games HTTP/1.1", f"X-Sparring-Token: {there.token}", "Content-Type: application/json",
                             "Content-Length: 1000", body=b"{"))
        began = time.monotonic()
        assert b" 408 " in link.recv(4096).split(b"\r\n")[0]
        assert 5 < time.monotonic() - began < 20


# ------------------------------------------------------------------------------------------------ paths
OUT = ["../secret", "good/../../secret", "..%2fsecret", "%2e%2e/secret", "..%252fsecret", "/etc", "//etc", "good/./../..", "link",
       "link/samples", "\\..\\secret", "good%00", "good/", ".", "..", "~", "file:///etc", "good/samples", ".hidden", "C:\\x"]


@pytest.mark.parametrize("name", OUT)
def test_no_name_leads_out_of_the_folder(there, name):
    for what in ("about", "chart"):
        status, body = there.ask("GET", f"/api/runs/{what}?name={name.replace(chr(92), '%5C')}")
        assert status in (404, 422) and b"secret" not in body, body
    status, body = there.ask("GET", f"/api/runs/sample?name={name.replace(chr(92), '%5C')}&step=000000")
    assert status == 404 and b"PNG" not in body
    assert post(there, "/api/games", {"run": name})[0] in (404, 422)


@pytest.mark.parametrize("step", ["../../../secret/samples/000000", "000001", "0", "000000.png", "-00000", "%2e%2e"])
def test_no_picture_is_reached_by_another_spelling_or_a_link(there, step):
    status, body = there.ask("GET", f"/api/runs/sample?name=good&step={step}")
    assert status == 404 and b"secret" not in body


@pytest.mark.parametrize("path", ["/page/../server.py", "/page/..%2fserver.py", "/page/%2e%2e/guard.py", "/page/index.html/../../games.py",
                                  "/etc/passwd", "/page/", "/.git/config", "/docs", "/openapi.json"])
def test_only_the_pages_own_files_are_served(there, path):
    answer = there.raw(request(there, f"GET {path} HTTP/1.1"))
    assert answer.split(b" ")[1] == b"404"


def test_links_are_listed_as_what_they_are_and_not_followed(there):
    runs = {run["name"]: run for run in json.loads(there.ask("GET", "/api/runs")[1])["runs"]}
    assert runs["link"]["state"] == "broken" and "link" in runs["link"]["wrong"]
    assert runs["good"]["state"] == "stopped"


# ------------------------------------------------------------------------------------------------ strangers' runs
@pytest.mark.parametrize("name", ["own", "option", "deep"])
def test_a_strangers_run_starts_nothing(there, name):
    for path in ("/api/runs/resume", "/api/runs/fork"):
        status, said = post(there, path, {"run": name, "steps": 20})
        assert status == 422 and json.loads(said)["error"]
    assert post(there, "/api/games", {"run": name})[0] == 422


def test_markup_stays_text(there):
    """Names come as JSON, which no browser takes for a page, and the page's policy allows no script but its own files."""
    status, body = there.ask("GET", "/api/runs")
    assert status == 200 and SCRIPT in {run["name"] for run in json.loads(body)["runs"]}
    answer = there.raw(request(there, "GET / HTTP/1.1")).lower()
    assert b"content-security-policy: default-src 'none'; script-src 'self'" in answer
    assert b"unsafe" not in answer.split(b"\r\n\r\n")[0] and b"x-content-type-options: nosniff" in answer
    assert b"access-control" not in answer
    page = answer.split(b"\r\n\r\n", 1)[1]
    assert b"http://" not in page and b"https://" not in page and b"onclick" not in page


def test_stopping_a_run_that_another_process_trains_is_refused(there):
    assert b"was not started by this lab" in post(there, "/api/runs/stop", {"run": "good"})[1]


def test_the_lab_listens_to_this_machine_alone(there):
    table = Path("/proc/net/tcp")
    listening = [line.split()[1] for line in table.read_text().splitlines()[1:] if line.split()[3] == "0A"] if table.exists() else []
    assert all(place.startswith("0100007F") for place in listening if place.endswith(f":{there.port:04X}"))


def test_after_all_this_the_lab_still_answers(there):
    assert there.process.poll() is None
    assert there.ask("GET", "/api/about")[0] == 200
    assert json.loads(there.ask("GET", "/api/games")[1]) == []
