/* SPDX-License-Identifier: Apache-2.0
 *
 * dns_result: what one question to the DNS led to. Never changed once made, and counted, so that the cache and everybody who asked the same share it. */
#ifndef COMMON_DNS_DNS_RESULT_H
#define COMMON_DNS_DNS_RESULT_H

#include <stddef.h>
#include <stdint.h>

#include "common/net/addr.h"

/* The numbers of RFC 1035 section 3.2.2, RFC 3596 and RFC 2782. */
enum dns_type { DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33 };

enum dns_code {
	DNS_OK,
	DNS_NO_NAME,   /* the name does not exist (NXDOMAIN) */
	DNS_NO_DATA,   /* the name exists, records of that type do not */
	DNS_REFUSED,   /* the servers refuse, fail (SERVFAIL) or cannot be reached */
	DNS_TIMEOUT,   /* no server answered */
	DNS_MALFORMED, /* what was answered is no answer */
	DNS_BAD_NAME,  /* that cannot be asked for: nothing was sent */
	DNS_BUSY,      /* too many questions are under way: nothing was sent */
	DNS_CANCELLED, /* dns_free while it was under way */
	DNS_CODE_COUNT
};

#define DNS_RECORDS_MAX    64u  /* of an answer's records the first ones count */
#define DNS_NEGATIVE_S     60u  /* how long "there is none" holds when the answer does not say */
#define DNS_NEGATIVE_MAX_S 300u /* and at most */
#define DNS_FAILURE_S      5u   /* how long a failure is not asked again */

struct dns_srv {
	uint16_t priority, weight, port;
	const char *target; /* as dns_name.h has names; "" for the root, "service decidedly not available" */
};

struct dns_result {
	enum dns_code code;
	enum dns_type type; /* what was asked for */
	uint32_t ttl_s;     /* how long it holds: the smallest TTL of what it stands on; 0: for those who asked by now */
	uint32_t refs;
	size_t count; /* 0 unless DNS_OK */
	size_t bytes; /* of memory */
	union {
		struct net_addr *addrs; /* DNS_A, DNS_AAAA; port 0 */
		struct dns_srv *srvs;   /* DNS_SRV, in no order */
	};
};

/* One that holds no records, with the time that its code is kept for. The caller owns the reference. */
struct dns_result *dns_result_without(enum dns_type type, enum dns_code code);
/* Copies the records and the targets' names. count is 1 to DNS_RECORDS_MAX. */
struct dns_result *dns_result_addrs(enum dns_type type, uint32_t ttl_s, const struct net_addr *addrs, size_t count);
struct dns_result *dns_result_srvs(uint32_t ttl_s, const struct dns_srv *srvs, size_t count);
struct dns_result *dns_result_ref(struct dns_result *r);
void dns_result_unref(struct dns_result **r);
/* Whether the DNS spoke: a no is an answer, too. */
bool dns_code_is_answer(enum dns_code code);
/* For logs: "no such name". */
const char *dns_code_text(enum dns_code code);

#endif
