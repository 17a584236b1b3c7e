"""The certificate authorities that encrypted connections trust: the system's, or a bundle that the environment names.

OpenSSL itself reads SSL_CERT_FILE and SSL_CERT_DIR. Requests and curl have variables of their own, which companies with
an intercepting proxy set; the first of them that is set is trusted, too.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from askwell.core.errors import ConfigError

_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
TRUST_HINT = "if the server is yours or your company's, set SSL_CERT_FILE to the PEM file of its certificate authority"


def find_bundle() -> str:
    """Return the path of the bundle in REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE; empty if neither is set.

    Raises `ConfigError` for a path that does not exist.
    """
    for variable in _BUNDLE_VARIABLES:
        path = os.environ.get(variable, "").strip()
        if path and not Path(path).exists():
            raise ConfigError(f"{variable} is {path!r}, which does not exist; expected a PEM file of certificates")
        if path:
            return path
    return ""


def trusting_context(bundle: str) -> ssl.SSLContext:
    """Return a TLS context that trusts the authorities of a bundle, besides the system's."""
    context = ssl.create_default_context()
    try:
        if Path(bundle).is_dir():
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
    except ssl.SSLError as error:
        raise ConfigError(f"cannot read the certificates in {bundle!r}: {error}; expected a PEM file") from error
    return context
