# SPDX-License-Identifier: Apache-2.0
"""RFC 6120 client streams: headers, features, STARTTLS, direct TLS, restarts, closing, keepalive."""
import ssl

import pytest

from xmpp import NS_CLIENT, NS_SASL, NS_STREAM, NS_TLS, XML_LANG, Client, Closed, StreamError, local, q


def test_header_answers(flock):
    c = Client(flock)
    c.open(xml_lang="de")
    header = c.reader.header
    assert header.tag == q(NS_STREAM, "stream")
    assert header.get("from") == flock.host
    assert header.get("version") == "1.0"
    assert len(header.get("id")) >= 16  # RFC 6120 section 4.7.3: unpredictable
    assert header.get(XML_LANG)
    c.close()


def test_stream_ids_differ(flock):
    ids = set()
    for _ in range(5):
        c = Client(flock)
        c.open()
        ids.add(c.reader.header.get("id"))
        c.close()
    assert len(ids) == 5


def test_starttls_is_required_before_anything_else(flock):
    c = Client(flock)
    features = c.open()
    starttls = features.find(q(NS_TLS, "starttls"))
    assert starttls is not None and starttls.find(q(NS_TLS, "required")) is not None
    assert not c.mechanisms()
    c.send("<auth xmlns='%s' mechanism='PLAIN'>AGEAYg==</auth>" % NS_SASL)
    try:
        answer = c.next()
        assert answer.tag == q(NS_SASL, "failure") and answer.find(q(NS_SASL, "encryption-required")) is not None
    except StreamError as error:
        assert error.condition == "policy-violation"
    c.sock.close()


def test_starttls_uses_a_modern_protocol(flock):
    c = Client(flock)
    c.open()
    c.starttls()
    assert c.sock.version() in ("TLSv1.2", "TLSv1.3")
    c.open()
    assert c.features.find(q(NS_TLS, "starttls")) is None
    assert "SCRAM-SHA-256" in c.mechanisms()
    c.close()


def test_old_tls_is_refused(flock):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    c = Client(flock)
    c.open()
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        c.starttls(context)
    c.sock.close()


def test_injected_bytes_before_tls_are_dropped_or_refused(flock):
    """What was sent in clear behind <starttls/> must never be read as if it had come through TLS (CVE-2011-0411 and its kind)."""
    c = Client(flock)
    c.open()
    c.send("<starttls xmlns='%s'/>%s<auth xmlns='%s' mechanism='PLAIN'>AGEAYg==</auth>" % (NS_TLS, c.header(), NS_SASL))
    try:
        assert c.next().tag == q(NS_TLS, "proceed")
        c.wrap_tls()
        c.open()
        assert not c.reader.elements
    except (StreamError, Closed, ssl.SSLError, ConnectionResetError):
        pass
    c.sock.close()


def test_direct_tls_with_alpn(flock, account):
    c = Client(flock, direct_tls=True)
    assert c.sock.selected_alpn_protocol() == "xmpp-client"
    user = account()
    c.login(user.name, user.password)
    c.close()


def test_direct_tls_refuses_a_foreign_protocol(flock):
    context = ssl.create_default_context(cafile=flock.ca(flock.host))
    context.set_alpn_protocols(["http/1.1"])
    c = Client(flock, port=flock.tls_port)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        c.wrap_tls(context=context)
    c.sock.close()


def test_two_hosts_have_their_own_streams(flock):
    for host in flock.hosts:
        c = Client(flock, host=host)
        c.open()
        assert c.reader.header.get("from") == host
        c.starttls()  # the certificate is checked against the host
        c.sock.close()


def test_unknown_host(flock):
    c = Client(flock)
    c.send(c.header(to="nobody.example"))
    c.ended_by("host-unknown")


def test_unsupported_version(flock):
    c = Client(flock)
    c.send(c.header(version="2.0"))
    try:
        c.next()  # RFC 6120 section 4.7.5: a server may answer with its own version
    except StreamError as error:
        assert error.condition == "unsupported-version"
    c.sock.close()
    c = Client(flock)
    c.send("<stream:stream xmlns='jabber:client' xmlns:stream='%s' to='%s'>" % (NS_STREAM, flock.host))
    c.ended_by("unsupported-version")


@pytest.mark.parametrize("header,condition", [
    ("<stream:stream xmlns='jabber:client' xmlns:stream='urn:wrong' to='{host}' version='1.0'>", "invalid-namespace"),
    ("<stream:stream xmlns='urn:wrong' xmlns:stream='http://etherx.jabber.org/streams' to='{host}' version='1.0'>", "invalid-namespace"),
    ("<stream xmlns='jabber:client' to='{host}' version='1.0'>", "invalid-namespace"),
    ("<message xmlns='jabber:client' to='{host}'/>", None),
    ("GET / HTTP/1.1\r\n\r\n", None),
])
def test_bad_headers(flock, header, condition):
    c = Client(flock)
    c.send(header.format(host=flock.host))
    with pytest.raises(StreamError) as caught:
        c.next()
    assert caught.value.condition == condition if condition else caught.value.condition in (
        "invalid-namespace", "not-well-formed", "bad-format", "invalid-xml")
    c.sock.close()


def test_a_prefixed_stream_with_its_own_prefix(flock):
    c = Client(flock)
    c.send("<?xml version='1.0'?><s:stream xmlns='jabber:client' xmlns:s='%s' to='%s' version='1.0'>" % (NS_STREAM, flock.host))
    assert c.next().tag == q(NS_STREAM, "features")
    c.close()


def test_both_sides_close(flock, account):
    user = account()
    c = Client(flock).login(user.name, user.password)
    c.send("</stream:stream>")
    while not c.reader.ended:
        c.receive(c.timeout)
    with pytest.raises(Closed):
        while True:
            c.receive(c.timeout)
    c.sock.close()


def test_whitespace_keepalive(flock, account):
    user = account()
    c = Client(flock).login(user.name, user.password)
    for _ in range(5):
        c.send(" \n")
    assert c.iq("get", "<ping xmlns='urn:xmpp:ping'/>", to=flock.host).get("type") == "result"
    c.close()


def test_byte_by_byte(flock, account):
    """A slow but correct sender is served."""
    user = account()
    c = Client(flock).login(user.name, user.password)
    for byte in b"<iq type='get' id='slow' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>" % flock.host.encode():
        c.send(bytes([byte]))
    answer = c.wait(lambda e: e.get("id") == "slow")
    assert answer.get("type") == "result"
    c.close()


def test_xml_lang_of_the_stream_is_stamped(flock, account):
    a, b = account(), account()
    x = Client(flock).secure()
    assert local(x.sasl("SCRAM-SHA-256", a.name, a.password)) == "success"
    x.open(xml_lang="fr")
    x.bind()
    y = Client(flock).login(b.name, b.password).online()
    x.message(y.jid, "salut")
    assert y.wait_message("salut").get(XML_LANG) == "fr"
    x.send("<message to='%s' xml:lang='it' id='l'><body>ciao</body></message>" % y.jid)
    assert y.wait_message("ciao").get(XML_LANG) == "it"
    x.close()
    y.close()


def test_unencrypted_binding_is_refused(flock):
    c = Client(flock)
    c.open()
    c.send("<iq xmlns='%s' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>" % NS_CLIENT)
    c.ended_by("not-authorized")
