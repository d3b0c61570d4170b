"""The story of one key, step by step; each step is played, waited for and checked.

Does not belong here: the servers (``place``), how it looks (``telling``).
"""

from __future__ import annotations

import asyncio
import base64
import collections
import functools
import time
from collections.abc import Mapping
from typing import Any

from keywright import cluster
from keywright.audit.segment import SEGMENTS
from keywright.engine.records import API_KEY_SECRETS

from . import committed, objects
from .place import Place
from .telling import Broken, Teller, masked
from .watching import KEY_STORES, Watching

Json = dict[str, Any]

_KEYS = {
    "llm": {
        "OPENAI_API_KEY": ("llm/openai", "sk-demo-8c1f"),
        "ANTHROPIC_API_KEY": ("llm/anthropic", "sk-ant-demo-77aa"),
    },
    "search": {"SEARCH_API_KEY": ("search", "search-demo-19d4")},
    "mail": {"MAIL_API_KEY": ("mail", "mail-demo-e05b")},
}
_NEW = "sk-demo-2b9e"


class Story:
    """The story.

    Args:
        api: connection to the cluster, as a person with rights.
        seen: what is in the namespace.
    """

    def __init__(self, place: Place, api: cluster.Cluster, seen: Watching, teller: Teller) -> None:
        self._place, self._api, self._seen, self._teller = place, api, seen, teller
        self._namespace = place.cluster.namespace
        self._vault = place.bao.client().secrets.kv.v2
        self._first_sync: collections.Counter[str] = collections.Counter()

    async def play(self) -> None:
        """Play it from the first to the last step.

        Raises:
            Broken: something did not go as it should.
        """
        await self._keys_become_secrets()
        await self._a_changed_key_arrives()
        await self._a_deleted_secret_is_back()
        await self._an_edited_secret_is_repaired()
        await self._a_foreign_secret_is_left_alone()
        await self._the_store_goes_down()
        await self._the_store_comes_back()
        await self._the_object_goes()
        await self._a_file_in_git()
        await self._a_bad_key_is_stopped()
        await self._an_auditor_asks()
        self._what_it_cost()

    async def _keys_become_secrets(self) -> None:
        for entries in _KEYS.values():
            for path, value in entries.values():
                self._put(path, value)
        with self._teller.step("Keys in OpenBao become native Secrets") as step:
            before = self._requests()
            await objects.connect_store(self._api, self._place)
            started = time.monotonic()
            for name, entries in _KEYS.items():
                await self._create(API_KEY_SECRETS, _api_key_secret(name, entries))
            for name, entries in _KEYS.items():
                await self._holds(name, {key: value for key, (_, value) in entries.items()})
            step.took = time.monotonic() - started
            await self._seen.until(lambda: all(map(self._seen.events, _KEYS)), "there is an Event about each")
            self._first_sync = self._requests() - before
        self._kubectl("get", "aks")
        held = "  ".join(f"{key}={masked(value)}" for key, value in (self._seen.secret("llm") or {}).items())
        self._teller.show(f"Secret llm: {held}")

    async def _a_changed_key_arrives(self) -> None:
        with self._teller.step("The key is changed in OpenBao, and arrives at the next refresh (every 10 s)"):
            self._put("llm/openai", _NEW)
            await self._holds("llm", {"OPENAI_API_KEY": _NEW})
            await self._seen.until(lambda: "Updated" in self._reasons("llm"), "there is an Event of the update")
        self._teller.show(f"Secret llm: OPENAI_API_KEY={masked(_NEW)}")

    async def _a_deleted_secret_is_back(self) -> None:
        with self._teller.step("Somebody deletes the Secret: it is back") as step:
            await self._api.call("DELETE", cluster.SECRETS, self._namespace, "llm")
            seen = self._seen.seen_at

            def back() -> float | None:
                deleted = seen.get(("llm", "DELETED"))
                return seen["llm", "ADDED"] - deleted if deleted and seen["llm", "ADDED"] > deleted else None

            step.took = await self._seen.until(back, "the deleted Secret is back")
            await self._holds("llm", {"OPENAI_API_KEY": _NEW})
            await self._seen.until(lambda: "Repaired" in self._reasons("llm"), "there is an Event of the repair")

    async def _an_edited_secret_is_repaired(self) -> None:
        with self._teller.step("Somebody edits the Secret: our entry is repaired, what they added stays") as step:
            edits = {"OPENAI_API_KEY": "oops", "THEIR_OWN": "kept"}
            await self._api.call(
                "PATCH",
                cluster.SECRETS,
                self._namespace,
                "llm",
                body={"data": {key: base64.b64encode(value.encode()).decode() for key, value in edits.items()}},
                content_type=cluster.MERGE,
                query={"fieldManager": "somebody"},
            )
            started = time.monotonic()
            await self._holds("llm", {"OPENAI_API_KEY": _NEW, "THEIR_OWN": "kept"})
            step.took = time.monotonic() - started
        self._kubectl("get", "events", "--field-selector=involvedObject.name=llm", f"-o=custom-columns={_EVENT}")

    async def _a_foreign_secret_is_left_alone(self) -> None:
        with self._teller.step("A Secret that is not ours is in the way: it is left alone, with a word to its owner"):
            theirs = {"metadata": {"name": "billing"}, "stringData": {"BILLING_API_KEY": "theirs"}}
            await self._create(cluster.SECRETS, theirs)
            await self._create(API_KEY_SECRETS, _api_key_secret("billing", {"BILLING_API_KEY": ("mail", "")}))
            refused = await self._seen.until(lambda: self._is("billing", "False"), "billing is refused")
            _check(refused["reason"] == "TargetExists", f"billing is refused for {refused['reason']}, not TargetExists")
            _check(self._seen.secret("billing") == {"BILLING_API_KEY": "theirs"}, "the foreign Secret was touched")
        self._kubectl("get", "aks", "billing")
        self._teller.show(str(refused["message"]))
        await self._api.call("DELETE", API_KEY_SECRETS, self._namespace, "billing")

    async def _the_store_goes_down(self) -> None:
        with self._teller.step("OpenBao is sealed: every Secret stays as it is, one Event on the store says so"):
            held = {name: self._seen.secret(name) for name in _KEYS}
            said = {name: self._reasons(name) for name in _KEYS}
            await asyncio.to_thread(self._place.bao.seal)
            for name in _KEYS:
                await self._refresh(name, "while-sealed")
            await self._seen.until(lambda: self._is("vault", "False", KEY_STORES), "the store is not Ready")
            await self._seen.until(lambda: self._seen.events("vault"), "there is an Event about the store")
            _check(
                {name: self._seen.secret(name) for name in _KEYS} == held, "a Secret changed while OpenBao was sealed"
            )
            _check(all(self._is(name, "True") for name in _KEYS), "an ApiKeySecret is not Ready although its Secret is")
            _check({name: self._reasons(name) for name in _KEYS} == said, "an Event was written for each object")
            _check(self._reasons("vault") == ["Failed"], f"Events about the store: {self._reasons('vault')}")
        self._kubectl("get", "kst,aks")
        self._teller.show(str(self._seen.events("vault")[0]["note"]))

    async def _the_store_comes_back(self) -> None:
        with self._teller.step("OpenBao is unsealed: all goes on by itself"):
            await asyncio.to_thread(self._place.bao.unseal)
            await self._seen.until(lambda: self._is("vault", "True", KEY_STORES), "the store is Ready again")
            await self._seen.until(lambda: self._reasons("vault") == ["Failed", "Recovered"], "an Event says so")

    async def _the_object_goes(self) -> None:
        with self._teller.step("The ApiKeySecret is deleted: its Secret goes too, the others stay") as step:
            step.remark = ", by Kubernetes itself"
            await self._api.call("DELETE", API_KEY_SECRETS, self._namespace, "llm")
            await self._seen.until(lambda: self._seen.secret("llm") is None, "Secret llm is gone")
            _check(all(self._seen.secret(name) for name in ("search", "mail")), "another Secret went with it")

    async def _a_file_in_git(self) -> None:
        with self._teller.step(
            "Without any server: keys in an encrypted file, as it lies in Git, become a Secret"
        ) as step:
            file, key = await asyncio.to_thread(committed.seal)
            _check(committed.VALUE.encode() not in file, "the file holds the key in clear")
            config_map, master, store = committed.manifests(file, key)
            await self._create(cluster.CONFIG_MAPS, config_map)
            await self._create(cluster.SECRETS, master)
            started = time.monotonic()
            await self._create(KEY_STORES, objects.manifest("KeyStore", "git", store))
            entry = {"key": "OPENAI_API_KEY", "remoteRef": {"path": committed.PATH}}
            spec = {"storeRef": {"name": "git"}, "data": [entry]}
            await self._create(API_KEY_SECRETS, objects.manifest("ApiKeySecret", committed.NAME, spec))
            await self._holds(committed.NAME, {"OPENAI_API_KEY": committed.VALUE})
            step.took = time.monotonic() - started
        self._teller.show(f"ConfigMap keys: {len(file)} bytes that only their key opens")
        self._kubectl("get", "aks", committed.NAME)

    async def _a_bad_key_is_stopped(self) -> None:
        vendor = self._place.issuer.vendor
        good, revoked = (vendor.samples()["project key"] for _ in range(2))
        vendor.knows(good)
        with self._teller.step("At 3 am a key is pasted with a newline, then one that was revoked: neither gets in"):
            self._put("checked", good["apiKey"])
            await self._create(API_KEY_SECRETS, _checked(self._place.issuer.url))
            await self._holds("checked", {"OPENAI_API_KEY": good["apiKey"]})
            told = []
            for bad, reason in ((f"{good['apiKey']}\n", "KeyMalformed"), (revoked["apiKey"], "KeyInvalid")):
                self._put("checked", bad)
                refused = functools.partial(self._is_refused, "checked", reason)
                told.append(await self._seen.until(refused, f"{reason} is told"))
            _check(self._seen.secret("checked") == {"OPENAI_API_KEY": good["apiKey"]}, "a bad key got into the Secret")
        self._kubectl("get", "aks", "checked")
        for each in told:
            self._teller.show(str(each["message"]))

    async def _an_auditor_asks(self) -> None:
        with self._teller.step("An auditor asks what happened to llm, and whether anybody has edited the record"):
            asked = ("log", "-n", self._namespace, "--name", "llm")
            told = await self._audit(0, *asked)
            words = ("Created", "Updated", "Repaired")
            _check(all(each in told for each in words), f"the record does not tell of {words}")
            whole = await self._audit(2, "verify")
        self._teller.command(f"keywright audit {' '.join(asked)}", told)
        self._teller.command("keywright audit verify", whole)
        with self._teller.step("Somebody with every right deletes a piece of it: that is found"):
            found = await self._api.call("GET", SEGMENTS, self._place.cluster.system)
            names = sorted(str(each["metadata"]["name"]) for each in found["items"])
            await self._api.call("DELETE", SEGMENTS, self._place.cluster.system, names[len(names) // 2])
            cut = await self._audit(1, "verify")
        self._teller.command("keywright audit verify", cut)

    async def _audit(self, code: int, *arguments: str) -> str:
        """Run an audit command that is to end with a code; return what it printed."""
        came, printed = await asyncio.to_thread(self._place.cluster.keywright, "audit", *arguments)
        _check(came == code, f"keywright audit {arguments[0]} ended with {came}, not {code}: {printed}")
        return printed

    def _what_it_cost(self) -> None:
        first, objects = self._first_sync, len(_KEYS)
        secrets, reports, events = first["secrets"], first["apikeysecrets"], first["events"]
        with self._teller.step("What it cost, counted"):
            cost = (secrets / objects, reports / objects, events / objects)
            _check(cost == (1, 1, 1), f"a first sync took {cost} writes of Secret, status and Event")
            total = self._requests()
        source = "the API server's audit log" if self._place.cluster.plane else "the operator's own metrics"
        self._teller.show(
            f"{objects} first syncs: {secrets + reports} writes + {events} Events, so 2 writes + 1 Event each"
            f" (and {first['keystores']} for the store's status).\n"
            f"The whole story: {sum(total.values()) - total['events']} writes + {total['events']} Events, by {source}."
        )

    # Acting.

    async def _create(self, resource: cluster.Resource, body: Json) -> None:
        await objects.create(self._api, self._namespace, resource, body)

    async def _refresh(self, name: str, token: str) -> None:
        body = {"metadata": {"annotations": {"keywright.dev/refresh": token}}}
        await self._api.call("PATCH", API_KEY_SECRETS, self._namespace, name, body=body, content_type=cluster.MERGE)

    def _put(self, path: str, value: str) -> None:
        self._vault.create_or_update_secret(path, {"api_key": value})

    # Looking.

    async def _holds(self, name: str, entries: Mapping[str, str]) -> None:
        """Wait until a Secret holds some entries, and its object says so."""

        def held() -> bool:
            found = self._seen.secret(name) or {}
            return all(found.get(key) == value for key, value in entries.items()) and bool(self._is(name, "True"))

        await self._seen.until(held, f"Secret {name} holds what OpenBao says")

    def _is(self, name: str, status: str, resource: cluster.Resource = API_KEY_SECRETS) -> Json | None:
        """Return the Ready condition of an object if it has this status."""
        ready = self._seen.ready(name, resource)
        return ready if ready.get("status") == status else None

    def _is_refused(self, name: str, reason: str) -> Json | None:
        """Return the Ready condition of an object if it is not, for a reason."""
        ready = self._is(name, "False")
        return ready if ready and ready["reason"] == reason else None

    def _reasons(self, name: str) -> list[str]:
        return [each["reason"] for each in self._seen.events(name)]

    def _requests(self) -> collections.Counter[str]:
        """Count what the operator has written so far, by resource; its Lease and its install keys apart."""
        place, operator = self._place.cluster, self._place.operator
        if place.plane:
            asked = (each for each in place.plane.audit() if each.user == operator.user)
            writes = (each for each in asked if each.verb in ("create", "update", "patch", "delete"))
            return collections.Counter(each.resource for each in writes if each.namespace == place.namespace)
        return collections.Counter(
            {
                each.plural: int(
                    operator.metric("keywright_kubernetes_requests_total", f'resource="{each.plural}",verb="{verb}"')
                )
                for each, verb in _WRITES.items()
            }
        )

    def _kubectl(self, *arguments: str) -> None:
        """Show what kubectl says."""
        output = self._place.cluster.kubectl(f"--namespace={self._namespace}", *arguments)
        shown = " ".join(each.partition("=custom-columns")[0] for each in arguments).removesuffix(" -o")
        self._teller.command(f"kubectl -n {self._namespace} {shown}", output)


_EVENT = "TYPE:.type,REASON:.reason,MESSAGE:.message"
#: How the operator writes, for counting by its own metrics.
_WRITES = {cluster.SECRETS: "apply", API_KEY_SECRETS: "patch", KEY_STORES: "patch", cluster.EVENTS: "post"}


def _api_key_secret(name: str, entries: Mapping[str, tuple[str, str]]) -> Json:
    data = [{"key": key, "remoteRef": {"path": path, "property": "api_key"}} for key, (path, _) in entries.items()]
    spec = {"storeRef": {"name": "vault"}, "refreshInterval": "10s", "data": data}
    return objects.manifest("ApiKeySecret", name, spec)


def _checked(issuer: str) -> Json:
    """Return an object whose key is checked before it is written."""
    found = _api_key_secret("checked", {"OPENAI_API_KEY": ("checked", "")})
    check = {"format": "Enforce", "liveness": "Enforce"}
    parts = {"apiKey": "OPENAI_API_KEY"}
    found["spec"]["credentials"] = [
        {"name": "openai", "issuer": "openai", "parts": parts, "endpoint": issuer, "check": check}
    ]
    return found


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Broken(otherwise)
