/* SPDX-License-Identifier: Apache-2.0
 *
 * dtls: clients over DTLS (RFC 7350), on the UDP sockets that others use in clear: the first byte tells them apart (RFC 7983). Nothing is kept of one who has not sent a cookie back
 * (RFC 6347 section 4.2.1). A session without an allocation has a short time. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/base/mem.h"
#include "common/crypto/digest.h"
#include "common/crypto/secret.h"
#include "common/stun/stun_bytes.h"
#include "common/stun/stun_frame.h"
#include "services/turn-relay/mix.h"
#include "services/turn-relay/mobility.h"

#define BUCKETS     1024u
#define COOKIE_SIZE 16u
#define LINK_MTU    1400 /* of a handshake's datagrams */
#define RECORD_MAX  16384u

struct dtls {
	struct worker *worker;
	struct list_node node;
	struct dtls *next; /* in its bucket */
	struct client client;
	SSL *ssl;
	BIO *in;
	struct allocation *allocation;
	struct wheel_timer timer;
	uint64_t early_until_ms; /* without an allocation */
	bool secured, over;
};

struct dtls_server {
	SSL_CTX *ctx;
	struct list_node sessions;
	struct dtls *buckets[BUCKETS];
	uint32_t count;
	uint8_t plain[RECORD_MAX + 4];
};

/* --- what OpenSSL writes goes out as datagrams -------------------------------------------------------------------- */

static BIO_METHOD *method;

static int out_write(BIO *b, const char *p, int n)
{
	const struct client *c = BIO_get_data(b);
	struct sock to;

	sock_from(&to, &c->addr);
	/* A datagram that is lost here is lost as on any other way. */
	if (sendto(c->udp->fd, p, (size_t)n, MSG_DONTWAIT, &to.sa, to.n) < 0)
		count(&c->udp->worker->counters, COUNT_DROP_SOCKET);
	return n;
}

static long out_ctrl(BIO *b, int command, long number, void *p)
{
	(void)b;
	(void)number;
	(void)p;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
		return 28;
	default:
		return 0;
	}
}

/* --- cookies ------------------------------------------------------------------------------------------------------ */

static void make_cookie(const struct client *c, uint8_t out[COOKIE_SIZE])
{
	const struct nonce_key *key = &c->udp->worker->shared->nonce_key;
	uint8_t text[4 + 16 + 2] = "dtls", mac[DIGEST_MAX];

	memcpy(text + 4, c->addr.ip, 16);
	stun_set16(text + 20, c->addr.port);
	digest_hmac(DIGEST_SHA256, str_make(key->bytes, sizeof(key->bytes)), str_make(text, sizeof(text)), mac);
	memcpy(out, mac, COOKIE_SIZE);
}

static int on_cookie(SSL *ssl, unsigned char *out, unsigned int *n)
{
	make_cookie(SSL_get_app_data(ssl), out);
	*n = COOKIE_SIZE;
	return 1;
}

static int on_cookie_back(SSL *ssl, const unsigned char *got, unsigned int n)
{
	uint8_t want[COOKIE_SIZE];

	make_cookie(SSL_get_app_data(ssl), want);
	return n == COOKIE_SIZE && secret_equal(got, want, COOKIE_SIZE);
}

/* --- the server --------------------------------------------------------------------------------------------------- */

static SSL_CTX *new_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(DTLS_server_method());

	if (!ctx)
		return NULL;
	tls_configure(ctx);
	SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_COOKIE_EXCHANGE | SSL_OP_NO_QUERY_MTU);
	SSL_CTX_set_cookie_generate_cb(ctx, on_cookie);
	SSL_CTX_set_cookie_verify_cb(ctx, on_cookie_back);
	return ctx;
}

