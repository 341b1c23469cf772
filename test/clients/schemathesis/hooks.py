"""What the schema can't say of the server under test, and addresses that no rate limit has seen."""

import json
import os
import random
import re
import unicodedata

import schemathesis
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation

IDS = json.loads(os.environ["HATIDATA_IDS"])
# What answers have named, and what was made: links lead there. Others run beside it, so nothing else is changed.
NAMED = set()
MADE = set()
# Of those.
ENDED = set()
# Apart from the common one, which Hypothesis seeds again and again.
CHANCE = random.Random(os.environ["HATIDATA_SEED"])
# What only one may have. The same ones are made again and again: the second time another one takes its place.
SPENT = set()

# Regular expressions of Python have no Unicode properties; `_visible` keeps to it.
NOT_FOR_PYTHON = r"^[^\p{Cc}\p{Cf}\p{Cs}]*$"


@schemathesis.hook
def before_load_schema(context, raw_schema):
    _drop_pattern(raw_schema)


def _drop_pattern(schema):
    if isinstance(schema, dict):
        if schema.get("pattern") == NOT_FOR_PYTHON:
            del schema["pattern"]
        schema = schema.values()
    if not isinstance(schema, str) and hasattr(schema, "__iter__"):
        for each in schema:
            _drop_pattern(each)


@schemathesis.hook
def before_call(context, case, kwargs):
    case.headers["X-Forwarded-For"] = ".".join(str(CHANCE.randint(1, 254)) for _ in range(4))
    if case.meta is None:
        return
    _mend_path(case)
    if _is_good(case, ParameterLocation.QUERY):
        # None was given out.
        case.query.pop("cursor", None)
        _mend_target(case, case.query)
        if isinstance(case.query.get("name"), str):
            case.query["name"] = _visible(case.query["name"])
        # They go together.
        if not {"redirect_uri", "code_challenge", "state"} <= case.query.keys():
            for name in ("redirect_uri", "code_challenge"):
                case.query.pop(name, None)
            if "{org_slug}" in case.path:
                case.query.pop("state", None)
    if _is_good(case, ParameterLocation.HEADER):
        if "idempotency-key" in case.headers:
            case.headers["idempotency-key"] = _unspent(case, case.headers["idempotency-key"])
        if "if-match" in case.headers:
            # It can't know at which version something is.
            case.headers["if-match"] = "*"
    if _is_good(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        _mend_target(case, case.body)
        _mend_body(case, case.body)


@schemathesis.hook
def after_call(context, case, response):
    NAMED.update(re.findall(r"\b(?:org|env|key|usr|wh|whd)_[A-Za-z0-9]{12}\b", response.text))
    # Who signs up is somebody else, and what he gets is his.
    if response.status_code in (201, 202) and case.path != "/v1/signup":
        MADE.update(value for name, value in response.json().items() if name in IDS["lasting"])
    elif case.method == "DELETE" and case.path.endswith("}") and response.status_code == 200:
        ENDED.add(list(case.path_parameters.values())[-1])


def _is_good(case, location):
    component = case.meta.components.get(location)
    # Examples of the document are good, and have none.
    return component is None or component.mode == GenerationMode.POSITIVE


def _mend_path(case):
    is_good = _is_good(case, ParameterLocation.PATH)
    for name, value in case.path_parameters.items():
        if name not in IDS["lasting"]:
            continue
        ids = set(IDS["lasting"][name])
        known = MADE | ids
        if case.method == "GET":
            known = NAMED
        elif _is_end(case) and name == list(case.path_parameters)[-1]:
            # The others need what lasts.
            spare = set(IDS["spare"].get(name, ids))
            known = (MADE | spare) - ids
            made = {each for each in MADE - ENDED - ids if _kind(each) == _kind(next(iter(ids)))}
            ids = made or spare - ENDED or spare
        # Random ids find nothing: most become those of something that there is.
        if value not in known and (value in NAMED or (is_good and CHANCE.random() < 0.9)):
            case.path_parameters[name] = CHANCE.choice(sorted(ids))


def _kind(id):
    return id.split("_")[0]


def _is_end(case):
    return case.method == "DELETE" or case.path.endswith(("/suspend", "/resume", "/role"))


def _mend_target(case, part):
    """An environment isn't promoted to itself."""
    itself = case.path_parameters.get("env_id")
    if "target_env_id" in part and (part["target_env_id"] == itself or part["target_env_id"] not in MADE):
        others = {*IDS["lasting"]["env_id"], *IDS["lasting"]["target_env_id"]} - {itself}
        part["target_env_id"] = CHANCE.choice(sorted(others))


def _mend_body(case, body):
    if isinstance(body.get("user_id"), str) and body["user_id"] not in MADE:
        body["user_id"] = CHANCE.choice(IDS["lasting"]["user_id"])
    if isinstance(body.get("name"), str):
        body["name"] = _unspent(case, _visible(body["name"]))
    if isinstance(body.get("org_name"), str):
        body["org_name"] = _visible(body["org_name"])
    if case.path.endswith("/promote"):
        # It can't know what was shown.
        body.pop("differences", None)
    if isinstance(body.get("slug"), str):
        body["slug"] = _unspent(case, body["slug"])
    if case.path.endswith(("/users", "/signup")) and isinstance(body.get("email"), str):
        body["email"] = _unspent(case, body["email"], "@example.com")
    if body.get("ip_allowlist"):
        body["ip_allowlist"] = ["203.0.113.0/24", "2001:db8::/32"]
    if body.get("limits"):
        body["limits"] = {"schemas": ["main"]}
    # There is no engine at random addresses, and no provider; those that there are aren't asked.
    body.pop("engine", None)
    if "issuer" in body:
        body["issuer"] = "https://127.0.0.1:1/"


def _unspent(case, text, end=""):
    use = (case.operation.label, text)
    if use not in SPENT:
        SPENT.add(use)
        return text
    return f"{CHANCE.getrandbits(64):x}{end}"


def _visible(text):
    kept = "".join(each for each in text if unicodedata.category(each) not in ("Cc", "Cf", "Cs"))
    return kept.strip() or "a name"
