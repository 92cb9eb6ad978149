"""Stores with many small sites, made with the store's own calls instead of its HTTP API."""

import json
import shutil
import subprocess
from pathlib import Path

from measure import temporary
from offprint import ROOT


def populate_program():
    """Builds the program that fills stores and returns its path."""
    command = ["cargo", "build", "--quiet", "--release", "--example", "populate", "--message-format=json"]
    out = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    paths = [json.loads(line).get("executable") for line in out.splitlines() if line.startswith("{")]
    return next(path for path in paths if path and Path(path).name == "populate")


def populated(data, count, program=None):
    """Makes a store with projects `p0`, `p1` … in an absent directory.

    It is filled in memory and then copied, where there is room: six durable transactions for each project take
    some minutes for 100,000 of them, nearly all of it waiting for the disk.
    """
    program = program or populate_program()
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > count * 30_000 + (1 << 28)
    with temporary("offprint-populate-", under=memory if roomy else Path(data).parent) as scratch:
        made = scratch / "data"
        subprocess.run([program, made, str(count)], check=True, stdout=subprocess.DEVNULL)
        # Complete or not there at all.
        partial = Path(f"{data}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.move(made, partial)
        partial.rename(data)
