"""System calls per request. Counts are steady where times are not, so a few seconds under strace are enough."""

import signal
import subprocess
import time

import load
from scenarios import requests_of

SECONDS = 2


def count_syscalls(scenario, setup, contender):
    """A row of the table: scenario and contender, calls per request, the most frequent ones."""
    requests = requests_of(scenario, setup, contender)
    report = setup.home / "strace"
    command = ["strace", "-f", "-c", "-o", report]
    for pid in contender.pids(scenario.door):
        command += ["-p", str(pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)  # until it is attached; nothing is asked meanwhile
        done = load.wrk(contender.port(scenario.door), requests, SECONDS, setup.home, scenario.connections)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
    calls = {}
    for line in report.read_text().splitlines():
        words = line.split()
        if len(words) >= 5 and words[0].replace(".", "").isdigit():
            calls[words[-1]] = int(words[3])
    total = calls.pop("total")
    top = sorted(calls.items(), key=lambda item: -item[1])[:6]
    frequent = ", ".join(f"{name} {count / done.requests:.2f}" for name, count in top)
    return [f"{scenario.title}: {contender.name}", f"{total / done.requests:.2f}", frequent]
