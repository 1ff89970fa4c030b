"""A wire fake of Cloud Storage, ours: `fake_gcs_server`, with a service account whose key it makes for the run.

fake-gcs-server 1.56.1 was tried first, and cannot judge: a delete ignores its precondition, and so does a read; a page
of a listing with a delimiter has no limit and no token; a batch of Google's own client is answered with nothing; asking
how far a resumable upload came ends it; neither tokens nor signatures are looked at.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from portable_conformance.counterparts import _servers
from portable_contracts.harness import MissingCounterpart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_conformance.counterparts._servers import Server

PROJECT = "portable-conformance"
EMAIL = f"suite@{PROJECT}.iam.gserviceaccount.com"


def start() -> Server:
    """Return the running server. Raises MissingCounterpart."""
    return _servers.serve(
        "fake_gcs",
        lambda ports, folder: [
            *(sys.executable, "-m", "portable_conformance.counterparts.fake_gcs_server", str(ports[0])),
            _make_account(folder, ports[0]),
        ],
    )


def key_file(server: Server) -> str:
    """Return the file with the account's key, as GOOGLE_APPLICATION_CREDENTIALS names one."""
    return str(Path(server.folder, "key.json"))


def _make_account(folder: Path, port: int) -> str:
    """Write the account's key for its user, and its public numbers for the server; return where those are."""
    try:
        import google_crc32c  # noqa: F401  # the server's
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa
    except ImportError as error:
        raise MissingCounterpart(f"pip install google-cloud-storage cryptography: {error}") from error
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    told = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "1",
        "private_key": text,
        "client_email": EMAIL,
        "client_id": "1",
        "token_uri": f"http://127.0.0.1:{port}/token",
    }
    (folder / "key.json").write_text(json.dumps(told))
    numbers = key.public_key().public_numbers()
    public = {"email": EMAIL, "modulus": str(numbers.n), "exponent": str(numbers.e)}
    (folder / "public.json").write_text(json.dumps(public))
    return str(folder / "public.json")
