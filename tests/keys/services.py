"""Two services on this machine that speak what Vault's transit engine and AWS KMS speak, with real AES-GCM."""

import json
import secrets
import ssl
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

TOKEN = "hvs.Geheim4711"


class Service(ThreadingHTTPServer):
    """Keys by name, and what a test may change about the answers."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.keys: dict[str, AESGCM] = {"governance": AESGCM(secrets.token_bytes(32))}
        self.fails: tuple[int, dict[str, Any]] | None = None
        self.binds = True
        self.seen: list[tuple[str, dict[str, Any]]] = []

    @property
    def address(self) -> str:
        scheme = "https" if isinstance(self.socket, ssl.SSLSocket) else "http"
        return f"{scheme}://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, said))
        status, answer = self.server.fails or self.answer(said)
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", self.headers.get("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(data)))
        if status in (301, 307):
            self.send_header("Location", f"{self.server.address}/elsewhere")
        self.end_headers()
        self.wfile.write(data)

    do_PUT = do_POST  # noqa: N815 -- as http.server looks for it

    def answer(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        raise NotImplementedError


class Vault(_Handler):
    """POST /v1/MOUNT/encrypt/KEY and /decrypt/KEY, with associated_data, as the API of transit has it."""

    def answer(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        _, _, mount, act, name = self.path.split("/")
        if self.headers.get("X-Vault-Token") != TOKEN:
            return 403, {"errors": ["permission denied"]}
        if mount != "transit":
            return 404, {"errors": [f"no handler for route {self.path}"]}
        key = self.server.keys.get(name)
        if key is None:
            return 400, {"errors": ["encryption key not found"]}
        bound = b64decode(said.get("associated_data", "")) if self.server.binds else b""
        if act == "encrypt":
            nonce = secrets.token_bytes(12)
            sealed = nonce + key.encrypt(nonce, b64decode(said["plaintext"]), bound)
            return 200, {"data": {"ciphertext": f"vault:v1:{b64encode(sealed).decode()}", "key_version": 1}}
        sealed = b64decode(said["ciphertext"].removeprefix("vault:v1:"))
        try:
            opened = key.decrypt(sealed[:12], sealed[12:], bound)
        except InvalidTag:
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"data": {"plaintext": b64encode(opened).decode()}}


class Kms(_Handler):
    """TrentService.Encrypt and Decrypt, JSON 1.1; the encryption context is the associated data."""

    def answer(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "Credential=AKIDEXAMPLE/" not in self.headers.get("Authorization", ""):
            return 400, {"__type": "UnrecognizedClientException", "message": "The security token is invalid"}
        key = self.server.keys.get(said["KeyId"].removeprefix("alias/"))
        if key is None:
            return 400, {"__type": "NotFoundException", "message": f"Alias {said['KeyId']} is not found."}
        bound = json.dumps(said["EncryptionContext"], sort_keys=True).encode() if self.server.binds else b""
        if self.headers["X-Amz-Target"] == "TrentService.Encrypt":
            nonce = secrets.token_bytes(12)
            sealed = nonce + key.encrypt(nonce, b64decode(said["Plaintext"]), bound)
            return 200, {"CiphertextBlob": b64encode(sealed).decode(), "KeyId": said["KeyId"]}
        sealed = b64decode(said["CiphertextBlob"])
        try:
            opened = key.decrypt(sealed[:12], sealed[12:], bound)
        except InvalidTag:
            return 400, {"__type": "InvalidCiphertextException", "message": ""}
        return 200, {"Plaintext": b64encode(opened).decode(), "KeyId": said["KeyId"]}


@contextmanager
def serving(handler: type[_Handler], *, certificate: Path | None = None) -> Iterator[Service]:
    """The service, until the test is over. certificate: a PEM file with its key, for TLS."""
    service = Service(handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        service.socket = context.wrap_socket(service.socket, server_side=True)
    thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        service.shutdown()
        thread.join()
        service.server_close()


def certificate(path: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody but itself vouches for, and its key, as PEM at `path`."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path
