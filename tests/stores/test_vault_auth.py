"""Each way to log in to Vault, against a real OpenBao (and a real API server for the Kubernetes method)."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from controlplane import ControlPlane, OpenBao
from controlplane.certificates import Authority
from keywright import errors
from keywright.errors import Reason
from keywright.stores.base import Ref
from keywright.stores.vault import Vault
from stores.contract import TIMEOUT, HeldCredentials, assert_clean, failure, refusal
from stores.engines import Engine, engine_of

SIGNER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(audience: str, seconds: int = 600, subject: str = "system:serviceaccount:team-a:reader") -> str:
    now = int(time.time())
    claims = {"iss": "test", "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + seconds}
    parts = [encoded(json.dumps(each).encode()) for each in ({"alg": "RS256", "typ": "JWT"}, claims)]
    signature = SIGNER.sign(".".join(parts).encode(), padding.PKCS1v15(), hashes.SHA256())
    return ".".join([*parts, encoded(signature)])


@pytest.fixture
def method(kv: Engine, request: pytest.FixtureRequest) -> Iterator[str]:
    """Enable an authentication method at a path of the test's own."""
    path = f"{request.param}-{uuid.uuid4().hex[:8]}"
    kv.root.sys.enable_auth_method(request.param, path=path)
    yield path
    kv.root.delete(f"/sys/auth/{path}")


def reads(store: Vault, kv: Engine) -> bool:
    """Whether a store that has logged in reads what it may."""
    return bool(json.loads(store.fetch(Ref("ready")).value.reveal()) == {"yes": "1"})


class TestToken:
    """The token is there; it is looked up, renewed and never replaced."""

    def test_a_token_without_an_end_has_no_lease(self, kv: Engine) -> None:
        assert kv.with_token(str(kv.root.token)).login() is None

    def test_a_renewable_token_is_renewed_to_its_full_time(self, kv: Engine) -> None:
        store = kv.with_token(kv.token(ttl="1h", renewable=True))
        first = store.login()
        kv_time = store.renew()

        assert first is not None
        assert 3500 < first <= 3600
        assert kv_time == 3600

    def test_a_token_that_cannot_be_renewed_is_looked_up_again(self, kv: Engine) -> None:
        store = kv.with_token(kv.token(ttl="1h", renewable=False))
        first, second = store.login(), store.renew()

        assert first is not None
        assert second is not None
        assert 3500 < second <= first
        assert reads(store, kv)

    def test_a_token_that_ends_is_said_to_be_refused(self, kv: Engine) -> None:
        token = kv.token()
        store = kv.logged_in(token)
        kv.root.auth.token.revoke(token)

        error = failure(store.renew)

        assert (type(error), error.reason) == (errors.Stalled, Reason.AUTH_FAILED)
        assert error.hint == "Check the token in Secret vault, and that it has not expired"
        assert_clean(error, token)

    @pytest.mark.parametrize("text", [b"", b"token\n", b"to ken", b"\xff", "tökén".encode(), b"token\r\nX-Evil: 1"])
    def test_a_token_with_anything_but_signs_in_it_is_not_sent(self, kv: Engine, text: bytes) -> None:
        held = HeldCredentials({("vault", "token"): text})

        error = failure(kv.store({"token": {"secretRef": {"name": "vault", "key": "token"}}}, held).login)

        assert (type(error), error.reason) == (errors.Stalled, Reason.AUTH_FAILED)
        assert "entry token of Secret vault" in error.message

    def test_a_secret_that_is_not_there_is_said_by_who_looked(self, kv: Engine) -> None:
        error = failure(kv.store({"token": {"secretRef": {"name": "v", "key": "t"}}}, HeldCredentials()).login)

        assert error.reason == Reason.CREDENTIAL_MISSING


