"""The load generators: wrk for HTTP/1.1 as fast as it goes, h2load for HTTP/2 and for fixed rates."""

import itertools
import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

LUA = Path(__file__).resolve().parents[1] / "bench" / "wrk.lua"
PROGRAMS = {"wrk": "wrk", "h2load": "nghttp2-client"}

# A paced client sends at most this often: h2load's timer ticks each 10 ms, and faster clients would send in bursts.
PACED_RATE_MAX = 100


class LoadError(Exception):
    """The run measured something else than what it should: errors, too few requests."""


@dataclass(frozen=True)
class Request:
    """A GET and what must be answered."""

    host: str
    path: str
    headers: dict = field(default_factory=dict)
    status: int = 200
    length: int = 0  # of the body
    encoding: str | None = None
    body: bytes | None = None  # where it is known; compared in the check before a measurement

    def text(self):
        """As it goes over the wire in HTTP/1.1."""
        headers = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\n{headers}\r\n"


@dataclass
class Load:
    """What a run did."""

    requests: int
    seconds: float
    bytes: int  # wrk: of whole answers; h2load: of bodies
    latencies_us: list | None = None  # sorted; of runs at a fixed rate
    p99_us: int | None = None  # of runs as fast as it goes: most of it is waiting for the others' requests

    @property
    def rate(self):
        return self.requests / self.seconds

    def percentile_us(self, share):
        return self.latencies_us[min(len(self.latencies_us) - 1, int(len(self.latencies_us) * share))]


def wrk(port, requests, seconds, scratch, connections=32, seed=1):
    """Sends requests at random for so many whole seconds, one at a time on each of the connections."""
    listed = Path(scratch) / "wrk-requests"
    listed.write_bytes(b"\0".join(request.text().encode() for request in requests))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(LUA)]
    environment = {**os.environ, "WRK_REQUESTS": str(listed), "WRK_SEED": str(seed)}
    out = _run([*command, f"http://127.0.0.1:{port}/"], environment)
    report = json.loads(out.splitlines()[-1])
    load = Load(report["requests"], report["microseconds"] / 1e6, report["bytes"], p99_us=report["p99"])
    if report["socket_errors"] or not load.requests:
        raise LoadError(f"{report['socket_errors']} socket errors in {load.requests} requests")
    failing = requests[0].status >= 400
    if report["not_2xx_or_3xx"] != (load.requests if failing else 0):
        raise LoadError(f"{report['not_2xx_or_3xx']} of {load.requests} answers had a status of 400 or above")
    # Of the answers that were still coming in, bytes are counted.
    _check_bytes(load.bytes, load.requests, load.requests + connections, requests, head_bytes_max=1000)
    return load


def h2load(port, requests, count, scratch, connections=32, streams=10, tls=False):
    """Sends so many requests over HTTP/2: each connection those of the list, in order."""
    options = ["-m", str(streams)]
    return _h2load(port, requests, count, scratch, connections, options, "https" if tls else "http")


def paced(port, requests, rate, seconds, scratch, client_rate=PACED_RATE_MAX, late_max=1.05):
    """Sends requests over HTTP/1.1 at a fixed rate in all, evenly: each client sends at its own moments.

    Started together, h2load's clients would send in step, and a server that gets twenty requests at once saves
    more than half of its time: a millisecond between their starts keeps them apart. A latency is the time from
    sending to the last byte; a request that had to wait for the one before on its connection is not sent yet, so
    one client sends so few, at the most, that answers are there in time. All may take `late_max` times as long.
    """
    clients = -(-rate // client_rate)
    options = ["--h1", "--rps", str(rate / clients), "-r", "1", "--rate-period", "1ms"]
    log = Path(scratch) / "h2load-log"
    log.unlink(missing_ok=True)
    load = _h2load(port, requests, rate * seconds, scratch, clients, [*options, "--log-file", str(log)], "http")
    load.latencies_us = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
    # The last of a client's requests is one turn before the end.
    late = load.seconds / (seconds - 1 / client_rate + clients / 1000)
    if not 0.95 < late < late_max:
        raise LoadError(f"{load.requests} requests at {rate}/s took {late:.2f} times as long as they should")
    return load


def _h2load(port, requests, count, scratch, connections, options, scheme):
    headers = {tuple(request.headers.items()) for request in requests}
    if len(headers) > 1:
        raise ValueError("h2load sends the same headers with every request")
    listed = Path(scratch) / "h2load-addresses"
    listed.write_text("".join(f"{scheme}://{request.host}{request.path}\n" for request in requests))
    command = ["h2load", "-t1", "-c", str(connections), "-n", str(count), "-i", str(listed), *options]
    command += [f"--connect-to=127.0.0.1:{port}"]
    # The first choice of both sides; the servers' other choices differ.
    command += ["--tls13-ciphers=TLS_AES_128_GCM_SHA256"]
    for name, value in headers.pop():
        command += ["-H", f"{name}: {value}"]
    out = _run(command)
    number = lambda pattern: float(re.search(pattern, out)[1])  # noqa: E731
    seconds = number(r"finished in ([\d.]+)(?:s|ms|us),")
    seconds *= {"s": 1, "ms": 1e-3, "us": 1e-6}[re.search(r"finished in [\d.]+(s|ms|us),", out)[1]]
    succeeded, good = int(number(r"(\d+) succeeded")), int(number(r"status codes: (\d+) 2xx"))
    if succeeded != count or good != count:
        raise LoadError(f"{succeeded} of {count} requests succeeded, {good} with a 2xx")
    load = Load(count, seconds, int(number(r"headers .*? \((\d+)\) data")))
    # Every client begins with the first address.
    asked = list(itertools.islice(itertools.cycle(requests), -(-count // connections)))
    _check_bytes(load.bytes, count, count, asked)
    return load


def _check_bytes(measured, least, most, requests, head_bytes_max=0):
    """Answers of another length than expected, between so many and so many, answer something else."""
    length = sum(request.length for request in requests) / len(requests)
    if not 0.85 * length * least <= measured <= (1.15 * length + head_bytes_max) * most:
        raise LoadError(f"{measured} bytes in {least} answers, where bodies have {length:.0f} each")


def _run(command, environment=None):
    done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise LoadError(f"{command[0]} ended with {done.returncode}: {done.stdout[-500:]}")
    return done.stdout
