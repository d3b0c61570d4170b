"""Marked values go through every way, good and bad, with the log at its most talkative: no output holds one."""

from __future__ import annotations

import base64
import json
import secrets
import urllib.parse

import pytest

from build import api_key_secret, entry, key_store
from cli.terminal import call
from controlplane import Answer, FaultProxy
from world import GROUP, World


class Canaries:
    """Values that are told apart by what they are for."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        """Return the value of this name; characters that every encoding writes in its own way are part of it."""
        return self.values.setdefault(name, f'CANARY-{secrets.token_hex(16)}"+/&ü')

    def plain(self, name: str) -> str:
        """Return a value that can stand in a header or a URL."""
        return self.values.setdefault(name, f"CANARY-{secrets.token_hex(16)}")

    def found_in(self, text: str) -> list[str]:
        """Return the names of the values that a text holds, in whatever form."""
        return [name for name, value in self.values.items() if any(form in text for form in forms(value))]


def forms(value: str) -> set[str]:
    """Return how a value may be written; of base64 the middle, which is the same whatever stands around it."""
    raw = value.encode()
    found = {value, value.partition('"')[0], raw.hex(), raw.hex().upper(), json.dumps(value)[1:-1]}
    found |= {urllib.parse.quote(value), urllib.parse.quote_plus(value), json.dumps(value, ensure_ascii=False)[1:-1]}
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(b"x" * offset + raw).decode()[4:-4])
    return found


def outputs(world: World) -> dict[str, str]:
    """Return all that may be read of the operator's work, but for the Secrets."""
    found = {}
    for operator in world.operators:
        found[operator.log.name] = operator.log.read_text()
        if operator.process.poll() is None:
            found["metrics"] = str(operator.metrics())
    for namespace in (world.namespace, world.system):
        for path in (
            f"{GROUP}/namespaces/{namespace}/apikeysecrets",
            f"{GROUP}/namespaces/{namespace}/keystores",
            f"/apis/events.k8s.io/v1/namespaces/{namespace}/events",
            f"/api/v1/namespaces/{namespace}/configmaps",
            f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases",
        ):
            found[path] = json.dumps(world.must("GET", path), ensure_ascii=False)
    return found


def printed(world: World) -> dict[str, str]:
    """Return what commands print."""
    calls = [("status",), ("status", "-o", "json"), *(("plan", name) for name in ("good", "decode", "foreign", "type"))]
    return {" ".join(words): call(world, *words).everything for words in calls}


def succeed(world: World, canary: Canaries) -> None:
    """Let values arrive: plain, decoded, whole, changed, repaired, adopted."""
    world.put("good", api_key=canary("good"), b64=base64.b64encode(canary("decoded").encode()).decode())
    world.apply(
        api_key_secret(
            "good",
            entry("KEY", "good", "api_key"),
            entry("DECODED", "good", "b64", decode="Base64"),
            entry("WHOLE", "good"),
        )
    )
    world.is_ready("good")
    world.put("good", api_key=canary("second"), b64=base64.b64encode(canary("decoded").encode()).decode())
    world.annotate("good", refresh="1")
    world.until(lambda: (world.secret("good") or {}).get("KEY") == canary("second"), "the change arrives")
    world.change_secret("good", KEY=canary("drift"))
    world.until(lambda: (world.secret("good") or {}).get("KEY") == canary("second"), "the drift is repaired")


def fail(world: World, canary: Canaries) -> None:
    """Let values fail for whatever they are."""
    world.put("bad", text=canary("not base64"), large=canary("large") * 30_000, number=1)
    world.put("small", text=canary("not a list"))
    world.secret_is("foreign", {"KEY": canary("foreign")})
    cases = {
        "decode": (entry("KEY", "bad", "text", decode="Base64"), "DecodeFailed", {}),
        "large": (entry("KEY", "bad", "large"), "ValueTooLarge", {}),
        "property": (entry("KEY", "bad", "text.deeper"), "PropertyNotFound", {}),
        "expression": (entry("KEY", "small", remote={"jmesPath": "sort_by(text, &number)"}), "PropertyNotFound", {}),
        "foreign": (entry("KEY", "bad", "text"), "TargetExists", {"adopt": "IfEqual"}),
        "type": (entry("KEY", "bad", "text"), "TargetRefused", {"type": "kubernetes.io/dockerconfigjson"}),
        "docker": (
            entry(".dockerconfigjson", "bad", "text"),
            "TargetRefused",
            {"type": "kubernetes.io/dockerconfigjson"},
        ),
    }
    for name, (wanted, _, target) in cases.items():
        world.apply(api_key_secret(name, wanted, target=target))
    for name, (_, reason, _) in cases.items():
        world.is_refused(reason, name)


