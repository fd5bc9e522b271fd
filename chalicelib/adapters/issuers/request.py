"""A new key, and the request for a certificate on it."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.issuers.private_ca import LEAF_KEY_BITS
from chalicelib.x509.parse import key_text


def certificate_request(domains: Sequence[str]) -> tuple[str, bytes]:
    """Make an RSA-2048 key and a request (PEM, both) for DNS names, all of them in the SAN."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    key = generate_private_key(65537, LEAF_KEY_BITS)
    names = x509.SubjectAlternativeName([x509.DNSName(domain) for domain in domains])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = builder.add_extension(names, critical=False).sign(key, SHA256())
    return key_text(key), request.public_bytes(Encoding.PEM)
