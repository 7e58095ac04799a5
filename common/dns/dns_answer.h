/* SPDX-License-Identifier: Apache-2.0
 *
 * dns_answer: the bytes of an answer (RFC 1035 section 4) as records. Own code, since c-ares 1.18 gives no TTL of an SRV record, no SOA beside a "no", and
 * takes records of any owner. */
#ifndef COMMON_DNS_DNS_ANSWER_H
#define COMMON_DNS_DNS_ANSWER_H

#include "common/base/str.h"
#include "common/dns/dns_result.h"

/* message answers the question for records of `type` that `name` owns, name as dns_name.h has it. CNAME records within the message are followed.
 * Always gives a result, which the caller owns: DNS_OK, DNS_NO_NAME, DNS_NO_DATA, DNS_REFUSED, or DNS_MALFORMED. */
struct dns_result *dns_answer_read(struct str message, const char *name, enum dns_type type);

#endif
