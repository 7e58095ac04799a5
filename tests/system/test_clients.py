# SPDX-License-Identifier: Apache-2.0
"""Clients that people use: slixmpp and profanity (in a terminal of its own) log in over TLS, make friends and talk."""
import asyncio
import os
import shutil
import ssl
import subprocess
import tempfile
import time

import pytest
import slixmpp

from xmpp import Client


class Person(slixmpp.ClientXMPP):
    """A slixmpp client that remembers what it saw."""

    def __init__(self, flock, user):
        super().__init__(user.jid, user.password)
        self.ca_certs = flock.ca(user.host)
        self.flock = flock
        self.messages = asyncio.Queue()
        self.presences = []
        self.started = asyncio.get_event_loop().create_future()
        self.auto_authorize = True
        self.auto_subscribe = True
        for plugin in ("xep_0030", "xep_0199", "xep_0092", "xep_0203", "xep_0012", "xep_0054"):
            self.register_plugin(plugin)
        self.add_event_handler("session_start", self.on_start)
        self.add_event_handler("message", lambda m: self.messages.put_nowait(m))
        self.add_event_handler("presence", lambda p: self.presences.append(p))
        self.add_event_handler("failed_auth", lambda e: self.started.done() or self.started.set_exception(AssertionError("authentication refused")))

    async def on_start(self, _):
        await self.get_roster()
        self.send_presence()
        self.started.done() or self.started.set_result(True)

    async def enter(self):
        self.connect(("127.0.0.1", self.flock.port))
        await asyncio.wait_for(self.started, 20)
        return self

    async def leave(self):
        await self.disconnect()

    async def until(self, condition, seconds=20):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "condition not met; roster %r" % self.client_roster
            await asyncio.sleep(0.02)


def test_slixmpp_talks(flock, account):
    a_user, b_user, c_user = account(), account(), account()

    async def story():
        a, b = await Person(flock, a_user).enter(), await Person(flock, b_user).enter()
        a.send_presence_subscription(b_user.jid)
        await a.until(lambda: a.client_roster[b_user.jid]["subscription"] == "both")
        await b.until(lambda: b.client_roster[a_user.jid]["subscription"] == "both")
        await a.until(lambda: b_user.jid in [p["from"].bare for p in a.presences if p["type"] == "available"])
        a.send_message(b_user.jid, "How art thou?", mtype="chat")
        got = await asyncio.wait_for(b.messages.get(), 10)
        assert got["body"] == "How art thou?" and got["from"] == a.boundjid
        b.send_message(got["from"], "Well.", mtype="chat")
        assert (await asyncio.wait_for(a.messages.get(), 10))["body"] == "Well."
        # A third user is away; the message waits for the next login, with its stamp.
        a.send_message(c_user.jid, "Until tomorrow", mtype="chat")
        assert await a["xep_0199"].ping(flock.host) is not None
        c = await Person(flock, c_user).enter()
        got = await asyncio.wait_for(c.messages.get(), 10)
        assert got["body"] == "Until tomorrow" and got["delay"]["stamp"] is not None
        version = await a["xep_0092"].get_version(flock.host)
        assert version["software_version"]["name"] == "Starling"
        info = await a["xep_0030"].get_info(flock.host)
        assert ("server", "im") in {(i[0], i[1]) for i in info["disco_info"]["identities"]}
        for person in (a, b, c):
            await person.leave()

    asyncio.get_event_loop().run_until_complete(asyncio.wait_for(story(), 90))


def test_slixmpp_wrong_password(flock, account):
    user = account()._replace(password="not this")

    async def story():
        with pytest.raises(AssertionError, match="authentication refused"):
            await Person(flock, user).enter()

    asyncio.get_event_loop().run_until_complete(asyncio.wait_for(story(), 60))


class Profanity:
    """profanity in a tmux session of its own server and home."""

    def __init__(self, flock, user):
        self.home = tempfile.mkdtemp(prefix="profanity-")
        self.socket = os.path.join(self.home, "tmux")
        os.makedirs(os.path.join(self.home, ".config/profanity"))
        with open(os.path.join(self.home, ".config/profanity/profrc"), "w") as f:
            f.write("[ui]\nsplash=false\n[connection]\n[logging]\nchlog=false\nhistory=false\n[notifications]\nmessage=off\n[omemo]\npolicy=manual\n")
        env = {"HOME": self.home, "PATH": os.environ["PATH"], "TERM": "xterm", "LANG": "C.UTF-8", "SSL_CERT_FILE": flock.ca(user.host)}
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "50", "env", *["%s=%s" % kv for kv in env.items()], "profanity", env=env)
        self.until("Profanity", "help")
        self.type("/connect %s server 127.0.0.1 port %d tls trust" % (user.jid, flock.port))
        self.until("password", "Password")
        self.type(user.password)
        self.until(user.jid + " logged in successfully", "logged in")

    def tmux(self, *args, env=None):
        return subprocess.run(["tmux", "-S", self.socket, *args], env=env, check=True, stdout=subprocess.PIPE, universal_newlines=True, timeout=20).stdout

    def type(self, text):
        self.tmux("send-keys", "-l", text)
        self.tmux("send-keys", "Enter")

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def until(self, *texts, seconds=30):
        deadline = time.monotonic() + seconds
        while not any(t in self.screen() for t in texts):
            assert time.monotonic() < deadline, "profanity did not show %r:\n%s" % (texts, self.screen())
            time.sleep(0.05)

    def close(self):
        self.type("/quit")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and subprocess.run(["tmux", "-S", self.socket, "has-session"], stderr=subprocess.DEVNULL).returncode == 0:
            time.sleep(0.05)
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.mark.skipif(not (shutil.which("profanity") and shutil.which("tmux")), reason="profanity and tmux are not installed")
def test_profanity_talks(flock, account):
    user, friend = account(), account()
    other = Client(flock).login(friend.name, friend.password)
    other.roster()
    other.online()
    terminal = Profanity(flock, user)
    try:
        terminal.type("/sub request " + friend.jid)
        other.wait_presence(user.jid, "subscribe")
        other.presence(to=user.jid, type="subscribed")
        other.presence(to=user.jid, type="subscribe")
        terminal.until("Received authorization request")
        terminal.type("/sub allow " + friend.jid)
        other.wait_presence(user.jid, "subscribed")
        other.wait_presence(user.jid)
        terminal.type("/msg %s from the terminal" % friend.jid)
        got = other.wait_message("from the terminal")
        other.message(got.get("from"), "back to the terminal")
        terminal.until("back to the terminal")
    finally:
        terminal.close()
        other.close()


def test_tls_is_verified_by_a_real_context(flock):
    """The certificate of the state folder is good for its host and no other."""
    c = Client(flock)
    c.open()
    c.host = "other.example"
    with pytest.raises(ssl.SSLCertVerificationError):
        c.starttls()
    c.sock.close()
