/* SPDX-License-Identifier: Apache-2.0
 *
 * What the spool has: SpoolFetch, a domain's stanzas in order; SpoolDomains, what there is for the domains of some slots. */
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/log.h"
#include "services/storage/handlers/spool.h"

/* --- fetch --------------------------------------------------------------------------------------------------------- */

static int bind_fetch(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__SpoolFetchRequest *r = (const Starling__SpoolFetchRequest *)request;
	int code = spool_bind_domain(op, r->domain, why);

	(void)payload;
	if (code)
		return code;
	if (r->limit == 0 || r->limit > LOG_PAGE_MAX || r->after > INT64_MAX) {
		*why = "limit must be 1 to 500";
		return STARLING__CODE__CODE_INVALID;
	}
	pg_args_int8(&op->args, (int64_t)r->after);
	pg_args_int4(&op->args, (int32_t)r->limit);
	pg_args_int8(&op->args, op->limits->fetch_bytes);
	return 0;
}

static void read_entry(struct op *op, const PGresult *res, int row, Starling__SpoolEntry *out)
{
	ProtobufCAllocator allocator = op_allocator(op);
	struct str meta = pg_get_bytes(res, row, 4), stanza = pg_get_bytes(res, row, 5), extra = pg_get_bytes(res, row, 6);

	starling__spool_entry__init(out);
	out->id = (uint64_t)pg_get_int8(res, row, 0);
	out->time_us = pg_get_int8(res, row, 1);
	out->key_stream = (uint64_t)pg_get_int8(res, row, 2);
	out->key_number = (uint64_t)pg_get_int8(res, row, 3);
	out->meta = starling__stanza_meta__unpack(&allocator, meta.n, (const uint8_t *)meta.p);
	out->stanza = (ProtobufCBinaryData){ stanza.n, (uint8_t *)stanza.p };
	out->extra = (ProtobufCBinaryData){ extra.n, (uint8_t *)extra.p };
}

static void answer_fetch(struct op *op, const PGresult *res, int row)
{
	Starling__SpoolFetchReply reply = STARLING__SPOOL_FETCH_REPLY__INIT;
	size_t n = (size_t)PQntuples(res);
	Starling__SpoolEntry *entries = arena_alloc(op->scratch, (n + 1) * sizeof *entries);

	reply.entries = arena_alloc(op->scratch, (n + 1) * sizeof(Starling__SpoolEntry *));
	for (row = 0; row < (int)n; row++) {
		read_entry(op, res, row, &entries[row]);
		reply.entries[reply.n_entries++] = &entries[row];
	}
	/* Each row knows how many there were in all, up to one more than asked for. */
	reply.complete = n == 0 || pg_get_int8(res, 0, 7) == (int64_t)n;
	op_reply(op, &reply.base);
}

/* At least one entry, then as many as fit the byte limit. */
const struct method spool_fetch = {
	.name = "SpoolFetch",
	.kind = METHOD_READ,
	.sql = "SELECT id, time_us, key_stream, key_number, meta, stanza, extra, total FROM (SELECT n.*, count(*) OVER () AS total, "
	       "row_number() OVER o AS rank, "
	       "sum(size) OVER o - size AS before FROM (SELECT s.* FROM spool s WHERE s.domain = $1 AND s.id > $2::int8 ORDER BY s.id "
	       "LIMIT $3::int4 + 1) n WINDOW o AS (ORDER BY id)) w WHERE rank <= $3::int4 AND before < $4::int8 ORDER BY id",
	.bind = bind_fetch,
	.answer = answer_fetch,
};

/* --- domains ------------------------------------------------------------------------------------------------------- */

static int bind_domains(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__SpoolDomainsRequest *r = (const Starling__SpoolDomainsRequest *)request;
	int32_t *slots;
	uint32_t n;
	int code = spool_slots(op, r->slots, r->n_slots, &slots, &n, why);

	(void)payload;
	if (code)
		return code;
	spool_bind_int4s(&op->args, slots, n);
	arena_reset(op->scratch);
	return 0;
}

static void answer_domains(struct op *op, const PGresult *res, int row)
{
	Starling__SpoolDomainsReply reply = STARLING__SPOOL_DOMAINS_REPLY__INIT;
	size_t n = (size_t)PQntuples(res);
	Starling__SpoolDomain *domains = arena_alloc(op->scratch, (n + 1) * sizeof *domains);

	reply.domains = arena_alloc(op->scratch, (n + 1) * sizeof(Starling__SpoolDomain *));
	for (row = 0; row < (int)n; row++) {
		starling__spool_domain__init(&domains[row]);
		domains[row].domain = (char *)pg_get_bytes(res, row, 0).p;
		domains[row].slot = (uint32_t)pg_get_int4(res, row, 1);
		domains[row].count = (uint64_t)pg_get_int8(res, row, 2);
		domains[row].bytes = (uint64_t)pg_get_int8(res, row, 3);
		domains[row].oldest_us = pg_get_int8(res, row, 4);
		reply.domains[reply.n_domains++] = &domains[row];
	}
	op_reply(op, &reply.base);
}

/* The oldest is the first in line. */
const struct method spool_domains = {
	.name = "SpoolDomains",
	.kind = METHOD_READ,
	.sql = "SELECT d.domain, d.slot, d.count, d.bytes, (SELECT s.time_us FROM spool s WHERE s.domain = d.domain ORDER BY s.id LIMIT 1) "
	       "FROM unnest($1::int4[]) u (slot), LATERAL (SELECT * FROM spool_domain s WHERE s.slot = u.slot ORDER BY s.domain LIMIT "
	       "10000) d "
	       "LIMIT 10000",
	.bind = bind_domains,
	.answer = answer_domains,
};
