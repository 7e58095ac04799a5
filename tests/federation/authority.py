# SPDX-License-Identifier: Apache-2.0
"""Certificates of a test authority, made with the openssl program."""
import os
import subprocess


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Authority:
    """Its own certificate is folder/ca.pem."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.pem, self.key = os.path.join(folder, "ca.pem"), os.path.join(folder, "ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key, "-out", self.pem,
                "-days", "30", "-subj", "/CN=Test Authority", "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, directory, domain, names=None, days=20, self_signed=False):
        """directory/domain.pem and .key; names: what stands in subjectAltName instead of DNS:domain."""
        base = os.path.join(directory, domain)
        key, request, pem, extensions = base + ".key", base + ".csr", base + ".pem", base + ".ext"
        with open(extensions, "w") as f:
            f.write("subjectAltName=%s\nbasicConstraints=CA:FALSE\n" % (names or "DNS:" + domain))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=" + domain)
        signer = ["-signkey", key] if self_signed else ["-CA", self.pem, "-CAkey", self.key, "-CAcreateserial"]
        openssl("x509", "-req", "-in", request, "-out", pem, "-days", str(days), "-extfile", extensions, *signer)
        for path in (request, extensions):
            os.unlink(path)
        os.chmod(key, 0o644)  # the daemons and the peers run as users of their own
        return pem, key
