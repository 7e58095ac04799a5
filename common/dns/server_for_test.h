/* SPDX-License-Identifier: Apache-2.0
 *
 * server_for_test: a DNS server on the loop of a unit test, UDP and TCP on one port of 127.0.0.1, which misbehaves where the test wants it. */
#ifndef COMMON_DNS_SERVER_FOR_TEST_H
#define COMMON_DNS_SERVER_FOR_TEST_H

#include <uv.h>

#include "common/base/mem.h"
#include "common/dns/answer_for_test.h"
#include "common/dns/dns_name.h"

enum manner { WELL, SILENT, CUT, WRONG_ID, WRONG_QUESTION, GARBAGE, SERVFAIL, REFUSED, HUGE_ANSWER };

struct test_rule {
	const char *name;
	enum manner manner;
};

struct test_server {
	uv_loop_t *loop;
	uv_udp_t udp;
	uv_tcp_t tcp;
	char address[32]; /* for dns_config.servers */
	const struct test_record *records;
	size_t record_n;
	const struct test_rule *rules;
	size_t rule_n;
	unsigned asked, asked_by_tcp;
	struct message m;
	char in[2048];
};

struct test_peer {
	uv_tcp_t tcp;
	struct test_server *s;
	char in[2048];
	size_t n;
};

struct test_write {
	uv_write_t write;
	char out[];
};

static inline enum manner test_manner(const struct test_server *s, const char *name)
{
	for (size_t i = 0; i < s->rule_n; i++) {
		if (strcmp(s->rules[i].name, name) == 0)
			return s->rules[i].manner;
	}
	return WELL;
}

static inline void test_answer_well(struct test_server *s, unsigned id, const char *name, unsigned type)
{
	const char *owner = name;
	bool exists = false, found = false;
	unsigned hops = 0;

	message_begin(&s->m, id, FLAGS_ANSWER, name, type);
	for (size_t i = 0; i < s->record_n; i++) {
		const struct test_record *r = &s->records[i];

		if (strcmp(r->owner, owner) != 0)
			continue;
		exists = true;
		if (r->type == type) {
			message_add(&s->m, r);
			found = true;
		} else if (r->type == TEST_CNAME && hops++ < 20) {
			message_add(&s->m, r);
			owner = r->data;
			i = (size_t)-1;
		}
	}
	if (!exists)
		set16(&s->m, 2, FLAGS_NXDOMAIN);
	if (!found)
		message_add(&s->m, &(struct test_record){ "example", TEST_SOA, 120, "60" });
}

static inline void test_answer_huge(struct test_server *s, unsigned id, const char *name, unsigned type)
{
	char data[64];

	message_begin(&s->m, id, FLAGS_ANSWER, name, type);
	for (unsigned i = 0; s->m.n < 65000; i++) {
		snprintf(data, sizeof(data), "%u 0 5269 h%u.example", i % 3, i);
		message_add(&s->m, &(struct test_record){ name, DNS_SRV, 60, data });
	}
}

/* Fills s->m; false: no answer. */
static inline bool test_answer(struct test_server *s, const char *in, size_t n, bool tcp)
{
	unsigned id = (unsigned)((uint8_t)in[0] << 8 | (uint8_t)in[1]), type;
	char name[DNS_NAME_MAX + 1];
	enum manner manner;
	size_t at;

	if (!dns_name_read(str_make(in, n), 12, name, &at) || at + 4 > n)
		abort();
	type = (unsigned)((uint8_t)in[at] << 8 | (uint8_t)in[at + 1]);
	s->asked++;
	s->asked_by_tcp += tcp;
	manner = test_manner(s, name);
	if (manner == SILENT)
		return false;
	test_answer_well(s, id, name, type);
	if (manner == HUGE_ANSWER)
		test_answer_huge(s, id, name, type);
	if (!tcp && (manner == CUT || manner == HUGE_ANSWER))
		message_begin(&s->m, id, FLAGS_CUT, name, type);
	else if (manner == WRONG_ID)
		set16(&s->m, 0, id ^ 1);
	else if (manner == WRONG_QUESTION)
		test_answer_well(s, id, "other.example", type);
	else if (manner == GARBAGE)
		memset(s->m.p + at + 4, 0xc3, s->m.n - at - 4), set16(&s->m, 6, 9);
	else if (manner == SERVFAIL || manner == REFUSED)
		message_begin(&s->m, id, manner == REFUSED ? FLAGS_REFUSED : FLAGS_SERVFAIL, name, type);
	return true;
}