/* On the main thread, before threads are there. */
int dtls_open(struct worker *w, struct err *e)
{
	if (!w->shared->config->dtls || !w->shared->config->udp || w->shared->config->tls_port == 0)
		return 0;
	if (!method) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams of a worker");
		if (!method)
			return err_set(e, "OpenSSL has no memory");
		BIO_meth_set_write(method, out_write);
		BIO_meth_set_ctrl(method, out_ctrl);
	}
	w->dtls = mem_new(struct dtls_server);
	list_init(&w->dtls->sessions);
	w->dtls->ctx = new_context();
	return w->dtls->ctx ? 0 : err_set(e, "OpenSSL has no DTLS");
}

static struct dtls **bucket(struct worker *w, const struct net_addr *a, const struct udp_port *port)
{
	return &w->dtls->buckets[mix_address(a->ip, a->port, port->index, w->shared->hash_key) % BUCKETS];
}

static struct dtls *find(struct worker *w, const struct net_addr *a, const struct udp_port *port)
{
	struct dtls *d = *bucket(w, a, port);

	while (d && (d->client.udp != port || d->client.addr.port != a->port || memcmp(d->client.addr.ip, a->ip, 16) != 0))
		d = d->next;
	return d;
}

static void end(struct dtls *d)
{
	struct worker *w = d->worker;
	struct dtls **at = bucket(w, &d->client.addr, d->client.udp);

	d->over = true;
	if (d->allocation)
		allocation_client_gone(d->allocation);
	claim_client_gone(w, &d->client);
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	list_remove(&d->node);
	net_timer_cancel(w->net, &d->timer);
	w->dtls->count--;
	count_add(&w->counters, COUNT_STREAMS, (uint64_t)-1);
	if (d->secured)
		SSL_shutdown(d->ssl);
	ERR_clear_error();
	SSL_free(d->ssl);
	mem_free(d);
}

void dtls_close(struct worker *w)
{
	if (!w->dtls)
		return;
	while (!list_empty(&w->dtls->sessions))
		end(list_entry(w->dtls->sessions.next, struct dtls, node));
	SSL_CTX_free(w->dtls->ctx);
	mem_free(w->dtls);
	w->dtls = NULL;
}

/* --- a session ---------------------------------------------------------------------------------------------------- */

static bool is_settled(const struct dtls *d)
{
	return d->allocation || claim_is_granted(d->worker, &d->client);
}

/* The next of: a handshake's repetition, and the end of one who has no allocation. */
static void set_timer(struct dtls *d)
{
	uint64_t now = worker_now(d->worker), at = is_settled(d) ? UINT64_MAX : d->early_until_ms;
	struct timeval left;

	if (!d->secured && DTLSv1_get_timeout(d->ssl, &left) == 1) {
		uint64_t repeat = now + (uint64_t)left.tv_sec * 1000 + (uint64_t)left.tv_usec / 1000;

		at = repeat < at ? repeat : at;
	}
	if (at == UINT64_MAX)
		net_timer_cancel(d->worker->net, &d->timer);
	else
		net_timer_set(d->worker->net, &d->timer, at > now ? at - now : 0);
}

static void on_timer(struct wheel_timer *t)
{
	struct dtls *d = list_entry(t, struct dtls, timer);

	if (!is_settled(d) && worker_now(d->worker) >= d->early_until_ms) {
		end(d);
		return;
	}
	if (!d->secured)
		DTLSv1_handle_timeout(d->ssl);
	ERR_clear_error();
	set_timer(d);
}

void dtls_settled(struct dtls *d)
{
	if (d->over)
		return;
	d->early_until_ms = worker_now(d->worker) + (uint64_t)d->worker->shared->config->early_ms;
	set_timer(d);
}

struct allocation **dtls_allocation(struct dtls *d)
{
	return &d->allocation;
}

void dtls_send(struct dtls *d, const uint8_t *p, size_t n)
{
	if (d->over || n > RECORD_MAX || SSL_write(d->ssl, p, (int)n) <= 0)
		count(&d->worker->counters, COUNT_DROP_SOCKET);
	ERR_clear_error();
}

