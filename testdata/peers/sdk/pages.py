"""Every Pages method of the released Python SDK against a server, decoding strictly.

Prints a line for each method and fails at the first that does not do what it says. The base URL and
the token come from the SDK's own variables; the account is the argument.
"""

import base64
import inspect
import json
import sys
import time

import cloudflare
from cloudflare import Cloudflare
from cloudflare.types.pages import Deployment, Project

account = sys.argv[1]
project = "python-sdk"
# Strict decoding refuses what the types do not allow; no retry hides a failure.
client = Cloudflare(max_retries=0, _strict_response_validation=True)
called = set()


def direct_uploads_have_no_source():
    """The one place where the service differs from the types: `source` is absent for direct uploads."""
    Deployment.model_fields["source"].default = None
    Deployment.model_rebuild(force=True)
    Project.model_rebuild(force=True)


def method(function, *args, **kwargs):
    """Calls a method of the SDK, which must succeed, and says so."""
    result = function(*args, **kwargs)
    called.add(function.__qualname__)
    print("ok", function.__qualname__, flush=True)
    return result


def refused(error, code, function, *args, **kwargs):
    """Calls a method of the SDK, which must fail with this error class and code."""
    try:
        function(*args, **kwargs)
    except error as problem:
        assert problem.errors[0].code == code, problem
        called.add(function.__qualname__)
        print("ok", function.__qualname__, "->", error.__name__, code, flush=True)
    else:
        raise AssertionError(f"{function.__qualname__} must fail with {error.__name__}")


def all_methods(resource):
    """The qualified names of all methods of a resource and of those below it."""
    for name, member in inspect.getmembers(type(resource)):
        if name.startswith(("_", "with_")):
            continue
        if inspect.isfunction(member):
            yield member.__qualname__
        else:
            yield from all_methods(getattr(resource, name))


def deploy(page, **fields):
    """A deployment of one page, awaited."""
    key = upload(page)
    created = method(
        pages.projects.deployments.create,
        project,
        account_id=account,
        manifest=json.dumps({"/index.html": key}),
        **fields,
    )
    for _ in range(500):
        got = method(pages.projects.deployments.get, created.id, account_id=account, project_name=project)
        if got.latest_stage.name == "deploy" and got.latest_stage.status == "success":
            return got
        assert got.latest_stage.status in ("idle", "active"), got.latest_stage
        time.sleep(0.05)
    raise AssertionError("the deployment does not end")


def upload(page):
    """The asset calls, once with the upload token and once with the API token. Returns the key."""
    key = keys[page]
    jwt = method(pages.projects.get_upload_token, project, account_id=account).jwt
    uploader = client.with_options(api_token=jwt).pages.assets
    method(uploader.check_missing, hashes=[key])
    item = {
        "key": key,
        "value": base64.b64encode(page.encode()).decode(),
        "metadata": {"content_type": "text/html"},
        "base64": True,
    }
    method(uploader.upload, body=[item])
    method(uploader.upsert_hashes, hashes=[key])
    assert list(pages.assets.check_missing(hashes=[key])) == [], "the API token may ask as well"
    return key


# Computed by wrangler's rule; this script needs no BLAKE3.
keys = json.loads(sys.argv[2])
direct_uploads_have_no_source()
pages = client.pages
here = {"account_id": account}

# Projects.
created = method(pages.projects.create, name=project, production_branch="main", **here)
assert created.name == project and created.latest_deployment is None
edited = method(
    pages.projects.edit,
    project,
    deployment_configs={
        "production": {
            "env_vars": {
                "PLAIN": {"type": "plain_text", "value": "seen"},
                "HIDDEN": {"type": "secret_text", "value": "not seen"},
            },
            "kv_namespaces": {"KV": {"namespace_id": "0123456789abcdef0123456789abcdef"}},
        }
    },
    **here,
)
variables = edited.deployment_configs.production.env_vars
assert variables["HIDDEN"].value == "" and variables["PLAIN"].value == "seen"
assert method(pages.projects.get, project, **here) == edited
for n in range(3):
    pages.projects.create(name=f"python-sdk-{n}", production_branch="main", **here)
names = [p.name for p in method(pages.projects.list, page=1, per_page=2, **here)]
assert sorted(names) == ["python-sdk", "python-sdk-0", "python-sdk-1", "python-sdk-2"], names

# Deployments.
first = deploy("one", branch="main", commit_hash="0123abc", commit_message="first", commit_dirty="false")
assert first.deployment_trigger.metadata.commit_message == "first"
second = deploy("two", _headers=b"/*\n  X-Test: yes\n", _redirects=b"/old / 302\n")
preview = deploy("draft", branch="feature")
assert preview.environment == "preview" and preview.aliases
deployments = pages.projects.deployments
of_project = {"project_name": project, **here}
listed = method(deployments.list, project, env="production", **here)
assert [d.id for d in listed] == [second.id, first.id]
logs = method(deployments.history.logs.get, second.id, **of_project)
assert logs.total == len(logs.data)
back = method(deployments.rollback, first.id, **of_project)
assert back.id == first.id
retried = method(deployments.retry, second.id, **of_project)
assert retried.id != second.id
not_found, bad_request = cloudflare.NotFoundError, cloudflare.BadRequestError
refused(not_found, 8000068, deployments.tails.create, second.id, filters=[{"sampling_rate": 1}], **of_project)
method(deployments.tails.delete, "nothing", deployment_id=second.id, **of_project)
refused(bad_request, 8000035, deployments.delete, preview.id, **of_project)
method(deployments.delete, preview.id, force=True, **of_project)
refused(not_found, 8000009, deployments.get, preview.id, **of_project)

# Domains.
domain = method(pages.projects.domains.create, project, name="www.example.com", **here)
on_domain = {"project_name": project, **here}
assert [d.id for d in method(pages.projects.domains.list, project, **here)] == [domain.id]
method(pages.projects.domains.get, "www.example.com", **on_domain)
method(pages.projects.domains.edit, "www.example.com", **on_domain)
refused(bad_request, 8000028, pages.projects.delete, project, **here)
method(pages.projects.domains.delete, "www.example.com", **on_domain)

method(pages.projects.purge_build_cache, project, **here)
method(pages.projects.delete, project, **here)
refused(not_found, 8000007, pages.projects.get, project, **here)

forgotten = set(all_methods(pages)) - called
assert not forgotten, f"methods that were not called: {sorted(forgotten)}"

# What clients call around Pages.
method(client.user.get)
method(client.user.tokens.verify)
assert [a.id for a in method(client.accounts.list)] == [account]
method(client.accounts.get, **here)
method(client.accounts.tokens.verify, **here)
assert [m.account.id for m in method(client.memberships.list)] == [account]
