"""A lab in a process of its own, as a user starts it, and plain sockets to talk to it."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple


class Lab(NamedTuple):
    root: Path
    port: int
    token: str
    process: "subprocess.Popen[str]"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/#token={self.token}"

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body; with the lab's own headers unless others are given."""
        own = {"X-Sparring-Token": self.token, "Content-Type": "application/json"} if method == "POST" else {}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, data, own | (headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()

    def raw(self, text: bytes, wait: float = 30) -> bytes:
        """What comes back for these very bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as link:
            link.sendall(text)
            found = b""
            try:
                while part := link.recv(65536):
                    found += part
                    if b"\r\n\r\n" in found and b"Content-Length" not in found.split(b"\r\n\r\n")[0]:
                        break
                    if found.count(b"\r\n\r\n") and len(found.split(b"\r\n\r\n", 1)[1]) >= length_of(found):
                        break
            except TimeoutError:
                pass
            return found


def length_of(answer: bytes) -> int:
    found = re.search(rb"(?i)content-length: (\d+)", answer)
    return int(found[1]) if found else 0


@contextmanager
def lab(root: Path) -> Iterator[Lab]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "sparring", "lab", str(root), "--no-browser", "--port", str(port)],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"#token=([\w-]+)", line)
        assert found, line + process.stdout.read()
        yield Lab(root, port, found[1], process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
