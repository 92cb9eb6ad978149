"""Functions that mean harm, each as one would write it, and the places that they try to reach."""

import http.server
import itertools
import os
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

from workers import worker


@dataclass(frozen=True)
class Hostile:
    """A Worker, and how many ask it at once."""

    name: str
    title: str
    script: str
    connections: int = 8


MEMORY = "const all = []; for (;;) all.push(new Uint8Array(16 << 20).fill(1));"
# V8 ends the process when its heap is full. With large arrays that is at once: it would look through small objects so often
# that the loop was ended for what it computes.
CRASH = "const all = []; for (;;) all.push(new Array(1 << 16).fill(1));"
STREAM = """
    const chunk = new Uint8Array(64 << 10).fill(120);
    let left = LEFT;
    const pull = (out) => { out.enqueue(chunk); if ((left -= chunk.length) <= 0) out.close(); };
    return new Response(new ReadableStream({ pull }));"""
SILENT = """
    const { readable, writable } = new TransformStream();
    writable.getWriter().write(new Uint8Array(10));
    ctx.waitUntil(new Promise(() => {}));
    return new Response(readable);"""
PRINT = "for (let line = 0; line < 2000; line++) console.log('x'.repeat(500)); return new Response('printed');"
ASSETS = """
    const ask = () => env.ASSETS.fetch(new URL("/page.txt", request.url)).then((answer) => answer.text());
    for (;;) await Promise.all(Array.from({ length: 50 }, ask));"""
FETCH = """
    const reached = [];
    for (const place of PLACES) {
      try {
        const answer = await fetch(place);
        const text = await answer.text();
        if (!text.startsWith("network: ") && text !== "an open place\\n") reached.push(`${place} ${answer.status} ${text}`);
      } catch {}
    }
    return new Response(reached.join("\\n"), { status: reached.length ? 500 : 200 });"""
# What a name of the network leads to changes with every question. This one leads to places of this machine, of which the
# server is told that one is open.
REBOUND = "rebound.example"
OPEN, CLOSED = "127.0.0.1", "127.0.0.2"


def hostiles(inside, redirector):
    """All of them. `inside` and `redirector` are ports of this machine; only the second is open, and only on OPEN."""
    places = [f"http://127.0.0.1:{inside}/", f"http://localhost:{inside}/", f"http://[::1]:{inside}/"]
    places += [f"http://2130706433:{inside}/", f"http://0.0.0.0:{inside}/", f"http://[::ffff:127.0.0.1]:{inside}/"]
    places += [f"https://127.0.0.1:{inside}/", "http://10.0.0.1/", "http://192.168.0.1/", "http://[fd00::1]/"]
    places += ["http://169.254.169.254/latest/meta-data/"]
    places += [f"http://127.0.0.1:{redirector}/to?http://{to}/" for to in (f"127.0.0.1:{inside}", "169.254.169.254")]
    places += [f"http://{REBOUND}:{redirector}/"] * 3
    return (
        Hostile("loop", "endless loop", worker("for (;;);")),
        Hostile("memory", "memory bomb", worker(MEMORY)),
        Hostile("crash", "crash on every request", worker(CRASH)),
        Hostile("network", "fetches of private places", worker(FETCH.replace("PLACES", str(places)))),
        Hostile("huge", "huge answers", worker(STREAM.replace("LEFT", "1 << 30"))),
        Hostile("endless", "answers without an end", worker(STREAM.replace("LEFT", "Infinity"))),
        Hostile("silent", "answers that stop and do not end", worker(SILENT), connections=200),
        Hostile("throw", "exception on every request", worker("throw new Error('no')")),
        Hostile("print", "printing without an end", worker(PRINT)),
        Hostile("assets", "asking for assets without an end", worker(ASSETS)),
    )


NAMES = [hostile.name for hostile in hostiles(inside=0, redirector=0)]


class Place:
    """A web server of this machine that notes which hosts it is asked for; `/to?URL` redirects there."""

    def __init__(self, says, address=OPEN, port=0):
        self.hosts = []
        place = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                place.hosts.append(self.headers["Host"])
                redirects = self.path.startswith("/to?")
                self.send_response(302 if redirects else 200)
                if redirects:
                    self.send_header("Location", self.path.removeprefix("/to?"))
                self.send_header("Content-Length", str(len(says)))
                self.end_headers()
                self.wfile.write(says)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class NameServer:
    """Says that every name is OPEN, and the next time CLOSED, and that this holds for no time."""

    ADDRESS = ("127.0.0.3", 53)
    # Where programs find it.
    FILES = {"resolv.conf": f"nameserver {ADDRESS[0]}\n", "nsswitch.conf": "hosts: files dns\n"}

    def __init__(self, directory):
        """Makes files in `directory`.

        # Raises PermissionError when this user may not listen for questions about names
        """
        self.directory = Path(directory)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(self.ADDRESS)
        for name, text in self.FILES.items():
            (self.directory / name).write_text(text)
        threading.Thread(target=self._serve, daemon=True).start()

    def prefix(self):
        """Of a command that is to ask it, and nobody else."""
        mounts = [f"mount --bind '{self.directory / name}' '/etc/{name}'" for name in self.FILES]
        return ("unshare", "--mount", "sh", "-c", " && ".join([*mounts, 'exec "$0" "$@"']))

    def _serve(self):
        addresses = itertools.cycle((OPEN, CLOSED))
        while True:
            question, asker = self.socket.recvfrom(512)
            # After twelve bytes of head come the name, its parts with their lengths before them, and two numbers.
            end = question.index(0, 12) + 5
            asks_for_address = question[end - 4 : end] == b"\0\1\0\1"
            head = question[:2] + b"\x81\x80\0\1" + (b"\0\1" if asks_for_address else b"\0\0") + bytes(4)
            # The name again, an address of the Internet, valid for no second, of four bytes.
            answer = b""
            if asks_for_address:
                answer = b"\xc0\x0c\0\1\0\1" + bytes(4) + b"\0\4" + socket.inet_aton(next(addresses))
            self.socket.sendto(head + question[12:end] + answer, asker)


class Surroundings:
    """What there is for Functions to reach."""

    def __init__(self, scratch):
        self.inside, self.open = Place(b"a private place\n"), Place(b"an open place\n")
        self.closed = Place(b"a private place\n", CLOSED, self.open.port)
        self.names = None
        try:
            self.names = NameServer(scratch)
        except PermissionError as error:
            if "CI" in os.environ:
                raise
            print(f"names that lead to one place and to another by turns are not tried: port 53: {error}", flush=True)

    def hostiles(self):
        return hostiles(self.inside.port, self.open.port)

    def flags(self):
        """Of a server."""
        return ["--functions-allow", f"{OPEN}:{self.open.port}"]

    def prefix(self):
        """Of the server's command."""
        return self.names.prefix() if self.names else ()

    def wrong(self, requests, errors):
        """What was reached and should not have been, or the other way round, by who fetches what is private."""
        visits = len(self.inside.hosts) + len(self.closed.hosts)
        wrong = [f"a private place was reached {visits} times"] if visits else []
        if errors:
            wrong.append(f"{errors} of {requests} answers say that a private place was reached, or that nothing ran")
        if not any(host.startswith(OPEN) for host in self.open.hosts):
            wrong.append("the place that redirects was not reached, so nothing was shown about redirects")
        rebound = sum(host.startswith(REBOUND) for host in self.open.hosts)
        if self.names and not rebound:
            wrong.append("no name led to an open place, so nothing was shown about names")
        print(f"By a name that leads to an open and to a closed place by turns, the open one was reached {rebound} times")
        return wrong
