# SPDX-License-Identifier: Apache-2.0
"""Servers to federate with: a Starling flock, and Debian's prosody and ejabberd, each private, on ports of its own, found by a private DNS."""
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))

from flock import Flock, merge  # noqa: E402
from xmpp import Client  # noqa: E402

PASSWORD = "secret"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process=None, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process is None or process.poll() is None, "ended at once"
            time.sleep(0.05)
    raise AssertionError("nothing listens at port %d" % port)


def announce(dns, domain, port, kind="A", address="127.0.0.1"):
    """Into the private DNS: where the domain's server is."""
    dns.records[("_xmpp-server._tcp." + domain, "SRV")] = [(10, 10, port, "host." + domain)]
    dns.records.pop(("host." + domain, "A"), None)
    dns.records[("host." + domain, kind)] = [address]


class Starling:
    """settings: of s2s; others: of the other services."""

    def __init__(self, domain, authority, dns, settings=None, scale="", hosts=(), certify=True, others=None):
        s2s = {"tls": {"trust": authority.pem}, "dns": {"servers": [dns.address]}, "private_networks": ["127.0.0.0/8", "::1"],
               "timeouts": {"retry_min": "300ms", "retry_max": "2s"}, "limits": {"connect_rate": 0}}
        merge(s2s, settings or {})
        self.domain, self.scale, self.authority = domain, scale, authority
        self.flock = Flock(hosts=(domain, *hosts), settings={"services": {
            "s2s": s2s, "auth": {"iterations": 4096, "throttle": {"failures_per_minute": 0}},
            "c2s-edge": {"limits": {"logins_per_address": 0}}, **(others or {})}})
        self.tls = os.path.join(self.flock.state, "tls")
        if certify:
            for host in (domain, *hosts):
                authority.issue(self.tls, host)
        self.s2s_port = 5269 + self.flock.offset
        for host in (domain, *hosts):
            announce(dns, host, self.s2s_port)
        self.flock.up("s2s=1" + ("," + scale if scale else ""))

    host = property(lambda self: self.flock.host)
    port = property(lambda self: self.flock.port)

    def ca(self, _):
        return self.authority.pem

    def register(self, name):
        self.flock.register(name, PASSWORD)
        return "%s@%s" % (name, self.domain)

    postgres = property(lambda self: self.flock.postgres)

    def reload(self, **s2s):
        """With other settings of s2s."""
        self.flock.configure({"services": {"s2s": s2s}})
        self.flock.ctl("reload", "s2s")

    def links(self, remote=None):
        return self.flock.ctl_json("s2s", "list", *([remote] if remote else []))["links"]

    def close(self):
        self.flock.close()


