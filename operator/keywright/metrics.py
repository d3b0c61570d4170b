"""Every Prometheus instrument, in one table. Labels are bounded: stores, verbs, reasons, namespaces, never paths.

Does not belong here: serving them (``health.py``), deciding when they move (who does the thing moves its instrument).
"""

from __future__ import annotations

import platform

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from . import __version__

#: The registry of this process; the default one is left alone, it belongs to whoever embeds us.
REGISTRY = CollectorRegistry()

_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

SYNCS = Counter(
    "keywright_syncs_total",
    "Reconciliations of ApiKeySecrets by what came of them.",
    ["outcome"],
    registry=REGISTRY,
)
SYNC_SECONDS = Histogram(
    "keywright_sync_duration_seconds",
    "Time from taking an ApiKeySecret off the queue to having reported on it.",
    buckets=_FAST,
    registry=REGISTRY,
)
QUEUE_SECONDS = Histogram(
    "keywright_queue_duration_seconds",
    "Time that an ApiKeySecret waited in the queue, by priority.",
    ["priority"],
    buckets=_FAST,
    registry=REGISTRY,
)
QUEUE_DEPTH = Gauge("keywright_queue_depth", "ApiKeySecrets waiting to be reconciled.", registry=REGISTRY)
#: Collected by ``engine/ages.py``.
OBJECTS = Gauge("keywright_objects", "ApiKeySecrets known, by whether they are Ready.", ["ready"], registry=None)
STORE_CALLS = Counter(
    "keywright_store_calls_total",
    "Calls to stores by operation and outcome (a reason, or Success).",
    ["store", "operation", "outcome"],
    registry=REGISTRY,
)
STORE_SECONDS = Histogram(
    "keywright_store_call_duration_seconds",
    "Duration of calls to stores.",
    ["store", "operation"],
    buckets=_FAST,
    registry=REGISTRY,
)
STORE_READY = Gauge(
    "keywright_store_ready", "1 if the store answers, 0 if it is in trouble.", ["store"], registry=REGISTRY
)
ISSUER_CALLS = Counter(
    "keywright_issuer_calls_total",
    "Calls that have keys made, listed or revoked, by issuer, operation and outcome (a reason, or Success).",
    ["issuer", "operation", "outcome"],
    registry=REGISTRY,
)
ISSUER_SECONDS = Histogram(
    "keywright_issuer_call_duration_seconds",
    "Duration of calls that have keys made, listed or revoked.",
    ["issuer", "operation"],
    buckets=_FAST,
    registry=REGISTRY,
)
PROBES = Counter(
    "keywright_probes_total",
    "Probes of credentials by issuer and what the issuer said.",
    ["issuer", "verdict"],
    registry=REGISTRY,
)
API_REQUESTS = Counter(
    "keywright_kubernetes_requests_total",
    "Requests to the API server by verb, resource and answer.",
    ["verb", "resource", "code"],
    registry=REGISTRY,
)
EVENTS = Counter(
    "keywright_events_total", "Kubernetes Events by reason and fate.", ["reason", "fate"], registry=REGISTRY
)
LAST_SUCCESS = Gauge(
    "keywright_last_success_timestamp_seconds",
    "When the stores last confirmed what the targets hold: the oldest of the group.",
    ["namespace", "name"],
    registry=None,
)
#: Collected by ``engine/ages.py``, as those above and below.
KEY_EXPIRY = Gauge(
    "keywright_key_expiry_timestamp_seconds",
    "When the first key of the group ends, where that is known.",
    ["namespace", "name"],
    registry=None,
)
KEY_AGE = Gauge(
    "keywright_key_age_seconds",
    "Age of the oldest key of the group, where its issuer or store tells when it was made.",
    ["namespace", "name"],
    registry=None,
)
CREDENTIALS = Gauge(
    "keywright_credentials",
    "Credentials in Secrets by what their issuers say.",
    ["namespace", "verdict"],
    registry=None,
)
AUDIT_READY = Gauge(
    "keywright_audit_ready", "0 while records cannot be written, as of the last try.", registry=REGISTRY
)
# A replica that stands by is in no trouble.
AUDIT_READY.set(1)
AUDIT_RECORDS = Counter("keywright_audit_records_total", "Records written to the audit trail.", registry=REGISTRY)
AUDIT_SEGMENTS = Counter(
    "keywright_audit_segments_total",
    "Writes to the API server for the audit trail, each with many records.",
    registry=REGISTRY,
)
AUDIT_WAITING = Gauge("keywright_audit_waiting_records", "Records that wait to be written.", registry=REGISTRY)
AUDIT_LOST = Counter(
    "keywright_audit_lost_records_total",
    "Records given up because nothing could be written for too long; their number is recorded.",
    registry=REGISTRY,
)
AUDIT_BYTES = Gauge("keywright_audit_bytes", "Bytes of all audit segments in the cluster.", registry=REGISTRY)
AUDIT_CAPACITY = Gauge("keywright_audit_capacity_bytes", "Bytes that they may have.", registry=REGISTRY)
AUDIT_SINK_LAG = Gauge(
    "keywright_audit_sink_lag_segments",
    "Audit segments in the cluster that a sink has not taken yet.",
    ["sink"],
    registry=REGISTRY,
)
AUDIT_SINK_DELIVERIES = Counter(
    "keywright_audit_sink_deliveries_total",
    "Tries to deliver an audit segment to a sink by outcome (a reason, or Success).",
    ["sink", "outcome"],
    registry=REGISTRY,
)
RESTARTS = Counter(
    "keywright_restarts_total",
    "Workloads that were to be restarted because a Secret has changed, by what came of it.",
    ["outcome"],
    registry=REGISTRY,
)
ROTATION_EFFECTS = Counter(
    "keywright_rotation_effects_total",
    "What rotations have done at issuers and stores, by effect and what came of it.",
    ["effect", "came"],
    registry=REGISTRY,
)
ROTATION_STEPS = Counter(
    "keywright_rotation_steps_total", "Steps that rotations have reached.", ["step"], registry=REGISTRY
)
ROTATIONS = Gauge("keywright_rotations", "Rotations by the step that they are at.", ["step"], registry=REGISTRY)
ROTATIONS_WAITING = Gauge("keywright_rotations_waiting", "Rotations that wait for a person.", registry=REGISTRY)
DEBTS = Gauge("keywright_debts", "Clean-ups at issuers that could not be done yet.", ["owed"], registry=REGISTRY)
LEADER = Gauge("keywright_leader", "1 while this replica holds the Lease.", registry=REGISTRY)
WATCH_EVENT = Gauge(
    "keywright_watch_last_event_timestamp_seconds",
    "When a watch last heard anything, bookmarks included.",
    ["resource"],
    registry=REGISTRY,
)
REDACTIONS = Counter(
    "keywright_log_redactions_total",
    "Log records from which the last line of defence removed something. Anything but 0 is a bug.",
    registry=REGISTRY,
)
BUILD = Gauge("keywright_build_info", "Version of this process.", ["version", "python"], registry=REGISTRY)
BUILD.labels(__version__, platform.python_version()).set(1)