def refuse_logins(world: World, canary: Canaries) -> None:
    """Let credentials be refused: a token, a token with a line break, a password."""
    world.vault.sys.enable_auth_method("userpass", path=f"userpass-{world.namespace}")
    tokens = {"token": canary.plain("token"), "broken": canary.plain("broken token") + "\n"}
    world.secret_is("wrong", tokens | {"password": canary.plain("password")})
    user = {"mount": f"userpass-{world.namespace}", "username": "ci"}
    ways = {
        "token": {"token": {"secretRef": {"name": "wrong", "key": "token"}}},
        "broken": {"token": {"secretRef": {"name": "wrong", "key": "broken"}}},
        "password": {"userPass": user | {"passwordRef": {"name": "wrong", "key": "password"}}},
    }
    for name, auth in ways.items():
        world.apply(key_store(name, world.bao.url, world.mount, vault={"auth": auth}))
        world.apply(api_key_secret(f"by-{name}", entry("KEY", "good", "api_key"), storeRef={"name": name}))
    for name in ways:
        world.is_refused("AuthFailed", f"by-{name}")


def echo_from_the_store(world: World, bao_proxy: FaultProxy, canary: Canaries) -> None:
    """Let a store answer with values where errors are expected."""
    world.apply(key_store("echo", bao_proxy.url, world.mount, limits={"timeout": "2s"}))
    value = canary("echoed by the store")
    answers = {
        "json-400": (Answer(400, {"errors": [value], "request_id": value}), "Unsupported"),
        "json-403": (Answer(403, {"errors": [value], "request_id": value}), "AccessDenied"),
        "json-500": (Answer(500, {"errors": [value], "request_id": value}), "StoreError"),
        "html": (Answer(200, f"<html>{value}</html>", "text/html"), "StoreAnswerInvalid"),
        "array": (Answer(200, json.dumps([value])), "StoreAnswerInvalid"),
        "shape": (Answer(200, {"data": {"data": value, "metadata": value}}), "StoreAnswerInvalid"),
        "header": (
            Answer(302, b"", headers={"Location": f"http://{urllib.parse.quote(value)}/"}),
            "StoreAnswerInvalid",
        ),
        "version": (Answer(404, {"data": {"data": None, "metadata": {"deletion_time": value}}}), "VersionDeleted"),
    }
    for name, (answer, reason) in answers.items():
        with bao_proxy.fault(answer, path=f"/data/{name}") as answered:
            world.apply(api_key_secret(f"echo-{name}", entry("KEY", name, "api_key"), storeRef={"name": "echo"}))
            # After some failures the store is left alone for a moment, and its trouble is told meanwhile.
            answered.wait()
            world.is_refused(reason, f"echo-{name}")


def echo_from_the_api_server(world: World, api_proxy: FaultProxy, canary: Canaries) -> None:
    """Let the API server answer with values, as its validation and admission plugins may."""
    value = canary("echoed by the API server")
    cause = {"reason": "FieldValueInvalid", "message": value, "field": "data[KEY]"}
    status = {"kind": "Status", "status": "Failure", "message": value, "details": {"causes": [cause]}}
    cases = {
        "422": (status | {"code": 422, "reason": "Invalid"}, "TargetRefused"),
        "403": (status | {"code": 403, "reason": "Forbidden"}, "TargetDenied"),
        "500": (status | {"code": 500, "reason": "InternalError"}, "KubernetesUnavailable"),
    }
    for code, (body, reason) in cases.items():
        with api_proxy.fault(Answer(int(code), body), method="PATCH", path=f"/secrets/api-{code}"):
            world.apply(api_key_secret(f"api-{code}", entry("KEY", "good", "api_key")))
            world.is_refused(reason, f"api-{code}")


def test_no_output_holds_a_value(bao_proxy: FaultProxy, api_proxy: FaultProxy, world: World) -> None:
    canary = Canaries()
    first = world.start(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.has_store()
    succeed(world, canary)
    fail(world, canary)
    refuse_logins(world, canary)
    echo_from_the_store(world, bao_proxy, canary)
    echo_from_the_api_server(world, api_proxy, canary)
    found = outputs(world) | printed(world)
    assert first.stop() == 0
    second = world.start()
    world.until(lambda: second.metric("keywright_objects") > 0, "it knows its objects")
    found |= {f"{where} after a restart": text for where, text in outputs(world).items()}

    leaks = {where: names for where, text in found.items() if (names := canary.found_in(text))}
    assert leaks == {}
    assert all(text for text in found.values())
    secret = json.dumps(world.secret_object("good"))
    assert set(canary.found_in(secret)) >= {"second", "decoded"}


@pytest.mark.parametrize("offset", range(3))
def test_the_sweep_finds_every_form(offset: int) -> None:
    canary = Canaries()
    value = canary("one")
    around = b"x" * offset + value.encode() + b"yz"
    texts = [
        value,
        around.hex(),
        base64.b64encode(around).decode(),
        base64.urlsafe_b64encode(around).decode(),
        urllib.parse.quote(value),
        urllib.parse.urlencode({"a": value}),
        json.dumps({"a": value}),
        json.dumps({"a": value}, ensure_ascii=False),
        repr(value),
    ]
    assert [canary.found_in(f"before {text} after") for text in texts] == [["one"]] * len(texts)
    assert canary.found_in("CANARY-of-somebody-else") == []
