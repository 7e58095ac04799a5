/* SPDX-License-Identifier: Apache-2.0
 *
 * xmpp_load: a load of real XMPP clients from one thread, for tests/bench/bench.py. It speaks to any server.
 *
 *   xmpp_load MODE key=value ...
 *
 * Modes: chat   pairs of users, `window` messages in circulation in each pair (closed loop), for `seconds`
 *        rate   the same pairs, `rate` messages a second in all (open loop); latency from the moment a message was due
 *        idle   logs in, sends presence, and stays
 *        login  `count` logins, `parallel` at a time, each followed by a close
 *        storm  all users connect at once, and stay
 * Keys:  host port address users first prefix password tls mechanism window rate size seconds count parallel extra
 *        sources: so many addresses of 127.1.0.0/16 that users come from; 0: one
 *        other_host other_port: a second server; users of odd number are there, so that both ends of a pair are at different ones
 *
 * chat, rate and idle print READY after the logins, wait for a line on stdin, run, print one JSON line, and wait for a
 * line again before they leave, so that the caller can read clocks and memory at the right moments. login and storm start at the first line.
 * It looks for strings instead of parsing XML: its own cost must stay small beside the server's. */
/* lint: allow size: one file, so that one call of a compiler builds it anywhere */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum state { FREE, CONNECTING, HEADER, PROCEED, HANDSHAKE, HEADER_TLS, CHALLENGE, SUCCESS, HEADER_AUTH, BIND, PRESENCE, UP, CLOSING };

struct salted { /* what PBKDF2 gave, kept from one login to the next as real clients do */
	char salt[64];
	int iterations;
	unsigned char client_key[32], server_key[32];
};

struct client {
	int fd, number;
	enum state state;
	SSL *ssl;
	char *in, *out;
	size_t in_n, in_cap, out_n, out_at, out_cap;
	char jid[256], nonce[40], first_bare[128];
	uint64_t started_us;
	bool want_write;
};

static struct {
	const char *mode, *host, *other_host, *address, *prefix, *password, *mechanism, *extra;
	int port, other_port, users, first, tls, window, rate, size, seconds, count, parallel, sources;
} opt = { .host = "localhost",
	  .other_host = "",
	  .address = "127.0.0.1",
	  .prefix = "load",
	  .password = "secret",
	  .mechanism = "SCRAM-SHA-256",
	  .extra = "",
	  .port = 5222,
	  .users = 100,
	  .window = 4,
	  .rate = 1000,
	  .size = 64,
	  .seconds = 5,
	  .count = 1000,
	  .parallel = 16 };

