/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/mem.h"

#define TLS_RECORD 4096 /* bytes in one that we send */

struct tls_cert {
	char *host; /* NULL: default */
	SSL_CTX *ctx;
};

struct tls_set {
	uint32_t refs;
	bool ask;
	size_t count;
	struct tls_cert *certs; /* the default's last, when there is one */
};

/* What the callbacks of a handshake look at; hangs on the SSL until it has settled. */
struct hello {
	struct tls_set *set;
	const char *alpn;
};

const char *tls_error_text(char *out, size_t n)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (reason)
		snprintf(out, n, "%s", reason);
	else
		snprintf(out, n, code ? "error %lx" : "connection closed", code);
	ERR_clear_error();
	return out;
}

static struct tls_cert *find_own(const struct tls_set *set, struct str host)
{
	for (size_t i = 0; i < set->count; i++) {
		const char *name = set->certs[i].host;

		if (!name || (strlen(name) == host.n && strncasecmp(name, host.p, host.n) == 0))
			return &set->certs[i];
	}
	return NULL;
}

static struct tls_cert *find(const struct tls_set *set, struct str host)
{
	struct tls_cert *own = find_own(set, host);

	return own ? own : &set->certs[0];
}

/* RFC 6066 section 3. A name that is not ours gets the certificate that the stream would get: the client decides what it thinks of it. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct hello *hello = SSL_get_app_data(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	(void)arg;
	if (!name || !hello)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_SSL_CTX(ssl, find(hello->set, str_from(name))->ctx);
	return SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in, unsigned int n, void *arg)
{
	const struct hello *hello = SSL_get_app_data(ssl);
	size_t want;

	(void)arg;
	if (!hello || !hello->alpn)
		return SSL_TLSEXT_ERR_NOACK;
	want = strlen(hello->alpn);
	for (unsigned int i = 0; i < n; i += in[i] + 1u) {
		if (in[i] == want && i + 1 + want <= n && memcmp(in + i + 1, hello->alpn, want) == 0) {
			*out = in + i + 1;
			*out_n = in[i];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* In place of OpenSSL's own check of the chain, whose outcome would not be used. The result must not look like one. */
static int on_certificate(X509_STORE_CTX *chain, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
	return 1;
}

void tls_configure(SSL_CTX *ctx)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Forward secrecy and authenticated encryption only (RFC 9325); TLS 1.3 has nothing else. */
	/* A handshake has a buffer of one record; thousands may have one at a time. */
	SSL_CTX_set_max_send_fragment(ctx, TLS_RECORD);
	SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20");
	SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384");
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_cert_verify_callback(ctx, on_certificate, NULL);
}

static void configure(SSL_CTX *ctx)
{
	tls_configure(ctx);
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
}

static SSL_CTX *load(const char *chain, const char *key, struct err *e)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	char text[160];

	if (!ctx) {
		err_set(e, "%s: %s", chain, tls_error_text(text, sizeof(text)));
		return NULL;
	}
	configure(ctx);
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, chain) != 1)
		err_set(e, "%s: no usable certificate: %s", chain, tls_error_text(text, sizeof(text)));
	else if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		err_set(e, "%s: no usable private key: %s", key, tls_error_text(text, sizeof(text)));
	else if (SSL_CTX_check_private_key(ctx) != 1)
		err_set(e, "%s: not the key of %s: %s", key, chain, tls_error_text(text, sizeof(text)));
	else
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* 1: added, 0: there is no such file, -1: there is one and it is no good. */
static int add(struct tls_set *set, const char *dir, const char *host, struct err *e)
{
	char chain[4096], key[4096];
	SSL_CTX *ctx;

	snprintf(chain, sizeof(chain), "%s/%s.pem", dir, host ? host : "default");
	snprintf(key, sizeof(key), "%s/%s.key", dir, host ? host : "default");
	if (access(chain, F_OK) != 0)
		return 0;
	ctx = load(chain, access(key, F_OK) == 0 ? key : chain, e);
	if (!ctx)
		return -1;
	set->certs[set->count++] = (struct tls_cert){ mem_strdup(host), ctx };
	return 1;
}

struct tls_set *tls_set_load(const char *dir, char *const *hosts, size_t host_count, struct err *e)
{
	struct tls_set *set = mem_new(struct tls_set);
	const char *missing = NULL;
	int r = 0;

