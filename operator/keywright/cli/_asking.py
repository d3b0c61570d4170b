"""Asking for an act on an ApiKeySecret by a KeyAction in one's own name, and following it until it is over.

Does not belong here: which act a command asks for (its file), what an act does (``engine/actions.py``), who may ask for
it (``admission``, the chart's roles).
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import click

from .. import errors, schema
from ..errors import Reason
from . import _connection, _leader, _output, _types
from ._exit import Exit

if TYPE_CHECKING:
    from ..cluster import Cluster, Json, Refused

#: As the kind has them; here too, because to load the kinds takes longer than all else of most commands.
REASONS = ("Scheduled", "Compromised", "Personnel", "Policy", "Maintenance", "Test", "Other")
#: Seconds between two looks at what became of it.
_PAUSE = 0.3

Function = Callable[..., None]


@dataclasses.dataclass(frozen=True, slots=True)
class Act:
    """What is asked for: fields of a KeyAction. What is None is not said."""

    action: str
    reason: str
    reference: str | None = None
    credential: str | None = None
    test_only: bool | None = None
    take_over: bool | None = None
    debt: str | None = None
    made_from: str | None = None

    def spec(self, target: str, who: str) -> Json:
        """Return the spec of the KeyAction.

        Args:
            target: name of the ApiKeySecret.
            who: asks for it.
        """
        told = {
            "action": self.action,
            "apiKeySecret": target,
            "credential": self.credential,
            "testOnly": self.test_only,
            "takeOver": self.take_over,
            "debt": self.debt,
            "madeFrom": self.made_from,
            "reason": self.reason,
            "reference": self.reference,
            "requestedBy": who,
        }
        return {name: value for name, value in told.items() if value is not None}


def _reference(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value and not re.fullmatch(schema.REFERENCE_PATTERN.strip("^$"), value):
        raise click.BadParameter("a ticket is written like SEC-1234, INC0012345 or #12")
    return value or None


def asks(timeout: str, *, reason: str | None = None, needed: bool = True) -> Callable[[Function], Function]:
    """Return what gives a command the options that say why, and how long its end is waited for.

    Args:
        timeout: how long it is by default.
        reason: why, where nothing is said.
        needed: whether something must be said where there is no such reason.
    """
    why = click.Choice(REASONS, case_sensitive=False)
    said: dict[str, Any] = {"default": reason, "show_default": True} if reason else {"required": needed}
    options = (
        click.option("--reason", type=why, help="Why.", **said),
        click.option("--reference", callback=_reference, help="Ticket that tells more, as SEC-1234."),
        click.option("--wait", is_flag=True, help="Wait until it is over, and tell the outcome."),
        click.option("--timeout", type=_types.DURATION, default=timeout, show_default=True, help="How long to wait."),
    )
    return lambda function: functools.reduce(lambda made, option: option(made), reversed(options), function)


#: Gives a command the option that says which credential is meant.
of_a_credential = click.option(
    "--credential", type=_types.NAME, help="Name of the credential. Default: the only one that rotates."
)


def run(place: _connection.Place, name: str, act: Act, *, wait: bool, timeout: float) -> NoReturn:
    """Ask for an act on an ApiKeySecret, tell what comes of it, and end the command.

    Args:
        timeout: seconds.
    """

    async def work(api: Cluster) -> Exit:
        return await carry_out(api, place, name, act, wait=wait, timeout=timeout)

    _connection.run(place, work)


async def carry_out(api: Cluster, place: _connection.Place, name: str, act: Act, *, wait: bool, timeout: float) -> Exit:
    """Ask for an act on an ApiKeySecret, and tell what comes of it.

    Raises:
        errors.Stalled: there is no such ApiKeySecret or credential, or it is refused.
    """
    asking = _Asking(api, place.namespace_in(api), name, act)
    made = await asking.ask()
    page = _output.Page()
    if not wait:
        page.line(f"{made}: asked for")
        return Exit.FINE
    if (status := await asking.over(made, timeout)) is None:
        leader = (await _leader.find(api, place.operator_namespace)).told
        page.line(f"{made}: not over within {_output.lasting(timeout)}; {leader}")
        if act.action != "Refresh":
            page.below("keywright history tells what becomes of it.")
        return Exit.FAILED
    page.line(f"{made}: {status['phase']} ({status.get('reason')})")
    page.below(str(status.get("message", "")))
    return Exit.FINE if status["phase"] == "Succeeded" else Exit.FAILED


class _Asking:
    """One act on one object, and of whom it is asked."""

    def __init__(self, api: Cluster, namespace: str, target: str, act: Act) -> None:
        self._api, self._namespace, self._target, self._act = api, namespace, target, act

    async def ask(self) -> str:
        """Make the KeyAction and return its name.

        Raises:
            errors.Stalled: there is no such ApiKeySecret or credential, or it is refused.
        """
        from .. import cluster, kinds
        from ..engine.actions import KEY_ACTIONS

        await self._look_up()
        # Not a name of the server's: what is sent again after a lost answer must be the same object.
        name = f"{self._act.action.lower()}-{self._target[:200]}-{os.urandom(5).hex()}"
        body = {"apiVersion": kinds.API_VERSION, "kind": "KeyAction", "metadata": {"name": name}}
        body |= {"spec": self._act.spec(self._target, await self._who())}
        query = {"fieldManager": "keywright-cli"}
        try:
            await self._api.call("POST", KEY_ACTIONS, self._namespace, body=body, query=query)
        except cluster.Refused as refused:
            if refused.status != 409:
                raise await self._explained(refused) from None
        return name

    async def over(self, name: str, timeout: float) -> Json | None:
        """Wait until a KeyAction is over, and return its status; None if that takes too long.

        Args:
            timeout: seconds.

        Raises:
            errors.Stalled: it was deleted meanwhile.
        """
        from ..decide.act import OVER
        from ..engine.actions import KEY_ACTIONS

        try:
            async with asyncio.timeout(timeout):
                while True:
                    found = await _connection.read(self._api, KEY_ACTIONS, "KeyAction", self._namespace, name)
                    status: Json = found.get("status") or {}
                    if status.get("phase") in OVER:
                        return status
                    await asyncio.sleep(_PAUSE)
        except TimeoutError:
            return None

    async def _look_up(self) -> None:
        """See that there are such an ApiKeySecret and credential, where one may see that."""
        from ..cluster import Refused
        from ..engine.records import API_KEY_SECRETS

        try:
            found = await _connection.read(self._api, API_KEY_SECRETS, "ApiKeySecret", self._namespace, self._target)
        except Refused as refused:
            if refused.status != 403:
                raise
            return
        names = [str(each.get("name")) for each in found["spec"].get("credentials") or []]
        if self._act.credential and self._act.credential not in names:
            said = f"ApiKeySecret {self._namespace}/{self._target} has no credential of that name"
            raise errors.Stalled(Reason.NOT_FOUND, said, f"It has {', '.join(names) or 'none'}")

    async def _who(self) -> str:
        """Return under which name the API server knows who asks."""
        found = await self._review("authentication.k8s.io", "SelfSubjectReview", {})
        return str(found["status"]["userInfo"]["username"])

    async def _explained(self, refused: Refused) -> errors.Error:
        """Say why the KeyAction was refused. The text of the policy, or of others', is not shown: it is asked anew."""
        if refused.status != 403 or not refused.fields:
            return _connection.explained(refused, self._api.host, "create")
        verb, where = self._act.action.lower(), f"apikeysecrets {self._target} in namespace {self._namespace}"
        about = {"group": "keywright.dev", "resource": "apikeysecrets", "name": self._target, "verb": verb}
        about["namespace"] = self._namespace
        review = {"spec": {"resourceAttributes": about}}
        found = await self._review("authorization.k8s.io", "SelfSubjectAccessReview", review)
        if not found["status"].get("allowed"):
            hint = (
                f"Ask whoever runs the cluster for the verb {verb} on apikeysecrets; creating keyactions is not enough"
            )
            return errors.Stalled(Reason.TARGET_REFUSED, f"you have no right to {verb} {where}", hint)
        hint = "kubectl create tells its words, of the same KeyAction"
        said = f"an admission policy of the cluster does not let you {verb} {where}"
        return errors.Stalled(Reason.TARGET_REFUSED, said, hint)

    async def _review(
        self, group: str, kind: Literal["SelfSubjectReview", "SelfSubjectAccessReview"], body: Json
    ) -> Any:
        from ..cluster import Resource

        resource = Resource(group, "v1", f"{kind.lower()}s")
        return await self._api.call("POST", resource, body={"apiVersion": f"{group}/v1", "kind": kind, **body})