@pytest.mark.parametrize("method", ["approle"], indirect=True)
class TestAppRole:
    """The secret id may be good for one login only."""

    def store(self, kv: Engine, method: str, secret_id: str | None = None, **role: Any) -> Vault:
        path = f"auth/{method}/role/keywright"
        root: Any = kv.root
        root.write_data(path, data={"token_policies": [kv.policy], "token_ttl": "1h"} | role)
        role_id = root.read(f"{path}/role-id")["data"]["role_id"]
        secret_id = secret_id or root.write_data(f"{path}/secret-id", data={})["data"]["secret_id"]
        auth = {"mount": method, "roleId": role_id, "secretIdRef": {"name": "approle", "key": "id"}}
        return kv.store({"appRole": auth}, HeldCredentials({("approle", "id"): secret_id}))

    def test_it_logs_in_and_reads(self, kv: Engine, method: str) -> None:
        store = self.store(kv, method)

        assert store.login() == 3600
        assert reads(store, kv)

    def test_a_renewal_does_not_use_the_secret_id(self, kv: Engine, method: str) -> None:
        store = self.store(kv, method, secret_id_num_uses=1)
        store.login()

        assert store.renew() == 3600
        assert failure(store.login).reason == Reason.AUTH_FAILED
        assert reads(store, kv)

    def test_a_token_that_cannot_be_renewed_is_replaced_by_a_login(self, kv: Engine, method: str) -> None:
        store = self.store(kv, method, token_type="batch")
        store.login()

        assert store.renew() == 3600
        assert reads(store, kv)

    def test_a_token_near_its_maximal_age_is_replaced_by_a_login(self, kv: Engine, method: str) -> None:
        store = self.store(kv, method, token_ttl="4s", token_explicit_max_ttl="4s")
        store.login()
        time.sleep(2.5)

        assert store.renew() == 4

    def test_a_revoked_token_is_replaced_by_a_login(self, kv: Engine, method: str) -> None:
        store = self.store(kv, method)
        store.login()
        kv.root.write_data(f"sys/leases/revoke-prefix/auth/{method}/login", data={})

        assert isinstance(refusal(store, Ref("ready")), errors.LoginExpired)
        assert store.renew() == 3600
        assert reads(store, kv)

    def test_a_wrong_secret_id_is_refused_with_what_to_check(self, kv: Engine, method: str) -> None:
        error = failure(self.store(kv, method, secret_id="kw-wrong-secret-id").login)

        assert (error.reason, error.message) == (Reason.AUTH_FAILED, f"answered 400 for auth/{method}/login")
        assert "Secret approle: secret ids expire and can be used up" in error.hint
        assert_clean(error, "kw-wrong-secret-id")

    def test_a_method_that_is_not_enabled_is_a_refused_login(self, kv: Engine, method: str) -> None:
        store = self.store(kv, method)
        kv.root.delete(f"/sys/auth/{method}")

        assert failure(store.login).reason == Reason.AUTH_FAILED


@pytest.mark.parametrize("method", ["userpass"], indirect=True)
class TestUserPass:
    """User name and password."""

    def store(self, kv: Engine, method: str, password: str) -> Vault:
        auth = {"mount": method, "username": "key.wright", "passwordRef": {"name": "user", "key": "password"}}
        return kv.store({"userPass": auth}, HeldCredentials({("user", "password"): password}))

    def test_any_printable_password_logs_in(self, kv: Engine, method: str) -> None:
        password = 'corrëct "horse" battery'
        data = {"password": password, "token_policies": [kv.policy], "token_ttl": "30m"}
        kv.root.write_data(f"auth/{method}/users/key.wright", data=data)
        store = self.store(kv, method, password)

        assert store.login() == 1800
        assert reads(store, kv)
        assert failure(self.store(kv, method, "wrong").login).reason == Reason.AUTH_FAILED
        assert failure(self.store(kv, method, f"{password}\n").login).reason == Reason.AUTH_FAILED


