"""What the crash test and the benchmarks share: a server process, and a minimal client of the Pages API.

Only the standard library. The client is deliberately not `offprint deploy`: a crash test should not trust the
program under test twice.
"""

import base64
import http.client
import json
import os
import re
import signal
import subprocess
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "0123456789abcdef0123456789abcdef"
TOKEN = "a-token-for-tests-only"
DOMAIN = "pages.localhost"

# What one upload holds at the most; base64 makes a third more of it.
UPLOAD_BYTES = 30_000_000
UPLOAD_FILES = 1_000


def binary(profile="release"):
    """Builds the program and returns its path."""
    flags = ["--release"] if profile == "release" else []
    command = ["cargo", "build", "--quiet", "--bin", "offprint", "--message-format=json", *flags]
    out = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    paths = [json.loads(line).get("executable") for line in out.splitlines() if line.startswith("{")]
    return next(path for path in paths if path and Path(path).name == "offprint")


class StartError(Exception):
    """The server does not know a flag, or cannot use its data or its port."""


class Server:
    """`offprint serve` on a free port."""

    def __init__(self, program, data, *flags, port=0, log=subprocess.DEVNULL, prefix=()):
        self.program, self.data, self.flags, self.log, self.prefix = program, data, flags, log, prefix
        self.port = port
        self.start()

    def start(self):
        """Returns when it listens."""
        environment = {**os.environ, "OFFPRINT_ACCOUNT_ID": ACCOUNT, "OFFPRINT_BOOTSTRAP_TOKEN": TOKEN}
        command = [*self.prefix, self.program, "serve", "--data", str(self.data), "--domain", DOMAIN]
        command += ["--listen", f"127.0.0.1:{self.port}", *self.flags]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=self.log, text=True)
        try:
            for line in self.process.stdout:
                if found := re.search(r"listening on https?://[^:]+:(\d+)", line):
                    self.port = int(found.group(1))
                    return
        except BaseException:  # as when the script is interrupted: nobody knows of the process yet
            self.kill()
            raise
        raise StartError(f"the server ended with {self.process.wait()} before it listened")

    def kill(self):
        """Ends it as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=60)

    def api_url(self):
        return f"http://127.0.0.1:{self.port}/client/v4"


class ApiError(Exception):
    pass


class Client:
    """One keep-alive connection to the API, and one for sites."""

    def __init__(self, port, timeout=30):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def deploys(self, method, path, body=None):
        """A call of the Deploys API."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        self.connection.request(method, f"/api{path}", body=None if body is None else json.dumps(body), headers=headers)
        answer = self.connection.getresponse()
        said = json.loads(answer.read())
        if answer.status >= 400:
            raise ApiError(f"{method} {path}: {answer.status} {said['error']}")
        return said

    def call(self, method, path, body=None, headers=None, token=TOKEN):
        headers = {"Authorization": f"Bearer {token}", **(headers or {})}
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        self.connection.request(method, f"/client/v4{path}", body=body, headers=headers)
        answer = self.connection.getresponse()
        envelope = json.loads(answer.read())
        if not envelope["success"]:
            raise ApiError(f"{method} {path}: {answer.status} {envelope['errors']}")
        return envelope["result"]

    def projects(self, tail="", **arguments):
        method = arguments.pop("method", "GET")
        return self.call(method, f"/accounts/{ACCOUNT}/pages/projects{tail}", **arguments)

    def create_project(self, name):
        return self.projects(method="POST", body={"name": name, "production_branch": "main"})

    def upload(self, project, files):
        """Uploads what is missing of {path: (key, bytes, type)}; returns when it is acknowledged."""
        jwt = self.projects(f"/{project}/upload-token")["jwt"]
        keys = sorted({key for key, _, _ in files.values()})
        missing = set(self.call("POST", "/pages/assets/check-missing", {"hashes": keys}, token=jwt))
        contents = {key: (data, kind) for key, data, kind in files.values() if key in missing}
        for batch in batches(contents):
            entries = [
                {"key": key, "value": base64.b64encode(data).decode(), "base64": True, "metadata": {"contentType": kind}}
                for key, (data, kind) in batch.items()
            ]
            self.call("POST", "/pages/assets/upload", entries, token=jwt)
        self.call("POST", "/pages/assets/upsert-hashes", {"hashes": keys}, token=jwt)

    def deploy(self, project, files, branch="main", others=None):
        """Creates a deployment of uploaded files; `others` are further parts of the form, such as `_worker.js`."""
        manifest = json.dumps({path: key for path, (key, _, _) in files.items()})
        boundary = uuid.uuid4().hex
        parts = {"manifest": manifest, "branch": branch, **(others or {})}
        body = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in parts.items()
        )
        body += f"--{boundary}--\r\n"
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.projects(f"/{project}/deployments", method="POST", body=body.encode(), headers=headers)

    def site(self, host, path="/"):
        """GETs a page of a site: (status, body)."""
        answer = self.ask(host, path)
        return answer.status, answer.body

    def ask(self, host, path="/", method="GET", headers=None):
        """The answer of a site, with its `body`."""
        self.connection.request(method, path, headers={"Host": host, **(headers or {})})
        answer = self.connection.getresponse()
        answer.body = answer.read()
        return answer

    def close(self):
        self.connection.close()


def batches(contents):
    """Parts of {key: (bytes, type)} that are small enough for one upload each."""
    batch, size = {}, 0
    for key, (data, kind) in contents.items():
        if batch and (size + len(data) > UPLOAD_BYTES or len(batch) == UPLOAD_FILES):
            yield batch
            batch, size = {}, 0
        batch[key] = (data, kind)
        size += len(data)
    if batch:
        yield batch


def wait_until(condition, seconds=20):
    """Asks every few milliseconds; the value that was found, or None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.005)
    return None
