"""Cold starts of deployments with Functions, and what they hold of the machine's memory."""

import http.client
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from measure import process_tree
from offprint import Client, Server, wait_until
from workers import deploy_worker, processes, pss_bytes, server_flags, worker

# A server's caches fill with its first hundred deployments: it grows by 0.1 MiB with each of them, by a tenth of that later.
WARM_UP = 120
DEPLOYMENTS = 30
IDLE_SECONDS = 5
SCRIPT = worker('return new Response("up");')


@dataclass
class Starts:
    """How long the first answer of a stopped deployment took to begin."""

    ms: list

    @property
    def median(self):
        return statistics.median(self.ms)

    @property
    def p90(self):
        return sorted(self.ms)[int(len(self.ms) * 0.9)]


def first_byte_ms(port, host):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.connect()
    began = time.perf_counter()
    connection.request("GET", "/", headers={"Host": host})
    answer = connection.getresponse()
    took = (time.perf_counter() - began) * 1000
    if (answer.status, answer.read()) != (200, b"up"):
        raise RuntimeError(f"{host} answers {answer.status}")
    connection.close()
    return took


def deploy(server, numbers):
    """One deployment with a Function each: their hosts."""
    client, hosts = Client(server.port), []
    for number in numbers:
        client.create_project(f"p{number}")
        hosts.append(deploy_worker(client, f"p{number}", SCRIPT))
    client.close()
    return hosts


def at_rest(server):
    """What the server holds once all deployments have been stopped, in bytes."""
    if not wait_until(lambda: not processes(server), 60):
        raise RuntimeError("deployments that nobody asks are not stopped")
    time.sleep(1)
    return pss_bytes(process_tree(server.process.pid))


def measure_starts(program, data, cores, count):
    """So many cold starts or some more, and the memory of deployments in MiB, by what they are.

    What a stopped one holds is what the server grows by with each further one: the first make it load and keep what all
    share, such as the caches of its database.
    """
    prefix = ("taskset", "--cpu-list", ",".join(map(str, cores)))
    server = Server(program, Path(data), *server_flags(), "--functions-idle", str(IDLE_SECONDS), prefix=prefix)
    try:
        for host in deploy(server, range(WARM_UP)):
            first_byte_ms(server.port, host)
        before = at_rest(server)
        hosts = deploy(server, range(WARM_UP, WARM_UP + DEPLOYMENTS))
        ms, live, stopped = [], 0, 0
        while len(ms) < count:
            stopped = at_rest(server)
            ms += [first_byte_ms(server.port, host) for host in hosts]
            if len(processes(server)) == DEPLOYMENTS:
                live = pss_bytes(process_tree(server.process.pid))
    finally:
        server.stop()
    if not live:
        raise RuntimeError(f"{DEPLOYMENTS} deployments never lived at once")
    each = lambda more, less: (more - less) / DEPLOYMENTS / 2**20  # noqa: E731
    return Starts(ms), {
        "a deployment that lives, walls included": each(live, stopped),
        "a deployment that was stopped": each(stopped, before),
    }
