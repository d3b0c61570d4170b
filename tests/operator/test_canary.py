"""Marked values go through every way, good and bad, with the log at its most talkative: no output holds one."""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib
import re
from collections.abc import Iterator

import pytest
import yaml

import outputs
import refusals
from branches import BRANCHES, IN_THE_WAY, PEM
from build import API, api_key_secret, entry, key_store
from cli.terminal import place
from controlplane import FaultProxy
from controlplane.certificates import Authority
from keywright.keyfile import keys
from keywright.keyfile.contents import Contents
from keywright.keyfile.keys import Kdf
from keywright.secret import SecretValue
from running import Operator
from served import samples, spec
from sweep import Canaries
from vendors import VendorServer, serving, vendors
from vendors.server import Mood
from world import World

#: What an object waits to be refused for, by its name.
Reasons = dict[str, str]

#: How all vendors' servers treat a request, and how one of them does.
MOODS: tuple[Mood, ...] = ("documented", "echo")
MORE_MOODS: tuple[Mood, ...] = ("slow down", "broken", "redirect", "huge", "html", "garbage", "hangs up", "proxy")


def succeed(world: World, canary: Canaries) -> None:
    """Let values arrive: plain, decoded, of several lines, whole, changed, repaired."""
    held = {"b64": base64.b64encode(canary("decoded").encode()).decode(), "pem": canary("lines", PEM.format("X"))}
    world.put("good", api_key=canary("good"), **held)
    entries = [entry("KEY", "good", "api_key"), entry("DECODED", "good", "b64", decode="Base64"), entry("ALL", "good")]
    entries += [entry("PEM", "good", "pem"), entry("LINE", "good", remote={"jmesPath": "pem"})]
    world.apply(api_key_secret("good", *entries))
    world.is_ready("good")
    world.put("good", api_key=canary("second"), **held)
    world.annotate("good", refresh="1")
    world.until(lambda: (world.secret("good") or {}).get("KEY") == canary("second"), "the change arrives")
    world.change_secret("good", KEY=canary("drift"))
    world.until(lambda: (world.secret("good") or {}).get("KEY") == canary("second"), "the drift is repaired")


def fail(world: World, canary: Canaries) -> Reasons:
    """Let values fail for whatever they are; return what for, by the objects' names."""
    for name, more in IN_THE_WAY.items():
        world.secret_is(name, {"KEY": canary(f"in the way of {name}")}, **more)
    for name, branch in BRANCHES.items():
        world.put(name, v=canary(name, branch.form), **branch.fields)
        world.apply(branch.manifest(name))
    return {name: branch.reason for name, branch in BRANCHES.items()}


@contextlib.contextmanager
def a_policy_that_tells(world: World) -> Iterator[None]:
    """Let the API server itself refuse Secrets with a label, in words that hold their values."""
    api = "/apis/admissionregistration.k8s.io/v1"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets"]}
    here = {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}
    words = "'no: ' + object.data.map(key, key + '=' + string(object.data[key])).join(', ')"
    told = {"expression": "false", "messageExpression": words, "reason": "Invalid"}
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [rule],
            "namespaceSelector": here,
            "objectSelector": {"matchLabels": {"refuse": "me"}},
        },
        "validations": [told],
    }
    bound = {"policyName": world.namespace, "validationActions": ["Deny"]}
    places = (f"{api}/validatingadmissionpolicies", f"{api}/validatingadmissionpolicybindings")
    for path, found in zip(places, (policy, bound), strict=True):
        world.must("POST", path, {"metadata": {"name": world.namespace}, "spec": found})
    secret = {"metadata": {"name": "tried", "labels": {"refuse": "me"}}, "stringData": {"KEY": "a word that is told"}}
    tried = f"/api/v1/namespaces/{world.namespace}/secrets?dryRun=All"
    world.until(lambda: world.plane.request("POST", tried, secret)[0] == 422, "the policy counts")
    _, answer = world.plane.request("POST", tried, secret)
    assert base64.b64encode(b"a word that is told").decode() in answer["message"]
    try:
        yield
    finally:
        for path in places:
            world.plane.request("DELETE", f"{path}/{world.namespace}")


def refuse_logins(world: World, proxy: FaultProxy, canary: Canaries, faults: contextlib.ExitStack) -> Reasons:
    """Let credentials be refused, each of a store of its own."""
    for kind, mount in (("userpass", world.mount), ("approle", f"{world.mount}-roles")):
        world.vault.sys.enable_auth_method(kind, path=mount)
        faults.callback(world.vault.sys.disable_auth_method, mount)
    certificate, _ = Authority("ours").sign("keywright")
    found = refusals.Logins(canary, world.mount).all(Authority("nobody").pem, certificate.decode())
    for name, login in found.items():
        world.secret_is(f"login-{name}", login.secret)
        server = f"{proxy.url}/at-{name}" if login.answer else world.bao.url
        if login.vault.get("server") == "https":
            server = server.replace("http:", "https:")
        if login.answer:
            faults.enter_context(proxy.fault(login.answer, path=f"/at-{name}/v1/auth/"))
        auth = {**login.vault, "server": server, "auth": login.auth}
        world.apply(key_store(f"by-{name}", world.bao.url, world.mount, vault=auth, limits={"timeout": "5s"}))
        world.apply(api_key_secret(f"by-{name}", entry("KEY", "good", "api_key"), storeRef={"name": f"by-{name}"}))
    return {f"by-{name}": login.reason for name, login in found.items()}


