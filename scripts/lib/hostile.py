"""Functions that mean harm, each as one would write it, and the places that they try to reach."""

import http.server
import threading
from dataclasses import dataclass

from workers import worker


@dataclass(frozen=True)
class Hostile:
    """A Worker, and how many ask it at once."""

    name: str
    title: str
    script: str
    connections: int = 8


MEMORY = "const all = []; for (;;) all.push(new Uint8Array(16 << 20).fill(1));"
# V8 ends the process for it.
CRASH = "const all = []; for (;;) all.push({ n: all.length, text: 'x'.repeat(9) + all.length });"
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
        if (!text.startsWith("network: ")) reached.push(`${place} ${answer.status} ${text}`);
      } catch {}
    }
    return new Response(reached.join("\\n"), { status: reached.length ? 299 : 200 });"""


def hostiles(inside, redirector):
    """All of them. `inside` and `redirector` are ports of this machine."""
    places = [f"http://127.0.0.1:{inside}/", f"http://localhost:{inside}/", f"http://[::1]:{inside}/"]
    places += [f"http://2130706433:{inside}/", f"http://0.0.0.0:{inside}/", f"http://[::ffff:127.0.0.1]:{inside}/"]
    places += [f"https://127.0.0.1:{inside}/", "http://10.0.0.1/", "http://192.168.0.1/", "http://[fd00::1]/"]
    places += ["http://169.254.169.254/latest/meta-data/"]
    places += [f"http://127.0.0.1:{redirector}/to?http://{to}/" for to in (f"127.0.0.1:{inside}", "169.254.169.254")]
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


class Place:
    """A web server of this machine that counts who comes; `/to?URL` redirects there."""

    def __init__(self):
        self.visitors = 0
        place = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                place.visitors += 1
                redirects = self.path.startswith("/to?")
                self.send_response(302 if redirects else 200)
                if redirects:
                    self.send_header("Location", self.path.removeprefix("/to?"))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
