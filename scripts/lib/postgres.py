"""A PostgreSQL server of a script's own, in a temporary directory, and a way to speak to one."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NOBODY = 65534


def programs():
    """Where the server's programs are; None where there are none. Debian keeps them off the path."""
    places = [Path(place) for place in os.environ.get("PATH", "").split(os.pathsep)]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    names = ("initdb", "pg_ctl", "postgres", "psql")
    return next((place for place in places if all((place / name).is_file() for name in names)), None)


class Cluster:
    """A server as durable as any other, reached by a socket; to be used in a `with`."""

    def __init__(self):
        self.programs = programs()
        self.directory = Path(tempfile.mkdtemp(prefix="offprint-pg-"))
        # A server refuses to run as root.
        self.who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        if self.who:
            os.chown(self.directory, NOBODY, NOBODY)

    def run(self, program, *arguments):
        command = [self.programs / program, *arguments]
        with open(self.directory / "log", "ab") as log:
            subprocess.run(command, check=True, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.who)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            print((self.directory / "log").read_text(errors="replace"), file=sys.stderr)
            shutil.rmtree(self.directory, ignore_errors=True)
            raise

    def start(self):
        self.run("initdb", "-D", "data", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
        options = f"-k '{self.directory}' -c listen_addresses= -c shared_buffers=256MB -c max_wal_size=4GB"
        self.run("pg_ctl", "-D", "data", "-w", "-t", "120", "-l", "server.log", "-o", options, "start")
        return self

    def __exit__(self, *_):
        try:
            self.run("pg_ctl", "-D", "data", "-w", "-m", "fast", "stop")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def database(self, name):
        """Makes a database and returns its URL."""
        psql(self.url("postgres"), f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name):
        return f"postgres://postgres@localhost/{name}?host={self.directory}"


def psql(url, *statements, rows=None):
    """Runs statements one after the other; `rows` are lines for the COPY that the last one is."""
    command = [programs() / "psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", url]
    for statement in statements:
        command += ["-c", statement]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for row in rows or ():
        process.stdin.write(row)
    process.stdin.close()
    said = process.stdout.read()
    if process.wait() != 0:
        raise SystemExit(f"psql failed: {statements[-1][:100]}")
    return said