	set->refs = 1;
	set->certs = mem_zalloc((host_count + 1) * sizeof(struct tls_cert));
	for (size_t i = 0; i < host_count && r >= 0; i++) {
		r = add(set, dir, hosts[i], e);
		if (r == 0)
			missing = hosts[i];
	}
	if (r >= 0)
		r = add(set, dir, NULL, e);
	if (r == 0 && missing)
		r = err_set(e, "%s: neither %s.pem nor default.pem", dir, missing);
	if (r >= 0 && set->count == 0)
		r = err_set(e, "%s: no certificate", dir);
	if (r < 0)
		tls_set_unref(&set);
	return set;
}

struct tls_set *tls_set_ref(struct tls_set *set)
{
	set->refs++;
	return set;
}

void tls_set_unref(struct tls_set **set)
{
	struct tls_set *it = *set;

	*set = NULL;
	if (!it || --it->refs > 0)
		return;
	for (size_t i = 0; i < it->count; i++) {
		mem_free(it->certs[i].host);
		SSL_CTX_free(it->certs[i].ctx);
	}
	mem_free(it->certs);
	mem_free(it);
}

void tls_set_ask(struct tls_set *set)
{
	set->ask = true;
}

bool tls_set_present(const struct tls_set *set, struct str host, SSL *ssl)
{
	const struct tls_cert *own = find_own(set, host);
	STACK_OF(X509) *chain = NULL;

	if (!own)
		return false;
	SSL_CTX_get0_chain_certs(own->ctx, &chain);
	return SSL_use_cert_and_key(ssl, SSL_CTX_get0_certificate(own->ctx), SSL_CTX_get0_privatekey(own->ctx), chain, 1) == 1;
}

int64_t tls_set_expiry(const struct tls_set *set, const char **out_host)
{
	int64_t first = INT64_MAX;

	*out_host = "";
	for (size_t i = 0; i < set->count; i++) {
		X509 *cert = SSL_CTX_get0_certificate(set->certs[i].ctx);
		int days = 0, seconds = 0;

		if (!cert || ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) != 1)
			continue;
		if ((int64_t)days * 86400 + seconds < first) {
			first = (int64_t)days * 86400 + seconds;
			*out_host = set->certs[i].host ? set->certs[i].host : "default";
		}
	}
	return first;
}

SSL *tls_server_new(struct tls_set *set, struct str host, const char *alpn)
{
	SSL *ssl = SSL_new(find(set, host)->ctx);
	struct hello *hello;

	if (!ssl)
		return NULL;
	hello = mem_new(struct hello);
	hello->set = tls_set_ref(set);
	hello->alpn = alpn;
	SSL_set_app_data(ssl, hello);
	SSL_set_accept_state(ssl);
	if (set->ask) {
		SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
		SSL_set1_groups_list(ssl, TLS_PEER_GROUPS);
	}
	return ssl;
}

void tls_server_settled(SSL *ssl)
{
	struct hello *hello = SSL_get_app_data(ssl);

	if (!hello)
		return;
	SSL_set_app_data(ssl, NULL);
	tls_set_unref(&hello->set);
	mem_free(hello);
}

static bool transcript_bound(SSL *ssl)
{
	return SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) == 1;
}

size_t tls_exporter(SSL *ssl, uint8_t out[TLS_BINDING_MAX])
{
	static const char label[] = "EXPORTER-Channel-Binding";

	if (!transcript_bound(ssl))
		return 0;
	/* The context is present and empty, which in TLS 1.2 differs from an absent one. */
	if (SSL_export_keying_material(ssl, out, 32, label, sizeof(label) - 1, (const unsigned char *)"", 0, 1) != 1)
		return 0;
	return 32;
}

size_t tls_unique(SSL *ssl, uint8_t out[TLS_BINDING_MAX])
{
	size_t n;

	/* In a resumed handshake the server's Finished comes first; we make none. */
	if (!transcript_bound(ssl) || SSL_session_reused(ssl))
		return 0;
	n = SSL_get_peer_finished(ssl, out, TLS_BINDING_MAX);
	return n <= TLS_BINDING_MAX ? n : 0;
}

size_t tls_server_end_point(SSL *ssl, uint8_t out[TLS_BINDING_MAX])
{
	X509 *cert = SSL_get_certificate(ssl);
	unsigned int n = 0;
	int md = NID_undef;
	const EVP_MD *hash;

	if (!cert || X509_get_signature_info(cert, &md, NULL, NULL, NULL) != 1 || md == NID_undef)
		return 0; /* such as Ed25519, which names no hash of its own */
	if (md == NID_md5 || md == NID_sha1)
		md = NID_sha256;
	hash = EVP_get_digestbynid(md);
	if (!hash || X509_digest(cert, hash, out, &n) != 1)
		return 0;
	return n;
}