def echo_from_the_store(world: World, proxy: FaultProxy, canary: Canaries, faults: contextlib.ExitStack) -> Reasons:
    """Let stores answer with values where none should be, each a store of its own: it is left alone after failures."""
    found = refusals.of_store(canary("echoed by the store", "{}"))
    for name, (_, answer) in found.items():
        faults.enter_context(proxy.fault(answer, path=rf"/data/{name}(\?|$)"))
        world.put(name, k=canary(f"behind {name}"))
        world.apply(key_store(f"store-{name}", proxy.url, world.mount, limits={"timeout": "2s"}))
        world.apply(api_key_secret(f"store-{name}", entry("KEY", name, "k"), storeRef={"name": f"store-{name}"}))
    return {f"store-{name}": reason for name, (reason, _) in found.items()}


def echo_from_the_api_server(
    world: World, proxy: FaultProxy, canary: Canaries, faults: contextlib.ExitStack
) -> Reasons:
    """Let the API server answer with values, as its validation and admission plugins may."""
    found = refusals.of_api_server(canary("echoed by the API server", "{}"))
    for name, (_, answer) in found.items():
        faults.enter_context(proxy.fault(answer, method="PATCH", path=f"/secrets/api-{name}\\?"))
        world.apply(api_key_secret(f"api-{name}", entry("KEY", "good", "api_key")))
    return {f"api-{name}": reason for name, (reason, _) in found.items()}


def echo_from_the_issuers(world: World, canary: Canaries, served: dict[str, VendorServer]) -> Reasons:
    """Let credentials be asked about: dead ones, and where somebody else answers."""
    reasons = {}
    for name, server in served.items():
        parts = samples(server)
        for part, value in parts.items():
            private = json.loads(value)["private_key"] if server.vendor.name == "gcpServiceAccount" else value
            canary.watch(f"{name} {part}", private)
        world.put(name, **parts)
        world.apply(api_key_secret(name, **spec(server, parts, name)))
        # What is declared has no form of its own: whoever answers 401 is believed.
        believed = server.mood == "documented" or server.vendor.name == "custom"
        reasons[name] = "KeyInvalid" if believed else "KeyUnverified"
    return reasons


def seal(world: World, canary: Canaries) -> Reasons:
    """Let encrypted files be of another passphrase, damaged, without the entry, and none at all."""
    kdf = Kdf.fresh("argon2id")
    right, wrong = canary("passphrase", "{}"), canary("another passphrase", "{}")
    file = Contents.new(kdf, keys.derive(kdf, SecretValue(right)))
    whole = file.put("llm/one", SecretValue(canary("sealed")), "text").to_bytes()
    cases = {
        "file-of-another": (whole, wrong, "AuthFailed"),
        "file-with-a-break": (whole, f"{right}\n", "AuthFailed"),
        "file-damaged": (whole[:-50] + bytes(50), right, "FileCorrupt"),
        "file-that-is-none": (canary("file in clear").encode(), right, "FileCorrupt"),
        "file-without-it": (whole, right, "NotFound"),
    }
    for name, (data, passphrase, _) in cases.items():
        text = base64.b64encode(data).decode() if data[:3] == whole[:3] else data.decode()
        world.secret_is(name, {"keys.kw": text, "passphrase": passphrase})
        config = {"secretRef": {"name": name, "key": "keys.kw"}, "passphraseRef": {"name": name, "key": "passphrase"}}
        store = {"apiVersion": API, "kind": "KeyStore", "metadata": {"name": name}, "spec": {"encryptedFile": config}}
        world.apply(store)
        path = "llm/two" if name == "file-without-it" else "llm/one"
        world.apply(api_key_secret(name, entry("KEY", path), storeRef={"name": name}))
    return {name: reason for name, (_, _, reason) in cases.items()}


@pytest.fixture
def served(tmp_path: pathlib.Path) -> Iterator[dict[str, VendorServer]]:
    """Servers of vendors by the names of the objects whose credentials they are asked about."""
    authority = Authority("issuers")
    (tmp_path / "ca.pem").write_text(authority.pem)
    context = authority.server(tmp_path)
    wanted = [(name, mood) for name in vendors() for mood in MOODS] + [("openai", mood) for mood in MORE_MOODS]
    with contextlib.ExitStack() as stack:
        found = {}
        for name, mood in wanted:
            server = stack.enter_context(serving(name, context))
            server.mood = mood
            found[f"{name.lower()}-{mood.replace(' ', '-')}"] = server
        yield found


