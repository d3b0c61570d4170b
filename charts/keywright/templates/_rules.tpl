{{- /* What audit.mode says: an off without quotes is false in YAML. */}}
{{- define "keywright.auditMode" -}}
{{- .Values.audit.mode | default "off" -}}
{{- end }}

{{- /* Rights where objects are served: every namespace, or each of watchNamespaces. */}}
{{- define "keywright.servedRules" -}}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
{{- with .Values.serviceAccountTokens }}
{{- if .enabled }}
- apiGroups: [""]
  resources: [serviceaccounts/token]
  {{- with .names }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [create]
{{- end }}
{{- end }}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
- apiGroups: [keywright.dev]
  resources: [apikeysecrets, keystores, keyissuers, keyactions]
  verbs: [get, list, watch]
- apiGroups: [keywright.dev]
  resources: [apikeysecrets/status, keystores/status, keyissuers/status, keyactions/status]
  verbs: [patch]
{{- if or .Values.rollout.enabled .Values.rotation.enabled }}
# Who uses a Secret; and the pod templates of those who are restarted, of which a policy leaves the operator one annotation.
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
- apiGroups: [batch]
  resources: [cronjobs, jobs]
  verbs: [list]
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [{{ if .Values.rollout.enabled }}get, list, patch{{ else }}list{{ end }}]
{{- end }}
{{ include "keywright.eventRules" . }}
{{- end }}

{{- define "keywright.eventRules" -}}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{- /* Rights on what is in no namespace. */}}
{{- define "keywright.clusterRules" -}}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
- apiGroups: [admissionregistration.k8s.io]
  resources: [validatingadmissionpolicies, validatingadmissionpolicybindings]
  resourceNames: [keyactions.keywright.dev]
  verbs: [get]
{{- if .Values.clusterStores.enabled }}
- apiGroups: [keywright.dev]
  resources: [clusterkeystores, clusterkeyissuers]
  verbs: [get, list, watch]
- apiGroups: [keywright.dev]
  resources: [clusterkeystores/status, clusterkeyissuers/status]
  verbs: [patch]
{{- end }}
{{- end }}

{{- /* Rights in the release's namespace. Where all namespaces are served, the ClusterRole has those on Secrets. */}}
{{- define "keywright.ownRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [keywright]
  verbs: [get, update]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
{{- if ne (include "keywright.auditMode" .) "off" }}
# Neither changed nor deleted: that is for those who archive.
- apiGroups: [keywright.dev]
  resources: [auditsegments]
  verbs: [get, list, create]
{{- end }}
{{- if .Values.audit.sinks }}
{{- if eq (include "keywright.auditMode" .) "off" }}
- apiGroups: [keywright.dev]
  resources: [auditsegments]
  verbs: [get, list]
{{- end }}
# How far each sink has come.
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [keywright-audit-sinks]
  verbs: [get, patch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
{{- end }}
{{- if .Values.watchNamespaces }}
{{- if ne (include "keywright.auditMode" .) "off" }}
{{ include "keywright.eventRules" . }}
{{- end }}
- apiGroups: [""]
  resources: [secrets]
  {{- if not (or .Values.clusterStores.enabled .Values.rotation.enabled) }}
  resourceNames: [keywright-install-keys, keywright-audit-key]
  {{- end }}
  verbs: [get]
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
{{- if .Values.clusterStores.enabled }}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
{{- end }}
{{- end }}
{{- if .Values.rotation.enabled }}
# Journals of rotations, and keys that are minted.
- apiGroups: [""]
  resources: [secrets]
  verbs: [{{ if .Values.watchNamespaces }}list, update, delete{{ else }}update{{ end }}]
{{- end }}
{{- end }}

{{- /* A binding of the operator's ServiceAccount. Takes a list: the context, the kind of role, its name. */}}
{{- define "keywright.binds" -}}
{{- $top := index . 0 -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ index . 1 }}
  name: {{ index . 2 | quote }}
subjects:
- kind: ServiceAccount
  name: {{ include "keywright.serviceAccount" $top | quote }}
  namespace: {{ $top.Release.Namespace | quote }}
{{- end }}
