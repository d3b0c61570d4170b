"""The AWS store as tests open it: with an access key, or with a ServiceAccount's token."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

from amazon import REGION, Amazon
from keywright.stores.aws import SecretsManager
from stores.contract import TIMEOUT, HeldCredentials

STATIC = {
    "accessKey": {
        "accessKeyIdSecretRef": {"name": "aws", "key": "id"},
        "secretAccessKeySecretRef": {"name": "aws", "key": "secret"},
    }
}
SUBJECT = "system:serviceaccount:team-a:reader"


def opened(aws: Amazon, auth: Mapping[str, Any], held: HeldCredentials, **config: Any) -> SecretsManager:
    timeout = config.pop("timeout", TIMEOUT)
    said = {"region": REGION, "endpoint": aws.url, "stsEndpoint": aws.url, "auth": auth} | config
    return SecretsManager(SecretsManager.Config.model_validate(said), held, timeout)


def with_key(aws: Amazon, parts: Mapping[str, str] | None = None, **config: Any) -> SecretsManager:
    parts = parts or aws.user()
    held = HeldCredentials({("aws", "id"): parts["accessKeyId"], ("aws", "secret"): parts["secretAccessKey"]})
    return opened(aws, STATIC, held, **config)


def logged_in(aws: Amazon, parts: Mapping[str, str] | None = None, **config: Any) -> SecretsManager:
    store = with_key(aws, parts, **config)
    store.login()
    return store


def token(audience: str, subject: str = SUBJECT, seconds: int = 600) -> str:
    claims = {"sub": subject, "aud": [audience], "exp": int(time.time()) + seconds}
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}.c2ln"


def with_token(aws: Amazon, named: str, **more: Any) -> SecretsManager:
    subject = more.pop("subject", SUBJECT)
    held = HeldCredentials(tokens=lambda name, audience, seconds: token(audience, subject, seconds))
    web = {"role": named, "serviceAccountRef": {"name": "reader"}} | more.pop("web", {})
    return opened(aws, {"webIdentity": web}, held, **more)
