"""The API: one file a kind, spec and status as models, which are the only source of the CRDs.

Does not belong here: how objects are brought into order (``engine/``), the CRDs' form (``crd.py``).
"""

from __future__ import annotations

from types import MappingProxyType

from ..members import members
from .apikeysecret import ApiKeySecret, ApiKeySecretSpec
from .auditsegment import AuditSegment, AuditSegmentSpec
from .base import API_VERSION, GROUP, VERSION, Column, Kind
from .credentials import Check, CredentialSpec, CredentialStatus
from .entries import DataEntry, DataFrom, RemoteRef, StoreRef
from .keyaction import KeyAction, KeyActionSpec
from .keyissuer import (
    Binding,
    ClusterKeyIssuer,
    ClusterKeyIssuerSpec,
    IssuerLimits,
    IssuerRef,
    KeyIssuer,
    KeyIssuerSpec,
    OneIssuer,
)
from .keystore import ClusterKeyStore, ClusterKeyStoreSpec, KeyStore, KeyStoreSpec
from .rollout import RolloutSpec
from .rotation import RotationSpec
from .selector import LabelSelector
from .target import TargetSpec

#: Every kind of this version by its name.
KINDS = MappingProxyType({each.kind: each for each in members(__name__, __path__, Kind)})  # type: ignore[type-abstract]

__all__ = [
    "API_VERSION",
    "GROUP",
    "KINDS",
    "VERSION",
    "ApiKeySecret",
    "ApiKeySecretSpec",
    "AuditSegment",
    "AuditSegmentSpec",
    "Binding",
    "Check",
    "ClusterKeyIssuer",
    "ClusterKeyIssuerSpec",
    "ClusterKeyStore",
    "ClusterKeyStoreSpec",
    "Column",
    "CredentialSpec",
    "CredentialStatus",
    "DataEntry",
    "DataFrom",
    "IssuerLimits",
    "IssuerRef",
    "KeyAction",
    "KeyActionSpec",
    "KeyIssuer",
    "KeyIssuerSpec",
    "KeyStore",
    "KeyStoreSpec",
    "Kind",
    "LabelSelector",
    "OneIssuer",
    "RemoteRef",
    "RolloutSpec",
    "RotationSpec",
    "StoreRef",
    "TargetSpec",
]
