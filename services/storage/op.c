/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/op.h"

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "ipc/proto/envelope.pb-c.h"

#define ACCOUNT_MAX 2047u /* two parts of at most 1023 bytes and the sign between (RFC 7622) */

struct op *op_new(uint32_t method_index, const struct op_limits *limits, struct arena *scratch, op_done_fn done, void *ctx)
{
	struct op *op = mem_new(struct op);

	list_init(&op->node);
	op->method = methods[method_index];
	op->index = op->statement = method_index;
	op->lock = op->lock_other = LOCK_NONE;
	op->limits = limits;
	op->scratch = scratch;
	op->done = done;
	op->ctx = ctx;
	op->queued_ms = clock_mono_ms();
	return op;
}

static void end(struct op *op, int code, const char *text, const ProtobufCMessage *reply)
{
	list_remove(&op->node);
	op->done(code, text, reply, op->ctx);
	if (op->on_free)
		op->on_free(op, code, op->owner);
	arena_reset(op->scratch);
	pg_args_fini(&op->args);
	pg_args_fini(&op->head_args);
	mem_free(op->locks);
	mem_free(op);
}

void op_reply(struct op *op, const ProtobufCMessage *reply)
{
	end(op, STARLING__CODE__CODE_OK, "", reply);
}

void op_fail(struct op *op, int code, const char *text)
{
	end(op, code, text, NULL);
}

void op_become(struct op *op, uint32_t method_index)
{
	op->method = methods[method_index];
	op->index = op->statement = method_index;
	op->has_head = false;
	op->tries = 0;
	pg_args_clear(&op->args);
	pg_args_fini(&op->head_args);
}

void op_again(struct op *op)
{
	arena_reset(op->scratch);
	op->on_again(op, op->owner);
}

bool op_row_ok(struct op *op, const PGresult *res, int row)
{
	int code;

	if (row >= PQntuples(res)) {
		op_fail(op, STARLING__CODE__CODE_INTERNAL, "statement answered too few rows");
		return false;
	}
	code = pg_get_int4(res, row, 0);
	switch (code) {
	case STARLING__CODE__CODE_OK:
		return true;
	case STARLING__CODE__CODE_NOT_FOUND:
		op_fail(op, code, "no such account");
		return false;
	case STARLING__CODE__CODE_FENCED:
		op_fail(op, code, "the slot has a newer owner");
		return false;
	case STARLING__CODE__CODE_LIMIT:
		op_fail(op, code, "the account has as many as it may");
		return false;
	default:
		op_fail(op, code, "");
		return false;
	}
}

void op_answer_empty(struct op *op, const PGresult *res, int row)
{
	Starling__Empty reply = STARLING__EMPTY__INIT;

	if (op_row_ok(op, res, row))
		op_reply(op, &reply.base);
}

size_t op_bytes(const struct op *op)
{
	return sizeof *op + buf_str(&op->args.data).n + buf_str(&op->head_args.data).n;
}

/* The local part's length, or 0 for what is no bare JID of an account. */
static size_t check_jid(struct str text, const char **why)
{
	const char *at = text.n ? memchr(text.p, '@', text.n) : NULL;
	size_t local_n = at ? (size_t)(at - text.p) : 0;

	if (local_n && local_n + 1 < text.n && text.n <= ACCOUNT_MAX && !memchr(text.p, '/', text.n))
		return local_n;
	*why = "account is not a bare JID";
	return 0;
}

static uint32_t lock_of(struct str jid)
{
	uint64_t hash = hash_fnv1a64(jid);

	return (uint32_t)(hash ^ hash >> 32) & INT32_MAX;
}

int op_bind_account(struct op *op, const char *jid, const char **why)
{
	struct str text = str_from(jid);
	size_t local_n = check_jid(text, why);

	if (local_n == 0)
		return STARLING__CODE__CODE_INVALID;
	pg_args_bytes(&op->args, str_make(text.p + local_n + 1, text.n - local_n - 1));
	pg_args_bytes(&op->args, str_make(text.p, local_n));
	op->lock = lock_of(text);
	return 0;
}

int op_bind_jid(struct op *op, const char *jid, uint32_t *out_lock, const char **why)
{
	struct str text = str_from(jid);

	if (text.n == 0) {
		pg_args_null(&op->args);
		return 0;
	}
	if (check_jid(text, why) == 0)
		return STARLING__CODE__CODE_INVALID;
	pg_args_bytes(&op->args, text);
	*out_lock = lock_of(text);
	return 0;
}

int op_bind_fence(struct op *op, const Starling__Fence *fence, const char **why)
{
	if (!fence) {
		pg_args_null(&op->args);
		pg_args_null(&op->args);
		return 0;
	}
	if (fence->slot >= SLOT_COUNT || fence->epoch > INT64_MAX) {
		*why = "fence out of range";
		return STARLING__CODE__CODE_INVALID;
	}
	op->fenced = true;
	op->slot = fence->slot;
	op->epoch = fence->epoch;
	pg_args_int4(&op->args, (int32_t)fence->slot);
	pg_args_int8(&op->args, (int64_t)fence->epoch);
	return 0;
}

void op_bind_text(struct op *op, const char *text)
{
	pg_args_bytes(&op->args, str_from(text));
}

void op_bind_data(struct op *op, const ProtobufCBinaryData *data)
{
	pg_args_bytes(&op->args, str_make(data->data, data->len));
}

static void *scratch_alloc(void *arena, size_t n)
{
	return arena_alloc(arena, n);
}

static void scratch_free(void *arena, void *p)
{
	(void)arena;
	(void)p;
}

ProtobufCAllocator op_allocator(struct op *op)
{
	return (ProtobufCAllocator){ .alloc = scratch_alloc, .free = scratch_free, .allocator_data = op->scratch };
}
