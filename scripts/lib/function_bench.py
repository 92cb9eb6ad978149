"""Offprint and `wrangler pages dev` with one site, and what is asked of both."""

import errno
import http.client
from dataclasses import dataclass
from pathlib import Path

import load
from measure import cpu_seconds, pinned, process_tree
from offprint import ACCOUNT, DOMAIN, Client, Server, wait_until
from pages_dev import PagesDev, pages_deploy
from workers import pss_bytes, server_flags

PROJECT = "bench"
PAGE = b"<!doctype html><title>A page</title>\n" + b"<p>Some text of a page.</p>\n" * 40
LARGE = 256 * 1024
DATE = "2026-04-01"

# As somebody would write them for Pages; wrangler compiles them for both.
FUNCTIONS = {
    "hello.js": 'export const onRequestGet = () => new Response("Hello, world\\n");',
    "through/[[path]].js": "export const onRequest = ({ next }) => next();",
    "kv.js": """
        export const onRequestGet = async ({ env }) => new Response(await env.KV.get("greeting"));
        export const onRequestPut = async ({ env, request }) => {
          await env.KV.put("greeting", await request.text());
          return new Response("kept");
        };""",
    "large.js": f'const text = "x".repeat({LARGE}); export const onRequestGet = () => new Response(text);',
}
TRIES = 3
# Requests/s of one client where the rate is fixed: answers may take 100 ms.
CLIENT_RATE = 10
# Who does not keep up for a moment has latencies that show it.
LATE_MAX = 1.5
GREETING = b"a value of a few words, as it is kept by many"


@dataclass(frozen=True)
class Scenario:
    """What is asked for, what must be answered, and how many times as fast as wrangler Offprint must answer it."""

    name: str
    title: str
    path: str
    body: bytes
    goal: float


SCENARIOS = (
    Scenario("hello", "hello Function", "/hello", b"Hello, world\n", 2),
    Scenario("next", "Function that passes on to an asset", "/through/page", PAGE, 2),
    Scenario("static", "asset that no Function is asked about", "/page", PAGE, 10),
    Scenario("kv", "Function that reads from KV", "/kv", GREETING, 2),
    Scenario("large", f"Function that answers {LARGE // 1024} KiB", "/large", b"x" * LARGE, 1),
)


def write_site(directory, namespace):
    """The site, bound to a KV namespace, as a directory for wrangler."""
    files = {f"functions/{path}": text.encode() for path, text in FUNCTIONS.items()}
    files |= {f"public/{path}": PAGE for path in ("index.html", "page.html", "through/page.html")}
    settings = f'name = "{PROJECT}"\npages_build_output_dir = "public"\ncompatibility_date = "{DATE}"\n'
    files["wrangler.toml"] = f'{settings}[[kv_namespaces]]\nbinding = "KV"\nid = "{namespace}"\n'.encode()
    for path, content in files.items():
        target = Path(directory) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


@dataclass(frozen=True)
class Contender:
    """Who is asked."""

    name: str
    port: int
    host: str
    pid: int

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Host": self.host})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


class Contenders:
    """Both, running, on one core."""

    def __init__(self, program, home, core):
        self.home, self.server, self.dev = Path(home), None, None
        try:
            self._start(program, pinned(core))
        except BaseException:
            self.close()
            raise

    def _start(self, program, prefix):
        self.server = Server(program, self.home / "data", *server_flags(), prefix=prefix)
        site, client = self.home / "site", Client(self.server.port)
        client.create_project(PROJECT)
        namespaces = f"/accounts/{ACCOUNT}/storage/kv/namespaces"
        write_site(site, client.call("POST", namespaces, {"title": "bench"})["id"])
        pages_deploy(site, self.home, PROJECT, self.server.api_url())
        host = f"{PROJECT}.{DOMAIN}"
        if not wait_until(lambda: client.site(host, "/hello")[0] == 200, 30):
            raise RuntimeError(f"{host}/hello answers {client.site(host, '/hello')}")
        client.close()
        self.dev = PagesDev(site, self.home, prefix)
        ours = Contender("offprint", self.server.port, host, self.server.process.pid)
        theirs = Contender("wrangler", self.dev.port, f"127.0.0.1:{self.dev.port}", self.dev.process.pid)
        self.all = [ours, theirs]
        for contender in self.all:
            if contender.ask("PUT", "/kv", GREETING) != (200, b"kept"):
                raise RuntimeError(f"{contender.name} keeps no values")

    def memory(self):
        """Of each with its one site, after the load, in MiB."""
        used = {contender.name: pss_bytes(process_tree(contender.pid)) for contender in self.all}
        return {f"{name} with the site, after the load": used[name] / 2**20 for name in used}

    def close(self):
        for one in (self.dev, self.server):
            if one:
                one.stop()


@dataclass
class Sample:
    """One contender in one round."""

    rate: float
    cpu_us: float  # processor time of all of its processes for a request
    p99_ms: float  # as fast as it goes
    paced_p99_ms: float  # at the fixed rate


def check(scenario, contender):
    """Nobody should measure error pages."""
    found = contender.ask("GET", scenario.path)
    if found != (200, scenario.body):
        raise load.LoadError(f"{contender.name} answers {scenario.path} with {found[0]} {found[1][:200]}")


def measure(scenario, contender, seconds, rate, scratch):
    """Full speed for a while, then the fixed rate. A process that has had much to do may be replaced meanwhile, and
    takes along how much it has computed: then all of it again."""
    for _ in range(TRIES):
        try:
            return _measure(scenario, contender, seconds, rate, scratch)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ESRCH):
                raise
    raise load.LoadError(f"{contender.name}: processes end in every measurement")


def _measure(scenario, contender, seconds, rate, scratch):
    request = load.Request(contender.host, scenario.path, length=len(scenario.body))
    pids = process_tree(contender.pid)
    before = cpu_seconds(pids)
    try:
        fast = load.wrk(contender.port, [request], seconds, scratch)
        cpu = cpu_seconds(pids) - before
        paced = load.paced(contender.port, [request], rate, seconds, scratch, CLIENT_RATE, LATE_MAX)
    except load.LoadError as error:
        raise load.LoadError(f"{contender.name}: {error}") from error
    return Sample(fast.rate, cpu * 1e6 / fast.requests, fast.p99_us / 1000, paced.percentile_us(0.99) / 1000)
