"""Measuring processes: where they run, what they cost, what they hold, and how figures are put together."""

import contextlib
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NOISE = 1.10  # Two equal servers differ by less than this factor; see performance notes on nginx against nginx.


def two_cores():
    """(core for the servers, core for the load); this process and its children move to the second.

    A script that measures sleeps while it measures, so it does not disturb the load generator there.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("two processor cores are needed: one for the servers, one for the load")
    os.sched_setaffinity(0, {cores[1]})
    return cores[0], cores[1]


def pinned(core):
    """The prefix of a command that is to run on this core only."""
    return ("taskset", "--cpu-list", str(core))


def process_tree(pid):
    """A process and its descendants. What ends meanwhile may be among them."""
    pids = [pid]
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return pids
    for thread in threads:
        try:
            children = Path(f"/proc/{pid}/task/{thread}/children").read_text()
        except OSError:
            continue
        for child in children.split():
            pids += process_tree(int(child))
    return pids


def cpu_seconds(pids):
    """Processor time that processes have used, in kernel and user mode, threads that have ended included.

    Read from the CPU-time clocks of the processes, which count nanoseconds: /proc/PID/stat counts hundredths of
    a second, and /proc/PID/schedstat forgets threads that have ended. The number of the clock is that of
    clock_getcpuclockid(3), which Python does not have.
    """
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def rss_bytes(pid):
    """Resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no memory")


def wait_quiet(pids, seconds=300, share=0.02):
    """Waits until processes use less than this share of a core for a second: their background work is done.

    Returns whether they came to rest in time.
    """
    deadline = time.monotonic() + seconds
    before = cpu_seconds(pids)
    while time.monotonic() < deadline:
        time.sleep(1)
        now = cpu_seconds(pids)
        if now - before < share:
            return True
        before = now
    return False


def warn_if_busy():
    """Says when others use the processor: figures are then worth nothing."""
    idle = lambda: sum(map(int, Path("/proc/stat").read_text().split("\n")[0].split()[4:6]))  # noqa: E731
    before = idle()
    time.sleep(1)
    free = (idle() - before) / os.sysconf("SC_CLK_TCK") / os.cpu_count()
    if free < 0.95:
        print(f"WARNING: others use {1 - free:.0%} of this machine's processors; figures will be off", flush=True)


def free_ports(count):
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def temporary(prefix, under=None):
    """A directory that goes away, also with hundreds of thousands of files in it."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=under))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def end_cleanly():
    """Makes signals end the script by way of its clean-up: servers are stopped and files removed.

    Also Ctrl-C where the shell had it ignored, as in the background; and only the first one counts, since the
    clean-up should not be interrupted.
    """
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number, _frame):
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt(signal.Signals(number).name)

    for each in signals:
        signal.signal(each, end)


def run_script(main):
    """Runs a script to its exit code; interrupted, it says so instead of showing where it was."""
    end_cleanly()
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def need(**programs):
    """Installs what is missing of {program: Debian package}, when we are root; else says what to install."""
    missing = sorted({package for program, package in programs.items() if not found(program)})
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"missing; install: {' '.join(missing)}")
    print(f"installing with apt: {' '.join(missing)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, stdout=subprocess.DEVNULL, check=True)
    command = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing]
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)


def found(program):
    """The path of a program, or of a file by its own path."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or (
        program if program.startswith("/") and os.path.exists(program) else None
    )


class Spread:
    """Figures of several rounds: their median, and how far they lie apart."""

    def __init__(self, values):
        self.values = list(values)
        self.median = statistics.median(self.values)

    def __str__(self):
        return f"{self.median:.2f} ({min(self.values):.2f}–{max(self.values):.2f})"

    def json(self):
        return {"median": self.median, "min": min(self.values), "max": max(self.values), "rounds": self.values}


def print_table(rows, title=None):
    """Prints rows of text, the first being the heads; the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if title:
        print(f"\n{title}")
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  " + "  ".join(cells).rstrip())
    sys.stdout.flush()
