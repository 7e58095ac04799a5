/* SPDX-License-Identifier: Apache-2.0
 *
 * answer_for_test: DNS messages, written. For unit tests. */
#ifndef COMMON_DNS_ANSWER_FOR_TEST_H
#define COMMON_DNS_ANSWER_FOR_TEST_H

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/dns/dns_result.h"

#define FLAGS_ANSWER   0x8180u
#define FLAGS_NXDOMAIN 0x8183u
#define FLAGS_SERVFAIL 0x8182u
#define FLAGS_REFUSED  0x8185u
#define FLAGS_CUT      0x8380u

enum { TEST_CNAME = 5, TEST_SOA = 6 };

struct message {
	uint8_t p[65535];
	size_t n;
};

/* data: "192.0.2.1", "2001:db8::1", "10 5 5269 xmpp.example.org", "other.example.org", or for an SOA its last field. */
struct test_record {
	const char *owner;
	uint16_t type;
	uint32_t ttl_s;
	const char *data;
};

static inline void put16(struct message *m, unsigned v)
{
	m->p[m->n++] = (uint8_t)(v >> 8);
	m->p[m->n++] = (uint8_t)v;
}

static inline void put32(struct message *m, uint32_t v)
{
	put16(m, v >> 16);
	put16(m, v & 0xffff);
}

static inline void put_name(struct message *m, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		m->p[m->n++] = (uint8_t)n;
		memcpy(m->p + m->n, name, n);
		m->n += n;
		name += n + (name[n] == '.');
	}
	m->p[m->n++] = 0;
}

static inline void set16(struct message *m, size_t at, unsigned v)
{
	m->p[at] = (uint8_t)(v >> 8);
	m->p[at + 1] = (uint8_t)v;
}

/* A header and a question. */
static inline void message_begin(struct message *m, unsigned id, unsigned flags, const char *name, unsigned type)
{
	m->n = 0;
	put16(m, id);
	put16(m, flags);
	put16(m, 1);
	put16(m, 0);
	put32(m, 0);
	put_name(m, name);
	put16(m, type);
	put16(m, 1);
}

static inline void put_data(struct message *m, const struct test_record *r)
{
	unsigned priority, weight, port;
	char target[256] = "";

	if (r->type == DNS_A || r->type == DNS_AAAA) {
		if (inet_pton(r->type == DNS_A ? AF_INET : AF_INET6, r->data, m->p + m->n) != 1)
			abort();
		m->n += r->type == DNS_A ? 4 : 16;
	} else if (r->type == DNS_SRV) {
		if (sscanf(r->data, "%u %u %u %255s", &priority, &weight, &port, target) < 3)
			abort();
		put16(m, priority);
		put16(m, weight);
		put16(m, port);
		put_name(m, strcmp(target, ".") == 0 ? "" : target);
	} else if (r->type == TEST_SOA) {
		put_name(m, "ns.example");
		put_name(m, "admin.example");
		for (int i = 0; i < 4; i++)
			put32(m, 1);
		put32(m, (uint32_t)strtoul(r->data, NULL, 10));
	} else {
		put_name(m, r->data);
	}
}

/* One more record; an SOA goes to the authority section and has to come last. */
static inline void message_add(struct message *m, const struct test_record *r)
{
	size_t count_at = r->type == TEST_SOA ? 8 : 6, length_at;

	set16(m, count_at, (unsigned)(m->p[count_at] << 8 | m->p[count_at + 1]) + 1);
	put_name(m, r->owner);
	put16(m, r->type);
	put16(m, 1);
	put32(m, r->ttl_s);
	length_at = m->n;
	put16(m, 0);
	put_data(m, r);
	set16(m, length_at, (unsigned)(m->n - length_at - 2));
}

#endif
