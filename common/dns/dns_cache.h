/* SPDX-License-Identifier: Apache-2.0
 *
 * dns_cache: results by name and type for as long as their TTL says. Bounded in entries, in bytes and in age: what was used longest ago goes first.
 * Times are the caller's monotonic milliseconds. */
#ifndef COMMON_DNS_DNS_CACHE_H
#define COMMON_DNS_DNS_CACHE_H

#include "common/dns/dns_result.h"

struct dns_cache;

struct dns_cache *dns_cache_new(size_t max_entries, size_t max_bytes, uint32_t max_age_s);
void dns_cache_free(struct dns_cache **c);
/* NULL when there is none that still holds. The cache's reference: take one of your own to keep it. name as dns_name.h has it. */
struct dns_result *dns_cache_get(struct dns_cache *c, const char *name, enum dns_type type, uint64_t now_ms);
/* Takes a reference of its own, in place of what it had. What has no time to live is not kept. */
void dns_cache_put(struct dns_cache *c, const char *name, struct dns_result *r, uint64_t now_ms);
void dns_cache_clear(struct dns_cache *c);
size_t dns_cache_count(const struct dns_cache *c);
size_t dns_cache_bytes(const struct dns_cache *c);

#endif
