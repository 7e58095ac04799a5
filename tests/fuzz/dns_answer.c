/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: what a DNS server answers. The first byte chooses what was asked for, the rest is the message; the question is taken from it, so that it
 * is an answer to us. What is accepted is within its limits, comes out of the cache as it went in, and makes a list of targets that can be asked for. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/dns/dns_answer.h"
#include "common/dns/dns_cache.h"
#include "common/dns/dns_name.h"
#include "common/dns/srv.h"

#define QUESTION_AT 12u
#define MAX_AGE_S   3600u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_result(const struct dns_result *r)
{
	require(r->code <= DNS_MALFORMED && r->code != DNS_TIMEOUT && r->count <= DNS_RECORDS_MAX && (r->code == DNS_OK) == (r->count > 0));
	require(r->code == DNS_OK || r->ttl_s <= DNS_NEGATIVE_MAX_S);
	for (size_t i = 0; i < r->count && r->type == DNS_SRV; i++) {
		const char *target = r->srvs[i].target;
		char clean[DNS_NAME_MAX + 1];

		require(!target[0] || (dns_name_from(str_from(target), clean) && strcmp(clean, target) == 0));
	}
}

static void check_cache(const char *name, struct dns_result *r)
{
	struct dns_cache *c = dns_cache_new(1, 1u << 20, MAX_AGE_S);
	uint64_t ttl_s = r->ttl_s < MAX_AGE_S ? r->ttl_s : MAX_AGE_S;

	dns_cache_put(c, name, r, 0);
	require(dns_cache_get(c, name, r->type, 0) == (ttl_s ? r : NULL));
	require(!dns_cache_get(c, name, r->type, ttl_s * 1000));
	dns_cache_put(c, name, r, 0);
	dns_cache_free(&c);
}

/* Chance that the input decides. */
static uint32_t chance(void *ctx, uint32_t below)
{
	uint32_t *x = ctx;

	require(below > 0);
	*x = *x * 1664525u + 1013904223u;
	return *x % below;
}

static void check_merge(const struct dns_result *r, uint32_t seed)
{
	struct dns_result *none = dns_result_without(DNS_SRV, DNS_NO_DATA);
	struct srv_list list;

	for (int way = 0; way < 3; way++) {
		srv_merge(way == 1 ? none : r, way == 2 ? none : r, chance, &seed, &list);
		require(list.said == (r->count > 0) && list.count <= SRV_TARGETS_MAX);
		for (size_t i = 0; i < list.count; i++) {
			require(list.targets[i].host[0] && list.targets[i].port);
			require(i == 0 || list.targets[i - 1].priority <= list.targets[i].priority);
		}
	}
	dns_result_unref(&none);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_SRV };
	char name[DNS_NAME_MAX + 1], *copy;
	struct dns_result *r;
	struct str message;
	size_t after;

	if (size < 1)
		return 0;
	/* In memory of exactly its size, so that a read behind it is seen. */
	copy = mem_memdup(data + 1, size - 1);
	message = str_make(copy, size - 1);
	if (!dns_name_read(message, QUESTION_AT, name, &after) || !dns_name_usable(name))
		memcpy(name, "example.org", sizeof("example.org"));
	r = dns_answer_read(message, name, types[data[0] % 3]);
	check_result(r);
	check_cache(name, r);
	if (r->type == DNS_SRV)
		check_merge(r, (uint32_t)size);
	dns_result_unref(&r);
	mem_free(copy);
	return 0;
}
