/* SPDX-License-Identifier: Apache-2.0
 *
 * A client and our server end, joined in memory. */
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/tls.h"
#include "common/net/tls_for_test.h"

static char dir[64];
static const char *const names[] = { "one.test", "two.test", "default", NULL };
static char *hosts[] = { (char *)"one.test", (char *)"two.test" };

static int make(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/tls-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	tls_for_test_make(dir, "one.test", EVP_sha384());
	tls_for_test_make(dir, "two.test", EVP_sha1());
	tls_for_test_make(dir, "default", EVP_sha256());
	return 0;
}

static int clean(void **state)
{
	(void)state;
	tls_for_test_remove(dir, names);
	return 0;
}

struct pair {
	struct tls_set *set;
	SSL_CTX *ctx;
	SSL *client, *server;
};

static bool shake(struct pair *p)
{
	for (int i = 0; i < 20; i++) {
		int c = SSL_do_handshake(p->client), s = SSL_do_handshake(p->server);

		if (c == 1 && s == 1)
			return true;
		if ((c != 1 && SSL_get_error(p->client, c) != SSL_ERROR_WANT_READ) ||
		    (s != 1 && SSL_get_error(p->server, s) != SSL_ERROR_WANT_READ))
			return false;
	}
	return false;
}

/* alpn: in wire form, or NULL. */
static bool connect_pair(struct pair *p, const char *sni, const char *host, const char *alpn, int version)
{
	BIO *a, *b;

	p->set = tls_set_load(dir, hosts, 2, NULL);
	assert_non_null(p->set);
	p->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(p->ctx, 0);
	SSL_CTX_set_min_proto_version(p->ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(p->ctx, version);
	p->client = SSL_new(p->ctx);
	SSL_set_connect_state(p->client);
	if (sni)
		SSL_set_tlsext_host_name(p->client, sni);
	if (alpn)
		SSL_set_alpn_protos(p->client, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	p->server = tls_server_new(p->set, str_from(host), "xmpp-client");
	BIO_new_bio_pair(&a, 0, &b, 0);
	SSL_set_bio(p->client, a, a);
	SSL_set_bio(p->server, b, b);
	return shake(p);
}

static void drop(struct pair *p)
{
	tls_server_settled(p->server);
	SSL_free(p->client);
	SSL_free(p->server);
	SSL_CTX_free(p->ctx);
	tls_set_unref(&p->set);
	ERR_clear_error();
}

static void check_name(SSL *client, const char *want)
{
	X509 *cert = SSL_get1_peer_certificate(client);
	char name[100];

	assert_non_null(cert);
	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof(name));
	assert_string_equal(name, want);
	X509_free(cert);
}

static void certificates_are_chosen_by_name(void **state)
{
	static const struct {
		const char *sni, *host, *want;
	} rows[] = {
		{ "one.test", "", "one.test" },         { "two.test", "", "two.test" },  { "TWO.test", "", "two.test" },
		{ NULL, "two.test", "two.test" },       { "three.test", "", "default" }, { NULL, "", "default" },
		{ "one.test", "two.test", "one.test" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct pair p;

		assert_true(connect_pair(&p, rows[i].sni, rows[i].host, NULL, TLS1_3_VERSION));
		check_name(p.client, rows[i].want);
		drop(&p);
	}
}

static void foreign_protocols_are_refused(void **state)
{
	struct pair p;
	const unsigned char *chosen;
	unsigned n;

	(void)state;
	assert_true(connect_pair(&p, "one.test", "", "\x08http/1.1\x0bxmpp-client", TLS1_3_VERSION));
	SSL_get0_alpn_selected(p.client, &chosen, &n);
	assert_int_equal(n, 11);
	assert_memory_equal(chosen, "xmpp-client", 11);
	drop(&p);
	assert_false(connect_pair(&p, "one.test", "", "\x08http/1.1", TLS1_3_VERSION));
	drop(&p);
	assert_true(connect_pair(&p, "one.test", "", NULL, TLS1_3_VERSION));
	drop(&p);
}

static void old_versions_are_refused(void **state)
{
	struct pair p;

	(void)state;
	assert_false(connect_pair(&p, "one.test", "", NULL, TLS1_1_VERSION));
	drop(&p);
	assert_true(connect_pair(&p, "one.test", "", NULL, TLS1_2_VERSION));
	drop(&p);
}

/* Both ends must compute the same; the client's side is written here from the RFCs, not by the functions under test. */
static void channel_bindings_match(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	uint8_t ours[TLS_BINDING_MAX], theirs[EVP_MAX_MD_SIZE];
	unsigned n;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct pair p;
		X509 *cert;

		assert_true(connect_pair(&p, hosts[i / 2], "", NULL, versions[i % 2]));
		assert_int_equal(tls_exporter(p.server, ours), 32);
		assert_int_equal(
		        SSL_export_keying_material(p.client, theirs, 32, "EXPORTER-Channel-Binding", 24, (const unsigned char *)"", 0, 1),
		        1);
		assert_memory_equal(ours, theirs, 32);
		n = (unsigned)SSL_get_finished(p.client, theirs, sizeof(theirs));
		assert_int_equal(tls_unique(p.server, ours), n);
		assert_memory_equal(ours, theirs, n);
		cert = SSL_get1_peer_certificate(p.client);
		/* RFC 5929 section 4.1: SHA-1 certificates are hashed with SHA-256. */
		X509_digest(cert, i / 2 == 0 ? EVP_sha384() : EVP_sha256(), theirs, &n);
		assert_int_equal(tls_server_end_point(p.server, ours), n);
		assert_memory_equal(ours, theirs, n);
		X509_free(cert);
		drop(&p);
	}
}

static void without_extended_master_secret_there_is_no_exporter(void **state)
{
	struct pair p;
	uint8_t out[TLS_BINDING_MAX];
	BIO *a, *b;

	(void)state;
	p.set = tls_set_load(dir, hosts, 2, NULL);
	p.ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(p.ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(p.ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	p.client = SSL_new(p.ctx);
	SSL_set_connect_state(p.client);
	p.server = tls_server_new(p.set, STR("one.test"), NULL);
	BIO_new_bio_pair(&a, 0, &b, 0);
	SSL_set_bio(p.client, a, a);
	SSL_set_bio(p.server, b, b);
	assert_true(shake(&p));
	assert_int_equal(tls_exporter(p.server, out), 0);
	assert_int_equal(tls_unique(p.server, out), 0);
	assert_int_equal(tls_server_end_point(p.server, out), 48);
	drop(&p);
}

static void missing_and_broken_files_are_named(void **state)
{
	char *unknown[] = { (char *)"nobody.test" };
	struct err e = { 0 };
	char path[128], moved[128];
	struct tls_set *set;
	const char *first;
	FILE *f;

	(void)state;
	set = tls_set_load(dir, unknown, 1, &e); /* the default serves */
	assert_non_null(set);
	assert_true(tls_set_expiry(set, &first) > 860000);
	assert_string_equal(first, "default");
	tls_set_unref(&set);
	snprintf(path, sizeof(path), "%s/default.pem", dir);
	snprintf(moved, sizeof(moved), "%s/away", dir);
	rename(path, moved);
	assert_null(tls_set_load(dir, unknown, 1, &e));
	assert_non_null(strstr(e.text, "nobody.test.pem"));
	f = fopen(path, "w");
	fputs("no certificate\n", f);
	fclose(f);
	assert_null(tls_set_load(dir, unknown, 1, &e));
	assert_non_null(strstr(e.text, "default.pem"));
	rename(moved, path);
	snprintf(path, sizeof(path), "%s/default.key", dir);
	snprintf(moved, sizeof(moved), "%s/away", dir);
	rename(path, moved);
	assert_null(tls_set_load(dir, unknown, 1, &e));
	rename(moved, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_are_chosen_by_name),
		cmocka_unit_test(foreign_protocols_are_refused),
		cmocka_unit_test(old_versions_are_refused),
		cmocka_unit_test(channel_bindings_match),
		cmocka_unit_test(without_extended_master_secret_there_is_no_exporter),
		cmocka_unit_test(missing_and_broken_files_are_named),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
