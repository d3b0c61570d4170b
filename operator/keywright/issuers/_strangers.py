"""Forms of credentials of vendors that have no issuer here: so that one of them in another's place is told by name.

Only those that nobody can mistake. Who gets a file of his own among the issuers leaves this list.

Does not belong here: forms of issuers (their files), forms that several vendors share.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ._table import Format

#: When gitleaks and trufflehog were looked at last.
_GITLEAKS, _TRUFFLEHOG = "2026-07-22", "2026-08-21"


def _of_trufflehog(kind: str, pattern: str, prefix: str, detector: str) -> Format:
    return Format(kind, pattern, _TRUFFLEHOG, f"trufflehog {detector}", prefix)


def _of_gitleaks(kind: str, pattern: str, prefix: str, rule: str) -> Format:
    return Format(kind, pattern, _GITLEAKS, f"gitleaks {rule}", prefix)


#: By name, as an issuer of it would be called.
STRANGERS: Mapping[str, tuple[Format, ...]] = MappingProxyType(
    {
        "cloudflare": (
            _of_trufflehog("user token", "cfut_[A-Za-z0-9]{40}[a-f0-9]{8}", "cfut_", "cloudflareapitoken v2"),
            _of_trufflehog("account token", "cfat_[A-Za-z0-9]{40}[a-f0-9]{8}", "cfat_", "cloudflareapitoken v2"),
        ),
        "digitalOcean": (
            _of_gitleaks("personal token", "dop_v1_[a-f0-9]{64}", "dop_v1_", "digitalocean-pat"),
            _of_gitleaks("OAuth token", "doo_v1_[a-f0-9]{64}", "doo_v1_", "digitalocean-access-token"),
            _of_gitleaks("refresh token", "dor_v1_[a-f0-9]{64}", "dor_v1_", "digitalocean-refresh-token"),
        ),
        "doppler": (
            _of_trufflehog("personal token", r"dp\.pt\.[A-Za-z0-9]{40,44}", "dp.pt.", "doppler"),
            _of_trufflehog("service token", r"dp\.st\.([a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}", "dp.st.", "doppler"),
        ),
        "groq": (_of_trufflehog("API key", "gsk_[A-Za-z0-9]{52}", "gsk_", "groq"),),
        "onePassword": (
            _of_gitleaks(
                "service account token",
                "ops_eyJ[A-Za-z0-9+/]{250,1000}[A-Za-z0-9+/]*={0,3}",
                "ops_eyJ",
                "1password-service-account-token",
            ),
        ),
        "openRouter": (_of_trufflehog("API key", "sk-or-v1-[0-9a-f]{64}", "sk-or-v1-", "openrouter"),),
        "perplexity": (_of_gitleaks("API key", "pplx-[A-Za-z0-9]{48}", "pplx-", "perplexity-api-key"),),
        "pinecone": (_of_trufflehog("API key", "pcsk_[A-Za-z0-9]{5,6}_[A-Za-z0-9]{63}", "pcsk_", "pinecone"),),
        "replicate": (_of_trufflehog("API token", "r8_[A-Za-z0-9_-]{37}", "r8_", "replicate"),),
        "sendGrid": (
            Format(
                "API key", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", _TRUFFLEHOG, "twilio.com docs: 69 signs", "SG."
            ),
        ),
        "twilio": (Format("API key", "SK[0-9a-fA-F]{32}", _TRUFFLEHOG, "trufflehog twilioapikey", "SK", public=True),),
        "vault": (
            _of_gitleaks("service token", r"hvs\.[A-Za-z0-9_-]{90,120}", "hvs.", "vault-service-token"),
            _of_gitleaks("batch token", r"hvb\.[A-Za-z0-9_-]{138,300}", "hvb.", "vault-batch-token"),
        ),
        "xai": (_of_trufflehog("API key", "xai-[0-9A-Za-z_]{80}", "xai-", "xai"),),
    }
)
