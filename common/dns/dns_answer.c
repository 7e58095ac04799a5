/* SPDX-License-Identifier: Apache-2.0 */
#include "common/dns/dns_answer.h"

#include "common/dns/dns_name.h"

#define HEADER_BYTES 12u
#define CLASS_IN     1u
#define TYPE_CNAME   5u
#define TYPE_SOA     6u
#define FLAG_ANSWER  0x8000u
#define FLAG_CUT     0x0200u
#define ALIASES_MAX  8u
/* Nobody needs more: it bounds what a hostile answer costs. */
#define SCANNED_MAX 512u
/* RFC 2181 section 8: a TTL with the top bit counts as 0. */
#define TTL_MAX 0x7fffffffu

enum rcode { NOERROR = 0, NXDOMAIN = 3 };

struct record {
	char owner[DNS_NAME_MAX + 1];
	uint16_t type, class;
	uint32_t ttl_s;
	size_t data, end; /* offsets in the message */
};

struct reading {
	struct str m;
	enum dns_type type;
	char wanted[DNS_NAME_MAX + 1];
	uint32_t ttl_s;
	size_t answers_at; /* where that section begins */
	uint32_t answers, authorities;
	size_t count;
	struct net_addr addrs[DNS_RECORDS_MAX];
	struct dns_srv srvs[DNS_RECORDS_MAX];
	char targets[DNS_RECORDS_MAX][DNS_NAME_MAX + 1];
};

static uint16_t u16(struct str m, size_t at)
{
	return (uint16_t)((uint8_t)m.p[at] << 8 | (uint8_t)m.p[at + 1]);
}

static uint32_t u32(struct str m, size_t at)
{
	return (uint32_t)u16(m, at) << 16 | u16(m, at + 2);
}

static bool read_record(struct str m, size_t *at, struct record *out)
{
	size_t p;

	if (!dns_name_read(m, *at, out->owner, &p) || m.n - p < 10)
		return false;
	out->type = u16(m, p);
	out->class = u16(m, p + 2);
	out->ttl_s = u32(m, p + 4);
	if (out->ttl_s > TTL_MAX)
		out->ttl_s = 0;
	out->data = p + 10;
	out->end = out->data + u16(m, p + 8);
	*at = out->end;
	return out->end <= m.n;
}

static void lower_ttl(struct reading *r, uint32_t ttl_s)
{
	if (ttl_s < r->ttl_s)
		r->ttl_s = ttl_s;
}

/* A name that fills the record's data up to its end. */
static bool read_last_name(struct str m, size_t at, size_t end, char out[DNS_NAME_MAX + 1])
{
	size_t after;

	return at < end && dns_name_read(m, at, out, &after) && after == end;
}

static bool take_addr(struct reading *r, const struct record *rec)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct net_addr *a = &r->addrs[r->count];
	size_t size = r->type == DNS_A ? 4 : 16;

	if (rec->end - rec->data != size)
		return false;
	*a = (struct net_addr){ 0 };
	memcpy(a->ip, mapped, sizeof(mapped));
	memcpy(a->ip + 16 - size, r->m.p + rec->data, size);
	r->count++;
	return true;
}

static bool take_srv(struct reading *r, const struct record *rec)
{
	struct dns_srv *s = &r->srvs[r->count];
	char *target = r->targets[r->count];

	if (rec->end - rec->data < 7 || !read_last_name(r->m, rec->data + 6, rec->end, target))
		return false;
	*s = (struct dns_srv){ u16(r->m, rec->data), u16(r->m, rec->data + 2), u16(r->m, rec->data + 4), target };
	if (!target[0] || dns_name_usable(target))
		r->count++;
	return true;
}

/* Takes the records that r->wanted owns; sets alias to the name that stands for it, or "". False: malformed. */
static bool scan_answers(struct reading *r, char alias[DNS_NAME_MAX + 1], size_t *after)
{
	size_t at = r->answers_at;
	struct record rec;

	alias[0] = '\0';
	for (uint32_t i = 0; i < r->answers && i < SCANNED_MAX; i++) {
		if (!read_record(r->m, &at, &rec))
			return false;
		if (rec.class != CLASS_IN || strcmp(rec.owner, r->wanted) != 0)
			continue;
		if (rec.type == TYPE_CNAME) {
			if (!read_last_name(r->m, rec.data, rec.end, alias))
				return false;
			lower_ttl(r, rec.ttl_s);
		} else if (rec.type == r->type && r->count < DNS_RECORDS_MAX) {
			if (!(r->type == DNS_SRV ? take_srv(r, &rec) : take_addr(r, &rec)))
				return false;
			lower_ttl(r, rec.ttl_s);
		}
	}
	*after = at;
	return true;
}

