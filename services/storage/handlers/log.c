/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/handlers/log.h"

#include <sodium.h>

int64_t log_hash(struct str text)
{
	/* Part of the stored format: never to be changed. */
	static const uint8_t key[crypto_shorthash_KEYBYTES] = "starling log 01";
	uint8_t out[crypto_shorthash_BYTES];
	int64_t v = 0;

	crypto_shorthash(out, (const uint8_t *)(text.p ? text.p : ""), text.n, key);
	for (size_t i = 0; i < sizeof out; i++)
		v = (int64_t)((uint64_t)v << 8 | out[i]);
	return v ? v : 1;
}

struct str log_bare(struct str jid)
{
	const char *slash = jid.n ? memchr(jid.p, '/', jid.n) : NULL;

	return slash ? str_make(jid.p, (size_t)(slash - jid.p)) : jid;
}

void log_bind_full(struct op *op, struct str jid)
{
	if (log_bare(jid).n < jid.n)
		pg_args_int8(&op->args, log_hash(jid));
	else
		pg_args_null(&op->args);
}

static void bind_text(struct op *op, const char *text)
{
	if (*text)
		pg_args_int8(&op->args, log_hash(str_from(text)));
	else
		pg_args_null(&op->args);
}

void log_bind_names(struct op *op, const Starling__StanzaMeta *meta)
{
	struct str from = str_from(meta->from), to = str_from(meta->to);

	bind_text(op, meta->id);
	bind_text(op, meta->origin_id);
	pg_args_int8(&op->args, log_hash(log_bare(from)));
	pg_args_int8(&op->args, log_hash(log_bare(to)));
	log_bind_full(op, from);
	log_bind_full(op, to);
}

void log_bind_meta(struct op *op, const Starling__StanzaMeta *meta)
{
	size_t n = starling__stanza_meta__get_packed_size(meta);
	uint8_t *packed = arena_alloc(op->scratch, n);

	starling__stanza_meta__pack(meta, packed);
	pg_args_bytes(&op->args, str_make(packed, n));
}

void log_bind_ids(struct op *op, const uint64_t *ids, size_t n)
{
	struct pg_array array = pg_array_begin(&op->args, PG_INT8, (uint32_t)n);

	for (size_t i = 0; i < n; i++)
		pg_array_int8(&array, (int64_t)ids[i]);
	pg_array_end(&array);
}

void log_read_entry(struct op *op, const PGresult *res, int row, Starling__LogEntry *out)
{
	ProtobufCAllocator allocator = op_allocator(op);
	struct str meta = pg_get_bytes(res, row, 4), stanza = pg_get_bytes(res, row, 5);

	starling__log_entry__init(out);
	out->id = (uint64_t)pg_get_int8(res, row, 0);
	out->sent = pg_get_bool(res, row, 1);
	out->received = pg_get_bool(res, row, 2);
	out->archived = pg_get_bool(res, row, 3);
	out->meta = starling__stanza_meta__unpack(&allocator, meta.n, (const uint8_t *)meta.p);
	out->stanza = (ProtobufCBinaryData){ stanza.n, (uint8_t *)stanza.p };
}

size_t log_read_entries(struct op *op, const PGresult *res, Starling__LogEntry ***out)
{
	size_t n = (size_t)PQntuples(res);
	Starling__LogEntry *entries = arena_alloc(op->scratch, (n + 1) * sizeof *entries);

	*out = arena_alloc(op->scratch, (n + 1) * sizeof **out);
	for (size_t i = 0; i < n; i++) {
		log_read_entry(op, res, (int)i, &entries[i]);
		(*out)[i] = &entries[i];
	}
	return n;
}
