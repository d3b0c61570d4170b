"""Bindings of a ClusterKeyIssuer that have accounts of one name, as two accounts of AWS may have users of one.

Does not belong here: which binding counts for a namespace (``test_key_issuers.py``), what follows from the name that
one has in a journal (``rotate/test_makers.py``).
"""

from __future__ import annotations

from typing import Any

from build import cluster_key_issuer
from unit.test_key_issuers import Desk


def test_bindings_with_accounts_of_one_name_are_told_apart_by_their_rights() -> None:
    def binding(team: str, user: str, right: str, **more: Any) -> dict[str, Any]:
        ref = {"accessKeyIdRef": {"name": right, "key": "id"}, "secretAccessKeyRef": {"name": right, "key": "secret"}}
        return {"namespaceSelector": {"matchLabels": {"team": team}}, "awsIam": {"user": user, **ref, **more}}

    desk = Desk()
    desk.labels = {team: {"team": team} for team in ("a", "b", "c", "d")}
    own = binding("d", "ci", "one", endpoint="https://iam.amazonaws.com:443")
    manifest = cluster_key_issuer("aws", {})
    bindings = [binding("a", "ci", "one"), binding("b", "CI", "two"), binding("c", "other", "one"), own]
    desk.has({**manifest, "spec": {"bindings": bindings}})

    a, b, c, d = (desk.issuers.opened("ClusterKeyIssuer", "aws", team) for team in "abcd")

    assert a.issuing.account == b.issuing.account
    assert (len({a.binding, b.binding}), d.binding, c.binding) == (2, a.binding, "")
    assert a.binding.isalnum() and b.binding.isalnum()
