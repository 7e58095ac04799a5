/* SPDX-License-Identifier: Apache-2.0
 *
 * A peer with a certificate made for the test, shown in a real handshake, and what we think of it. */
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/tls_client.h"
#include "common/net/tls_for_test.h"
#include "common/net/tls_peer.h"

#define XMPP(domain) "otherName:1.3.6.1.5.5.7.8.5;UTF8:" domain
#define SRV(name)    "otherName:1.3.6.1.5.5.7.8.7;IA5STRING:" name

static char dir[64], root_path[128];
static X509 *root, *lower; /* lower: an authority below root that may name hosts below example.org only */
static EVP_PKEY *root_key, *lower_key;
static struct tls_trust *trust;
static char why[300];

static int make(void **state)
{
	struct tls_for_test want = { .cn = "Root", .basic = "critical,CA:TRUE" };
	struct err e = { 0 };

	(void)state;
	strcpy(dir, "/tmp/peer-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	root = tls_for_test_sign(&want, &root_key);
	tls_for_test_write(dir, "root", root, NULL, root_key);
	want = (struct tls_for_test){ .cn = "Lower",
		                      .basic = "critical,CA:TRUE",
		                      .constraints = "permitted;DNS:example.org",
		                      .issuer = root,
		                      .issuer_key = root_key };
	lower = tls_for_test_sign(&want, &lower_key);
	snprintf(root_path, sizeof(root_path), "%s/root.pem", dir);
	trust = tls_trust_load(root_path, &e);
	assert_non_null(trust);
	return 0;
}

static int clean(void **state)
{
	static const char *const names[] = { "root", "peer", NULL };

	(void)state;
	tls_trust_free(&trust);
	X509_free(root);
	X509_free(lower);
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(lower_key);
	tls_for_test_remove(dir, names);
	return 0;
}

static void shake(SSL *client, SSL *server)
{
	BIO *a, *b;

	BIO_new_bio_pair(&a, 0, &b, 0);
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	for (int i = 0; i < 20; i++) {
		int c = SSL_do_handshake(client), s = SSL_do_handshake(server);

		if (c == 1 && s == 1)
			return;
		assert_true(c == 1 || SSL_get_error(client, c) == SSL_ERROR_WANT_READ);
		assert_true(s == 1 || SSL_get_error(server, s) == SSL_ERROR_WANT_READ);
	}
	fail_msg("no end of the handshake");
}

/* The peer has peer.pem, and shows it as server, or as client. Each end is ours. */
static enum tls_peer show(const struct tls_trust *by, const char *domain, bool as_client)
{
	char *hosts[] = { (char *)"peer" };
	struct tls_set *set = tls_set_load(dir, hosts, 1, NULL);
	struct tls_client *client;
	SSL *ours, *theirs;
	enum tls_peer verdict;

	assert_non_null(set);
	tls_set_ask(set);
	client = tls_client_new(set, NULL);
	theirs = tls_server_new(set, STR("peer"), NULL);
	ours = tls_client_begin(client, STR("peer.test"), STR("peer"), NULL);
	tls_client_free(&client);
	tls_set_unref(&set);
	shake(ours, theirs);
	strcpy(why, "unset");
	verdict = tls_peer_verdict(as_client ? theirs : ours, by, domain, as_client, why, sizeof(why));
	tls_server_settled(theirs);
	SSL_free(ours);
	SSL_free(theirs);
	assert_int_equal(ERR_peek_error(), 0);
	return verdict;
}

static void issue(const struct tls_for_test *want)
{
	EVP_PKEY *key;
	X509 *cert = tls_for_test_sign(want, &key);

	tls_for_test_write(dir, "peer", cert, want->issuer == root ? NULL : want->issuer, key);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* Signed by the root. */
static enum tls_peer judge(const char *cn, const char *san, const char *domain)
{
	struct tls_for_test want = { .cn = cn, .san = san, .issuer = root, .issuer_key = root_key };

	issue(&want);
	return show(trust, domain, false);
}

static void names_are_compared_as_the_rfcs_say(void **state)
{
	static const struct {
		const char *cn, *san, *domain;
		bool good;
	} rows[] = {
		{ "x", "DNS:a.example", "a.example", true },
		{ "x", "DNS:A.Example", "a.eXample", true },
		{ "x", "DNS:b.example,DNS:a.example", "a.example", true },
		{ "x", "DNS:b.example", "a.example", false },
		{ "x", "DNS:a.example", "b.a.example", false },
		{ "x", "DNS:b.a.example", "a.example", false },
		/* Wildcards: the whole leftmost label, and one label. */
		{ "x", "DNS:*.example.org", "a.example.org", true },
		{ "x", "DNS:*.example.org", "example.org", false },
		{ "x", "DNS:*.example.org", "b.a.example.org", false },
		{ "x", "DNS:a*.example.org", "ab.example.org", false },
		{ "x", "DNS:a.*.example.org", "a.b.example.org", false },
		{ "x", "DNS:*.*.example.org", "a.b.example.org", false },
		{ "x", "DNS:*.example", "a.example", false },
		{ "x", "DNS:*", "example", false },
		/* SRVName */
		{ "x", SRV("_xmpp-server.a.example"), "a.example", true },
		{ "x", SRV("_XMPP-Server.A.example"), "a.example", true },
		{ "x", SRV("_xmpp-client.a.example"), "a.example", false },
		{ "x", SRV("_xmpp-server."), "a.example", false },
		{ "x", SRV("_xmpp-server.*.a.example"), "b.a.example", false },
		{ "x", "DNS:_xmpp-server.a.example", "a.example", false },
		/* id-on-xmppAddr */
		{ "x", XMPP("a.example"), "a.example", true },
		{ "x", XMPP("A.example"), "a.example", true },
		{ "x", XMPP("romeo@a.example"), "a.example", false },
		{ "x", XMPP("a.example/x"), "a.example", false },
		{ "x", XMPP("*.a.example"), "b.a.example", false },
		{ "x", "otherName:1.3.6.1.5.5.7.8.5;IA5STRING:a.example", "a.example", false },
		{ "x", "otherName:1.3.6.1.5.5.7.8.9;UTF8:a.example", "a.example", false },
		/* U- and A-labels are one name. */
		{ "x", "DNS:xn--bcher-kva.example", "b\303\274cher.example", true },
		{ "x", "DNS:xn--bcher-kva.example", "xn--bcher-kva.example", true },
		{ "x", "DNS:*.example.org", "b\303\274cher.example.org", true },
		{ "x", SRV("_xmpp-server.xn--bcher-kva.example"), "b\303\274cher.example", true },
		/* The common name counts only alone. */
		{ "a.example", NULL, "a.example", true },
		{ "*.example.org", NULL, "a.example.org", true },
		{ "b.example", NULL, "a.example", false },
		{ "a.example", "DNS:b.example", "a.example", false },
		{ "a.example", SRV("_xmpp-client.a.example"), "a.example", false },
		{ "a.example", XMPP("b.example"), "a.example", false },
		{ "a.example", "URI:xmpp:b.example", "a.example", false },
		{ "a.example", "email:x@b.example", "a.example", true },
		/* What is no domain. */
		{ "x", "DNS:a.example", "", false },
		{ "x", "DNS:a.example", "a..example", false },
		{ "x", "DNS:a.example", "romeo@a.example", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		enum tls_peer verdict = judge(rows[i].cn, rows[i].san, rows[i].domain);

		if (verdict != (rows[i].good ? TLS_PEER_VALID : TLS_PEER_WRONG_NAME))
			fail_msg("row %zu, %s: %s, %s", i, rows[i].domain, tls_peer_name(verdict), why);
		assert_true(rows[i].good == (why[0] == '\0'));
	}
	assert_int_equal(judge("x", "DNS:b.example," XMPP("c.example"), "a.example"), TLS_PEER_WRONG_NAME);
	assert_string_equal(why, "certificate of b.example,c.example");
}

static void add_name(GENERAL_NAMES *names, int nid, const char *text, int n)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *s = ASN1_STRING_type_new(nid == NID_XmppAddr ? V_ASN1_UTF8STRING : V_ASN1_IA5STRING);

	ASN1_STRING_set(s, text, n);
	if (nid == NID_undef) {
		GENERAL_NAME_set0_value(name, GEN_DNS, s);
	} else {
		ASN1_TYPE *value = ASN1_TYPE_new();

		ASN1_TYPE_set(value, nid == NID_XmppAddr ? V_ASN1_UTF8STRING : V_ASN1_IA5STRING, s);
		GENERAL_NAME_set0_othername(name, OBJ_nid2obj(nid), value);
	}
	sk_GENERAL_NAME_push(names, name);
}

static enum tls_peer judge_name(int nid, const char *text, int n, const char *domain)
{
	struct tls_for_test want = { .cn = "a.example", .issuer = root, .issuer_key = root_key };

	want.names = sk_GENERAL_NAME_new_null();
	add_name(want.names, nid, text, n);
	issue(&want);
	GENERAL_NAMES_free(want.names);
	return show(trust, domain, false);
}

static void names_with_nul_bytes_name_nobody(void **state)
{
	static const struct {
		int nid;
		const char *text;
		int n;
	} rows[] = {
		{ NID_undef, "a.example\0.evil.example", 23 },
		{ NID_undef, "a.example\0", 10 },
		{ NID_XmppAddr, "a.example\0.evil.example", 23 },
		{ NID_SRVName, "_xmpp-server.a.example\0.evil.example", 36 },
		{ NID_SRVName, "", 0 },
		{ NID_undef, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(judge_name(rows[i].nid, rows[i].text, rows[i].n, "a.example"), TLS_PEER_WRONG_NAME);
		for (const char *p = why; *p; p++)
			assert_in_range(*p, ' ', '~');
	}
}

/* Its issuer need not have written it as a JID is compared. */
static void an_xmpp_address_is_unicode(void **state)
{
	static const char *const domains[] = { "xn--bcher-kva.example", "b\303\274cher.example" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(judge_name(NID_XmppAddr, "b\303\274cher.example", 15, domains[i]), TLS_PEER_VALID);
		assert_int_equal(judge_name(NID_XmppAddr, "B\303\234cher.example", 15, domains[i]), TLS_PEER_VALID);
		assert_int_equal(judge_name(NID_XmppAddr, "bucher.example", 14, domains[i]), TLS_PEER_WRONG_NAME);
	}
	assert_int_equal(judge_name(NID_XmppAddr, "b\303cher.example", 14, "bcher.example"), TLS_PEER_WRONG_NAME);
}

static void chains_must_lead_to_what_is_trusted(void **state)
{
	struct tls_for_test want = { .cn = "x", .san = "DNS:a.example" };
	struct tls_for_test leaf = { .cn = "Leaf", .san = "DNS:b.example", .basic = "CA:FALSE", .issuer = root, .issuer_key = root_key };
	struct tls_for_test stranger = { .cn = "Root", .basic = "critical,CA:TRUE" };
	EVP_PKEY *key;
	X509 *cert;

	(void)state;
	issue(&want);
	assert_int_equal(show(trust, "a.example", false), TLS_PEER_UNTRUSTED);
	assert_non_null(strstr(why, "self-signed"));
	assert_non_null(strstr(why, "a.example"));
	/* Called as the trusted one, but another. */
	cert = tls_for_test_sign(&stranger, &key);
	want.issuer = cert;
	want.issuer_key = key;
	issue(&want);
	assert_int_equal(show(trust, "a.example", false), TLS_PEER_UNTRUSTED);
	X509_free(cert);
	EVP_PKEY_free(key);
	/* Any owner of a certificate could issue for others. */
	cert = tls_for_test_sign(&leaf, &key);
	want.issuer = cert;
	want.issuer_key = key;
	issue(&want);
	assert_int_equal(show(trust, "a.example", false), TLS_PEER_UNTRUSTED);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void times_are_looked_at(void **state)
{
	struct tls_for_test want = { .cn = "x", .san = "DNS:a.example", .issuer = root, .issuer_key = root_key };
	struct tls_for_test middle = {
		.cn = "Old", .basic = "critical,CA:TRUE", .from_s = -200, .until_s = -100, .issuer = root, .issuer_key = root_key
	};
	EVP_PKEY *key;
	X509 *cert;

	(void)state;
	want.from_s = -200;
	want.until_s = -100;
	issue(&want);
	assert_int_equal(show(trust, "a.example", false), TLS_PEER_EXPIRED);
	assert_non_null(strstr(why, "expired"));
	want.from_s = 3600;
	want.until_s = 7200;
	issue(&want);
	assert_int_equal(show(trust, "a.example", true), TLS_PEER_EXPIRED);
	assert_non_null(strstr(why, "not yet valid"));
	cert = tls_for_test_sign(&middle, &key);
	want = (struct tls_for_test){ .cn = "x", .san = "DNS:a.example", .issuer = cert, .issuer_key = key };
	issue(&want);
	assert_int_equal(show(trust, "a.example", false), TLS_PEER_EXPIRED);
	assert_non_null(strstr(why, "above it"));
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* Server certificates call, too (XEP-0178); those for clients only do not serve. */
static void purposes_are_looked_at(void **state)
{
	static const struct {
		const char *eku;
		bool serves, calls;
	} rows[] = {
		{ NULL, true, true },          { "serverAuth", true, true },    { "serverAuth,clientAuth", true, true },
		{ "clientAuth", false, true }, { "codeSigning", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct tls_for_test want = {
			.cn = "x", .san = "DNS:a.example", .eku = rows[i].eku, .issuer = root, .issuer_key = root_key
		};

		issue(&want);
		assert_int_equal(show(trust, "a.example", false), rows[i].serves ? TLS_PEER_VALID : TLS_PEER_UNTRUSTED);
		assert_int_equal(show(trust, "a.example", true), rows[i].calls ? TLS_PEER_VALID : TLS_PEER_UNTRUSTED);
	}
}

/* OpenSSL holds an authority to its limits in dNSNames alone. */
static void limited_authorities_cannot_go_round_their_limits(void **state)
{
	static const struct {
		const char *cn, *san, *domain;
		enum tls_peer want;
	} rows[] = {
		{ "x", "DNS:a.example.org", "a.example.org", TLS_PEER_VALID },
		{ "x", "DNS:a.example.net", "a.example.net", TLS_PEER_UNTRUSTED },
		{ "a.example.net", NULL, "a.example.net", TLS_PEER_UNTRUSTED },
		{ "x", XMPP("a.example.net"), "a.example.net", TLS_PEER_WRONG_NAME },
		{ "x", SRV("_xmpp-server.a.example.net"), "a.example.net", TLS_PEER_WRONG_NAME },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct tls_for_test want = { .cn = rows[i].cn, .san = rows[i].san, .issuer = lower, .issuer_key = lower_key };

		issue(&want);
		if (show(trust, rows[i].domain, false) != rows[i].want)
			fail_msg("row %zu: %s", i, why);
	}
}

static void who_shows_nothing_is_nobody(void **state)
{
	struct tls_for_test want = { .cn = "a.example", .issuer = root, .issuer_key = root_key };
	char *hosts[] = { (char *)"peer" };

	(void)state;
	issue(&want);
	/* Not asked; asked, but nothing to show. */
	for (int ask = 0; ask < 2; ask++) {
		struct tls_set *set = tls_set_load(dir, hosts, 1, NULL);
		struct tls_client *client = tls_client_new(ask ? NULL : set, NULL);
		SSL *server, *caller;

		if (ask)
			tls_set_ask(set);
		server = tls_server_new(set, STR("peer"), NULL);
		caller = tls_client_begin(client, STR("peer.test"), STR("peer"), NULL);
		shake(caller, server);
		assert_int_equal(tls_peer_verdict(server, trust, "a.example", true, why, sizeof(why)), TLS_PEER_NONE);
		assert_string_equal(why, "no certificate");
		assert_int_equal(tls_peer_verdict(caller, trust, "a.example", false, why, sizeof(why)), TLS_PEER_VALID);
		tls_server_settled(server);
		SSL_free(server);
		SSL_free(caller);
		tls_client_free(&client);
		tls_set_unref(&set);
	}
}

/* A server that nobody vouches for, put into the trust store as it is. */
static void one_certificate_can_be_trusted_alone(void **state)
{
	struct tls_for_test want = { .cn = "x", .san = "DNS:a.example", .basic = "CA:FALSE" };
	char path[128];
	struct tls_trust *own;

	(void)state;
	issue(&want);
	snprintf(path, sizeof(path), "%s/peer.pem", dir);
	own = tls_trust_load(path, NULL);
	assert_non_null(own);
	assert_int_equal(show(own, "a.example", false), TLS_PEER_VALID);
	assert_int_equal(show(own, "b.example", false), TLS_PEER_WRONG_NAME);
	tls_trust_free(&own);
}

static void trust_is_a_file_or_a_folder(void **state)
{
	struct tls_for_test want = { .cn = "a.example", .issuer = root, .issuer_key = root_key };
	struct tls_trust *t;
	struct err e = { 0 };
	char path[128], empty[128];

	(void)state;
	issue(&want);
	t = tls_trust_load("", &e); /* the system's, where there is one */
	assert_true(t ? tls_trust_count(t) > 0 : e.text[0] != '\0');
	tls_trust_free(&t);
	t = tls_trust_load(dir, &e); /* with keys in it, which are passed over */
	assert_non_null(t);
	assert_int_equal(tls_trust_count(t), 2);
	tls_trust_free(&t);
	snprintf(path, sizeof(path), "%s/peer.key", dir);
	assert_null(tls_trust_load(path, &e));
	assert_non_null(strstr(e.text, "peer.key"));
	snprintf(path, sizeof(path), "%s/missing", dir);
	assert_null(tls_trust_load(path, &e));
	assert_non_null(strstr(e.text, "No such file"));
	snprintf(empty, sizeof(empty), "%s/empty-XXXXXX", dir);
	assert_non_null(mkdtemp(empty));
	assert_null(tls_trust_load(empty, &e));
	assert_non_null(strstr(e.text, "no certificate"));
	rmdir(empty);
}

/* What a server thinks of this client. */
static enum tls_peer show_client(const struct tls_trust *by)
{
	char *hosts[] = { (char *)"peer" };
	struct tls_set *set = tls_set_load(dir, hosts, 1, NULL);
	struct tls_client *client;
	SSL *ours, *theirs;
	enum tls_peer verdict;

	tls_set_ask(set);
	client = tls_client_new(set, NULL);
	ours = tls_server_new(set, STR("peer"), NULL);
	theirs = tls_client_begin(client, STR("peer.test"), STR("peer"), NULL);
	tls_client_free(&client);
	tls_set_unref(&set);
	shake(theirs, ours);
	verdict = tls_peer_client(ours, by, why, sizeof(why));
	tls_server_settled(ours);
	SSL_free(ours);
	SSL_free(theirs);
	assert_int_equal(ERR_peek_error(), 0);
	return verdict;
}

static void clients_need_certificates_for_clients(void **state)
{
	struct tls_for_test want = { .cn = "device", .eku = "clientAuth", .issuer = root, .issuer_key = root_key };

	(void)state;
	issue(&want);
	assert_int_equal(show_client(trust), TLS_PEER_VALID);
	want.eku = "serverAuth";
	issue(&want);
	assert_int_equal(show_client(trust), TLS_PEER_UNTRUSTED);
	want.eku = NULL;
	want.until_s = -60;
	want.from_s = -120;
	issue(&want);
	assert_int_equal(show_client(trust), TLS_PEER_EXPIRED);
	issue(&(struct tls_for_test){ .cn = "device" });
	assert_int_equal(show_client(trust), TLS_PEER_UNTRUSTED);
}

/* A list of the root's, with this serial number in it, that ends so many seconds from now. */
static void write_list(const char *path, const ASN1_INTEGER *serial, long until_s)
{
	X509_CRL *list = X509_CRL_new();
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, -60), *until = X509_gmtime_adj(NULL, until_s);
	FILE *f = fopen(path, "w");

	X509_CRL_set_version(list, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(list, X509_get_subject_name(root));
	X509_CRL_set1_lastUpdate(list, now);
	X509_CRL_set1_nextUpdate(list, until);
	X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *)(uintptr_t)serial);
	X509_REVOKED_set_revocationDate(entry, now);
	X509_CRL_add0_revoked(list, entry);
	assert_true(X509_CRL_sign(list, root_key, EVP_sha256()) > 0);
	PEM_write_X509_CRL(f, list);
	fclose(f);
	X509_CRL_free(list);
	ASN1_TIME_free(now);
	ASN1_TIME_free(until);
}

static enum tls_peer show_revocable(const char *lists)
{
	struct tls_trust *own = tls_trust_load(root_path, NULL);
	enum tls_peer verdict;

	assert_int_equal(tls_trust_revoke(own, lists, NULL), 0);
	verdict = show_client(own);
	tls_trust_free(&own);
	return verdict;
}

static void revoked_certificates_are_refused(void **state)
{
	struct tls_for_test want = { .cn = "device", .issuer = root, .issuer_key = root_key };
	struct err e = { 0 };
	ASN1_INTEGER *other = ASN1_INTEGER_new();
	char path[128];
	EVP_PKEY *key;
	X509 *cert = tls_for_test_sign(&want, &key);

	(void)state;
	tls_for_test_write(dir, "peer", cert, NULL, key);
	snprintf(path, sizeof(path), "%s/lists", dir);
	ASN1_INTEGER_set(other, 1000000);
	write_list(path, other, 3600);
	assert_int_equal(show_revocable(path), TLS_PEER_VALID);
	write_list(path, X509_get0_serialNumber(cert), 3600);
	assert_int_equal(show_revocable(path), TLS_PEER_UNTRUSTED);
	assert_non_null(strstr(why, "revoked"));
	/* A list that is out of date says nothing of anybody. */
	write_list(path, other, -30);
	assert_int_equal(show_revocable(path), TLS_PEER_UNTRUSTED);
	unlink(path);
	assert_int_equal(tls_trust_revoke(trust, path, &e), -1);
	assert_non_null(strstr(e.text, "No such file"));
	assert_int_equal(tls_trust_revoke(trust, root_path, &e), -1);
	assert_non_null(strstr(e.text, "no revocation list"));
	assert_int_equal(show_client(trust), TLS_PEER_VALID);
	ASN1_INTEGER_free(other);
	X509_free(cert);
	EVP_PKEY_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_compared_as_the_rfcs_say),
		cmocka_unit_test(names_with_nul_bytes_name_nobody),
		cmocka_unit_test(an_xmpp_address_is_unicode),
		cmocka_unit_test(chains_must_lead_to_what_is_trusted),
		cmocka_unit_test(times_are_looked_at),
		cmocka_unit_test(purposes_are_looked_at),
		cmocka_unit_test(limited_authorities_cannot_go_round_their_limits),
		cmocka_unit_test(who_shows_nothing_is_nobody),
		cmocka_unit_test(one_certificate_can_be_trusted_alone),
		cmocka_unit_test(trust_is_a_file_or_a_folder),
		cmocka_unit_test(clients_need_certificates_for_clients),
		cmocka_unit_test(revoked_certificates_are_refused),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
