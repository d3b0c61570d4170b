"""Keys without a server: an encrypted file, as it lies in Git beside the manifests.

Does not belong here: the other steps (``story``).
"""

from __future__ import annotations

import base64
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile

from .telling import Broken

PATH, VALUE = "llm/openai", "sk-demo-git-41d7"
#: Name of the Secret and of the ApiKeySecret.
NAME = "from-git"


def seal() -> tuple[bytes, bytes]:
    """Store a key in a new encrypted file, as a developer does; return the file and the key that opens it.

    Raises:
        Broken: the command failed.
    """
    with tempfile.TemporaryDirectory(prefix="keywright-demo-") as folder:
        key, file = pathlib.Path(folder, "key"), pathlib.Path(folder, "keys.kw")
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(32))
        done = subprocess.run(
            [sys.executable, "-m", "keywright", "store", "--file", str(file), PATH],
            input=VALUE,
            env=os.environ | {"KEYWRIGHT_MASTER_KEY_FILE": str(key), "KEYWRIGHT_AUDIT_FOLDER": f"{folder}/audit"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Broken(f"keywright store: {done.stderr.strip()}")
        return file.read_bytes(), key.read_bytes()


def manifests(file: bytes, key: bytes) -> tuple[dict[str, object], dict[str, object], dict[str, object]]:
    """Return the ConfigMap with the file, the Secret with its key, and the spec of the store that reads them."""
    encoded = base64.b64encode
    store = {
        "configMapRef": {"name": "keys", "key": "keys.kw"},
        "keyRef": {"name": "keys-master", "key": "key"},
    }
    return (
        {"metadata": {"name": "keys"}, "binaryData": {"keys.kw": encoded(file).decode()}},
        {"metadata": {"name": "keys-master"}, "data": {"key": encoded(key).decode()}},
        {"encryptedFile": store},
    )