/* RFC 2308 section 5: a "no" holds for the lesser of the SOA's TTL and its last field. False: malformed. */
static bool negative_ttl(const struct reading *r, size_t at, uint32_t *out)
{
	char name[DNS_NAME_MAX + 1];
	struct record rec;
	size_t mailbox_at, numbers_at;

	*out = DNS_NEGATIVE_S;
	for (uint32_t i = 0; i < r->authorities && i < SCANNED_MAX; i++) {
		if (!read_record(r->m, &at, &rec))
			return false;
		if (rec.type != TYPE_SOA || rec.class != CLASS_IN)
			continue;
		if (!dns_name_read(r->m, rec.data, name, &mailbox_at) || !dns_name_read(r->m, mailbox_at, name, &numbers_at) ||
		    numbers_at + 20 != rec.end)
			return false;
		uint32_t minimum = u32(r->m, rec.end - 4);
		*out = minimum < rec.ttl_s ? minimum : rec.ttl_s;
		if (*out > DNS_NEGATIVE_MAX_S)
			*out = DNS_NEGATIVE_MAX_S;
		return true;
	}
	return true;
}

/* The header, and the one question, which has to be ours. */
static bool open_message(struct reading *r)
{
	char name[DNS_NAME_MAX + 1];
	size_t at;

	if (r->m.n < HEADER_BYTES || !(u16(r->m, 2) & FLAG_ANSWER) || (u16(r->m, 2) & FLAG_CUT) || u16(r->m, 4) != 1)
		return false;
	r->answers = u16(r->m, 6);
	r->authorities = u16(r->m, 8);
	if (!dns_name_read(r->m, HEADER_BYTES, name, &at) || r->m.n - at < 4 || strcmp(name, r->wanted) != 0 || u16(r->m, at) != r->type ||
	    u16(r->m, at + 2) != CLASS_IN)
		return false;
	r->answers_at = at + 4;
	return true;
}

static struct dns_result *negative(struct reading *r, enum dns_code code, size_t authorities_at)
{
	struct dns_result *result;
	uint32_t ttl_s = DNS_NEGATIVE_S;

	/* Behind answers that were not looked at nothing is known of the place of the SOA. */
	if (r->answers <= SCANNED_MAX && !negative_ttl(r, authorities_at, &ttl_s))
		return dns_result_without(r->type, DNS_MALFORMED);
	lower_ttl(r, ttl_s);
	result = dns_result_without(r->type, code);
	result->ttl_s = r->ttl_s;
	return result;
}

struct dns_result *dns_answer_read(struct str message, const char *name, enum dns_type type)
{
	struct reading r = { .m = message, .type = type, .ttl_s = TTL_MAX };
	char alias[DNS_NAME_MAX + 1];
	size_t authorities_at = 0;
	unsigned rcode;

	memcpy(r.wanted, name, strlen(name) + 1);
	if (!open_message(&r))
		return dns_result_without(type, DNS_MALFORMED);
	rcode = u16(message, 2) & 15u;
	if (rcode != NOERROR && rcode != NXDOMAIN)
		return dns_result_without(type, DNS_REFUSED);
	for (unsigned hop = 0; hop <= ALIASES_MAX; hop++) {
		if (!scan_answers(&r, alias, &authorities_at))
			return dns_result_without(type, DNS_MALFORMED);
		if (r.count > 0)
			return type == DNS_SRV ? dns_result_srvs(r.ttl_s, r.srvs, r.count)
			                       : dns_result_addrs(type, r.ttl_s, r.addrs, r.count);
		if (!alias[0])
			return negative(&r, rcode == NXDOMAIN ? DNS_NO_NAME : DNS_NO_DATA, authorities_at);
		memcpy(r.wanted, alias, strlen(alias) + 1);
	}
	/* Names that stand for each other without end. */
	return dns_result_without(type, DNS_MALFORMED);
}
