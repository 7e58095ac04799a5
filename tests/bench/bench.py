#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The flock and Debian's ejabberd, side by side in one run on loopback: `make bench`.

Both keep an archive of every message for both sides, in PostgreSQL with fsync, and everything else there, too. For each system in turn, for messages that
are archived and for such as are not (no-store, XEP-0334): CPU microseconds of all its processes, databases included, per delivered message, messages a
second at saturation, latency at a fixed rate; then CPU milliseconds a SCRAM-SHA-256 login, memory (PSS) an idle session with and without TLS. The load comes from xmpp_load (built by make). Servers are
pinned to core 0, the load to core 1, unless --unpinned. Nothing here passes or fails by time: it prints a table, and JSON with --json FILE.
"""
import argparse
import contextlib
import glob
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/system"))

HOST = "bench.test"
PASSWORD = "secret"
NO_STORE = "<no-store xmlns='urn:xmpp:hints'/>"


def descendants(root):
    """root and all processes below it."""
    children = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError):
            with open(path) as f:
                rest = f.read().rsplit(")", 1)[1].split()
            children.setdefault(int(rest[1]), []).append(int(path.split("/")[2]))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


def cpu_us(pids):
    """CPU time of processes so far, from the scheduler's nanoseconds."""
    total = 0
    for pid in pids:
        for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
            with contextlib.suppress(OSError):
                with open(path) as f:
                    total += int(f.read().split()[0])
    return total / 1000


def cpu_by_name(pids):
    """The same by program."""
    total = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            with open("/proc/%d/comm" % pid) as f:
                name = f.read().strip()
            total[name] = total.get(name, 0) + cpu_us([pid])
    return total


