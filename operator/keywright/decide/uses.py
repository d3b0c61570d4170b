"""How pods use a Secret, as their specs say it: by variables, as files, to pull images. Pure.

What a program asks of the API server itself shows nowhere; that it depends on a Secret, its workload has to say.

Does not belong here: who has which values (``consumers``), whom to restart (``rollout``).
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]


class Way(enum.StrEnum):
    """How something uses a Secret. The list is closed."""

    ENV = "env"
    """One entry as a variable, read when the container starts."""
    ENV_FROM = "envFrom"
    """All entries as variables, read when the container starts."""
    VOLUME = "volume"
    """Files, which the kubelet replaces a while after the Secret has changed."""
    SUB_PATH = "subPath"
    """One file of a volume, as it is when the container starts."""
    DRIVER = "driver"
    """Credentials of another volume, read when it is mounted."""
    IMAGE_PULL = "imagePullSecrets"
    """Credentials for a registry, read whenever an image is pulled."""
    NAMED = "named"
    """In no way that shows: the workload, or the ApiKeySecret, says that it depends on it."""


#: Read once: what has begun with one value goes on with it.
FROZEN = frozenset({Way.ENV, Way.ENV_FROM, Way.SUB_PATH, Way.DRIVER, Way.NAMED})


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Use:
    """One way in which a pod uses a Secret.

    Attributes:
        container: that does; empty where the pod as a whole does.
        key: the entry; None: all of them.
        place: the variable or the prefix of all, the path of the files, the volume.
    """

    way: Way
    container: str = ""
    key: str | None = None
    place: str = ""


#: Where kinds of volumes name the Secret that they are mounted with: the field, and its own field of the name.
_DRIVERS = {
    "azureFile": ("secretName",),
    "cephfs": ("secretRef", "name"),
    "csi": ("nodePublishSecretRef", "name"),
    "flexVolume": ("secretRef", "name"),
    "iscsi": ("secretRef", "name"),
    "rbd": ("secretRef", "name"),
    "scaleIO": ("secretRef", "name"),
    "storageos": ("secretRef", "name"),
}
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def of(pod_spec: Json, secret: str) -> tuple[Use, ...]:
    """Return how a pod uses a Secret, by its spec or by its template's; empty if it does not."""
    volumes = {each["name"]: keys for each in _items(pod_spec, "volumes") if (keys := _entries(each, secret))}
    found: list[Use] = []
    for each in (container for part in _CONTAINERS for container in _items(pod_spec, part)):
        found += _of_variables(each, secret)
        found += _of_files(each, volumes)
    for each in _items(pod_spec, "volumes"):
        if any(_at(each.get(driver), *path) == secret for driver, path in _DRIVERS.items()):
            found.append(Use(Way.DRIVER, place=each["name"]))
    if any(each.get("name") == secret for each in _items(pod_spec, "imagePullSecrets")):
        found.append(Use(Way.IMAGE_PULL))
    return tuple(found)


def _of_variables(container: Json, secret: str) -> Iterator[Use]:
    name = container["name"]
    for each in _items(container, "env"):
        if _at(each, "valueFrom", "secretKeyRef", "name") == secret:
            yield Use(Way.ENV, name, _at(each, "valueFrom", "secretKeyRef", "key"), each["name"])
    for each in _items(container, "envFrom"):
        if _at(each, "secretRef", "name") == secret:
            yield Use(Way.ENV_FROM, name, None, each.get("prefix") or "")


def _of_files(container: Json, volumes: Mapping[str, tuple[str | None, ...]]) -> Iterator[Use]:
    for mount in _items(container, "volumeMounts"):
        cut = mount.get("subPath") or mount.get("subPathExpr")
        way = Way.SUB_PATH if cut else Way.VOLUME
        for key in volumes.get(mount["name"], ()):
            yield Use(way, container["name"], key, mount.get("mountPath") or "")


def _entries(volume: Json, secret: str) -> tuple[str | None, ...]:
    """Return which entries of a Secret a volume has as files; None stands for all of them."""
    sources = [volume["secret"]] if (volume.get("secret") or {}).get("secretName") == secret else []
    projected = [each.get("secret") or {} for each in _items(volume.get("projected") or {}, "sources")]
    sources += [each for each in projected if each.get("name") == secret]
    keys = [key for each in sources for key in [item.get("key") for item in _items(each, "items")] or [None]]
    return tuple(dict.fromkeys(keys))


def _items(part: Json, name: str) -> list[Any]:
    return part.get(name) or []


def _at(part: Any, *path: str) -> Any:
    """Return what stands at a path; None if the way there ends."""
    for step in path:
        part = (part or {}).get(step)
    return part
