/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls_client.h"

#include <arpa/inet.h>
#include <openssl/err.h>

#include "common/base/mem.h"
#include "common/text/idna.h"

#define NAME_MAX_BYTES 253

struct tls_client {
	SSL_CTX *ctx;
	struct tls_set *own;
};

struct tls_client *tls_client_new(struct tls_set *own, struct err *e)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct tls_client *client;
	char text[160];

	if (!ctx) {
		err_set(e, "no TLS: %s", tls_error_text(text, sizeof(text)));
		return NULL;
	}
	tls_configure(ctx);
	SSL_CTX_set1_groups_list(ctx, TLS_PEER_GROUPS);
	client = mem_new(struct tls_client);
	client->ctx = ctx;
	client->own = own ? tls_set_ref(own) : NULL;
	return client;
}

void tls_client_free(struct tls_client **client)
{
	struct tls_client *it = *client;

	*client = NULL;
	if (!it)
		return;
	SSL_CTX_free(it->ctx);
	tls_set_unref(&it->own);
	mem_free(it);
}

/* False: nothing to name. */
static bool server_name(struct str host, char out[NAME_MAX_BYTES + 1])
{
	struct in_addr address;
	size_t n;

	if (!idna_to_ascii(host, out, NAME_MAX_BYTES, &n))
		return false;
	out[n] = '\0';
	return strlen(out) == n && out[0] != '[' && inet_pton(AF_INET, out, &address) != 1;
}

/* RFC 7301 section 3.1: each protocol behind its length. */
static bool offer(SSL *ssl, const char *alpn)
{
	unsigned char wire[256];
	size_t n = strlen(alpn);

	if (n == 0 || n > 255)
		return false;
	wire[0] = (unsigned char)n;
	memcpy(wire + 1, alpn, n);
	return SSL_set_alpn_protos(ssl, wire, (unsigned int)n + 1) == 0;
}

SSL *tls_client_begin(const struct tls_client *client, struct str host, struct str local, const char *alpn)
{
	char name[NAME_MAX_BYTES + 1];
	SSL *ssl = SSL_new(client->ctx);

	if (!ssl)
		return NULL;
	SSL_set_connect_state(ssl);
	if ((server_name(host, name) && SSL_set_tlsext_host_name(ssl, name) != 1) || (alpn && !offer(ssl, alpn))) {
		SSL_free(ssl);
		ERR_clear_error();
		return NULL;
	}
	if (client->own && local.n > 0)
		tls_set_present(client->own, local, ssl);
	return ssl;
}
