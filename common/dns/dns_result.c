/* SPDX-License-Identifier: Apache-2.0 */
#include "common/dns/dns_result.h"

#include "common/base/mem.h"

static const struct {
	const char *text;
	uint32_t ttl_s;
	bool answer;
} codes[DNS_CODE_COUNT] = {
	[DNS_OK] = { "found", 0, true },
	[DNS_NO_NAME] = { "no such name", DNS_NEGATIVE_S, true },
	[DNS_NO_DATA] = { "no such records", DNS_NEGATIVE_S, true },
	[DNS_REFUSED] = { "the DNS servers refuse, fail or cannot be reached", DNS_FAILURE_S, false },
	[DNS_TIMEOUT] = { "the DNS servers do not answer", DNS_FAILURE_S, false },
	[DNS_MALFORMED] = { "malformed answer", DNS_FAILURE_S, false },
	[DNS_BAD_NAME] = { "not a name", 0, false },
	[DNS_BUSY] = { "too many DNS queries", 0, false },
	[DNS_CANCELLED] = { "cancelled", 0, false },
};

static struct dns_result *make(enum dns_type type, enum dns_code code, uint32_t ttl_s, size_t count)
{
	struct dns_result *r = mem_new(struct dns_result);

	r->type = type;
	r->code = code;
	r->ttl_s = ttl_s;
	r->count = count;
	r->refs = 1;
	r->bytes = sizeof(*r);
	return r;
}

struct dns_result *dns_result_without(enum dns_type type, enum dns_code code)
{
	return make(type, code, codes[code].ttl_s, 0);
}

struct dns_result *dns_result_addrs(enum dns_type type, uint32_t ttl_s, const struct net_addr *addrs, size_t count)
{
	struct dns_result *r = make(type, DNS_OK, ttl_s, count);

	r->addrs = mem_memdup(addrs, count * sizeof(*addrs));
	r->bytes += count * sizeof(*addrs);
	return r;
}

struct dns_result *dns_result_srvs(uint32_t ttl_s, const struct dns_srv *srvs, size_t count)
{
	struct dns_result *r = make(DNS_SRV, DNS_OK, ttl_s, count);

	r->srvs = mem_memdup(srvs, count * sizeof(*srvs));
	r->bytes += count * sizeof(*srvs);
	for (size_t i = 0; i < count; i++) {
		r->srvs[i].target = mem_strdup(srvs[i].target);
		r->bytes += strlen(srvs[i].target) + 1;
	}
	return r;
}

struct dns_result *dns_result_ref(struct dns_result *r)
{
	r->refs++;
	return r;
}

void dns_result_unref(struct dns_result **r)
{
	struct dns_result *it = *r;

	*r = NULL;
	if (!it || --it->refs > 0)
		return;
	if (it->type == DNS_SRV) {
		for (size_t i = 0; i < it->count; i++)
			mem_free((char *)it->srvs[i].target);
		mem_free(it->srvs);
	} else {
		mem_free(it->addrs);
	}
	mem_free(it);
}

bool dns_code_is_answer(enum dns_code code)
{
	return codes[code].answer;
}

const char *dns_code_text(enum dns_code code)
{
	return codes[code].text;
}
