/* SPDX-License-Identifier: Apache-2.0
 *
 * SpoolClaim and SpoolRelease: who owns a slot of the spool.
 *
 * Each is a transaction of its own with two statements. The first takes the locks of all its slots, in ascending order as batches do, and so waits for
 * every write under the former epoch that has begun; the second has a snapshot taken after that. A write that begins later waits for this commit, and
 * its check finds the new epoch. */
#include "common/base/hash.h"
#include "ipc/proto/envelope.pb-c.h"
#include "services/storage/handlers/handlers.h"
#include "services/storage/handlers/spool.h"

#define ALIVE_MAX 1024u /* there are no more slots to own */

/* The first statement's parameter; the method's own statement comes second. */
static void bind_locks(struct op *op, const int32_t *slots, uint32_t n)
{
	struct pg_array locks = pg_array_begin(&op->args, PG_INT4, n);

	for (uint32_t i = 0; i < n; i++)
		pg_array_int4(&locks, (int32_t)spool_lock((uint32_t)slots[i]));
	pg_array_end(&locks);
	op->statement = STATEMENT_LOCK;
	op->has_head = true;
	op->head_statement = op->index;
}

/* --- claim --------------------------------------------------------------------------------------------------------- */

static int bind_claim(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__SpoolClaimRequest *r = (const Starling__SpoolClaimRequest *)request;
	struct pg_array alive;
	int32_t *slots;
	uint32_t n;
	int code = spool_slots(op, r->slots, r->n_slots, &slots, &n, why);

	(void)payload;
	if (code)
		return code;
	if (r->instance == 0 || r->n_alive > ALIVE_MAX || r->renew > INT64_MAX) {
		*why = "nobody claims, more than 1024 are alive, or renew is out of range";
		return STARLING__CODE__CODE_INVALID;
	}
	bind_locks(op, slots, n);
	spool_bind_int4s(&op->head_args, slots, n);
	pg_args_int8(&op->head_args, (int64_t)r->instance);
	alive = pg_array_begin(&op->head_args, PG_INT8, (uint32_t)r->n_alive);
	for (size_t i = 0; i < r->n_alive; i++)
		pg_array_int8(&alive, (int64_t)r->alive[i]);
	pg_array_end(&alive);
	pg_args_int8(&op->head_args, (int64_t)r->renew);
	arena_reset(op->scratch);
	return 0;
}

static void answer_claim(struct op *op, const PGresult *res, int row)
{
	Starling__SpoolOwnersReply reply = STARLING__SPOOL_OWNERS_REPLY__INIT;
	size_t n = (size_t)PQntuples(op->head);
	Starling__SpoolOwner *owners = arena_alloc(op->scratch, (n + 1) * sizeof *owners);

	(void)res;
	reply.owners = arena_alloc(op->scratch, (n + 1) * sizeof(Starling__SpoolOwner *));
	for (row = 0; row < (int)n; row++) {
		starling__spool_owner__init(&owners[row]);
		owners[row].slot = (uint32_t)pg_get_int4(op->head, row, 0);
		owners[row].epoch = (uint64_t)pg_get_int8(op->head, row, 1);
		owners[row].instance = (uint64_t)pg_get_int8(op->head, row, 2);
		reply.owners[reply.n_owners++] = &owners[row];
	}
	op_reply(op, &reply.base);
}

/* Who claims what it has already keeps its epoch, so a claim may be repeated; unless it wants to be rid of just that epoch. */
#define STAYS "(instance = $2::int8 AND epoch <> $4::int8 OR instance <> 0 AND instance <> $2::int8 AND instance = ANY ($3::int8[]))"

const struct method spool_claim = {
	.name = "SpoolClaim",
	.kind = METHOD_READ,
	.sql = "WITH t AS (UPDATE spool_owner SET epoch = epoch + 1, instance = $2::int8 WHERE slot = ANY ($1::int4[]) AND NOT " STAYS
	       " RETURNING slot, epoch, instance) "
	       "SELECT slot, epoch, instance FROM t UNION ALL "
	       "SELECT slot, epoch, instance FROM spool_owner WHERE slot = ANY ($1::int4[]) AND " STAYS " ORDER BY slot",
	.bind = bind_claim,
	.answer = answer_claim,
};

/* --- release ------------------------------------------------------------------------------------------------------- */

static int bind_release(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why)
{
	const Starling__SpoolReleaseRequest *r = (const Starling__SpoolReleaseRequest *)request;
	uint32_t named[SLOT_COUNT], n = 0;
	struct pg_array array;
	int32_t *slots;
	int code;

	(void)payload;
	if (r->n_owners > SLOT_COUNT) {
		*why = "more than 1024 owners";
		return STARLING__CODE__CODE_INVALID;
	}
	for (size_t i = 0; i < r->n_owners; i++)
		named[i] = r->owners[i]->slot;
	code = spool_slots(op, named, r->n_owners, &slots, &n, why);
	if (code)
		return code;
	bind_locks(op, slots, n);
	array = pg_array_begin(&op->head_args, PG_INT4, (uint32_t)r->n_owners);
	for (size_t i = 0; i < r->n_owners; i++)
		pg_array_int4(&array, (int32_t)r->owners[i]->slot);
	pg_array_end(&array);
	array = pg_array_begin(&op->head_args, PG_INT8, (uint32_t)r->n_owners);
	for (size_t i = 0; i < r->n_owners; i++)
		pg_array_int8(&array, (int64_t)r->owners[i]->epoch);
	pg_array_end(&array);
	array = pg_array_begin(&op->head_args, PG_INT8, (uint32_t)r->n_owners);
	for (size_t i = 0; i < r->n_owners; i++)
		pg_array_int8(&array, (int64_t)r->owners[i]->instance);
	pg_array_end(&array);
	arena_reset(op->scratch);
	return 0;
}

static void answer_release(struct op *op, const PGresult *res, int row)
{
	Starling__Empty reply = STARLING__EMPTY__INIT;

	(void)res;
	(void)row;
	op_reply(op, &reply.base);
}

/* The epoch stays: nobody else writes under it, and the next claim raises it. */
const struct method spool_release = {
	.name = "SpoolRelease",
	.kind = METHOD_READ,
	.sql = "UPDATE spool_owner SET instance = 0 WHERE ctid = ANY (ARRAY(SELECT k.ctid FROM unnest($1::int4[], $2::int8[], $3::int8[]) "
	       "u (slot, epoch, instance), LATERAL (SELECT o.ctid FROM spool_owner o WHERE o.slot = u.slot AND o.epoch = u.epoch "
	       "AND o.instance = u.instance OFFSET 0) k))",
	.bind = bind_release,
	.answer = answer_release,
};
