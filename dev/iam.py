"""IAM and STS on loopback, as moto has them: users with two access keys each, policies, signatures that are checked.

moto tells an access key that is switched off from one that is on nowhere but in lists, and one that is gone only while
it checks signatures; so STS is answered here where a key is asked about that does not live.

Does not belong here: how a server misbehaves (``vendors/server``), S3 (``receivers``).
"""

from __future__ import annotations

import http.client
import logging
import os
from collections.abc import Mapping
from typing import Any

import botocore.session
from moto.server import ThreadedMotoServer

from vendors.base import Made, Request, Response, word
from vendors.server import handed_on

_ALL = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
_UNKNOWN = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>\
<Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message></Error>\
<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"""


class Iam:
    """An account with an admin, and a user whose keys it makes.

    Attributes:
        user: name of the user.
        rights: the access key of the admin.
    """

    def __init__(self) -> None:
        # Each request would be told on stderr; what the SDK finds at home is none of a test's business.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._server.start()
        self._place = self._server.get_host_and_port()
        self.user, self._admin = f"user-{word(12)}", f"admin-{word(12)}"
        keeper = f"keeper-{word(12)}"
        self._client = self._signed("nobody", "looks")
        for name in (self.user, self._admin, keeper):
            self._client.create_user(UserName=name)
            self._allow(name)
        keys = (self._client.create_access_key(UserName=each)["AccessKey"] for each in (self._admin, keeper))
        admin, own = ((each["AccessKeyId"], each["SecretAccessKey"]) for each in keys)
        self.rights, self.admin = {"id": admin[0], "admin": admin[1]}, admin[1]
        self._check("0")
        self._client = self._signed(*own)
        self._denies = False

    def trust(self) -> None:
        """Look at no signatures from now on: moto does so for all that it is, or for none."""
        self._check("inf")

    def close(self) -> None:
        """Listen no more, and check no more signatures: all that moto has is shared by the process."""
        self._check("inf")
        self._server.stop()

    @property
    def made(self) -> dict[str, Made]:
        """The access keys that the user has; without their secrets."""
        found = self._client.list_access_keys(UserName=self.user)["AccessKeyMetadata"]
        return {
            each["AccessKeyId"]: Made(each["AccessKeyId"], "", {}, off=each["Status"] == "Inactive") for each in found
        }

    @property
    def denies(self) -> bool:
        """Whether the admin may do nothing."""
        return self._denies

    @denies.setter
    def denies(self, denies: bool) -> None:
        self._denies = denies
        if denies:
            self._client.delete_user_policy(UserName=self._admin, PolicyName="all")
        else:
            self._allow(self._admin)

    def make(self, handle: str, name: str, kind: str) -> Made:
        """Make an access key, as a person does; what it is called AWS says."""
        made = self._client.create_access_key(UserName=self.user)["AccessKey"]
        parts = {"accessKeyId": made["AccessKeyId"], "secretAccessKey": made["SecretAccessKey"]}
        return Made(made["AccessKeyId"], "", parts)

    @property
    def config(self) -> Mapping[str, Any]:
        """Fields of the credential that it takes to be checked here."""
        return {}

    def answer(self, request: Request) -> Response:
        """Hand a request on, so that what stands in front may misbehave."""
        if b"GetCallerIdentity" in request.body and not self._lives(request.headers.get("authorization", "")):
            return Response(403, _UNKNOWN, {"Content-Type": "text/xml"})
        return handed_on(self._place, request)

    def _lives(self, signature: str) -> bool:
        """Whether a request is signed with a key that there is, and that is on."""
        key = signature.partition("Credential=")[2].partition("/")[0]
        made = self.made.get(key)
        return key == self.rights["id"] or (made is not None and not made.off)

    def _allow(self, name: str) -> None:
        self._client.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=_ALL)

    def _signed(self, key: str, secret: str) -> Any:
        return botocore.session.Session().create_client(
            "iam",
            region_name="us-east-1",
            endpoint_url="http://{}:{}".format(*self._place),
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )

    def _check(self, after: str) -> None:
        """Have signatures checked after so many requests."""
        connection = http.client.HTTPConnection(*self._place, timeout=30)
        try:
            connection.request("POST", "/moto-api/reset-auth", after, {"Content-Type": "text/plain"})
            connection.getresponse().read()
        finally:
            connection.close()
