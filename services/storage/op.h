/* SPDX-License-Identifier: Apache-2.0
 *
 * op: one call on its way through the store, and the table of what can be called.
 *
 * A method says how its request becomes the parameters of one prepared statement (bind), and how the statement's result becomes the reply
 * (answer). An op is made by op_new, waits in the pool or a lane, and ends exactly once by op_reply or op_fail, which free it. */
#ifndef STORAGE_OP_H
#define STORAGE_OP_H

#include <protobuf-c/protobuf-c.h>

#include "common/base/arena.h"
#include "common/base/list.h"
#include "ipc/proto/types.pb-c.h"
#include "services/storage/pg_args.h"

struct op;

enum method_kind {
	METHOD_READ,   /* a transaction of its own; on a connection that carries no appends */
	METHOD_WRITE,  /* a step of its own in a batch; answers one row */
	METHOD_MERGED, /* all of a batch share one step: parameters become arrays, and row i answers op i */
};

struct method {
	const char *name;
	enum method_kind kind;
	const char *sql;
	const enum pg_oid *columns; /* METHOD_MERGED: of the parameters */
	uint32_t column_count;
	/* 0, or a code with *why set. Copies what it needs of the request. */
	int (*bind)(struct op *op, const ProtobufCMessage *request, struct str payload, const char **why);
	void (*answer)(struct op *op, const PGresult *res, int row);
};

/* Method n of ipc/proto/storage.proto is methods[n - 1]; its statement has the same index. Behind them the second halves of methods of two steps. */
#define METHOD_COUNT 46u
enum { METHOD_LOG_MOVE = METHOD_COUNT, METHOD_LOG_TOMBSTONE, METHOD_ALL };
extern const struct method *const methods[METHOD_ALL];
/* Statements beside the methods' own. */
enum {
	STATEMENT_LOCK = METHOD_ALL,
	STATEMENT_FENCE_LOCK,
	STATEMENT_FENCE_RAISE,
	STATEMENT_LOG_FETCH_IDS,
	STATEMENT_LOG_OPEN_OFFLINE,
	STATEMENT_LOG_QUERY_BACKWARD,
	STATEMENT_LOG_QUERY_IDS,
	STATEMENT_LOG_QUERY_IDS_BACKWARD,
	STATEMENT_LOG_QUERY_HEAD,
	STATEMENT_LOG_QUERY_HEAD_FULL,
	STATEMENT_COUNT
};
/* All of them, STATEMENT_COUNT rows. */
const char *const *statements_all(void);

/* reply is NULL unless the code is OK; it and text are gone when the function returns. */
typedef void (*op_done_fn)(int code, const char *text, const ProtobufCMessage *reply, void *ctx);

/* What the operator limits; outlives every op. */
struct op_limits {
	uint32_t roster_items;                   /* of one account */
	uint32_t fetch_bytes;                    /* of stanzas or messages in one reply of a fetch, a query or a list */
	uint64_t retained_count, retained_bytes; /* retained messages; 0: no limit */
};

#define LOCK_NONE UINT32_MAX

struct op {
	struct list_node node; /* of the queue it waits in */
	const struct method *method;
	uint32_t index;     /* of the method */
	uint32_t statement; /* the method's own, unless bind chose another whose result looks the same */
	const struct op_limits *limits;
	struct arena *scratch; /* of the store; for building replies */
	struct pg_args args;
	/* METHOD_READ: a second statement in the same transaction; its result is there in answer(). */
	bool has_head;
	uint32_t head_statement;
	struct pg_args head_args;
	const PGresult *head;
	uint32_t lock, lock_other; /* of the accounts written, or of a slot of the spool or of MQTT's, or LOCK_NONE */
	uint32_t *locks;           /* more of them; freed with the op */
	uint32_t lock_count;
	/* What a METHOD_MERGED append is called. Where an op asks whether its name was there before, an earlier op with that name must have committed: they
	 * never share a batch. 0: no name. */
	uint64_t names[2];
	bool asks[2];
	uint32_t
	        rank_arg; /* of a METHOD_MERGED: the int4 parameter that gets how many before it in the batch have the same lock; 0: none */
	bool fenced;
	uint32_t slot;
	uint64_t epoch;
	uint64_t queued_ms, deadline_ms; /* monotonic; deadline 0: none */
	uint32_t tries;
	uint32_t step, row; /* in its batch's results */
	op_done_fn done;
	void *ctx;
	uint32_t note;                                         /* the method's own, from bind to answer */
	size_t bytes;                                          /* as accounted by the store */
	void (*on_free)(struct op *op, int code, void *owner); /* accounting of the store */
	void (*on_again)(struct op *op, void *owner);
	void *owner;
};

struct op *op_new(uint32_t method_index, const struct op_limits *limits, struct arena *scratch, op_done_fn done, void *ctx);
void op_reply(struct op *op, const ProtobufCMessage *reply);
void op_fail(struct op *op, int code, const char *text);
/* For methods of several steps, from answer(): the op goes on as another method, whose parameters the caller binds anew between the two calls. */
void op_become(struct op *op, uint32_t method_index);
void op_again(struct op *op);
/* For writes whose row begins with a code: true when it is OK; else the op has failed and is gone. */
bool op_row_ok(struct op *op, const PGresult *res, int row);
/* A write that answers Empty. */
void op_answer_empty(struct op *op, const PGresult *res, int row);
size_t op_bytes(const struct op *op);

/* --- binding ------------------------------------------------------------------------------------------------------ */

/* Two parameters, host and local, of a bare JID; also sets the lock. 0 or INVALID. */
int op_bind_account(struct op *op, const char *jid, const char **why);
/* One parameter, the bare JID, null where it is empty; and its lock. */
int op_bind_jid(struct op *op, const char *jid, uint32_t *out_lock, const char **why);
/* Two parameters, slot and epoch; both null without a fence. 0 or INVALID. */
int op_bind_fence(struct op *op, const Starling__Fence *fence, const char **why);
void op_bind_text(struct op *op, const char *text);
void op_bind_data(struct op *op, const ProtobufCBinaryData *data);
/* Allocates decoded messages in the op's scratch arena. */
ProtobufCAllocator op_allocator(struct op *op);

#endif