@pytest.fixture
def temporary(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Where the operator's temporary files are, and what commands keep: the audit trail of this machine."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("KEYWRIGHT_AUDIT_FOLDER", str(tmp_path / "tmp" / "audit"))
    return tmp_path / "tmp"


def test_no_output_holds_a_value(
    bao_proxy: FaultProxy,
    api_proxy: FaultProxy,
    world: World,
    served: dict[str, VendorServer],
    temporary: pathlib.Path,
) -> None:
    canary = Canaries()
    flags = [f"--allow-issuer-endpoint={each.url}" for each in served.values()]
    flags += [f"--issuer-ca-file={temporary.parent / 'ca.pem'}", "--condemn-seconds=1"]
    first = world.start(*flags, server=api_proxy.url, ca_file=api_proxy.ca_file, fork=False)
    world.has_store()
    succeed(world, canary)
    with contextlib.ExitStack() as faults:
        faults.enter_context(a_policy_that_tells(world))
        reasons = fail(world, canary) | seal(world, canary) | echo_from_the_issuers(world, canary, served)
        reasons |= echo_from_the_store(world, bao_proxy, canary, faults)
        reasons |= echo_from_the_api_server(world, api_proxy, canary, faults)
        reasons |= refuse_logins(world, bao_proxy, canary, faults)
        are_refused(world, reasons)
        found = outputs.of_commands(calls(world, temporary.parent / "manifests.yaml"))
        found |= outputs.of_process(first, temporary) | outputs.of_cluster(world)
    assert len(reasons) >= 170
    exported = (temporary.parent / "manifests.yaml.jsonl").read_text()
    assert "action.outcome" in exported
    found["the export"] = exported
    is_closed(first, found["/proc/PID/limits"])
    assert first.stop() == 0
    second = world.start()
    world.until(lambda: second.metric("keywright_objects") > 0, "it knows its objects")
    again = outputs.of_process(second, temporary) | outputs.of_cluster(world)
    found |= {f"{where} after a restart": text for where, text in again.items()}

    assert {where: names for where, text in found.items() if (names := canary.found_in(text))} == {}
    # And it would have been seen: the Secret does hold them.
    secret = json.dumps(world.secret_object("good"))
    assert {name for name, _ in canary.found_in(secret)} >= {"second", "decoded", "lines"}


def is_closed(operator: Operator, limits: str) -> None:
    """See that an operator leaves no core dump, and that what the kernel tells of its memory is root's."""
    assert re.search(r"Max core file size +0 +0 ", limits)
    assert pathlib.Path(f"/proc/{operator.process.pid}/environ").stat().st_uid == 0


def are_refused(world: World, reasons: Reasons) -> None:
    """Wait until each object is refused for its reason."""

    def others() -> dict[str, str]:
        items = world.must("GET", world.path("ApiKeySecret"))["items"]
        told = {each["metadata"]["name"]: each["status"].get("conditions", []) for each in items}
        ready = {name: each["reason"] for name, all_ in told.items() for each in all_ if each["type"] == "Ready"}
        return {
            name: f"{ready.get(name)}, not {reason}" for name, reason in reasons.items() if ready.get(name) != reason
        }

    world.until(lambda: not others(), lambda: f"each is refused: {others()}")


def calls(world: World, manifests: pathlib.Path) -> list[list[str]]:
    """Return the commands whose output is looked at."""
    everything = [branch.manifest(name) for name, branch in BRANCHES.items()]
    manifests.write_text(yaml.safe_dump_all(everything))
    asked = [["status"], *(["plan", name] for name in BRANCHES)]
    asked += [["status", name] for name in ("good", "type-docker", "malformed-openai")]
    asked += [["history", "good"], ["debts", "list"]]
    asked += [["check", name, "--timeout=5s"] for name in ("malformed-aws", "malformed-custom", "openai-echo")]
    local = ["validate", "--no-rules", str(manifests)]
    more = [*place(world), "--log-level=debug"]
    apart = [each for each in place(world) if not each.startswith("--namespace=")]
    acts = [
        ["act", "refresh", name, "--reason=Test", "--wait", "--timeout=9s"] for name in ("good", "malformed-openai")
    ]
    audits = [["log", "-o", "wide"], ["log", "-o", "json"], ["verify"], ["export", "-o", str(manifests) + ".jsonl"]]
    return [[*each, "-o", form, *more] for each in asked for form in ("table", "json")] + [
        *([*each, *more] for each in acts),
        *(["report", f"--format={form}", *place(world)] for form in ("markdown", "json", "html")),
        *(["audit", *each, *apart] for each in audits),
        ["refresh", "good", "type-tls", "--timeout=5s", *more],
        [*local, "-o", "text"],
        [*local, "-o", "json"],
    ]