static inline void test_udp_alloc(uv_handle_t *h, size_t n, uv_buf_t *out)
{
	struct test_server *s = h->data;

	(void)n;
	*out = uv_buf_init(s->in, sizeof(s->in));
}

static inline void test_on_udp(uv_udp_t *h, ssize_t n, const uv_buf_t *in, const struct sockaddr *from, unsigned flags)
{
	struct test_server *s = h->data;

	(void)flags;
	if (n <= 0 || !from || !test_answer(s, in->base, (size_t)n, false))
		return;
	uv_buf_t out = uv_buf_init((char *)s->m.p, (unsigned)s->m.n);
	uv_udp_try_send(h, &out, 1, from);
}

static inline void test_peer_closed(uv_handle_t *h)
{
	mem_free(h->data);
}

static inline void test_peer_alloc(uv_handle_t *h, size_t n, uv_buf_t *out)
{
	struct test_peer *p = h->data;

	(void)n;
	*out = uv_buf_init(p->in + p->n, (unsigned)(sizeof(p->in) - p->n));
}

static inline void test_peer_wrote(uv_write_t *w, int status)
{
	(void)status;
	mem_free(w->data);
}

static inline void test_peer_send(struct test_peer *p)
{
	struct test_write *w = mem_alloc(sizeof(*w) + p->s->m.n + 2);
	uv_buf_t out = uv_buf_init(w->out, (unsigned)p->s->m.n + 2);

	w->write.data = w;
	w->out[0] = (char)(p->s->m.n >> 8);
	w->out[1] = (char)p->s->m.n;
	memcpy(w->out + 2, p->s->m.p, p->s->m.n);
	uv_write(&w->write, (uv_stream_t *)&p->tcp, &out, 1, test_peer_wrote);
}

static inline void test_on_peer(uv_stream_t *h, ssize_t n, const uv_buf_t *in)
{
	struct test_peer *p = h->data;

	(void)in;
	if (n < 0) {
		uv_close((uv_handle_t *)h, test_peer_closed);
		return;
	}
	p->n += (size_t)n;
	while (p->n >= 2) {
		size_t size = 2u + (size_t)((uint8_t)p->in[0] << 8 | (uint8_t)p->in[1]);

		if (p->n < size)
			return;
		if (test_answer(p->s, p->in + 2, size - 2, true))
			test_peer_send(p);
		p->n -= size;
		memmove(p->in, p->in + size, p->n);
	}
}

static inline void test_on_tcp(uv_stream_t *server, int status)
{
	struct test_peer *p = mem_new(struct test_peer);

	(void)status;
	p->s = server->data;
	p->tcp.data = p;
	uv_tcp_init(p->s->loop, &p->tcp);
	if (uv_accept(server, (uv_stream_t *)&p->tcp) < 0)
		abort();
	uv_read_start((uv_stream_t *)&p->tcp, test_peer_alloc, test_on_peer);
}

/* A port that is free for both; another program may take one of them between. */
static inline void test_server_start(struct test_server *s, uv_loop_t *loop)
{
	struct sockaddr_in a;
	int n = sizeof(a);

	s->loop = loop;
	s->udp.data = s->tcp.data = s;
	for (int tries = 0;; tries++) {
		uv_tcp_init(loop, &s->tcp);
		uv_udp_init(loop, &s->udp);
		uv_ip4_addr("127.0.0.1", 0, &a);
		if (uv_tcp_bind(&s->tcp, (const struct sockaddr *)&a, 0) < 0 ||
		    uv_tcp_getsockname(&s->tcp, (struct sockaddr *)&a, &n) < 0 || tries == 20)
			abort();
		if (uv_udp_bind(&s->udp, (const struct sockaddr *)&a, 0) == 0)
			break;
		uv_close((uv_handle_t *)&s->tcp, NULL);
		uv_close((uv_handle_t *)&s->udp, NULL);
		uv_run(loop, UV_RUN_NOWAIT);
	}
	snprintf(s->address, sizeof(s->address), "127.0.0.1:%u", ntohs(a.sin_port));
	if (uv_listen((uv_stream_t *)&s->tcp, 16, test_on_tcp) < 0 || uv_udp_recv_start(&s->udp, test_udp_alloc, test_on_udp) < 0)
		abort();
}

static inline void test_server_stop(struct test_server *s)
{
	uv_close((uv_handle_t *)&s->tcp, NULL);
	uv_close((uv_handle_t *)&s->udp, NULL);
}

#endif