static void take(struct dtls *d, struct str bytes)
{
	uint16_t channel;
	struct str data;

	if (bytes.n > 0 && stun_kind((uint8_t)bytes.p[0]) == STUN_KIND_MESSAGE)
		turn_message(d->worker, &d->client, bytes);
	else if (stun_channel_read(bytes, &channel, &data))
		data_channel(d->worker, &d->client, channel, data);
	else
		count(&d->worker->counters, COUNT_DROP_BAD);
	/* What goes to peers is in the buffer that the next record needs. */
	out_flush(d->worker);
}

/* Everything that its datagrams have brought. */
static void advance(struct dtls *d)
{
	uint8_t *plain = d->worker->dtls->plain;
	int r = 1;

	ERR_clear_error();
	if (!d->secured) {
		r = SSL_accept(d->ssl);
		d->secured = r == 1;
	}
	while (d->secured && (r = SSL_read(d->ssl, plain, RECORD_MAX)) > 0)
		take(d, str_make(plain, (size_t)r));
	if (r <= 0 && SSL_get_error(d->ssl, r) != SSL_ERROR_WANT_READ && SSL_get_error(d->ssl, r) != SSL_ERROR_WANT_WRITE) {
		end(d);
		return;
	}
	ERR_clear_error();
	set_timer(d);
}

static SSL *new_ssl(struct worker *w, struct client *c, BIO **in)
{
	SSL *ssl = SSL_new(w->dtls->ctx);
	BIO *out = BIO_new(method);

	*in = BIO_new(BIO_s_mem());
	if (!ssl || !out || !*in || !tls_set_present(w->tls, str_from(w->shared->host), ssl)) {
		BIO_free(out);
		BIO_free(*in);
		SSL_free(ssl);
		return NULL;
	}
	BIO_set_mem_eof_return(*in, -1);
	BIO_set_data(out, c);
	BIO_set_init(out, 1);
	SSL_set_bio(ssl, *in, out);
	SSL_set_app_data(ssl, c);
	SSL_set_accept_state(ssl);
	DTLS_set_link_mtu(ssl, LINK_MTU);
	return ssl;
}

/* The cookie has come back: from here on there is something to remember. */
static void begin(struct worker *w, const struct client *c, SSL *ssl, BIO *in)
{
	struct dtls *d = mem_new(struct dtls), **at = bucket(w, &c->addr, c->udp);

	d->worker = w;
	d->client = *c;
	d->client.dtls = d;
	d->ssl = ssl;
	d->in = in;
	d->next = *at;
	*at = d;
	BIO_set_data(SSL_get_wbio(ssl), &d->client);
	SSL_set_app_data(ssl, &d->client);
	wheel_timer_init(&d->timer, on_timer);
	list_push_back(&w->dtls->sessions, &d->node);
	w->dtls->count++;
	count_add(&w->counters, COUNT_STREAMS, 1);
	d->early_until_ms = worker_now(w) + (uint64_t)w->shared->config->early_ms;
	advance(d);
}

static void greet(struct worker *w, struct client *c, struct str bytes)
{
	BIO *in;
	SSL *ssl;

	if (w->dtls->count >= (uint64_t)w->shared->config->connections || !budget_take(w->budget, &c->addr, worker_now(w))) {
		count(&w->counters, COUNT_UNANSWERED);
		return;
	}
	ssl = new_ssl(w, c, &in);
	if (!ssl)
		return;
	BIO_write(in, bytes.p, (int)bytes.n);
	ERR_clear_error();
	if (DTLSv1_listen(ssl, w->dtls_peer) > 0)
		begin(w, c, ssl, in);
	else
		SSL_free(ssl);
	ERR_clear_error();
}

void dtls_datagram(struct udp_port *port, const struct net_addr *from, struct str bytes)
{
	struct worker *w = port->worker;
	struct client c = { .addr = *from, .udp = port };
	struct dtls *d = find(w, from, port);

	if (d) {
		BIO_write(d->in, bytes.p, (int)bytes.n);
		advance(d);
	} else {
		greet(w, &c, bytes);
	}
}
