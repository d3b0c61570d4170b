"""What the story of rotations declares, as its reader is shown it: who makes keys, and what is to be rotated.

Does not belong here: what becomes of it (``rotations``), the store (``objects``).
"""

from __future__ import annotations

#: Name of the ApiKeySecret and of its Secret, the entry in it, and where the key is in OpenBao.
NAME, ENTRY, PATH = "llm", "OPENAI_API_KEY", "llm/openai"
#: Seconds for which the old key works after the Secret was written: longer than the files of its users are late.
OVERLAP = 4
ADMIN = "openai-admin"

ISSUER = """\
apiVersion: keywright.dev/v1alpha1
kind: KeyIssuer
metadata: {{name: openai}}
spec:
  limits: {{settle: 1s}}
  openai:
    endpoint: {url}
    project: {project}
    serviceAccount: {account}
    adminKeyRef: {{name: openai-admin, key: key}}
"""

OBJECT = """\
apiVersion: keywright.dev/v1alpha1
kind: ApiKeySecret
metadata: {{name: llm}}
spec:
  storeRef: {{name: vault}}
  refreshInterval: 1h
  data:
  - key: OPENAI_API_KEY
    remoteRef: {{path: llm/openai, property: api_key}}
  credentials:
  - name: openai
    issuer: openai
    parts: {{apiKey: OPENAI_API_KEY}}
    endpoint: {url}
    issuerRef: {{name: openai}}
    rotation:
      every: 30d
      overlap: {overlap}s
      consumers: Optional
      test: {{passes: 1, apart: "0", within: 10s}}
"""
