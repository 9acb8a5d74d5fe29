"""Certificates for the tests of TLS, made with the program openssl: a CA, what it signs, and strangers."""

import subprocess


class Authority:
    """A CA of its own in a folder; issue() gives the files (certificate, key) of somebody it vouches for."""

    def __init__(self, folder, name="E2E CA"):
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "ca.pem"
        self._key = folder / "ca.key"
        self._openssl("req", "-x509", *self._new_key(self._key), "-out", self.file, "-days", "2", "-subj", f"/CN={name}")

    def issue(self, name, alternatives="DNS:localhost,IP:127.0.0.1"):
        certificate, key, request, extensions = (self._folder / f"{name}.{end}" for end in ("pem", "key", "csr", "cnf"))
        extensions.write_text(f"subjectAltName={alternatives}\nextendedKeyUsage=serverAuth,clientAuth\n", encoding="ascii")
        self._openssl("req", *self._new_key(key), "-out", request, "-subj", f"/CN={name}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key, "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate)
        return certificate, key

    @staticmethod
    def _new_key(file):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", file

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], capture_output=True, timeout=30, check=True)
