"""Hooks for schemathesis: what a schema cannot say.

Addresses that are generated lead to `.invalid`, so that a test never calls anybody. Cursors are left out, since only the
server makes them. And a valid request may be refused for the state that things are in: such refusals have codes of their
own, by which they are told apart here from refusals of the request itself.
"""

import json
import re

import schemathesis

ADDRESS = re.compile(r"^(https?|ssh)://[^/]*")
ADDRESSES = {"url", "baseUrl", "clone_url", "api_url"}
CURSORS = ("after", "before", "cursor", "Last-Event-ID")

# The real service says 400 where there are no credentials at all, and so do we.
NO_CREDENTIALS = 9106

# Codes of the Pages API, with status 400, that say how things are.
STATE = {
    7500: "SQL that SQLite refuses",
    7502: "the database is there already",
    10008: "the bucket is not empty",
    10014: "the namespace is there already",
    8000018: "the domain is there already",
    8000028: "the project has domains",
    8000034: "the deployment is live",
    8000035: "the deployment has an alias",
    8000076: "the project has too many deployments",
    8000096: "a form without a manifest, for a project that has no repository",
    8100004: "files were not uploaded",
    8100005: "a file has another key",
    8100006: "the manifest is a text of its own language",
    8100007: "the Worker is a file of its own language",
    8100008: "the routes are a text of their own language",
    8100009: "the form is not as its header says",
    8100010: "the project has no repository",
    8100011: "this server does not build",
    8100012: "the deployment never went live",
    8100014: "the domain is the server's own",
    8100017: "the repository of a project is fixed",
    8100022: "not a webhook of the project's forge",
    8100025: "the deployment has ended",
    8100027: "the commit is not the head",
    8100054: "the file was not uploaded",
    8100055: "the file is another one",
}

# Refusals that have the code of malformed requests: a time that has passed, and a name that is not the project's own.
STATE_BY_WORDS = ("must be in the future", "Invalid expiration of", "Expiration times must be", "cannot be changed")


def lead_nowhere(value):
    if isinstance(value, dict):
        return {
            key: ADDRESS.sub(r"\1://nobody.invalid", inner)[: max(len(inner), 30)]
            if key in ADDRESSES and isinstance(inner, str)
            else lead_nowhere(inner)
            for key, inner in value.items()
        }
    return [lead_nowhere(inner) for inner in value] if isinstance(value, list) else value


@schemathesis.hook
def map_body(context, body):
    return lead_nowhere(body)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Filters of lists nest and refer to one another, so that one takes minutes to make. Those made here have fields only;
    the tests of the lists themselves ask all the rest."""
    for name, schema in raw_schema["components"]["schemas"].items():
        if name.endswith("Filter"):
            members = schema["properties"].items()
            schema["properties"] = {field: test for field, test in members if "Filter" not in json.dumps(test)}


def without_cursors(parameters):
    return {name: value for name, value in parameters.items() if name not in CURSORS} if parameters else parameters


@schemathesis.hook
def map_query(context, query):
    return without_cursors(query)


@schemathesis.hook
def map_headers(context, headers):
    return without_cursors(headers)


def refusal(response):
    """The code of a refusal by the Pages API, its message, and the paths of one by the Deploys API."""
    try:
        answer = response.json()
    except ValueError:
        return None, "", []
    error = (answer.get("errors") or [{}])[0]
    details = (answer.get("error") or {}).get("details") or []
    return error.get("code"), error.get("message", ""), [detail["path"] for detail in details]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    # The failure tells of another call than this one, which was made without credentials, and refused.
    if "Expected 401 or 403, got `400 Bad Request`" in failure.message and case.path.startswith("/client/v4/"):
        return False
    # Headers that nobody knows are passed over by everybody.
    if "in header - object with unexpected properties" in failure.message:
        return False
    if response.status_code != 400:
        return True
    code, message, paths = refusal(response)
    if code == NO_CREDENTIALS:
        return False
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    is_cursor = any(path in CURSORS for path in paths) or "cursor" in message
    is_state = any(words in message for words in STATE_BY_WORDS)
    return not is_cursor and not is_state and code not in STATE
