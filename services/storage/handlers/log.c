/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/handlers/log.h"

#include <endian.h>
#include <sodium.h>

/* Part of the stored format, like the marks' letters: never to be changed. */
static void hash(char kind, struct str text, uint8_t out[LOG_MARK_SIZE])
{
	uint8_t key[crypto_shorthash_KEYBYTES] = "starling log 1";

	_Static_assert(crypto_shorthash_BYTES == LOG_MARK_SIZE, "a mark is one hash");
	key[sizeof key - 1] = (uint8_t)kind;
	crypto_shorthash(out, (const uint8_t *)(text.p ? text.p : ""), text.n, key);
}

int64_t log_hash(struct str jid)
{
	uint8_t out[LOG_MARK_SIZE];
	uint64_t v = 0;

	hash('j', jid, out);
	for (size_t i = 0; i < sizeof out; i++)
		v = v << 8 | out[i];
	return (int64_t)v;
}

size_t log_mark(enum log_mark kind, struct str text, uint8_t *out)
{
	hash((char)kind, text, out);
	return LOG_MARK_SIZE;
}

void log_bind_mark(struct op *op, enum log_mark kind, struct str text)
{
	uint8_t mark[LOG_MARK_SIZE];

	if (text.n == 0)
		pg_args_null(&op->args);
	else
		pg_args_bytes(&op->args, str_make(mark, log_mark(kind, text, mark)));
}

struct str log_bare(struct str jid)
{
	const char *slash = jid.n ? memchr(jid.p, '/', jid.n) : NULL;

	return slash ? str_make(jid.p, (size_t)(slash - jid.p)) : jid;
}

static bool is_full(struct str jid)
{
	return log_bare(jid).n < jid.n;
}

void log_bind_full(struct op *op, struct str jid)
{
	struct str full = is_full(jid) ? jid : STR("");

	log_bind_mark(op, MARK_FROM, full);
	log_bind_mark(op, MARK_TO, full);
}

void log_bind_names(struct op *op, const Starling__StanzaMeta *meta, uint64_t key_stream, uint64_t key_number, struct str stanza)
{
	const struct {
		enum log_mark kind;
		struct str text;
		bool there;
	} marks[] = {
		{ MARK_KEY, str_make((const uint64_t[]){ htole64(key_stream), htole64(key_number), (uint64_t)log_hash(stanza) }, 24),
		  key_stream != 0 },
		{ MARK_ID, str_from(meta->id), *meta->id },
		{ MARK_ORIGIN, str_from(meta->origin_id), *meta->origin_id },
		{ MARK_FROM, str_from(meta->from), is_full(str_from(meta->from)) },
		{ MARK_TO, str_from(meta->to), is_full(str_from(meta->to)) },
	};
	uint8_t out[sizeof marks / sizeof marks[0] * LOG_MARK_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
		if (marks[i].there)
			n += log_mark(marks[i].kind, marks[i].text, out + n);
	pg_args_int8(&op->args, log_hash(log_bare(str_from(meta->from))));
	pg_args_int8(&op->args, log_hash(log_bare(str_from(meta->to))));
	pg_args_bytes(&op->args, str_make(out, n));
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
