"""What makes the tests' broker a secured one beside its plain listener: TLS, every way to log in, ACLs.

Whoever comes by the plain listener is `ANONYMOUS`, and may do everything, as on a broker without ACLs.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PASSWORDS: Final[Mapping[str, str]] = {
    name: f"pass-of-{name}-Xq7" for name in ("service", "consumer", "watcher", "nobody")
}
"""Each user, known to every mechanism; what each may do is for the test to say."""
SCRAM: Final = ("SCRAM-SHA-256", "SCRAM-SHA-512")
KEY_PASSWORD: Final = "of-the-key-Zt4"


class Authority:
    """A CA of its own, that trusts nobody else; its files are in `folder`, where another process may have made it."""

    def __init__(self, folder: Path, name: str = "quakestream tests") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.ca, kept = folder / "ca.pem", folder / "ca.key"
        if kept.exists():
            key = serialization.load_pem_private_key(kept.read_bytes(), None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            self._key = key
            return
        self._key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            self._builder(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        kept.touch(0o600)
        kept.write_bytes(
            self._key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def issue(self, name: str, password: str | None = None) -> tuple[Path, Path]:
        """A certificate for `name`, as a client and as a server on this machine: its file, and its key's."""
        key = ec.generate_private_key(ec.SECP256R1())
        own = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key)
            .add_extension(x509.SubjectAlternativeName(own), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        locked = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
        files[1].chmod(0o600)
        return files

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(  # Python takes none without it from 3.13 on
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )


def properties(authority: Authority, port: int, controller_port: int, ports: Mapping[str, int]) -> str:
    """What is added to the broker's own: `ports` by the names of the listeners."""
    certificate, key = authority.issue("broker")
    store = authority.folder / "broker-store.pem"
    store.write_bytes(key.read_bytes() + certificate.read_bytes())
    listeners = {"PLAINTEXT": port, **ports}
    own = [f"{name}://127.0.0.1:{number}" for name, number in listeners.items()]
    told = [f"{name}://localhost:{number}" for name, number in listeners.items()]
    plain = " ".join(f'user_{name}="{password}"' for name, password in PASSWORDS.items())
    of_kafka = "org.apache.kafka.common.security"
    modules = {
        "plain": f"{of_kafka}.plain.PlainLoginModule required {plain};",
        **{name.lower(): f"{of_kafka}.scram.ScramLoginModule required;" for name in SCRAM},
        "oauthbearer": f"{of_kafka}.oauthbearer.OAuthBearerLoginModule required "
        'unsecuredLoginStringClaim_sub="broker";',
    }
    lines = {
        "listeners": ",".join([*own, f"CONTROLLER://127.0.0.1:{controller_port}"]),
        "advertised.listeners": ",".join(told),
        "listener.security.protocol.map": ",".join(["CONTROLLER:PLAINTEXT", *(f"{one}:{one}" for one in listeners)]),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.ca),
        "listener.name.ssl.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        **{
            f"listener.name.{listener.lower()}.{mechanism}.sasl.jaas.config": module
            for listener in ports
            if listener.startswith("SASL")
            for mechanism, module in modules.items()
        },
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def scram_users() -> list[str]:
    """As `kafka-storage format --add-scram` wants them."""
    return [
        f"{mechanism}=[name={name},password={password}]" for name, password in PASSWORDS.items() for mechanism in SCRAM
    ]
