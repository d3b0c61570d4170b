{{- define "keywright.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* 40 characters at most: what is made from it ends with a word of its own. A Service's name begins with a letter. */}}
{{- define "keywright.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- $full = regexMatch "^[0-9]" $full | ternary (printf "%s-%s" .Chart.Name $full) $full }}
{{- default $full .Values.fullnameOverride | replace "." "-" | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "keywright.selector" -}}
app.kubernetes.io/name: {{ include "keywright.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end }}

{{- /* The labels of what is installed, each once. By some pods are selected and releases known: those stay ours. */}}
{{- define "keywright.labels" -}}
{{- include "keywright.labelsWith" (list . dict) }}
{{- end }}

{{- /* The same and some more, which win. Takes a list: the context, the others. */}}
{{- define "keywright.labelsWith" -}}
{{- $top := index . 0 }}
{{- $fixed := dict
  "app.kubernetes.io/name" (include "keywright.name" $top)
  "app.kubernetes.io/instance" $top.Release.Name
  "app.kubernetes.io/managed-by" $top.Release.Service }}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" $top.Chart.Name $top.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" $top.Chart.AppVersion
  "app.kubernetes.io/part-of" "keywright" }}
{{- /* With this one the pod of `helm test` would be one of the operator's. */}}
{{- $common := omit (default dict $top.Values.commonLabels) "app.kubernetes.io/component" }}
{{- toYaml (mergeOverwrite $own $common (index . 1) $fixed) }}
{{- end }}

{{- /* Labels of a role that adds to roles of the cluster's own. Takes a list: the context, their names. */}}
{{- define "keywright.addsTo" -}}
{{- $adds := dict }}
{{- range rest . }}
{{- $_ := set $adds (printf "rbac.authorization.k8s.io/aggregate-to-%s" .) "true" }}
{{- end }}
{{- include "keywright.labelsWith" (list (first .) $adds) }}
{{- end }}

{{- define "keywright.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "keywright.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "keywright.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- /* As the kubelet would mount it, but for an hour only, and in pods of ours alone. */}}
{{- define "keywright.tokenVolume" -}}
name: token
projected:
  defaultMode: 0440
  sources:
  - serviceAccountToken: {path: token, expirationSeconds: 3600}
  - configMap:
      name: kube-root-ca.crt
      items: [{key: ca.crt, path: ca.crt}]
  - downwardAPI:
      items: [{path: namespace, fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}]
{{- end }}

{{- define "keywright.mounts" -}}
- {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "keywright.tmpVolume" -}}
name: tmp
emptyDir: {medium: Memory, sizeLimit: 16Mi}
{{- end }}

{{- define "keywright.files" -}}
/var/lib/keywright/files
{{- end }}

{{- define "keywright.checks" -}}
/etc/keywright/checks
{{- end }}
