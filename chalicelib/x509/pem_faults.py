"""What is wrong with the three texts of a bundle as texts, before it matters what the certificates say.

Every function yields whole sentences that say what to do, and never shows anything of a text's content: it
may be a private key that was pasted into the wrong field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chalicelib.x509.facts import MOST_CERTIFICATES, KeyFacts, TextFacts

LONGEST_PEM = 16_384
"""Characters that IAM takes for a certificate and for a key.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadServerCertificate.html
"""

_KNOWN_BLOCKS = {
    "CERTIFICATE REQUEST": "a certificate request: send it to an authority and paste what comes back",
    "NEW CERTIFICATE REQUEST": "a certificate request: send it to an authority and paste what comes back",
    "TRUSTED CERTIFICATE": "OpenSSL's own form of a certificate: convert it with `openssl x509`",
    "PKCS7": "PKCS #7: convert it with `openssl pkcs7 -print_certs`",
    "PUBLIC KEY": "a public key, which does not belong here: take it out",
    "RSA PUBLIC KEY": "a public key, which does not belong here: take it out",
}
# They may hold the very certificate that would be missing, in a form that is not read.
_CERTIFICATES_TOO = frozenset({"TRUSTED CERTIFICATE", "PKCS7"})


def certificate_text(text: TextFacts) -> Iterator[str]:
    """What is wrong with the text that should hold the certificate."""
    if text.blank:
        yield "the certificate is empty: paste the PEM text from BEGIN CERTIFICATE to END CERTIFICATE"
    elif _holds_nothing(text):
        yield "the certificate holds none: paste the PEM text from BEGIN CERTIFICATE to END CERTIFICATE"
    yield from _any_text("certificate", text, _out_of_place(text))
    yield from _certificates("certificate", text)


def chain_text(text: TextFacts) -> Iterator[str]:
    """What is wrong with the text that should hold the chain, which may be empty."""
    if not text.blank and _holds_nothing(text):
        yield "the chain holds no certificate: paste the authorities' certificates as PEM, or leave it out"
    yield from _any_text("chain", text, _out_of_place(text))
    yield from _certificates("chain", text)


def private_key_text(text: TextFacts) -> Iterator[str]:
    """What is wrong with the text that should hold the private key."""
    if text.blank:
        yield "the private key is empty: paste the PEM text of the key that the certificate was made for"
    elif text.certificate_blocks and not text.key_blocks:
        yield "a certificate stands where the private key belongs: paste the key that it was made for"
    elif _holds_nothing(text):
        yield "the private key holds none: paste the PEM text from its BEGIN line to its END line"
    yield from _any_text("private key", text, () if text.key_blocks else text.others)
    if text.key_blocks > 1:
        yield f"the private key holds {text.key_blocks} keys: paste only the one of this certificate"
    if text.key is not None and not text.escaped:
        yield from _key(text.key)


def misplaced_key(what: str, text: TextFacts) -> Iterator[str]:
    """What is wrong with a text of certificates that holds a private key as well."""
    if text.key_blocks:
        yield (
            f"a private key stands in the {what}, which everyone is shown: take it out, it belongs in"
            " `private_key` alone"
        )


def _holds_nothing(text: TextFacts) -> bool:
    something_else = text.others or text.torn or text.escaped
    return not (text.certificate_blocks or text.key_blocks or something_else)


def _out_of_place(text: TextFacts) -> Sequence[str]:
    """The labels of blocks that are at fault: beside a certificate others stop nothing.

    Parsers are to ignore what stands around a block: https://www.rfc-editor.org/rfc/rfc7468#section-2
    """
    return [label for label in text.others if not text.certificate_blocks or label in _CERTIFICATES_TOO]


def _any_text(what: str, text: TextFacts, out_of_place: Iterable[str]) -> Iterator[str]:
    if text.escaped:
        yield (
            f"the {what} has its line breaks as the two characters backslash and n: escape them only once"
            " when making the JSON"
        )
    elif text.torn:
        yield f"the {what} is cut off: a BEGIN or END line has no counterpart, so paste the whole of it"
    for label in dict.fromkeys(out_of_place):
        known = _KNOWN_BLOCKS.get(label, "a block of a kind that does not belong here: take it out")
        yield f"the {what} holds {known}"


def _certificates(what: str, text: TextFacts) -> Iterator[str]:
    yield from misplaced_key(what, text)
    if text.certificate_blocks > MOST_CERTIFICATES:
        yield (
            f"the {what} holds {text.certificate_blocks} certificates, of which at most {MOST_CERTIFICATES}"
            " make sense: paste only those between the server's and the root, not a trust store"
        )
        return
    if text.escaped:
        return
    for place in sorted(set(range(text.certificate_blocks)) - set(text.places)):
        which = (
            f"certificate {place + 1} of {text.certificate_blocks}" if text.certificate_blocks > 1 else "it"
        )
        part = text.unreadable.get(place)
        if part is None:
            yield f"the {what} cannot be read ({which} is no X.509 certificate): export it as PEM again"
        else:
            yield (
                f"the {what} cannot be read ({which} has an encoding that X.509 does not know in its {part}):"
                " some clients refuse it too, so have the certificate issued again"
            )


def _key(key: KeyFacts) -> Iterator[str]:
    if key.encrypted:
        yield (
            "the private key is encrypted, and AWS takes it only without a passphrase: decrypt it with"
            " `openssl pkey -in encrypted.pem -out key.pem`"
        )
    elif key.characters > LONGEST_PEM:
        yield f"the private key has {key.characters} characters, IAM takes {LONGEST_PEM}: use a smaller one"
    elif key.public is not None and key.public.kind == "rsa-pss":
        yield (
            "the private key is restricted to RSA-PSS, which AWS does not take: use a plain RSA key, and a"
            " certificate that was issued for it"
        )
    elif key.public is None:
        yield "the private key cannot be read: export it as unencrypted PEM (PKCS #1, SEC 1 or PKCS #8)"
