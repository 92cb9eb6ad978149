"""The scenarios of the load comparison: what is asked for, how, what it is judged by, and the goal."""

from dataclasses import dataclass

import load
from contenders import HOST, VHOSTS, connect
from corpus import ABSENT, BIG, HOT
from load import LoadError, Request
from measure import cpu_seconds


@dataclass(frozen=True)
class Scenario:
    """A row of the comparison. Goals are multiples of nginx; None: it is measured, and no goal is set."""

    name: str
    title: str
    goal: float | None
    ask: str  # which requests; see `requests_of`
    door: str = "plain"
    about: str = "cpu"  # what the goal is about: cpu, rate or p99
    by: str = "wrk"  # the load generator: wrk, h2load or paced
    coding: str | None = None  # stored variants that are asked for
    headers: tuple = ()
    rate: int = 0  # requests/s in all, of a paced one
    streams: int = 1  # at a time on a connection, of HTTP/2
    connections: int = 32


SCENARIOS = (
    Scenario("hot", "one hot 1 KB file", 1.4, "hot"),
    Scenario("304", "304, one file", 1.05, "hot not modified"),
    Scenario("304-many", "304 over 2,000 files", 1.05, "random not modified"),
    Scenario("random", "random over 2,000 files", 1.1, "random"),
    Scenario("gzip", "stored gzip", 1.2, "texts", coding="gzip"),
    Scenario("brotli", "stored brotli", 1.2, "texts", coding="br"),
    Scenario("404", "404 page", 1.4, "absent"),
    Scenario("big", "10 MB file", 1.5, "big", about="rate"),
    Scenario("connect", "new connection per request", 1.0, "hot", headers=(("Connection", "close"),)),
    Scenario("h2c", "h2c, one hot 1 KB file", 2.0, "hot", door="h2c", by="h2load", streams=10),
    Scenario("h2-tls", "h2 over TLS, random files", 1.5, "random", door="tls", by="h2load", streams=10),
    Scenario("steady", "2,000 requests/s steady, random files", 1.1, "random", by="paced", rate=2_000),
    Scenario("vhosts", f"{VHOSTS:,} virtual hosts at random", None, "home pages", door="vhosts"),
    Scenario("p99", "10,000 requests/s, one hot 1 KB file", None, "hot", about="p99", by="paced", rate=10_000),
)


@dataclass
class Sample:
    """One contender in one round."""

    rate: float
    cpu_us: float  # processor time of the server for a request
    p50_us: int | None = None
    p99_us: int | None = None
    p999_us: int | None = None


def requests_of(scenario, setup, contender):
    """What is asked of a contender. Entity tags are its own.

    # Raises NotAvailable
    """
    if scenario.coding:
        setup.offprint.require(scenario.coding)
    setup.offprint.port(scenario.door)
    corpus, headers = setup.corpus, dict(scenario.headers)
    whole = lambda path: Request(HOST, path, headers, length=len(corpus.all[path]), body=corpus.all[path])  # noqa: E731
    match scenario.ask:
        case "hot":
            return [whole(HOT)]
        case "big":
            return [whole(BIG)]
        case "random":
            return [whole(path) for path in corpus.listed]
        case "hot not modified":
            return not_modified(contender, [HOT])
        case "random not modified":
            return not_modified(contender, corpus.listed)
        case "absent":
            page = corpus.not_found
            return [Request(HOST, ABSENT, headers, status=404, length=len(page), body=page)]
        case "texts":
            accept = {"Accept-Encoding": scenario.coding}
            sizes = setup.compressed[scenario.coding].items()
            return [Request(HOST, path, accept, length=size, encoding=scenario.coding) for path, size in sizes]
        case "home pages":
            return [Request(host, "/", length=len(page), body=page) for host, page in setup.vhosts.items()]
    raise ValueError(scenario.ask)


def not_modified(contender, paths):
    """Requests that say which version they have."""
    connection, requests = connect(contender.port("plain")), []
    for path in paths:
        connection.request("HEAD", path, headers={"Host": HOST})
        answer = connection.getresponse()
        answer.read()
        requests.append(Request(HOST, path, {"If-None-Match": answer.getheader("ETag")}, status=304))
    connection.close()
    return requests


def check(scenario, contender, requests):
    """Asks everything once and looks at the answers closely: nobody should measure error pages, or cold caches."""
    tls = scenario.door == "tls"
    connection = connect(contender.port(scenario.door if scenario.door != "h2c" else "plain"), tls)
    for request in requests:
        connection.request("GET", request.path, headers={"Host": request.host, **request.headers})
        answer = connection.getresponse()
        body = answer.read()
        closes = request.headers.get("Connection") == "close"
        found = (answer.status, len(body), answer.getheader("Content-Encoding"), bool(answer.will_close))
        expected = (request.status, request.length, request.encoding, closes)
        if found != expected:
            what = f"not {expected} (status, length, coding, whether it closes)"
            said = contender.said(scenario.door)
            raise LoadError(f"{contender.name} answers {request.path} with {found}, {what}. {said}")
        if request.body is not None and body != request.body:
            raise LoadError(f"{contender.name} answers {request.path} with other bytes than the file's")
    connection.close()


def measure(scenario, contender, requests, seconds, count, scratch, seed=1):
    """Puts load on a contender and returns a Sample. `count` holds for HTTP/2, `seconds` for the others."""
    port, pids = contender.port(scenario.door), contender.pids(scenario.door)
    before = cpu_seconds(pids)
    if scenario.by == "wrk":
        done = load.wrk(port, requests, seconds, scratch, scenario.connections, seed)
    elif scenario.by == "paced":
        done = load.paced(port, requests, scenario.rate, seconds, scratch)
    else:
        tls = scenario.door == "tls"
        done = load.h2load(port, requests, count, scratch, scenario.connections, scenario.streams, tls)
    sample = Sample(done.rate, (cpu_seconds(pids) - before) / done.requests * 1e6)
    if done.latencies_us:
        sample.p50_us, sample.p99_us, sample.p999_us = map(done.percentile_us, (0.5, 0.99, 0.999))
    return sample