class Prosody:
    config = """
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
run_as_root = true
daemonize = false
log = {{ debug = "{folder}/prosody.log" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
s2s_ports = {{ {s2s_port} }}
c2s_direct_tls_ports = {{ }}
s2s_direct_tls_ports = {{ }}
modules_enabled = {{ "saslauth", "disco", "roster", "ping", "presence", "message", "iq", "tls", "dialback", "posix", "offline"{modules} }}
modules_disabled = {{ "limits"{disabled} }}
authentication = "internal_plain"
storage = "internal"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
s2s_require_encryption = {encrypted}
s2s_secure_auth = {secure}
ssl = {{ key = "{tls}/{domain}.key"; certificate = "{tls}/{domain}.pem"; cafile = "{ca}"; capath = "/nonexistent" }}
unbound = {{ resolvconf = false; hoststxt = false; forward = {{ "{dns}" }}; options = {{ ["do-not-query-localhost:"] = "no" }} }}
VirtualHost "{domain}"
"""

    def __init__(self, domain, authority, dns, secure=True, modules=("smacks",), self_signed=False, encrypted=True, disabled=()):
        self.folder = tempfile.mkdtemp(prefix="prosody-")
        self.domain, self.host, self.authority = domain, domain, authority
        self.port, self.s2s_port = free_port(), free_port()
        self.tls = self.folder
        pem, _ = authority.issue(self.tls, domain, self_signed=self_signed)
        self.trust = pem if self_signed else authority.pem
        announce(dns, domain, self.s2s_port)
        with open(os.path.join(self.folder, "prosody.cfg.lua"), "w") as f:
            f.write(self.config.format(
                folder=self.folder, port=self.port, s2s_port=self.s2s_port, tls=self.tls, domain=domain, ca=authority.pem,
                dns=dns.address.replace(":", "@"), secure="true" if secure else "false", encrypted="true" if encrypted else "false",
                modules="".join(', "%s"' % m for m in modules), disabled="".join(', "%s"' % m for m in disabled)))
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(["lua5.4", "/usr/bin/prosody", "-F", "--config", os.path.join(self.folder, "prosody.cfg.lua")],
                                        cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self.process)
        wait_for_port(self.s2s_port, self.process)

    def ca(self, _):
        return self.trust

    def register(self, name):
        accounts = os.path.join(self.folder, "data", self.domain.replace(".", "%2e"), "accounts")
        os.makedirs(accounts, exist_ok=True)
        with open(os.path.join(accounts, name + ".dat"), "w") as f:
            f.write('return { ["password"] = "%s"; };\n' % PASSWORD)
        return "%s@%s" % (name, self.domain)

    def log(self):
        with open(os.path.join(self.folder, "prosody.log"), errors="replace") as f:
            return f.read()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Ejabberd:
    """With Mnesia, without epmd and distribution. secure: a valid certificate is wanted; else dialback will do. It asks our DNS for services, but the
    system for addresses (net:getaddrinfo): what it is to find must be at "localhost" (found_by)."""

    config = """
hosts: ["{domain}"]
loglevel: debug
certfiles: ["{folder}/{domain}.both.pem"]
ca_file: "{ca}"
s2s_cafile: "{ca}"
s2s_use_starttls: required
s2s_access: all
s2s_dns_timeout: 5
s2s_max_retry_delay: 2
outgoing_s2s_families: [ipv4]
acme: {{auto: false}}
auth_method: internal
api_permissions: {{}}
disable_sasl_mechanisms: ["x-oauth2"]
registration_timeout: infinity
listen:
  - port: {port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    starttls: true
    access: all
    shaper: none
  - port: {s2s_port}
    ip: "127.0.0.1"
    module: ejabberd_s2s_in
    shaper: none
modules:
  mod_register: {{ip_access: all, access: all}}
  mod_roster: {{}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_disco: {{}}
{modules}"""

    def __init__(self, domain, authority, dns, secure=True, self_signed=False):
        self.folder = tempfile.mkdtemp(prefix="ejabberd-")
        self.domain, self.host, self.authority = domain, domain, authority
        pem, key = authority.issue(self.folder, domain, self_signed=self_signed)
        self.trust = pem if self_signed else authority.pem
        with open(os.path.join(self.folder, domain + ".both.pem"), "w") as both:
            for path in (pem, key):
                with open(path) as f:
                    both.write(f.read())
        host, port = dns.address.split(":")
        self.write("inetrc", '{resolv_conf, ""}.\n'  # else the system's name servers take the place of ours
                             "{lookup, [dns]}.\n{nameserver, {%s}, %s}.\n{edns, false}.\n" % (host.replace(".", ","), port))
        self.process = None
        for left in (2, 1, 0):
            self.port, self.s2s_port = free_port(), free_port()
            announce(dns, domain, self.s2s_port)
            self.write("ejabberd.yml", self.config.format(
                folder=self.folder, domain=domain, ca=authority.pem, port=self.port, s2s_port=self.s2s_port,
                modules="" if secure else "  mod_s2s_dialback: {}\n"))
            try:
                self.start()
                break
            except AssertionError as failure:
                # Tests beside this one look for free ports, too.
                if not left or "eaddrinuse" not in self.said():
                    raise AssertionError("%s:\n%s" % (failure, self.said()[-4000:])) from None

    @staticmethod
    def found_by(dns, starling):
        dns.records[("_xmpp-server._tcp." + starling.domain, "SRV")] = [(10, 10, starling.s2s_port, "localhost")]

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as f:
            f.write(text)

    def start(self):
        paths = sorted(glob.glob("/usr/lib/*/ejabberd*/ebin"))
        env = {**os.environ, "EJABBERD_CONFIG_PATH": os.path.join(self.folder, "ejabberd.yml"), "EJABBERD_LOG_PATH": os.path.join(self.folder, "ejabberd.log"),
               "ERL_INETRC": os.path.join(self.folder, "inetrc"), "HOME": self.folder}
        with open(os.path.join(self.folder, "out"), "w") as out:
            self.process = subprocess.Popen(["erl", "-noinput", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none", *[x for p in paths for x in ("-pa", p)],
                                             "-mnesia", "dir", '"%s/db"' % self.folder, "-s", "ejabberd"],
                                            env=env, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        wait_for_port(self.port, self.process, 60)
        wait_for_port(self.s2s_port, self.process, 60)

    def ca(self, _):
        return self.trust

    def register(self, name):
        """XEP-0077 in band, before authentication."""
        client = Client(self, timeout=20).secure()
        answer = client.iq("set", "<query xmlns='jabber:iq:register'><username>%s</username><password>%s</password></query>" % (name, PASSWORD))
        assert answer.get("type") == "result", answer
        client.close()
        return "%s@%s" % (name, self.domain)

    def log(self):
        with open(os.path.join(self.folder, "ejabberd.log"), errors="replace") as f:
            return f.read()

    def said(self):
        """What is known of a start that failed."""
        with open(os.path.join(self.folder, "out"), errors="replace") as f:
            out = f.read()
        return out + (self.log() if os.path.exists(os.path.join(self.folder, "ejabberd.log")) else "")

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)
