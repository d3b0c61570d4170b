"""A world for one test: a namespace, a KV engine of its own in OpenBao, and an operator process that serves just them.

A test arranges it, lets one thing happen, and looks at what it has become. The operator is the real program, run as its
own ServiceAccount; whatever the test waits for is read from the API server, never from the operator.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import json
import pathlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import helm
from build import api_key_secret, entry, key_store
from controlplane import AuditEntry, ControlPlane, OpenBao
from running import Operator

Json = dict[str, Any]
T = TypeVar("T")

#: Seconds for which a test waits for what should happen soon; generous, because machines are slow and shared.
PATIENCE = 45.0
GROUP = "/apis/keywright.dev/v1alpha1"
PLURALS = {
    "ApiKeySecret": "apikeysecrets",
    "KeyStore": "keystores",
    "ClusterKeyStore": "clusterkeystores",
    "KeyAction": "keyactions",
    "KeyIssuer": "keyissuers",
    "ClusterKeyIssuer": "clusterkeyissuers",
    "AuditSegment": "auditsegments",
}
#: Kinds that are in no namespace.
CLUSTER_KINDS = {"ClusterKeyStore", "ClusterKeyIssuer"}

if TYPE_CHECKING:
    #: What the operator may do in a namespace that it serves, and in its own.
    SERVED: list[Json]
    OWN: list[Json]
else:

    def __getattr__(name: str) -> list[Json]:
        """Take rights from the chart once they are asked for: pure tests need no Helm."""
        if name not in ("SERVED", "OWN"):
            raise AttributeError(name)
        return helm.rules("own", "served")["Role", name.lower()]


class World:
    """What one test has to itself."""

    def __init__(self, plane: ControlPlane, bao: OpenBao, namespace: str, folder: pathlib.Path) -> None:
        self.plane, self.bao, self.namespace, self.folder = plane, bao, namespace, folder
        self.system = f"{namespace}-system"
        self.vault = bao.client()
        self.mount = namespace
        self.operators: list[Operator] = []
        self._cluster_objects: list[str] = []

    def __enter__(self) -> Self:
        self.must("POST", "/api/v1/namespaces", {"metadata": {"name": self.system}})
        self.vault.sys.enable_secrets_engine("kv", path=self.mount, options={"version": "2"})
        self.secret_is("vault-token", {"token": self.bao.root_token})
        self.secret_is("vault-token", {"token": self.bao.root_token}, namespace=self.system)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for operator in self.operators:
            if operator.process.poll() is None:
                operator.kill()
            # pytest shows it where the test failed.
            sys.stdout.write(f"--- {operator.log.name}\n{operator.log.read_text()[-6000:]}")
        for path in self._cluster_objects:
            self.plane.request("DELETE", path)
        self.vault.sys.disable_secrets_engine(self.mount)  # type: ignore[no-untyped-call]
        if kind is None:
            assert not self.redacted(), self.redacted()

    def redacted(self) -> list[str]:
        """Return lines of logs from which the last line of defence took something: what is before it has failed."""
        lines = (line for operator in self.operators for line in operator.log.read_text().splitlines())
        return [line for line in lines if "[redacted]" in line]

    # Arranging.

    def must(self, method: str, path: str, body: Json | None = None, content_type: str = "application/json") -> Json:
        """Ask the API server for something that has to succeed."""
        status, answer = self.plane.request(method, path, body, content_type)
        assert status < 300, (status, answer.get("message"))
        return answer

    def path(self, kind: str, name: str = "", namespace: str | None = None) -> str:
        """Return where objects of a kind of ours are."""
        space = "" if kind in CLUSTER_KINDS else f"/namespaces/{namespace or self.namespace}"
        return f"{GROUP}{space}/{PLURALS[kind]}" + (f"/{name}" if name else "")

    def apply(self, manifest: Json) -> Json:
        """Create an object of ours, or change it to what the manifest says."""
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        path = self.path(kind, name)
        if kind in CLUSTER_KINDS and path not in self._cluster_objects:
            self._cluster_objects.append(path)
        query = "?fieldManager=test&force=true"
        return self.must("PATCH", path + query, manifest, "application/apply-patch+yaml")

    def delete(self, kind: str, name: str) -> None:
        """Delete an object of ours."""
        self.must("DELETE", self.path(kind, name))

    def has_gone(self, name: str = "llm") -> None:
        """Wait until an ApiKeySecret is gone."""
        self.until(lambda: self.plane.request("GET", self.path("ApiKeySecret", name))[0] == 404, "the object is gone")

    def annotate(self, name: str, **annotations: str) -> None:
        """Annotate an ApiKeySecret; underscores in names stand for slashes and dots as in ``keywright.dev/…``."""
        body = {"metadata": {"annotations": {f"keywright.dev/{key}": value for key, value in annotations.items()}}}
        self.must("PATCH", self.path("ApiKeySecret", name), body, "application/merge-patch+json")

    def put(self, path: str, **fields: object) -> None:
        """Write a key into the store."""
        self.vault.secrets.kv.v2.create_or_update_secret(path, fields, mount_point=self.mount)

    def forget(self, path: str) -> None:
        """Take a key out of the store, with all its versions."""
        self.vault.secrets.kv.v2.delete_metadata_and_all_versions(path, mount_point=self.mount)

    def refreshes(self, token: str) -> None:
        """Ask for a refresh of ``llm``, and wait until it is handled."""
        self.annotate("llm", refresh=token)
        self.until(lambda: self.object()["status"].get("lastHandledRefresh") == token, "it is refreshed")

    def has_store(self, name: str = "vault", **spec: Any) -> None:
        """Let there be a KeyStore for this world's KV engine."""
        self.apply(key_store(name, self.bao.url, self.mount, **spec))

    def has_key(self, name: str = "llm", **spec: Any) -> None:
        """Let there be a key in the store, and an ApiKeySecret ``llm`` that wants it."""
        self.put("llm/openai", api_key="sk-one")
        self.has_store()
        self.apply(api_key_secret(name, entry("OPENAI_API_KEY", "llm/openai", "api_key"), **spec))

    def secret_is(self, name: str, data: dict[str, str], namespace: str | None = None, **more: Any) -> Json:
        """Let there be a Secret that is not ours."""
        body = {"metadata": {"name": name, **more.pop("metadata", {})}, "stringData": data, **more}
        return self.must("POST", f"/api/v1/namespaces/{namespace or self.namespace}/secrets", body)

    def change_secret(self, name: str, **entries: str) -> None:
        """Change entries of a Secret by hand, as ``kubectl patch`` does."""
        body = {"data": {key: base64.b64encode(value.encode()).decode() for key, value in entries.items()}}
        query = "?fieldManager=somebody"
        self.must("PATCH", self._secret_path(name) + query, body, "application/merge-patch+json")

    def delete_secret(self, name: str) -> None:
        """Delete a Secret."""
        self.must("DELETE", self._secret_path(name))

    def start(
        self, *flags: str, server: str | None = None, ca_file: pathlib.Path | None = None, fork: bool = True
    ) -> Operator:
        """Start an operator for this world and wait until it works.

        Args:
            server: another way to the API server, for example a fault proxy.
            fork: whether it may come out of a process that has loaded the program.
        """
        operator = self.launch(*flags, server=server, ca_file=ca_file, fork=fork)
        self.until(operator.ready, "the operator is ready")
        if "--audit-mode=off" not in flags:
            # It opens beside its other work: what it writes for that must not be counted with what a test lets it do.
            self.until(operator.records, "the operator has opened its audit trail")
        return operator

    def launch(
        self, *flags: str, server: str | None = None, ca_file: pathlib.Path | None = None, fork: bool = True
    ) -> Operator:
        """Start an operator for this world without waiting."""
        number = len(self.operators)
        if not number:
            self.grant()
        kubeconfig = self.plane.kubeconfig_for(
            self.system, "keywright", self.folder / f"operator-{number}.kubeconfig", server=server, ca_file=ca_file
        )
        user = f"system:serviceaccount:{self.system}:keywright"
        log = self.folder / f"operator-{number}.log"
        operator = Operator(kubeconfig, user, self.system, self.namespace, log, *flags, fork=fork)
        self.operators.append(operator)
        return operator

    def grant(self) -> None:
        """Give the operator the rights that the chart gives it where it serves some namespaces only."""
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        subject = [{"kind": "ServiceAccount", "name": "keywright", "namespace": self.system}]
        for (kind, namespace), rules in helm.rules(self.system, self.namespace).items():
            ours = namespace in (self.namespace, self.system)
            place, name = f"{rbac}/namespaces/{namespace}" if namespace else rbac, "keywright" if ours else self.system
            role = {"kind": kind, "name": name, "apiGroup": "rbac.authorization.k8s.io"}
            granted: list[Json] = [{"rules": rules}, {"roleRef": role, "subjects": subject}]
            for path, body in zip(
                (f"{place}/{kind.lower()}s", f"{place}/{kind.lower()}bindings"), granted, strict=True
            ):
                self.must("POST", path, {"metadata": {"name": name}, **body})
                self._cluster_objects += [] if ours else [f"{path}/{name}"]

    def serves(self, name: str) -> str:
        """Let there be another namespace, which the operator may serve; return its name."""
        place = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}"
        self.must("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        self.remove_later(f"/api/v1/namespaces/{name}")
        meta = {"metadata": {"name": "keywright"}}
        self.must("POST", f"{place}/roles", meta | {"rules": helm.rules("own", "served")["Role", "served"]})
        role = {"kind": "Role", "name": "keywright", "apiGroup": "rbac.authorization.k8s.io"}
        subject = {"kind": "ServiceAccount", "name": "keywright", "namespace": self.system}
        self.must("POST", f"{place}/rolebindings", meta | {"roleRef": role, "subjects": [subject]})
        return name

    def remove_later(self, path: str) -> None:
        """Remove something that is in no namespace of ours when the test is over."""
        self._cluster_objects.append(path)

    # Looking.

    def until(self, there: Callable[[], T | None], what: str | Callable[[], str], seconds: float = PATIENCE) -> T:
        """Wait until something holds, and return it."""
        ends = time.monotonic() + seconds
        while True:
            found = there()
            if found:
                return found
            assert time.monotonic() < ends, f"in vain waited for: {what() if callable(what) else what}"
            time.sleep(0.05)

    def holds(self, there: Callable[[], object], what: str, seconds: float = 1.5) -> None:
        """See that something holds, and goes on holding for a while."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            assert there(), f"no longer holds: {what}"
            time.sleep(0.1)

    def object(self, name: str = "llm", kind: str = "ApiKeySecret") -> Json:
        """Return an object of ours."""
        return self.must("GET", self.path(kind, name))

    def condition(self, name: str = "llm", kind: str = "ApiKeySecret", type_: str = "Ready") -> Json:
        """Return a condition of an object; empty if it has none."""
        return _condition(self.object(name, kind), type_)

    def is_ready(self, name: str = "llm", kind: str = "ApiKeySecret") -> Json:
        """Wait until an object is Ready in its present generation, and return it."""

        def ready() -> Json | None:
            found = self.object(name, kind)
            current = found["status"].get("observedGeneration") == found["metadata"]["generation"]
            return found if current and _condition(found, "Ready").get("status") == "True" else None

        return self.until(ready, lambda: f"{kind} {name} is Ready; it is {self.condition(name, kind)}")

    def ends(self, name: str, phase: str) -> Json:
        """Wait until a KeyAction is in its last phase, and return its status."""

        def over() -> Json | None:
            told: Json = self.object(name, "KeyAction")["status"]
            return told if told.get("phase") == phase else None

        return self.until(over, lambda: f"{name} is {phase}; it is {self.object(name, 'KeyAction')['status']}")

    def is_refused(self, reason: str, name: str = "llm", kind: str = "ApiKeySecret") -> Json:
        """Wait until an object is not Ready for a reason, and return the condition."""

        def refused() -> Json | None:
            found = self.condition(name, kind)
            return found if found.get("status") == "False" and found.get("reason") == reason else None

        return self.until(refused, lambda: f"{kind} {name} is refused for {reason}; it is {self.condition(name, kind)}")

    def told(self, reason: str, name: str = "llm", kind: str = "ApiKeySecret") -> str:
        """Wait until an object is not Ready for a reason; return the message without what differs from run to run."""
        message = re.sub("request [-0-9a-f]{36}", "request ID", self.is_refused(reason, name, kind)["message"])
        return re.sub("since [-0-9]{10} [0-9:]{5} UTC", "since NOW", message).replace(self.namespace, "NS")

    @contextlib.contextmanager
    def untouched(self, name: str = "llm") -> Iterator[None]:
        """See that a Secret is the same after the block as before: its version and all."""
        before = self.secret_object(name)
        assert before, f"there is no Secret {name} that could stay as it is"
        yield
        assert self.secret_object(name) == before

    def secret_object(self, name: str = "llm", namespace: str | None = None) -> Json | None:
        """Return a Secret, None if there is none."""
        status, found = self.plane.request("GET", self._secret_path(name, namespace))
        return found if status == 200 else None

    def secret(self, name: str = "llm") -> dict[str, str] | None:
        """Return what a Secret holds, None if there is none."""
        found = self.secret_object(name)
        if found is None:
            return None
        return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}

    def secret_becomes(self, data: dict[str, str] | None, name: str = "llm") -> None:
        """Wait until a Secret holds just this, or is gone (None)."""
        if data is None:
            self.until(lambda: self.secret(name) is None, f"Secret {name} is gone")
        else:
            self.until(
                lambda: self.secret(name) == data,
                lambda: f"Secret {name} holds {data}; it holds {self.secret(name)}",
            )

    def events(self, name: str = "llm") -> list[Json]:
        """Return the Events about an object, oldest first."""
        items = self.must("GET", f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events")["items"]
        ours = [each for each in items if each["regarding"]["name"] == name]
        return sorted(ours, key=lambda each: str(each["eventTime"]))

    def event_reasons(self, name: str = "llm") -> list[str]:
        """Return the reasons of the Events about an object, oldest first."""
        return [each["reason"] for each in self.events(name)]

    def has_events(self, *reasons: str, name: str = "llm") -> None:
        """Wait until there are just these Events about an object."""
        self.until(
            lambda: self.event_reasons(name) == list(reasons),
            lambda: f"Events {reasons}; there are {self.event_reasons(name)}",
        )

    def requests(self, operator: Operator, since: int = 0) -> list[AuditEntry]:
        """Return what an operator asked of the API server since a mark; its Lease and its audit trail apart."""
        apart = ("leases", "auditsegments")
        asked = (each for each in self.plane.audit(since) if each.user == operator.user and each.resource not in apart)
        return [each for each in asked if not self._is_others(each)]

    def _is_others(self, asked: AuditEntry) -> bool:
        """Whether it is about one thing that another test has in the cluster: every operator looks after it."""
        about = asked.resource in {PLURALS[each] for each in CLUSTER_KINDS} and bool(asked.name)
        return about and not any(f"{asked.uri}/".startswith(f"{path}/") for path in self._cluster_objects)

    def segments_written(self, operator: Operator, since: int = 0) -> int:
        """Count an operator's writes to its audit trail since a mark."""
        asked = (each for each in self.plane.audit(since) if each.user == operator.user and each.code < 300)
        return sum((each.verb, each.resource) == ("create", "auditsegments") for each in asked)

    def writes(self, operator: Operator, since: int = 0) -> collections.Counter[str]:
        """Count an operator's writes since a mark, by verb and resource."""
        found = (each for each in self.requests(operator, since) if each.verb not in ("get", "list", "watch"))
        return collections.Counter(f"{each.verb} {each.resource}/{each.subresource}".rstrip("/") for each in found)

    @contextlib.contextmanager
    def quiet(self, operator: Operator, seconds: float = 2.0) -> Iterator[None]:
        """See that an operator asks nothing of the API server for a while after the block, its Lease apart."""
        mark = self.plane.mark()
        yield
        time.sleep(seconds)
        asked = [f"{each.verb} {each.uri}" for each in self.requests(operator, mark)]
        assert not asked, asked

    def _secret_path(self, name: str, namespace: str | None = None) -> str:
        return f"/api/v1/namespaces/{namespace or self.namespace}/secrets/{name}"


def _condition(found: Json, type_: str) -> Json:
    conditions: list[Json] = found.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == type_), {})


def pretty(value: Json) -> str:
    """Return JSON as a person reads it."""
    return json.dumps(value, indent=2, sort_keys=True)