@pytest.mark.parametrize("method", ["jwt"], indirect=True)
class TestJwt:
    """A signed token out of a Secret, or a ServiceAccount's."""

    def enable(self, kv: Engine, method: str) -> None:
        public = SIGNER.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        kv.root.write_data(f"auth/{method}/config", data={"jwt_validation_pubkeys": [public.decode()]})
        role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": [kv.policy]}
        kv.root.write_data(f"auth/{method}/role/keywright-team-a", data=role | {"token_ttl": "20m"})

    def test_a_token_in_a_secret_logs_in(self, kv: Engine, method: str) -> None:
        self.enable(kv, method)
        auth = {"mount": method, "role": "keywright-team-a", "secretRef": {"name": "jwt", "key": "token"}}
        store = kv.store({"jwt": auth}, HeldCredentials({("jwt", "token"): jwt("vault")}))

        assert store.login() == 1200
        assert reads(store, kv)

    def test_a_service_accounts_token_logs_in_to_the_role_of_the_namespace(self, kv: Engine, method: str) -> None:
        self.enable(kv, method)
        asked: list[tuple[str, str, int]] = []

        def token(*request: Any) -> str:
            asked.append(request)
            return jwt(request[1], request[2])

        auth = {"mount": method, "role": "keywright-{namespace}", "serviceAccountRef": {"name": "reader"}}
        store = kv.store({"jwt": auth}, HeldCredentials(tokens=token))
        elsewhere = kv.store({"jwt": auth}, HeldCredentials(tokens=token, namespace="team-b"))

        assert store.login() == 1200
        assert reads(store, kv)
        assert asked == [("reader", "vault", 600)]
        assert failure(elsewhere.login).reason == Reason.AUTH_FAILED

    def test_another_audience_is_refused_with_what_to_check(self, kv: Engine, method: str) -> None:
        self.enable(kv, method)
        auth = {"mount": method, "role": "keywright-team-a", "serviceAccountRef": {"name": "reader"}, "audience": "x"}

        error = failure(kv.store({"jwt": auth}, HeldCredentials(tokens=lambda _, *rest: jwt(*rest))).login)

        assert error.reason == Reason.AUTH_FAILED
        assert error.hint == f"Check role keywright-team-a of auth/{method}, and its audiences and claims"


@pytest.mark.parametrize("method", ["kubernetes"], indirect=True)
def test_a_service_account_logs_in_through_the_clusters_own_review(
    kv: Engine, method: str, control_plane: ControlPlane, namespace: str
) -> None:
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    for name in ("reviewer", "reader"):
        control_plane.request("POST", accounts, {"metadata": {"name": name}})
    subject = {"kind": "ServiceAccount", "name": "reviewer", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"}
    binding = {"metadata": {"name": f"reviewer-{namespace}"}, "roleRef": role, "subjects": [subject]}
    control_plane.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)

    def token(name: str, audience: str | None, seconds: int) -> str:
        spec = {"expirationSeconds": seconds} | ({"audiences": [audience]} if audience else {})
        status, answer = control_plane.request("POST", f"{accounts}/{name}/token", {"spec": spec})
        assert status == 201, answer
        return str(answer["status"]["token"])

    kv.root.write_data(
        f"auth/{method}/config",
        data={
            "kubernetes_host": control_plane.url,
            "kubernetes_ca_cert": control_plane.ca_file.read_text(),
            "token_reviewer_jwt": token("reviewer", None, 3600),
            "disable_local_ca_jwt": True,
        },
    )
    bound = {"bound_service_account_names": ["reader"], "bound_service_account_namespaces": [namespace]}
    data = bound | {"audience": "vault", "token_policies": [kv.policy], "token_ttl": "10m"}
    kv.root.write_data(f"auth/{method}/role/keywright-{namespace}", data=data)

    def opened(account: str) -> Vault:
        auth = {"mount": method, "role": "keywright-{namespace}", "serviceAccountRef": {"name": account}}
        return kv.store({"kubernetes": auth}, HeldCredentials(tokens=token, namespace=namespace))

    store = opened("reader")
    assert store.login() == 600
    assert reads(store, kv)
    error = failure(opened("reviewer").login)
    assert error.reason == Reason.AUTH_FAILED
    assert "admits ServiceAccount reviewer and audience vault" in error.hint


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """An OpenBao of this module's own: with TLS, to be sealed and shown certificates."""
    with OpenBao.start_raft(tmp_path_factory.mktemp("secured")) as bao:
        yield bao


