# SPDX-License-Identifier: Apache-2.0
"""The links that the nemesis cuts: what each command does to connections that are there, and to new ones."""
import json
import os
import socket
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


class Way:
    """Through the proxy to a listener of ours."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.proxy = subprocess.Popen([sys.executable, os.path.join(HERE, "proxy.py"), json.dumps({"way": [0, self.listener.getsockname()[1]]})],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)
        said, _, ports = self.proxy.stdout.readline().partition(" ")
        assert said == "ready"
        self.port = json.loads(ports)["way"]

    def tell(self, command):
        self.proxy.stdin.write(command + "\nready\n")
        self.proxy.stdin.flush()
        assert self.proxy.stdout.readline() == "ready\n"

    def dial(self):
        near = socket.create_connection(("127.0.0.1", self.port), 10)
        far, _ = self.listener.accept()
        far.settimeout(10)
        passes(near, far)
        passes(far, near)
        return near, far

    def close(self):
        self.proxy.stdin.write("quit\n")
        self.proxy.stdin.flush()
        assert self.proxy.wait(10) == 0
        self.proxy.stdin.close()
        self.proxy.stdout.close()
        self.listener.close()


@pytest.fixture
def way():
    w = Way()
    yield w
    w.close()


def passes(one, other):
    one.sendall(b"x")
    assert other.recv(1) == b"x"


def nothing(end):
    end.settimeout(0.3)
    with pytest.raises(socket.timeout):
        end.recv(1)
    end.settimeout(10)


def is_reset(end):
    with pytest.raises(ConnectionResetError):
        end.recv(1)


def test_cut(way):
    near, far = way.dial()
    way.tell("cut way")
    is_reset(near)
    is_reset(far)
    way.dial()


def test_cut_for_a_while(way):
    near, _ = way.dial()
    way.tell("cut way 0.5")
    is_reset(near)
    refused = 0
    while True:
        try:
            with socket.create_connection(("127.0.0.1", way.port), 0.2) as again:
                again.recv(1)
        except ConnectionResetError:
            refused += 1
        except socket.timeout:
            break
    assert refused > 0
    way.listener.accept()[0].close()
    way.dial()


def test_silence(way):
    near, far = way.dial()
    way.tell("silence way 1")
    near.sendall(b"to")
    far.sendall(b"fro")
    nothing(near)
    nothing(far)
    assert far.recv(10) == b"to" and near.recv(10) == b"fro"


@pytest.mark.parametrize("direction", [0, 1])
def test_silence_one_way(way, direction):
    near, far = way.dial()
    way.tell("silence way 1 %d" % direction)
    mute, heard = (near, far) if direction == 0 else (far, near)
    passes(heard, mute)
    mute.sendall(b"late")
    nothing(heard)
    passes(heard, mute)
    assert heard.recv(10) == b"late"


def test_silent_for_new_ones_too(way):
    way.tell("silence way 1")
    near = socket.create_connection(("127.0.0.1", way.port), 10)
    near.sendall(b"x")
    far, _ = way.listener.accept()
    far.settimeout(10)
    nothing(far)
    assert far.recv(1) == b"x"


def test_frozen(way):
    near, far = way.dial()
    way.tell("freeze way 1")
    near.sendall(b"late")
    way.dial()
    nothing(far)
    assert far.recv(10) == b"late"


def test_what_comes_from_a_frozen_one_that_is_gone(way):
    """As of a server that gave up a connection which hung: its last words come when nobody expects them."""
    near, far = way.dial()
    way.tell("freeze way 1")
    near.sendall(b"late")
    near.close()
    nothing(far)
    assert far.recv(10) == b"late" and far.recv(1) == b""
