"""Offprint and two equal nginx with the same content, each on the same core, and what each of them lacks."""

import contextlib
import http.client
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from corpus import Corpus
from measure import cpu_seconds, pinned, process_tree, wait_quiet
from nginx import Nginx
from offprint import DOMAIN, Client, Server, StartError, wait_until
from stores import populated

PROJECT = "bench"
HOST = f"{PROJECT}.{DOMAIN}"
VHOSTS = 10_000
FLAGS = ("--gc-interval", "0", "--shutdown-grace", "1")
ENDINGS = {"br": ".br", "gzip": ".gz"}


class NotAvailable(Exception):
    """A contender cannot do what the scenario is about."""


class Offprint:
    """`offprint serve`: one process for plain text, one for TLS on the same data, one with the virtual hosts."""

    name = "offprint"

    def __init__(self):
        self.servers = {}
        self.absent = {}  # door or content coding -> why it is not there

    def port(self, door):
        return self._server(door).port

    def pids(self, door):
        return process_tree(self._server(door).process.pid)

    def _server(self, door):
        door = "plain" if door == "h2c" else door
        if door in self.absent:
            raise NotAvailable(self.absent[door])
        return self.servers[door]

    def require(self, coding):
        if coding in self.absent:
            raise NotAvailable(self.absent[coding])

    def said(self, door):
        """The last lines of its log."""
        return self._server(door).log_path.read_text()[-500:]

    def stop(self):
        with contextlib.ExitStack() as stack:
            for server in self.servers.values():
                stack.callback(server.stop)


class Setup:
    """All contenders, running, with their content. Build with `prepared`."""

    def __init__(self, programs, home, core):
        self.program, self.populate = programs
        self.home, self.core = Path(home), core
        self.corpus = Corpus()
        self.offprint = Offprint()
        self.contenders = [self.offprint]
        self.vhosts = {}  # host -> its page
        self.compressed = {}  # content coding -> {path: length}
        self.certificate, self.key = self.home / "certificate.pem", self.home / "key.pem"
        (self.home / "site").mkdir()
        (self.home / "vhosts").mkdir()

    def server(self, door, data, *flags):
        """Starts Offprint on a data directory, as that which has this door."""
        path = self.log_path(door)
        with open(path, "w") as log:
            server = Server(self.program, self.home / data, *FLAGS, *flags, log=log, prefix=pinned(self.core))
        server.log_path = path
        self.offprint.servers[door] = server
        return server

    def log_path(self, door):
        return self.home / f"offprint-{door}.log"

    def start_offprint(self, doors, codings, wait):
        """Starts it, deploys the corpus and waits until the work in the background is done."""
        server = self.server("plain", "data", "--admit-foreign-keys")
        client = Client(server.port, timeout=300)
        client.create_project(PROJECT)
        uploads = self.corpus.uploads()
        client.upload(PROJECT, uploads)
        client.deploy(PROJECT, uploads)
        if not wait_until(lambda: client.site(HOST)[0] == 200, 60):
            raise RuntimeError("the corpus did not go live")
        for coding in codings:
            self.await_compressed(client, coding, time.monotonic() + wait)
        client.close()
        if "tls" in doors:
            self.start_tls()
        if "vhosts" in doors:
            self.start_vhosts()
        if not wait_quiet([server.process.pid for server in self.offprint.servers.values()]):
            print("WARNING: Offprint still works in the background; figures will be off …", end=" ", flush=True)

    def await_compressed(self, client, coding, deadline):
        """Waits for the stored variants of all texts, and takes them over for nginx: both then send the same."""
        paths, found = list(self.corpus.texts), {}
        while paths and time.monotonic() < deadline:
            left = []
            for path in paths:
                answer = client.ask(HOST, path, headers={"Accept-Encoding": coding})
                if answer.getheader("Content-Encoding") != coding:
                    left.append(path)
                    if not found:
                        break  # Probably none is there yet; do not ask for a thousand each time.
                    continue
                found[path] = len(answer.body)
                (self.home / "site" / (path[1:] + ENDINGS[coding])).write_bytes(answer.body)
            if left:
                time.sleep(1)
            paths = left if found else paths
        if paths:
            self.offprint.absent[coding] = f"{len(paths)} of {len(self.corpus.texts)} texts have no {coding} variant"
        self.compressed[coding] = found

    def start_tls(self):
        flags = ("--tls-cert", str(self.certificate), "--tls-key", str(self.key))
        try:
            server = self.server("tls", "data", "--admit-foreign-keys", *flags)
            connect(server.port, tls=True).connect()
        except StartError:
            said = self.log_path("tls").read_text().strip().splitlines() or ["nothing"]
            self.offprint.absent["tls"] = f"offprint serve {' '.join(flags[::2])} does not start: {said[0]}"
        except OSError as error:
            self.offprint.absent["tls"] = f"offprint serve {' '.join(flags[::2])} does not speak TLS: {error}"

    def start_vhosts(self):
        populated(self.home / "many", VHOSTS, self.populate)
        server = self.server("vhosts", "many")
        hosts = [f"p{number}.{DOMAIN}" for number in range(VHOSTS)]

        def fetch(part):
            client = Client(server.port)
            for host in part:
                status, page = client.site(host)
                if status != 200:
                    raise RuntimeError(f"{host} answers {status}")
                self.vhosts[host] = page
                directory = self.home / "vhosts" / host
                directory.mkdir()
                (directory / "index.html").write_bytes(page)
            client.close()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(fetch, [hosts[start::4] for start in range(4)]))

    def start_nginx(self, name):
        where = (self.home / "site", self.home / "vhosts", self.certificate, self.key)
        self.contenders.append(Nginx(name, self.home / name.replace(" ", "-"), self.core, *where))


@contextlib.contextmanager
def prepared(programs, home, core, doors, codings, wait):
    """The contenders with everything that these doors and content codings need.

    `programs` are the paths of offprint and of populate; the latter may be None, to be built.
    """
    setup = Setup(programs, home, core)
    try:
        subject = ["-subj", f"/CN={DOMAIN}", "-addext", f"subjectAltName=DNS:*.{DOMAIN}"]
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
        files = ["-keyout", setup.key, "-out", setup.certificate]
        subprocess.run(["openssl", "req", "-x509", *kind, *subject, *files], check=True, stderr=subprocess.DEVNULL)
        setup.corpus.write(setup.home / "site")
        began = time.monotonic()
        print("deploying, and waiting for what is made in the background …", end=" ", flush=True)
        setup.start_offprint(doors, codings, wait)
        print(f"{time.monotonic() - began:.0f} s", flush=True)
        setup.start_nginx("nginx")
        setup.start_nginx("nginx 2")
        yield setup
    finally:
        with contextlib.ExitStack() as stack:
            for contender in setup.contenders:
                stack.callback(contender.stop)


def connect(port, tls=False):
    """A connection, over TLS without asking who it is."""
    if not tls:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
