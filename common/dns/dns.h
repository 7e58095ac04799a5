/* SPDX-License-Identifier: Apache-2.0
 *
 * dns: questions to the DNS without waiting (c-ares on the loop), with a cache. Questions for the same name and type that are under way together are
 * asked once. The owner of the name in an answer is checked, the answer itself is not (no DNSSEC): what it leads to has to prove itself.
 *
 * A question (struct dns_query) is embedded in whoever asks. Its function runs exactly once for each dns_ask, never before dns_ask has returned and never
 * from within c-ares, unless dns_cancel comes first. */
#ifndef COMMON_DNS_DNS_H
#define COMMON_DNS_DNS_H

#include "common/base/err.h"
#include "common/dns/dns_result.h"
#include "common/net/loop.h"

struct dns;

/* 0 stands for what the comment says. */
struct dns_config {
	const char *servers;    /* "192.0.2.53, 127.0.0.1:5353, [2001:db8::1]:53"; NULL or "": what /etc/resolv.conf says at dns_new */
	uint32_t timeout_ms;    /* of a server's first try, 100 to 60,000; the next one has twice that. 2000 */
	uint32_t tries;         /* of each server, 1 to 10. 2 */
	uint32_t max_queries;   /* under way at once. 1024 */
	uint32_t cache_entries; /* 2048 */
	uint32_t cache_bytes;   /* 4 MiB */
	uint32_t cache_age_s;   /* no TTL counts as more. 3600 */
};

struct dns_stats {
	uint64_t asked;  /* dns_ask */
	uint64_t cached; /* answered by the cache */
	uint64_t shared; /* answered by a question under way */
	uint64_t sent;   /* given to c-ares */
	uint64_t failed; /* of these, without an answer */
};

struct dns_query {
	struct list_node node;                                       /* in the waiting of what is under way, or among the answered */
	struct dns_result *result;                                   /* while among the answered */
	void (*fn)(struct dns_query *q, const struct dns_result *r); /* r lasts until fn returns */
};

/* NULL with e set when servers or figures are not what they have to be. */
struct dns *dns_new(struct net_loop *loop, const struct dns_config *config, struct err *e);
/* Runs what waits with DNS_CANCELLED; what these functions ask is refused. The memory goes when libuv has closed the handles. May be called from a
 * query's function. */
void dns_free(struct dns **d);

void dns_query_init(struct dns_query *q, void (*fn)(struct dns_query *q, const struct dns_result *r));
/* name: A-labels and underscores, see dns_name_from; else DNS_BAD_NAME. q must not wait already. False, and nothing is called, only while dns_free runs. */
bool dns_ask(struct dns *d, struct dns_query *q, const char *name, enum dns_type type);
/* Nothing is called any more. What is under way goes on, for the cache. Does nothing to a query that does not wait. */
void dns_cancel(struct dns_query *q);
/* Nothing that was answered so far counts any more. */
void dns_forget(struct dns *d);
const struct dns_stats *dns_stats(const struct dns *d);

#endif