def over_tls(
    engine: Engine, bao: OpenBao, auth: dict[str, Any], timeout: float = TIMEOUT, **secrets: bytes | str
) -> Vault:
    assert bao.ca_file
    held = HeldCredentials(
        {("client", name): value for name, value in secrets.items()},
        bundles={("ca", "ca.crt"): bao.ca_file.read_text()},
    )
    config: dict[str, Any] = {"caProvider": {"kind": "Secret", "name": "ca", "key": "ca.crt"}}
    if "crt" in secrets:
        refs = {"certSecretRef": {"name": "client", "key": "crt"}, "keySecretRef": {"name": "client", "key": "key"}}
        config["clientCertificate"] = refs
    return engine.store(auth, held, timeout, **config)


def test_a_client_certificate_logs_in(secured: OpenBao) -> None:
    with engine_of(secured.client(), 2) as engine:
        people = Authority("people")
        engine.root.sys.enable_auth_method("cert")
        role = {"certificate": people.pem, "allowed_common_names": ["keywright"], "token_ttl": "15m"}
        engine.root.write_data("auth/cert/certs/team-a", data=role | {"token_policies": [engine.policy]})
        (certificate, key), (other, other_key) = people.sign("keywright"), people.sign("mallory")

        for auth in ({}, {"role": "{namespace}"}):
            store = over_tls(engine, secured, {"cert": auth}, crt=certificate, key=key)
            assert store.login() == 900
            assert reads(store, engine)
        error = failure(over_tls(engine, secured, {"cert": {}}, crt=other, key=other_key).login)
        assert error.reason == Reason.AUTH_FAILED
        assert_clean(error, other_key.decode())


def test_a_sealed_store_is_said_to_be_sealed_and_works_again_when_unsealed(secured: OpenBao) -> None:
    with engine_of(secured.client(), 2) as engine:
        auth = {"token": {"secretRef": {"name": "client", "key": "token"}}}
        store = over_tls(engine, secured, auth, token=engine.token())
        store.login()
        secured.seal()

        error = refusal(store, Ref("ready"))
        assert (type(error), error.reason) == (errors.Outage, Reason.STORE_SEALED)
        assert failure(store.login).reason == Reason.STORE_SEALED
        assert failure(store.renew).reason == Reason.STORE_SEALED

        secured.unseal()
        assert reads(store, engine)


def test_a_paused_store_is_a_timeout_and_works_again_when_resumed(secured: OpenBao) -> None:
    with engine_of(secured.client(), 2) as engine:
        auth = {"token": {"secretRef": {"name": "client", "key": "token"}}}
        store = over_tls(engine, secured, auth, timeout=1.0, token=engine.token())
        store.login()
        secured.pause()

        assert refusal(store, Ref("ready")).reason == Reason.STORE_TIMEOUT

        secured.resume()
        assert reads(store, engine)


def test_many_reads_take_one_login(kv: Engine, openbao: OpenBao) -> None:
    store = kv.with_token(kv.token(display_name=kv.mount))
    mark = openbao.mark()
    store.login()
    for _ in range(10):
        store.fetch(Ref("ready"))

    asked = [each.path for each in openbao.requests(mark) if each.who == f"token-{kv.mount}"]
    assert asked == ["auth/token/lookup-self", f"sys/internal/ui/mounts/{kv.mount}", *[f"{kv.mount}/data/ready"] * 10]
