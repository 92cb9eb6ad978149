"""What the switching test checks: deployments whose every line says whose it is, and clients that read it.

The clients and the script that switches share three numbers: `begun` is the last switch whose API call was begun,
`settled` the last one that was acknowledged and has been seen on the site, `stop` ends the clients. Switch 0 is the
deployment that is live in the beginning, and switches are made one after the other, each when the last has settled.
A client notes `settled` before it sends a request and `begun` after the last byte of the answer. The answer is of
one deployment, whole, and it must be that of a switch k with

    settled before the request  ≤  k  ≤  begun after the answer

for anything older was replaced before the request was sent, and anything newer was not asked for yet. Besides, no
client may go back: when its last answer was of switch j at the earliest, then j ≤ k. (An answer that was sent for
a while may be of the deployment that was live when it began; the next request of the same client begins later.)
"""

import functools
import random
import re
import signal
import socket
import time
import zlib

TYPES = {"html": "text/html", "txt": "text/plain", "css": "text/css", "js": "application/javascript"}
TYPES |= {"json": "application/json"}
# Lines of each asset of deployment 0; others have some more. The largest is above what a server keeps in memory.
ASSETS = {"/small.txt": 30, "/page.json": 90, "/style.css": 1_000, "/app.js": 9_000, "/large.js": 60_000}
SHARES = (6, 4, 3, 2, 1)  # how often each is asked for
LARGE = ("/app.js", "/large.js")
LINE = re.compile(rb"^deployment (\d{6}) ", re.MULTILINE)


def key(deployment, path):
    """The asset key, and so the entity tag."""
    return f"{deployment:06}-{path.strip('/').replace('.', '-')}"


@functools.lru_cache(maxsize=100)
def content(deployment, path):
    """Lines with the deployment's mark; a number of them that differs from other deployments."""
    return f"deployment {deployment:06} {path}\n".encode() * (ASSETS[path] + deployment % 1_000)


def uploads(deployment):
    """As `Client.upload` takes it."""
    return {path: (key(deployment, path), content(deployment, path), TYPES[path.split(".")[-1]]) for path in ASSETS}


class Wrong(Exception):
    """An answer that should not have been. The first argument is what it counts as: failed, mixed or stale."""


class Connection:
    """A keep-alive connection that reads answers as they come; http.client would take most of the processor."""

    def __init__(self, port, slow):
        self.slow = slow
        self.socket = socket.socket()
        self.socket.settimeout(20)
        if slow:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
        self.socket.connect(("127.0.0.1", port))

    def get(self, host, path, headers):
        """(status, headers, body)"""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode())
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._some(self.socket.recv(64 << 10))
        first, *lines = received[:end].decode().split("\r\n")
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if "content-length" not in fields:
            raise Wrong("failed", f"{path}: no content-length in {first} {fields}")
        length, begun = int(fields["content-length"]), received[end + 4 :]
        if len(begun) > length:
            raise Wrong("failed", f"{path}: {len(begun) - length} bytes beyond content-length")
        body = bytearray(length)
        body[: len(begun)] = begun
        rest = memoryview(body)[len(begun) :]
        while rest:
            # A slow reader's answers are under way while the deployment is switched.
            rest = rest[self._some(self.socket.recv_into(rest[: 16 << 10] if self.slow else rest)) :]
            if self.slow:
                time.sleep(0.0005)
        return int(first.split()[1]), fields, body

    @staticmethod
    def _some(received):
        if not received:
            raise Wrong("failed", "the server closed the connection in the middle")
        return received


class Checker:
    """Knows the plan, and remembers how far one client has seen it."""

    def __init__(self, plan):
        self.plan = plan  # switch -> deployment
        self.floor = 0

    def check(self, path, answer, settled, begun):
        """Raises Wrong unless the answer is a whole one of a deployment that may be live."""
        status, headers, body = answer
        if status != 200:
            raise Wrong("failed", f"{path}: status {status}")
        coding = headers.get("content-encoding")
        if coding == "gzip":
            body = zlib.decompress(body, wbits=31)
        elif coding:
            raise Wrong("failed", f"{path}: content-encoding {coding}, which was not asked for")
        deployment = self.whole(path, body)
        tag = headers.get("etag", "").removeprefix("W/")
        if tag != f'"{key(deployment, path)}"':
            raise Wrong("mixed", f"{path}: etag {tag} with the body of deployment {deployment}")
        for switch in range(max(settled, self.floor), begun + 1):
            if self.plan[switch] == deployment:
                self.floor = switch
                return
        allowed = self.plan[max(settled, self.floor) : begun + 1]
        raise Wrong("stale", f"{path}: deployment {deployment}, where {allowed} may be live (switches {settled}–{begun})")

    @staticmethod
    def whole(path, body):
        """The deployment whose asset this is, from the first byte to the last."""
        first = LINE.match(body)
        if not first:
            raise Wrong("failed", f"{path}: {len(body)} bytes of no deployment: {bytes(body[:60])}")
        deployment = int(first[1])
        if body == content(deployment, path):
            return deployment
        marks = sorted({int(mark) for mark in LINE.findall(body)})
        if len(marks) > 1:
            raise Wrong("mixed", f"{path}: lines of the deployments {marks}")
        # Lines of one deployment, but not as many as it has: as if cut to the length of another.
        raise Wrong("mixed", f"{path}: {len(body)} bytes of deployment {deployment}, which has another length")


def client(number, port, host, plan, shared, results):
    """Asks until told to stop. One client in four reads slowly, one in two takes compressed answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the script stops its clients itself
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    chance, checker, connection = random.Random(number), Checker(plan), None
    slow, headers = number % 4 == 3, "Accept-Encoding: gzip\r\n" if number % 2 else ""
    counts, examples = {"requests": 0, "compressed": 0, "bytes": 0, "failed": 0, "mixed": 0, "stale": 0}, []
    while not shared.stop:
        path = chance.choice(LARGE) if slow else chance.choices(tuple(ASSETS), SHARES)[0]
        settled = shared.settled
        counts["requests"] += 1
        try:
            connection = connection or Connection(port, slow)
            answer = connection.get(host, path, headers)
            counts["bytes"] += len(answer[2])
            counts["compressed"] += "content-encoding" in answer[1]
            checker.check(path, answer, settled, shared.begun)
        except Exception as error:  # whatever keeps an answer from being understood is a failure of it
            kind, text = error.args if isinstance(error, Wrong) else ("failed", repr(error))
            counts[kind] += 1
            examples += [f"{kind}: {text}"][: 5 - len(examples)]
            if kind == "failed":
                connection = None
                time.sleep(0.02)
    results.put((counts, examples))