static int ep;
static SSL_CTX *ctx;
static struct client *clients;
static struct salted *salts, last_salted; /* accounts that are copies of one share its salt */
static char *filler;
static uint64_t delivered, delivered_all, sent, failed, bounced, logins, latency_count;
static uint32_t *latencies;
#define LATENCIES (1u << 22)
static bool running;

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what)
{
	fprintf(stderr, "xmpp_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void watch(struct client *c)
{
	struct epoll_event e = { .events = EPOLLIN | (c->want_write ? EPOLLOUT : 0), .data.ptr = c };

	epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}

static void flush(struct client *c)
{
	while (c->out_at < c->out_n) {
		size_t n = c->out_n - c->out_at;
		ssize_t r = c->ssl && c->state > HANDSHAKE ? SSL_write(c->ssl, c->out + c->out_at, (int)n)
		                                           : send(c->fd, c->out + c->out_at, n, MSG_NOSIGNAL);

		if (r <= 0) {
			if (!c->want_write) {
				c->want_write = true;
				watch(c);
			}
			return;
		}
		c->out_at += (size_t)r;
	}
	c->out_at = c->out_n = 0;
	if (c->want_write) {
		c->want_write = false;
		watch(c);
	}
}

__attribute__((format(printf, 2, 3))) static void say(struct client *c, const char *fmt, ...)
{
	va_list ap;

	if (c->out_cap - c->out_n < 4096 + (size_t)opt.size) {
		c->out_cap = c->out_cap * 2 + 8192 + (size_t)opt.size;
		c->out = realloc(c->out, c->out_cap);
	}
	va_start(ap, fmt);
	c->out_n += (size_t)vsnprintf(c->out + c->out_n, c->out_cap - c->out_n, fmt, ap);
	va_end(ap);
}

static bool at_other(const struct client *c)
{
	return opt.other_host[0] && c->number % 2 == 1;
}

static const char *host_of(const struct client *c)
{
	return at_other(c) ? opt.other_host : opt.host;
}

static void header(struct client *c)
{
	say(c,
	    "<?xml version='1.0'?><stream:stream to='%s' version='1.0' xmlns='jabber:client' "
	    "xmlns:stream='http://etherx.jabber.org/streams'>",
	    host_of(c));
}

static void hang_up(struct client *c)
{
	if (c->ssl)
		SSL_free(c->ssl);
	close(c->fd);
	c->ssl = NULL;
	c->state = FREE;
	c->in_n = c->out_n = c->out_at = 0;
	c->want_write = false;
}

static void give_up(struct client *c, const char *why)
{
	if (failed++ < 3)
		fprintf(stderr, "xmpp_load: connection %d in state %d: %s\n", c->number, c->state, why);
	hang_up(c);
}

static void leave_from(struct client *c)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int one = 1;

	if (opt.sources <= 0)
		return;
	a.sin_addr.s_addr = htonl(0x7f010001u + (uint32_t)(c->number % opt.sources));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(c->fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("bind");
}

static void dial(struct client *c)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(at_other(c) ? opt.other_port : opt.port)) };
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.ptr = c };
	int one = 1;

	inet_pton(AF_INET, opt.address, &a.sin_addr);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		die("socket");
	leave_from(c);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->started_us = now_us();
	c->state = CONNECTING;
	c->want_write = true;
	header(c);
	if (connect(c->fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno != EINPROGRESS)
		give_up(c, strerror(errno));
	else
		epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
}

static void connected(struct client *c)
{
	int why = 0;
	socklen_t n = sizeof(why);

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &why, &n);
	if (why) {
		give_up(c, strerror(why));
		return;
	}
	c->state = HEADER;
	flush(c);
}

static void encode64(char *out, const void *p, size_t n)
{
	EVP_EncodeBlock((unsigned char *)out, p, (int)n);
}

static void hmac256(const unsigned char *key, const void *p, size_t n, unsigned char out[32])
{
	unsigned len = 32;

	HMAC(EVP_sha256(), key, 32, p, n, out, &len);
}