def pss_kib(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            with open("/proc/%d/smaps_rollup" % pid) as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    return total


class Starling:
    name = "starling"

    def __init__(self, args):
        from flock import Flock
        self.flock = Flock(binaries=os.path.join(ROOT, args.build, "release/bin"), hosts=(HOST,), settings={"services": {
            "auth": {"iterations": 4096, "registration": {"enabled": True, "password_min": 6, "per_hour": 0, "burst": 1000000}},
            "c2s-edge": {"tls": {"required": False}, "limits": {"connect_rate": 0, "logins_per_address": 0}}}})
        if args.pin:
            os.sched_setaffinity(0, {0})
        try:
            self.flock.up(scale=args.scale)
        finally:
            os.sched_setaffinity(0, range(os.cpu_count()))
        self.port = self.flock.port
        with open(os.path.join(self.flock.state, "run", "supervisor.pid")) as f:
            self.root = int(f.read().split()[0])

    def pids(self):
        return descendants(self.root)

    def by_process(self):
        return {open("/proc/%d/comm" % p).read().strip() + "-" + str(p): p for p in self.pids()}

    def register(self, prefix, count):
        register_in_band(self.port, prefix, count)

    def stop(self):
        self.flock.down()
        shutil.rmtree(self.flock.directory, ignore_errors=True)


EJABBERD = """
hosts: [{host}]
loglevel: error
certfiles: [{cert}]
listen:
  - port: {port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 262144
    starttls: true
    shaper: none
    access: all
auth_method: sql
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
modules:
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


class Ejabberd:
    name = "ejabberd"

    def __init__(self, args):
        self.directory = tempfile.mkdtemp(prefix="ejabberd-bench-")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        cert = os.path.join(self.directory, "cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=" + HOST,
                        "-addext", "subjectAltName=DNS:" + HOST, "-keyout", cert + ".key", "-out", cert], check=True, stderr=subprocess.DEVNULL)
        with open(cert, "a") as f:
            f.write(open(cert + ".key").read())
        config = os.path.join(self.directory, "ejabberd.yml")
        with open(config, "w") as f:
            f.write(EJABBERD.format(host=HOST, port=self.port, cert=cert, sql_port=self.start_postgres(args)))
        paths = sorted(glob.glob("/usr/lib/*/ejabberd*/ebin") + glob.glob("/usr/lib/ejabberd*/ebin"))
        command = ["erl", "-noinput", "+K", "true", "+P", "250000", "+Q", "65536", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"]
        if args.pin:
            command += ["+S", "1:1", "+SDcpu", "1:1"]
        command += [x for p in paths for x in ("-pa", p)] + ["-mnesia", "dir", '"%s/db"' % self.directory, "-s", "ejabberd"]
        env = {**os.environ, "EJABBERD_CONFIG_PATH": config, "EJABBERD_LOG_PATH": os.path.join(self.directory, "ejabberd.log"), "HOME": self.directory}
        self.process = subprocess.Popen((["taskset", "-c", "0"] if args.pin else []) + command, env=env, cwd=self.directory, stdin=subprocess.DEVNULL,
                                        stdout=open(os.path.join(self.directory, "out"), "w"), stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.1)
        raise SystemExit("ejabberd did not start; see %s" % self.directory)

    def start_postgres(self, args):
        """Its own PostgreSQL, set as the flock's is, on a port of the loopback: ejabberd speaks to no Unix socket."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        folder = os.path.join(self.directory, "pg")
        os.chmod(self.directory, 0o755)
        self.private = [os.path.join(ROOT, "tests/tools/private-postgres")]
        env = {**os.environ, "PRIVATE_POSTGRES_FSYNC": "on"}
        pin = ["taskset", "-c", "0"] if args.pin else []
        for more in ([], ["-c", "listen_addresses=127.0.0.1", "-c", "port=%d" % port]):  # the database is made at the standard port
            subprocess.run(self.private + ["stop", folder, "fast"], check=False, stderr=subprocess.DEVNULL)
            subprocess.run(pin + self.private + ["start", folder, *more], check=True, env=env, stdout=subprocess.DEVNULL)
        self.postgres = int(subprocess.run(self.private + ["pid", folder], check=True, stdout=subprocess.PIPE).stdout)
        schema = next(f for f in sorted(glob.glob("/usr/share/ejabberd/sql/pg.sql") + glob.glob("/usr/lib/*/ejabberd*/priv/sql/pg.sql")))
        subprocess.run(["psql", "-q", "-h", folder, "-p", str(port), "-U", "starling", "-d", "starling", "-f", schema], check=True, stdout=subprocess.DEVNULL)
        return port

    def pids(self):
        return descendants(self.process.pid) + descendants(self.postgres)

    def register(self, prefix, count):
        register_in_band(self.port, prefix, count)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        subprocess.run(self.private + ["stop", os.path.join(self.directory, "pg"), "fast"], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


def register_in_band(port, prefix, count):
    """XEP-0077 over one TLS connection where the server allows several, else one each."""
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    header = "<stream:stream to='%s' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>" % HOST

    def until(sock, mark):
        data = b""
        while mark not in data:
            piece = sock.recv(65536)
            if not piece:
                raise ConnectionError(data)
            data += piece
        return data

    for i in range(count):
        with socket.create_connection(("127.0.0.1", port), 10) as raw:
            raw.sendall(header.encode())
            until(raw, b"</stream:features>")
            raw.sendall(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            until(raw, b"<proceed")
            with context.wrap_socket(raw, server_hostname=HOST) as s:
                s.sendall(header.encode())
                until(s, b"</stream:features>")
                s.sendall(("<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>%s%d</username><password>%s</password></query></iq>" % (prefix, i, PASSWORD)).encode())
                answer = until(s, b">")
                if b"error" in answer and b"conflict" not in answer:
                    raise SystemExit("registration refused: %r" % answer)


class Load:
    """One run of xmpp_load against a system, with clocks read around its busy part."""

    def __init__(self, args, system, mode, **keys):
        keys = {"host": HOST, "port": system.port, "password": PASSWORD, "prefix": "load", **keys}
        command = [os.path.join(ROOT, args.build, "bench/xmpp_load"), mode] + ["%s=%s" % kv for kv in keys.items()]
        self.system = system
        self.process = subprocess.Popen((["taskset", "-c", "1"] if args.pin else []) + command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)
        ready = self.process.stdout.readline().split()
        if not ready or ready[0] != "READY":
            raise SystemExit("the load did not get ready: %r" % ready)
        self.ready = int(ready[1])

    def go(self):
        pids = self.system.pids()
        before, names = cpu_us(pids), cpu_by_name(pids)
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        result = json.loads(self.process.stdout.readline())
        result["cpu_us"] = cpu_us(pids) - before
        result["by_name"] = {name: spent - names.get(name, 0) for name, spent in cpu_by_name(pids).items()}
        return result

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("end\n")
            self.process.stdin.close()
        self.process.wait(30)


def measure(args, system):
    """All figures of one system, as a flat dict."""
    figures = {}
    tls = args.tls
    system.register("load", max(args.users, args.idle))

    def run(mode, **keys):
        load = Load(args, system, mode, **keys)
        try:
            return load.go()
        finally:
            load.end()

    # First, in fresh processes: what a load leaves behind in a heap would serve the idle ones for nothing.
    for name, secure in (("idle_tls_kib", 1), ("idle_kib", 0)):
        before = pss_kib(system.pids())
        load = Load(args, system, "idle", users=args.idle, tls=secure, parallel=32)
        time.sleep(2)  # caches and buffers of the login settle
        figures[name] = (pss_kib(system.pids()) - before) / max(load.ready, 1)
        load.go()
        load.end()
        time.sleep(1)

    common = {"users": args.users, "seconds": args.seconds, "size": 64, "tls": tls}
    for kind, extra in (("", ""), ("passing_", NO_STORE)):
        rounds = [run("chat", window=args.window, extra=extra, **common) for _ in range(args.rounds)]
        figures[kind + "chat_us"] = statistics.median(r["cpu_us"] / max(r["delivered_all"], 1) for r in rounds)
        figures[kind + "by_name"] = {n: c / max(rounds[-1]["delivered_all"], 1) for n, c in sorted(rounds[-1]["by_name"].items()) if c > 0}
        figures[kind + "chat_rate"] = statistics.median(r["delivered"] / r["seconds"] for r in rounds)
        rounds = [run("rate", rate=1000, extra=extra, **common) for _ in range(args.rounds)]
        figures[kind + "p50_us"] = statistics.median(r["p50_us"] for r in rounds)
        figures[kind + "p99_us"] = statistics.median(r["p99_us"] for r in rounds)
        figures[kind + "rate_us"] = statistics.median(r["cpu_us"] / max(r["delivered_all"], 1) for r in rounds)
    result = run("login", users=args.users, count=args.users, tls=1)  # the first ones pay the client's PBKDF2
    result = run("login", users=args.users, count=args.logins, tls=1)
    figures["login_tls_ms"] = result["cpu_us"] / 1000 / max(result["logins"], 1)
    figures["login_tls_rate"] = result["logins"] / result["seconds"]
    figures["failed_logins"] = result["failed"]
    return figures


def message_rows(kind, what):
    return [(kind + "chat_us", what + ": CPU of all processes, per delivered message", "us", "%.1f", -1),
            (kind + "chat_rate", what + ": delivered messages at saturation", "1/s", "%.0f", 1),
            (kind + "p50_us", what + ": latency at 1,000 messages/s, median", "us", "%.0f", -1),
            (kind + "p99_us", what + ": latency at 1,000 messages/s, 99th percentile", "us", "%.0f", -1),
            (kind + "rate_us", what + ": CPU per message at 1,000 messages/s", "us", "%.1f", -1)]


ROWS = message_rows("", "archived") + message_rows("passing_", "no-store") + [
        ("login_tls_ms", "CPU per SCRAM-SHA-256 login with TLS 1.3", "ms", "%.2f", -1),
        ("login_tls_rate", "logins", "1/s", "%.0f", 1), ("idle_kib", "memory (PSS) per idle session, no TLS", "KiB", "%.1f", -1), ("idle_tls_kib", "memory (PSS) per idle session, TLS 1.3", "KiB", "%.1f", -1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--only", choices=["starling", "ejabberd"])
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--window", type=int, default=4, help="messages in circulation in each pair")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--logins", type=int, default=2000)
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--tls", type=int, default=0, help="chat over TLS")
    parser.add_argument("--scale", default="")
    parser.add_argument("--unpinned", dest="pin", action="store_false")
    parser.add_argument("--json")
    args = parser.parse_args()
    results = {}
    for kind in (Starling, Ejabberd):
        if args.only and kind.name != args.only:
            continue
        system = kind(args)
        try:
            results[kind.name] = measure(args, system)
        finally:
            system.stop()
    names = list(results)
    print("| figure | unit | %s |" % " | ".join(names + (["ratio"] if len(names) == 2 else [])))
    print("|---|---|%s" % ("---|" * (len(names) + (len(names) == 2))))
    for key, text, unit, form, _ in ROWS:
        cells = [form % results[n][key] if key in results[n] else "-" for n in names]
        if len(names) == 2 and all(results[n].get(key) for n in names):
            cells.append("%.2f" % (results["starling"][key] / results["ejabberd"][key]))
        print("| %s | %s | %s |" % (text, unit, " | ".join(cells)))
    for name in names:
        for kind, what in (("", "archived"), ("passing_", "no-store")):
            print("%s, %s, us a message at saturation: %s" % (name, what, ", ".join("%s %.1f" % i for i in results[name][kind + "by_name"].items() if i[1] >= 0.05)))
    if args.json:
        with open(args.json, "w") as f:
            json.dump(results, f, indent=1)


if __name__ == "__main__":
    main()
