"""The API: one file a kind, spec and status as models, which are the only source of the CRDs.

Does not belong here: how objects are brought into order (``engine/``), the CRDs' form (``crd.py``).
"""

from __future__ import annotations

import importlib
import pkgutil
from types import MappingProxyType

from .apikeysecret import ApiKeySecret, ApiKeySecretSpec
from .base import API_VERSION, GROUP, VERSION, Column, Kind
from .credentials import Check, CredentialSpec, CredentialStatus
from .entries import DataEntry, DataFrom, RemoteRef, StoreRef
from .keystore import ClusterKeyStore, ClusterKeyStoreSpec, KeyStore, KeyStoreSpec, LabelSelector
from .target import TargetSpec


def _discover() -> dict[str, type[Kind]]:
    """Import every file of this folder and return the kinds by name. A file that fails to import stops the program."""
    files = sorted(each.name for each in pkgutil.iter_modules(__path__) if each.name != "base")
    modules = [importlib.import_module(f"{__name__}.{name}") for name in files]
    return {
        each.kind: each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Kind) and each.__module__ == module.__name__
    }


#: Every kind of this version by its name.
KINDS = MappingProxyType(_discover())

__all__ = [
    "API_VERSION",
    "GROUP",
    "KINDS",
    "VERSION",
    "ApiKeySecret",
    "ApiKeySecretSpec",
    "Check",
    "ClusterKeyStore",
    "ClusterKeyStoreSpec",
    "Column",
    "CredentialSpec",
    "CredentialStatus",
    "DataEntry",
    "DataFrom",
    "KeyStore",
    "KeyStoreSpec",
    "Kind",
    "LabelSelector",
    "RemoteRef",
    "StoreRef",
    "TargetSpec",
]