static void authenticate(struct client *c)
{
	char text[300], b64[512];
	unsigned char random[18];

	if (!strcmp(opt.mechanism, "PLAIN")) {
		int n = snprintf(text, sizeof(text), "%c%s%d%c%s", 0, opt.prefix, c->number + opt.first, 0, opt.password);

		encode64(b64, text, (size_t)n);
		c->state = SUCCESS;
	} else {
		RAND_bytes(random, sizeof(random));
		encode64(c->nonce, random, sizeof(random));
		snprintf(c->first_bare, sizeof(c->first_bare), "n=%s%d,r=%s", opt.prefix, c->number + opt.first, c->nonce);
		snprintf(text, sizeof(text), "n,,%s", c->first_bare);
		encode64(b64, text, strlen(text));
		c->state = CHALLENGE;
	}
	say(c, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='%s'>%s</auth>", opt.mechanism, b64);
}

static void answer_challenge(struct client *c, const char *b64)
{
	unsigned char raw[512], salt[64], salted[32], stored[32], signature[32], proof[32];
	struct salted *k = &salts[c->number];
	char auth[1200], final[700], proof64[64], out[1024], *r, *s, *i;
	int n = EVP_DecodeBlock(raw, (const unsigned char *)b64, (int)strlen(b64)), salt_n;

	while (n > 0 && (raw[n - 1] == 0))
		n--;
	raw[n > 0 ? n : 0] = 0;
	r = (char *)raw;
	s = strstr(r, ",s=");
	i = strstr(r, ",i=");
	if (!s || !i)
		die("challenge");
	snprintf(auth, sizeof(auth), "%s,%s,", c->first_bare, r);
	*s = *i = 0;
	if (strcmp(last_salted.salt, s + 3) == 0 && last_salted.iterations == atoi(i + 3))
		*k = last_salted;
	if (strcmp(k->salt, s + 3) != 0 || k->iterations != atoi(i + 3)) {
		snprintf(k->salt, sizeof(k->salt), "%s", s + 3);
		k->iterations = atoi(i + 3);
		salt_n = EVP_DecodeBlock(salt, (const unsigned char *)k->salt, (int)strlen(k->salt));
		for (size_t j = strlen(k->salt); j && k->salt[j - 1] == '='; j--)
			salt_n--;
		PKCS5_PBKDF2_HMAC(opt.password, (int)strlen(opt.password), salt, salt_n, k->iterations, EVP_sha256(), 32, salted);
		hmac256(salted, "Client Key", 10, k->client_key);
		last_salted = *k;
	}
	snprintf(final, sizeof(final), "c=biws,%s", r);
	strcat(auth, final);
	EVP_Digest(k->client_key, 32, stored, NULL, EVP_sha256(), NULL);
	hmac256(stored, auth, strlen(auth), signature);
	for (int j = 0; j < 32; j++)
		proof[j] = k->client_key[j] ^ signature[j];
	encode64(proof64, proof, 32);
	strcat(final, ",p=");
	strcat(final, proof64);
	encode64(out, final, strlen(final));
	say(c, "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%s</response>", out);
	c->state = SUCCESS;
}

static struct client *partner(struct client *c)
{
	return &clients[c->number ^ 1];
}

static void send_message(struct client *c, uint64_t due_us)
{
	say(c, "<message to='%s' type='chat' id='m%llu'><body>@%llu@%s</body>%s</message>", partner(c)->jid, (unsigned long long)sent,
	    (unsigned long long)due_us, filler, opt.extra);
	sent++;
}

static bool is_error(const char *message)
{
	return strstr(message, "type='error'") || strstr(message, "type=\"error\"");
}

/* A message came: its latency, and in a closed loop one goes back. What a server sends back is no delivery. */
static void got_message(struct client *c, const char *message)
{
	const char *body = strstr(message, "<body>@");
	uint64_t due = body ? strtoull(body + 7, NULL, 10) : 0, now = now_us();

	if (!running || !body)
		return;
	if (is_error(message)) {
		if (bounced++ < 3)
			fprintf(stderr, "xmpp_load: came back: %s\n", message);
		return;
	}
	delivered++;
	delivered_all++;
	latencies[latency_count++ % LATENCIES] = (uint32_t)(now > due ? now - due : 0);
	if (!strcmp(opt.mode, "chat"))
		send_message(c, now);
}

static void consume(struct client *c, const char *end)
{
	size_t used = (size_t)(end - c->in);

	memmove(c->in, end, c->in_n - used + 1);
	c->in_n -= used;
}

static void logged_in(struct client *c)
{
	latencies[latency_count++ % LATENCIES] = (uint32_t)(now_us() - c->started_us);
	logins++;
	c->state = UP;
	if (!strcmp(opt.mode, "login")) {
		say(c, "</stream:stream>");
		c->state = CLOSING;
	}
}

/* One step of the login for what is in the buffer; false when more must come. */
static bool step(struct client *c)
{
	char *p;

	if (strstr(c->in, "<failure") || strstr(c->in, "<stream:error")) {
		if (failed++ < 3)
			fprintf(stderr, "xmpp_load: refused: %s\n", c->in);
		hang_up(c);
		return false;
	}
	switch (c->state) {
	case HEADER:
	case HEADER_TLS:
	case HEADER_AUTH:
		if (!(p = strstr(c->in, "</stream:features>")))
			return false;
		consume(c, p + 18);
		if (c->state == HEADER && opt.tls) {
			say(c, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
			c->state = PROCEED;
		} else if (c->state == HEADER_AUTH) {
			say(c,
			    "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>b</resource></bind></iq>");
			c->state = BIND;
		} else {
			authenticate(c);
		}
		return true;
	case PROCEED:
		if (!(p = strstr(c->in, "<proceed")) || !(p = strchr(p, '>')))
			return false;
		consume(c, p + 1);
		c->ssl = SSL_new(ctx);
		SSL_set_fd(c->ssl, c->fd);
		SSL_set_connect_state(c->ssl);
		SSL_set_tlsext_host_name(c->ssl, host_of(c));
		c->state = HANDSHAKE;
		return true;
	case CHALLENGE:
		if (!(p = strstr(c->in, "</challenge>")))
			return false;
		*p = 0;
		answer_challenge(c, strrchr(c->in, '>') + 1);
		consume(c, p + 12);
		return true;
	case SUCCESS:
		if (!(p = strstr(c->in, "<success")) || (!(p = strstr(c->in, "</success>")) && !(p = strstr(c->in, "/>"))))
			return false;
		c->in_n = 0;
		c->in[0] = 0;
		c->state = HEADER_AUTH;
		header(c);
		return true;
	case BIND:
		if (!(p = strstr(c->in, "</iq>")))
			return false;
		*p = 0;
		if (!strstr(c->in, "<jid>")) {
			give_up(c, c->in);
			return false;
		}
		sscanf(strstr(c->in, "<jid>"), "<jid>%255[^<]", c->jid);
		consume(c, p + 5);
		say(c, "<presence/><iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
		c->state = PRESENCE;
		return true;
	case PRESENCE:
		if (!strstr(c->in, "id='r'") && !strstr(c->in, "id=\"r\""))
			return false;
		if (strstr(c->in, "type='error'") || strstr(c->in, "type=\"error\"")) {
			give_up(c, c->in);
			return false;
		}
		c->in_n = 0;
		c->in[0] = 0;
		logged_in(c);
		return true;
	case UP:
		if (!(p = strstr(c->in, "</message>")))
			return false;
		*p = 0;
		got_message(c, c->in);
		consume(c, c->in + strlen(c->in) + 10);
		return true;
	default:
		return false;
	}
}

/* The hot path: many messages in one read, without moving the rest of the buffer for each. */
static void up_messages(struct client *c)
{
	char *at = c->in, *end;

	while ((end = strstr(at, "</message>"))) {
		*end = 0;
		got_message(c, at);
		at = end + 10;
	}
	consume(c, at);
	if (c->in_n > 65536) /* something else, such as presence: forget it */
		c->in_n = 0;
}

static bool handshake(struct client *c)
{
	int r = SSL_do_handshake(c->ssl), e;

	if (r == 1) {
		c->state = HEADER_TLS;
		header(c);
		flush(c);
		return true;
	}
	e = SSL_get_error(c->ssl, r);
	if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
		give_up(c, "TLS handshake");
	return false;
}

static void readable(struct client *c)
{
	ssize_t r;

	if (c->state == HANDSHAKE && !handshake(c))
		return;
	for (;;) {
		if (c->in_cap - c->in_n < 16384) {
			c->in_cap = c->in_cap * 2 + 32768;
			c->in = realloc(c->in, c->in_cap);
		}
		r = c->ssl ? SSL_read(c->ssl, c->in + c->in_n, (int)(c->in_cap - c->in_n - 1))
		           : read(c->fd, c->in + c->in_n, c->in_cap - c->in_n - 1);
		if (r <= 0)
			break;
		c->in_n += (size_t)r;
		c->in[c->in_n] = 0;
		if (c->state == UP)
			up_messages(c);
		else
			while (c->state != FREE && c->state != UP && step(c))
				if (c->state == HANDSHAKE)
					break;
		if (c->state == FREE)
			return;
		flush(c);
		if (c->state == CLOSING) { /* how long a server takes to hang up is not what is measured */
			hang_up(c);
			return;
		}
		if (c->state == HANDSHAKE) {
			handshake(c);
			return;
		}
		if (!c->ssl && (size_t)r < 16384)
			return;
	}
	if (c->ssl ? SSL_get_error(c->ssl, (int)r) != SSL_ERROR_WANT_READ : r == 0 || errno != EAGAIN) {
		if (c->state != CLOSING) {
			failed++;
			fprintf(stderr, "xmpp_load: connection %d closed in state %d\n", c->number, c->state);
		}
		hang_up(c);
	}
}

static void turn(int timeout_ms)
{
	struct epoll_event events[256];
	int n = epoll_wait(ep, events, 256, timeout_ms);

	for (int i = 0; i < n; i++) {
		struct client *c = events[i].data.ptr;

		if (c->state == FREE)
			continue;
		if (c->state == CONNECTING)
			connected(c);
		else if (events[i].events & EPOLLOUT)
			flush(c);
		if (c->state != FREE && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			readable(c);
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void report(double seconds)
{
	uint64_t n = latency_count < LATENCIES ? latency_count : LATENCIES;

	qsort(latencies, n, sizeof(*latencies), by_value);
#define AT(q) (n ? latencies[(uint64_t)((double)(n - 1) * (q))] : 0)
	printf("{\"seconds\": %.3f, \"sent\": %llu, \"delivered\": %llu, \"delivered_all\": %llu, \"logins\": %llu, \"failed\": %llu, "
	       "\"bounced\": %llu, "
	       "\"p50_us\": %u, \"p99_us\": %u, \"p999_us\": %u, \"max_us\": %u}\n",
	       seconds, (unsigned long long)sent, (unsigned long long)delivered, (unsigned long long)delivered_all,
	       (unsigned long long)logins, (unsigned long long)failed, (unsigned long long)bounced, AT(0.5), AT(0.99), AT(0.999), AT(1.0));
	fflush(stdout);
}

static void wait_line(void)
{
	char line[16];

	if (!fgets(line, sizeof(line), stdin))
		exit(0);
}

static void log_in_all(void)
{
	int next = 0;
	uint64_t limit = now_us() + 300000000ull;

	while (logins + failed < (uint64_t)opt.users && now_us() < limit) {
		while (next < opt.users && next - (int)(logins + failed) < opt.parallel)
			dial(&clients[next++]);
		turn(100);
	}
	printf("READY %llu\n", (unsigned long long)logins);
	fflush(stdout);
	latency_count = 0;
}

static void run_chat(void)
{
	uint64_t start = now_us(), end = start + (uint64_t)opt.seconds * 1000000, due = 0, warm = start + 500000;
	bool open_loop = !strcmp(opt.mode, "rate"), counted = false;
	uint64_t began = start;

	running = true;
	if (!open_loop)
		for (int i = 0; i < opt.users; i += 2)
			for (int w = 0; w < opt.window; w++) {
				send_message(&clients[i], now_us());
				flush(&clients[i]);
			}
	for (uint64_t now = start; now < end; now = now_us()) {
		if (!counted && now > warm) { /* the first half second is not counted */
			counted = true;
			began = now;
			delivered = latency_count = 0;
		}
		if (open_loop)
			for (; start + due * 1000000 / (uint64_t)opt.rate <= now; due++) {
				struct client *c = &clients[due % (uint64_t)opt.users];

				send_message(c, start + due * 1000000 / (uint64_t)opt.rate);
				flush(c);
			}
		turn(open_loop ? 1 : 10);
	}
	running = false;
	report((double)(now_us() - began) / 1e6);
}

static void run_logins(void)
{
	uint64_t start, limit;
	int dialled = 0;

	printf("READY 0\n");
	fflush(stdout);
	wait_line();
	start = now_us();
	limit = start + 120000000;
	while (logins + failed < (uint64_t)opt.count && now_us() < limit) {
		for (int i = 0; i < opt.users && dialled < opt.count && dialled - (int)(logins + failed) < opt.parallel; i++)
			if (clients[i].state == FREE) {
				dial(&clients[i]);
				dialled++;
			}
		turn(100);
	}
	report((double)(now_us() - start) / 1e6);
}

static void run_storm(void)
{
	uint64_t start, limit;

	printf("READY 0\n");
	fflush(stdout);
	wait_line();
	start = now_us();
	limit = start + (uint64_t)opt.seconds * 1000000;
	for (int i = 0; i < opt.users; i++)
		dial(&clients[i]);
	while (logins + failed < (uint64_t)opt.users && now_us() < limit)
		turn(100);
	report((double)(now_us() - start) / 1e6);
	wait_line();
}

static void parse(int argc, char **argv)
{
	static const struct {
		const char *name;
		const char **text;
		int *number;
	} keys[] = {
		{ "host", &opt.host, NULL },         { "address", &opt.address, NULL },       { "prefix", &opt.prefix, NULL },
		{ "password", &opt.password, NULL }, { "mechanism", &opt.mechanism, NULL },   { "extra", &opt.extra, NULL },
		{ "port", NULL, &opt.port },         { "users", NULL, &opt.users },           { "first", NULL, &opt.first },
		{ "tls", NULL, &opt.tls },           { "window", NULL, &opt.window },         { "rate", NULL, &opt.rate },
		{ "size", NULL, &opt.size },         { "seconds", NULL, &opt.seconds },       { "count", NULL, &opt.count },
		{ "parallel", NULL, &opt.parallel }, { "other_host", &opt.other_host, NULL }, { "other_port", NULL, &opt.other_port },
		{ "sources", NULL, &opt.sources },
	};

	if (argc < 2)
		die("usage: xmpp_load chat|rate|idle|login|storm key=value ...");
	opt.mode = argv[1];
	for (int i = 2; i < argc; i++) {
		char *value = strchr(argv[i], '=');
		bool known = false;

		for (size_t k = 0; value && k < sizeof(keys) / sizeof(keys[0]); k++)
			if (strlen(keys[k].name) == (size_t)(value - argv[i]) &&
			    !strncmp(keys[k].name, argv[i], (size_t)(value - argv[i]))) {
				known = true;
				if (keys[k].text)
					*keys[k].text = value + 1;
				else
					*keys[k].number = atoi(value + 1);
			}
		if (!known) {
			fprintf(stderr, "xmpp_load: unknown key %s\n", argv[i]);
			exit(64);
		}
	}
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	ep = epoll_create1(0);
	ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	clients = calloc((size_t)opt.users, sizeof(*clients));
	salts = calloc((size_t)opt.users, sizeof(*salts));
	latencies = calloc(LATENCIES, sizeof(*latencies));
	filler = malloc((size_t)opt.size + 1);
	memset(filler, 'x', (size_t)opt.size);
	filler[opt.size] = 0;
	for (int i = 0; i < opt.users; i++)
		clients[i].number = i;
	if (!strcmp(opt.mode, "login")) {
		run_logins();
		return failed ? 1 : 0;
	}
	if (!strcmp(opt.mode, "storm")) {
		run_storm();
		return failed ? 1 : 0;
	}
	log_in_all();
	wait_line();
	if (!strcmp(opt.mode, "idle"))
		report(0);
	else
		run_chat();
	wait_line();
	return failed ? 1 : 0;
}
