"""What a store or an issuer may ask of the cluster to log in, for one object and one store or issuer object.

Runs in a store's thread and asks the event loop. References of a KeyStore or KeyIssuer resolve in its own namespace,
those of a cluster kind in the operator's, and a ServiceAccount always in the namespace of the object that is read for,
so that the store itself tells namespaces apart. No reference can name a namespace.

Does not belong here: what the credentials are used for (``stores/``, ``issuing/``).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import dataclasses
from typing import Literal

from .. import cluster, errors
from ..errors import Reason
from ..keyfile import place
from ..schema import CaProvider, SecretKeyRef, ServiceAccountRef
from ..secret import SecretValue

#: Seconds that a request to the API server may take when a store's thread waits for it.
DEADLINE = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class ClusterCredentials:
    """Credentials out of the cluster.

    Attributes:
        namespace: of the object that is read for.
        home: where Secrets and ConfigMaps of the store are.
        file_root: folder below which the store may read files; None: it may read none.
    """

    api: cluster.Cluster
    loop: asyncio.AbstractEventLoop
    namespace: str
    home: str
    file_root: str | None = None

    def secret(self, ref: SecretKeyRef) -> SecretValue:
        """Return one entry of a Secret of the store's home."""
        return SecretValue(self._entry(cluster.SECRETS, "Secret", ref.name, ref.key))

    def entry(self, kind: Literal["ConfigMap", "Secret"], name: str, key: str) -> SecretValue:
        """Return one entry of a ConfigMap or Secret of the store's home."""
        resource = cluster.CONFIG_MAPS if kind == "ConfigMap" else cluster.SECRETS
        return SecretValue(self._entry(resource, kind, name, key))

    def file(self, path: str, limit: int) -> SecretValue:
        """Return a file below the root."""
        root = self._root
        try:
            return SecretValue(place.read_below(root, path, limit))
        except errors.Error as error:
            named = error.about(f"reads file {path}, which")
        raise named

    def swap_file(self, path: str, before: SecretValue, after: SecretValue) -> bool:
        """Replace a file below the root."""
        root = self._root
        try:
            return place.swap_below(root, path, before.reveal(), after.reveal())
        except errors.Error as error:
            named = error.about(f"writes file {path}, which")
        raise named

    @property
    def _root(self) -> str:
        if self.file_root:
            return self.file_root
        raise errors.Stalled(
            Reason.FILE_REFUSED,
            "may read no files of the operator",
            "Use configMapRef or secretRef; path is for a ClusterKeyStore, and needs --file-store-root",
        )

    def ca(self, provider: CaProvider) -> str:
        """Return CA certificates as PEM."""
        resource = cluster.CONFIG_MAPS if provider.kind == "ConfigMap" else cluster.SECRETS
        return self._entry(resource, provider.kind, provider.name, provider.key).decode("ascii", "replace")

    def service_account_token(self, ref: ServiceAccountRef, audience: str, seconds: int) -> SecretValue:
        """Return a token of a ServiceAccount of the object's namespace."""
        spec = {"audiences": [audience], "expirationSeconds": max(600, seconds)}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        what = f"ServiceAccount {self.namespace}/{ref.name}"
        answer = self._ask(what, cluster.SERVICE_ACCOUNTS, self.namespace, ref.name, token=body)
        if answer is None:
            raise _missing(f"needs {what}, which does not exist", "Create it")
        return SecretValue(str(answer["status"]["token"]))

    def _entry(self, resource: cluster.Resource, kind: str, name: str, key: str) -> bytes:
        what = f"{kind} {self.home}/{name}"
        found = self._ask(what, resource, self.home, name)
        if found is None:
            raise _missing(f"needs {what}, which does not exist", "Create it")
        if kind == "ConfigMap" and key in (found.get("data") or {}):
            return str(found["data"][key]).encode()
        encoded = (found.get("data" if kind == "Secret" else "binaryData") or {}).get(key)
        if encoded is None:
            raise _missing(f"needs entry {key} of {what}, which is not there", f"Add {key} to it")
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise _missing(f"cannot read entry {key} of {what}", f"Write {key} anew") from None

    def _ask(
        self,
        what: str,
        resource: cluster.Resource,
        namespace: str,
        name: str,
        *,
        token: cluster.Json | None = None,
    ) -> cluster.Json | None:
        """Read an object through the loop, or ask for a token of it; None if it does not exist."""
        method, subresource = ("POST", "token") if token else ("GET", None)
        request = self.api.call(method, resource, namespace, name, subresource, body=token, deadline=DEADLINE)
        try:
            return asyncio.run_coroutine_threadsafe(request, self.loop).result(DEADLINE + 2)
        except cluster.Refused as refused:
            if refused.status == 404:
                return None
            status = refused.status
        except TimeoutError:
            raise cluster.unavailable(what) from None
        raise _missing(f"may not read {what}: the API server answered {status}", "Grant the operator's role that right")


def _missing(message: str, hint: str) -> errors.Stalled:
    return errors.Stalled(Reason.CREDENTIAL_MISSING, message, hint)
