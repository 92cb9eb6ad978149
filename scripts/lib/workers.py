"""What the scripts about Functions share: Workers to deploy, the processes that run them, and released programs."""

import os
import subprocess
from pathlib import Path

from measure import process_tree
from offprint import DOMAIN, ROOT, wait_until

FLAGS = ("--admit-foreign-keys", "--gc-interval", "0", "--shutdown-grace", "1", "--functions", "workerd")
PAGE = {"/page.txt": ("a-page-for-tests-of-functions", b"a page\n" * 100, "text/plain")}


def peers():
    """The directory of the released clients, installed by scripts/setup-test-peers where they are missing."""
    script = ROOT / "scripts/setup-test-peers"
    return Path(subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def workerd():
    """The released workerd that the newest wrangler runs; the program itself, not npm's script for it."""
    found = sorted((peers() / "newest/node_modules/@cloudflare").glob("workerd-*/bin/workerd"))
    if not found:
        raise SystemExit("npm has no workerd for this machine")
    return found[0]


def server_flags():
    """How a server is started that runs Functions or does not start at all."""
    return (*FLAGS, "--workerd", str(workerd()))


def worker(body):
    """A Worker whose `fetch(request, env, ctx)` has this body."""
    return f"export default {{ async fetch(request, env, ctx) {{ {body} }} }};"


def deploy_worker(client, project, script, branch="main"):
    """Deploys a Worker beside a page, and returns its host when it is live: it has been started once then."""
    client.upload(project, PAGE)
    made = client.deploy(project, PAGE, branch, {"_worker.js": script})
    path = f"/{project}/deployments/{made['id']}"
    ended = wait_until(lambda: stage_ended(client.projects(path)["latest_stage"]), 60)
    if ended != "success":
        raise RuntimeError(f"the deployment of {project} has not gone live: {ended}\n{script}")
    return f"{made['short_id']}.{project}.{DOMAIN}"


def stage_ended(stage):
    return stage["status"] if stage["status"] in ("success", "failure") else None


def processes(server):
    """Processes of workerd that live below a server, those that were copied for it a moment ago left out."""
    return [pid for pid in process_tree(server.process.pid) if is_workerd(pid)]


def is_workerd(pid):
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return False
    return os.path.basename(command[0]) == b"workerd" and b"serve" in command


def pss_bytes(pids):
    """Memory of processes, of which pages that several share count in parts."""
    return sum(map(_pss_bytes, pids))


def _pss_bytes(pid):
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0  # it has ended
