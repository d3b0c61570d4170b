"""``keywright act``: ask for an act on an ApiKeySecret by a KeyAction, and tell what came of it where that is wanted.

Does not belong here: what an act does (``engine/actions.py``), who may ask for it (``admission``, the chart's roles).
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, Any, Literal

import click

from .. import errors, schema
from ..errors import Reason
from . import _connection, _leader, _output, _types
from ._exit import Exit
from ._section import Section

if TYPE_CHECKING:
    from ..cluster import Cluster, Json, Refused

SECTION = Section.CLUSTER

#: As the kind has them; here too, because to load the kinds takes longer than all else of most commands.
ACTIONS = ("Refresh",)
REASONS = ("Scheduled", "Compromised", "Personnel", "Policy", "Maintenance", "Test", "Other")
#: Seconds between two looks at what became of it.
_PAUSE = 0.3


def _reference(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value and not re.fullmatch(schema.REFERENCE_PATTERN.strip("^$"), value):
        raise click.BadParameter("a ticket is written like SEC-1234, INC0012345 or #12")
    return value or None


@click.command("act")
@click.argument("action", type=click.Choice(ACTIONS, case_sensitive=False))
@click.argument("name", type=_types.NAME)
@click.option("--reason", type=click.Choice(REASONS, case_sensitive=False), required=True, help="Why.")
@click.option("--reference", callback=_reference, help="Ticket that tells more, as SEC-1234.")
@click.option("--wait", is_flag=True, help="Wait until it is over, and tell the outcome.")
@click.option("--timeout", type=_types.DURATION, default="60s", show_default=True, help="How long to wait.")
@_connection.connects
def command(place: _connection.Place, name: str, wait: bool, timeout: float, **why: Any) -> None:
    """Ask for an act on an ApiKeySecret, so that it is recorded who asked, and why.

    Makes a KeyAction with your user name, and prints what it is called. You need the right to create keyactions, and to
    the verb of the act on the ApiKeySecret: `refresh`. Where no record is wanted, `keywright refresh` does the same.

    Exit code: 0 if it is asked for, and with --wait if it is done; 1 if it is refused, failed, or the wait was in vain.
    """

    async def work(api: Cluster) -> Exit:
        asking = _Asking(api, place.namespace_in(api), name, **why)
        made = await asking.ask()
        page = _output.Page()
        if not wait:
            page.line(f"{made}: asked for")
            return Exit.FINE
        if (status := await asking.over(made, timeout)) is None:
            leader = (await _leader.find(api, place.operator_namespace)).told
            page.line(f"{made}: not over within {_output.lasting(timeout)}; {leader}")
            return Exit.FAILED
        page.line(f"{made}: {status['phase']} ({status.get('reason')})")
        page.below(str(status.get("message", "")))
        return Exit.FINE if status["phase"] == "Succeeded" else Exit.FAILED

    _connection.run(place, work)


class _Asking:
    """What is asked for, and of whom."""

    def __init__(
        self, api: Cluster, namespace: str, target: str, *, action: str, reason: str, reference: str | None
    ) -> None:
        self._api, self._namespace, self._target, self._action = api, namespace, target, action
        self._spec = {"action": action, "apiKeySecret": target, "reason": reason}
        self._spec |= {"reference": reference} if reference else {}

    async def ask(self) -> str:
        """Make the KeyAction and return its name.

        Raises:
            errors.Stalled: there is no such ApiKeySecret, or it is refused.
        """
        from .. import cluster, kinds
        from ..engine.actions import KEY_ACTIONS

        await self._look_up()
        # Not a name of the server's: what is sent again after a lost answer must be the same object.
        name = f"{self._action.lower()}-{self._target[:200]}-{os.urandom(5).hex()}"
        body = {"apiVersion": kinds.API_VERSION, "kind": "KeyAction", "metadata": {"name": name}}
        body |= {"spec": {**self._spec, "requestedBy": await self._who()}}
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
        """See that there is such an ApiKeySecret, where one may see that."""
        from ..cluster import Refused
        from ..engine.records import API_KEY_SECRETS

        try:
            await _connection.read(self._api, API_KEY_SECRETS, "ApiKeySecret", self._namespace, self._target)
        except Refused as refused:
            if refused.status != 403:
                raise

    async def _who(self) -> str:
        """Return under which name the API server knows who asks."""
        found = await self._review("authentication.k8s.io", "SelfSubjectReview", {})
        return str(found["status"]["userInfo"]["username"])

    async def _explained(self, refused: Refused) -> errors.Error:
        """Say why the KeyAction was refused. The text of the policy, or of others', is not shown: it is asked anew."""
        if refused.status != 403 or not refused.fields:
            return _connection.explained(refused, self._api.host, "create")
        verb, where = self._action.lower(), f"apikeysecrets {self._target} in namespace {self._namespace}"
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
    ) -> Json:
        from ..cluster import Resource

        resource = Resource(group, "v1", f"{kind.lower()}s")
        return await self._api.call("POST", resource, body={"apiVersion": f"{group}/v1", "kind": kind, **body})
