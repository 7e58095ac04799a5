# SPDX-License-Identifier: Apache-2.0
"""The servers that are compared: a flock, and Debian's ejabberd with a PostgreSQL of its own. Alone, or one of two that federate: those find each other in
a private DNS, trust a test authority, and speak over TLS, each proving its name by certificate."""
import contextlib
import glob
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from clocks import descendants

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/system"), os.path.join(ROOT, "tests/federation")]

from authority import Authority  # noqa: E402
from dns_server import DnsServer  # noqa: E402
from flock import Flock  # noqa: E402

PASSWORD = "secret"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Surroundings:
    """What servers have in common: who signs their certificates, and where they find each other."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="bench-")
        os.chmod(self.folder, 0o755)
        self.authority = Authority(self.folder)
        self.dns = DnsServer({("localhost", "A"): ["127.0.0.1"]})

    def announce(self, domain, port):
        """At localhost: ejabberd asks the system for addresses, and this DNS for services alone."""
        self.dns.records[("_xmpp-server._tcp." + domain, "SRV")] = [(10, 10, port, "localhost")]

    def close(self):
        self.dns.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Server:
    """args: of bench.py. federated: with one other. `target` is what xmpp_load is told."""

    def __init__(self, args, host, surroundings, federated):
        self.args, self.host, self.surroundings, self.federated = args, host, surroundings, federated
        self.begin()

    @property
    def target(self):
        return {"host": self.host, "port": self.port}

    def register(self, prefix, numbers):
        for i in numbers:
            register_in_band(self.host, self.port, "%s%d" % (prefix, i))


class Starling(Server):
    name = "starling"

    def begin(self):
        services = {"auth": {"iterations": 4096, "registration": {"enabled": True, "password_min": 6, "per_hour": 0, "burst": 1000000}},
                    "c2s-edge": {"tls": {"required": False}, "limits": {"connect_rate": 0, "logins_per_address": 0}}}
        scale = self.args.scale
        if self.federated:
            services["s2s"] = {"tls": {"trust": self.surroundings.authority.pem}, "dns": {"servers": [self.surroundings.dns.address]}, "private_networks": ["127.0.0.0/8"],
                               "proof": "certificate", "limits": {"read_rate": 0}}  # ejabberd has no shaper either
            scale = ",".join(filter(None, (scale, "" if "s2s" in scale else "s2s=1")))
        self.flock = Flock(binaries=os.path.join(ROOT, self.args.build, "release/bin"), hosts=(self.host,), settings={"services": services})
        if self.federated:
            self.surroundings.authority.issue(os.path.join(self.flock.state, "tls"), self.host)
            self.surroundings.announce(self.host, 5269 + self.flock.offset)
        if self.args.pin:
            os.sched_setaffinity(0, {0})
        try:
            self.flock.up(scale=scale)
        finally:
            os.sched_setaffinity(0, range(os.cpu_count()))
        self.port = self.flock.port
        with open(os.path.join(self.flock.state, "run", "supervisor.pid")) as f:
            self.root = int(f.read().split()[0])

    def pids(self):
        return descendants(self.root)

    def stop(self):
        self.flock.down()
        shutil.rmtree(self.flock.directory, ignore_errors=True)


EJABBERD = """
hosts: ["{host}"]
loglevel: error
certfiles: ["{cert}"]
listen:
  - port: {port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 262144
    starttls: true
    shaper: none
    access: all
{listen}auth_method: sql
auth_password_format: scram
default_db: sql
sql_type: pgsql
sql_server: "127.0.0.1"
sql_port: {sql_port}
sql_database: starling
sql_username: starling
sql_password: bench
sql_pool_size: 5
auth_scram_hash: sha256
disable_sasl_mechanisms: ["x-oauth2"]
registration_timeout: infinity
acme: {{auto: false}}
api_permissions: {{}}
{federation}modules:
  mod_register: {{ip_access: all, access: all}}
  mod_roster: {{versioning: true}}
  mod_caps: {{}}
  mod_carboncopy: {{}}
  mod_client_state: {{}}
  mod_disco: {{}}
  mod_last: {{}}
  mod_mam: {{default: always, request_activates_archiving: false}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_privacy: {{}}
  mod_blocking: {{}}
  mod_private: {{}}
  mod_stream_mgmt: {{}}
  mod_vcard: {{}}
"""
EJABBERD_S2S_LISTEN = """  - port: {port}
    ip: "127.0.0.1"
    module: ejabberd_s2s_in
    shaper: none
"""
# Without mod_s2s_dialback nothing but a certificate proves a name.
EJABBERD_FEDERATION = """ca_file: "{ca}"
s2s_cafile: "{ca}"
s2s_use_starttls: required
s2s_access: all
outgoing_s2s_families: [ipv4]
"""


class Ejabberd(Server):
    """Each node by itself, without distribution and epmd."""
    name = "ejabberd"

    def begin(self):
        self.directory = tempfile.mkdtemp(prefix="ejabberd-bench-")
        os.chmod(self.directory, 0o755)
        self.port = free_port()
        self.pin = ["taskset", "-c", "0"] if self.args.pin else []
        self.write("ejabberd.yml", self.config())
        paths = sorted(glob.glob("/usr/lib/*/ejabberd*/ebin") + glob.glob("/usr/lib/ejabberd*/ebin"))
        command = ["erl", "-noinput", "+K", "true", "+P", "250000", "+Q", "65536", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"]
        if self.args.pin:
            command += ["+S", "1:1", "+SDcpu", "1:1"]
        command += [x for p in paths for x in ("-pa", p)] + ["-mnesia", "dir", '"%s/db"' % self.directory, "-s", "ejabberd"]
        with open(os.path.join(self.directory, "out"), "w") as out:
            self.process = subprocess.Popen(self.pin + command, env=self.environment(), cwd=self.directory, stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.1)
        self.halt()
        raise SystemExit("ejabberd did not start; see %s" % self.directory)

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w") as f:
            f.write(text)

    def config(self):
        listen = federation = ""
        if self.federated:
            port = free_port()
            self.surroundings.announce(self.host, port)
            listen, federation = EJABBERD_S2S_LISTEN.format(port=port), EJABBERD_FEDERATION.format(ca=self.surroundings.authority.pem)
        return EJABBERD.format(host=self.host, port=self.port, cert=self.certificate(), sql_port=self.start_postgres(), listen=listen, federation=federation)

    def environment(self):
        env = {**os.environ, "EJABBERD_CONFIG_PATH": os.path.join(self.directory, "ejabberd.yml"),
               "EJABBERD_LOG_PATH": os.path.join(self.directory, "ejabberd.log"), "HOME": self.directory}
        if self.federated:
            address, port = self.surroundings.dns.address.split(":")
            self.write("inetrc", '{resolv_conf, ""}.\n'  # else the system's name servers take the place of ours
                                 "{lookup, [dns]}.\n{nameserver, {%s}, %s}.\n{edns, false}.\n" % (address.replace(".", ","), port))
            env["ERL_INETRC"] = os.path.join(self.directory, "inetrc")
        return env

    def certificate(self):
        """Chain and key in one file."""
        text = ""
        for path in self.surroundings.authority.issue(self.directory, self.host):
            with open(path) as f:
                text += f.read()
        self.write("cert.pem", text)
        return os.path.join(self.directory, "cert.pem")

    def start_postgres(self):
        """Its own PostgreSQL, set as the flock's is, on a port of the loopback: ejabberd speaks to no Unix socket."""
        port, folder = free_port(), os.path.join(self.directory, "pg")
        self.private = [os.path.join(ROOT, "tests/tools/private-postgres")]
        env = {**os.environ, "PRIVATE_POSTGRES_FSYNC": "on"}
        for more in ([], ["-c", "listen_addresses=127.0.0.1", "-c", "port=%d" % port]):  # the database is made at the standard port
            subprocess.run(self.private + ["stop", folder, "fast"], check=False, stderr=subprocess.DEVNULL)
            subprocess.run(self.pin + self.private + ["start", folder, *more], check=True, env=env, stdout=subprocess.DEVNULL)
        self.postgres = int(subprocess.run(self.private + ["pid", folder], check=True, stdout=subprocess.PIPE).stdout)
        schema = next(f for f in sorted(glob.glob("/usr/share/ejabberd/sql/pg.sql") + glob.glob("/usr/lib/*/ejabberd*/priv/sql/pg.sql")))
        subprocess.run(["psql", "-q", "-h", folder, "-p", str(port), "-U", "starling", "-d", "starling", "-f", schema], check=True, stdout=subprocess.DEVNULL)
        return port

    def pids(self):
        return descendants(self.process.pid) + descendants(self.postgres)

    def halt(self):
        self.process.terminate()
        self.process.wait(30)
        subprocess.run(self.private + ["stop", os.path.join(self.directory, "pg"), "fast"], check=False)

    def stop(self):
        self.halt()
        shutil.rmtree(self.directory, ignore_errors=True)


def register_in_band(host, port, user):
    """XEP-0077 over a TLS connection of its own, before authentication."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    header = "<stream:stream to='%s' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>" % host

    def until(sock, mark):
        data = b""
        while mark not in data:
            piece = sock.recv(65536)
            if not piece:
                raise ConnectionError(data)
            data += piece
        return data

    with socket.create_connection(("127.0.0.1", port), 10) as raw:
        raw.sendall(header.encode())
        until(raw, b"</stream:features>")
        raw.sendall(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        until(raw, b"<proceed")
        with context.wrap_socket(raw, server_hostname=host) as s:
            s.sendall(header.encode())
            until(s, b"</stream:features>")
            query = "<query xmlns='jabber:iq:register'><username>%s</username><password>%s</password></query>" % (user, PASSWORD)
            s.sendall(("<iq type='set' id='r'>%s</iq>" % query).encode())
            answer = until(s, b">")
            if b"error" in answer and b"conflict" not in answer:
                raise SystemExit("registration refused: %r" % answer)
