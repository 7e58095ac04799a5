/* SPDX-License-Identifier: Apache-2.0
 *
 * bus: a daemon's place in the flock. One per process, owned by common/daemon, single-threaded on the daemon's libuv loop.
 *
 * It keeps one CURVE-encrypted DEALER socket to every router and a direct connection to instances that it talks with, registers the daemon, follows the directory of instances, resolves where a
 * record goes, counts credit, batches what piles up in one loop turn into one ZeroMQ message, and runs deadlines. Daemons do not use
 * this header's send functions but the typed wrappers that ipc/gen makes of each interface:
 *
 *   call_auth_sasl(bus, to, &opts, &request, on_done, ctx)      the caller's side; on_done runs exactly once, never before the call returned
 *   send_edge_deliver(bus, to, &opts, &event)                   an event
 *   void on_auth_sasl(struct ipc_call *, const Starling__SaslRequest *)   the server's side; missing is a link error
 *   reply_auth_sasl(call, &reply)                               or ipc_fail(call, code, "why")
 *
 * Ownership: request structs are packed before the function returns; a decoded message that a handler or on_done sees, its strings and its
 * payload, belong to the runtime and are gone when the function returns. */
#ifndef IPC_RUNTIME_BUS_H
#define IPC_RUNTIME_BUS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "ipc/proto/bus.pb-c.h"
#include "ipc/proto/envelope.pb-c.h"

struct ipc_bus;
struct ipc_call;

/* --- where to --------------------------------------------------------------------------------------------------- */

enum ipc_target_kind { IPC_TO_INSTANCE, IPC_TO_ANY, IPC_TO_SLOT };

struct ipc_target {
	enum ipc_target_kind kind;
	uint64_t instance; /* IPC_TO_INSTANCE */
	const char *role;  /* IPC_TO_ANY, IPC_TO_SLOT */
	uint32_t slot;     /* IPC_TO_SLOT */
};

struct ipc_target ipc_instance(uint64_t instance);
struct ipc_target ipc_any(const char *role);                 /* a ready instance, in turn; one that knows the method if there is one */
struct ipc_target ipc_slot(const char *role, uint32_t slot); /* the slot's owner */

struct ipc_opts {
	uint32_t deadline_ms; /* calls: 0 means 5000 */
	uint64_t trace;
	struct str payload; /* copied before the function returns */
	/* Calls: what comes behind it must not arrive without it. If its time is over while it waits for credit, it goes out nevertheless. */
	bool in_line;
};

/* --- results ---------------------------------------------------------------------------------------------------- */

struct ipc_result {
	int code;           /* STARLING__CODE__CODE_OK, or why the call failed */
	const char *text;   /* "" on success; for people */
	struct str payload; /* of the reply */
	uint64_t source;    /* instance that answered; 0 when none did */
};
static inline bool ipc_ok(const struct ipc_result *r)
{
	return r->code == 0;
}
const char *ipc_code_name(int code); /* "TIMEOUT" */

/* What a send function returns. */
enum ipc_send {
	IPC_SENT = 0,    /* accepted: it will go out, or its peer was lost */
	IPC_NOBODY = -1, /* no such target now; nothing was queued (a call's on_done still runs, with UNAVAILABLE) */
	IPC_FULL = -2,   /* the queue to that peer is at its limit; nothing was queued (a call's on_done still runs, with OVERLOAD) */
};

/* --- serving ---------------------------------------------------------------------------------------------------- */

struct ipc_call;                                    /* a request being answered, or an event being handled */
void *ipc_call_daemon(const struct ipc_call *call); /* the ctx given to ipc_bus_new */
struct ipc_bus *ipc_call_bus(const struct ipc_call *call);
uint64_t ipc_call_source(const struct ipc_call *call);
uint64_t ipc_call_trace(const struct ipc_call *call);
struct str ipc_call_payload(const struct ipc_call *call); /* valid until the handler returns */
/* Time until which the caller waits, in clock_mono_ms(); for an event, 0. */
uint64_t ipc_call_deadline(const struct ipc_call *call);
/* A call may be answered later, once, from anywhere on the loop: keep the pointer. It stays valid until answered, also
 * when the caller is gone or its deadline passed (the answer is then dropped). Answering frees it. An event's is freed when its handler
 * returns. A call still open when the bus is freed is failed with PEER_LOST. */
void ipc_fail(struct ipc_call *call, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void ipc_reply_payload(struct ipc_call *call, struct str payload); /* set before the reply function; copied there */

/* Generated, one for each served interface, as `<service>_interface` (auth_interface, ...). */
typedef void (*ipc_handler_fn)(struct ipc_call *call, const ProtobufCMessage *request);
struct ipc_method {
	const char *name; /* "auth.Sasl" */
	const ProtobufCMessageDescriptor *request;
	const ProtobufCMessageDescriptor *reply;
	bool event;
	bool idempotent;
	ipc_handler_fn handler; /* NULL in the client's tables */
};
struct ipc_interface {
	uint32_t number;
	uint32_t version;
	const char *name;
	const struct ipc_method *methods; /* method n is methods[n - 1] */
	uint32_t count;
};
/* All interfaces of the contract, without handlers: for STARLING_IPC_DEBUG, logs and tools. */
extern const struct ipc_interface *const ipc_contract[];
extern const uint32_t ipc_contract_count;
const struct ipc_method *ipc_method_find(uint32_t method); /* NULL when unknown */

/* --- the bus ---------------------------------------------------------------------------------------------------- */

struct ipc_config {
	const char *role;
	const char *name; /* instance name for people */
	const char *version;
	const char *const *
	        routers; /* endpoints; tcp://NAME:PORT connects to every address of NAME, ipc://DIR/GLOB to every match; both looked up again every few seconds */
	uint32_t router_count;
	const char *key_file;   /* this role's secret key */
	const char *allow_file; /* public keys by role: which routers to trust */
	const struct ipc_interface *const *serves;
	uint32_t serve_count;
	const char *const *domains;
	uint32_t domain_count;
	uint32_t window;        /* 0: 1024 */
	uint32_t queue_records; /* limit of waiting records to one peer, 0: 65536 */
	const char *metrics_url;
	/* Direct connections (ipc/README.md): NULL or "none": none. "": beside the routers where they are ipc://, else none. Or a name, an address or an
	 * interface of this machine that others reach it by: a TCP port there, which the kernel chooses. */
	const char *link;
};

struct ipc_bus_hooks {
	void (*on_joined)(void *ctx);                                    /* registered at a first router */
	void (*on_directory)(void *ctx);                                 /* instances or slots changed */
	void (*on_lost)(uint64_t instance, const char *role, void *ctx); /* an instance left or died */
	/* The queue to a peer passed half of its limit (true), or fell under a quarter again (false): read less of what feeds it. */
	void (*on_pressure)(uint64_t instance, bool high, void *ctx);
	/* The instance lives, but a router or a direct connection on the way to or from it broke: events that were on the way may be lost in either
	 * direction (calls on the way have ended with PEER_LOST), and all that was sent since is lost as well. Who numbers its events checks and repairs now. May be NULL. */
	void (*on_reset)(uint64_t instance, void *ctx);
};

struct ipc_bus *ipc_bus_new(uv_loop_t *loop, const struct ipc_config *config, const struct ipc_bus_hooks *hooks, void *ctx, struct err *e);
/* The daemon's own object (hooks' ctx, ipc_call_daemon()), where it is made only after the bus. Before the loop runs. */
void ipc_bus_set_ctx(struct ipc_bus *bus, void *ctx);
/* The first half of ipc_bus_free(), while the daemon's objects still live: every open call of ours ends with PEER_LOST, any made later ends
 * with UNAVAILABLE before it returns, hooks and handlers run no more. Calls that are being served can still be answered. */
void ipc_bus_end_calls(struct ipc_bus *bus);
/* Says Leave, flushes for at most a second's worth of linger, closes. Every open call ends with PEER_LOST first. */
void ipc_bus_free(struct ipc_bus **bus);
uint64_t ipc_bus_instance(const struct ipc_bus *bus);
bool ipc_bus_joined(const struct ipc_bus *bus);
void ipc_bus_set_state(struct ipc_bus *bus, int instance_state); /* STARLING__INSTANCE_STATE__... */
/* session-manager: the slots held now, replacing what was claimed; announced to all routers. */
void ipc_bus_claim_slots(struct ipc_bus *bus, const uint32_t *slots, const uint64_t *epochs, uint32_t count);
void ipc_bus_set_domains(struct ipc_bus *bus, const char *const *domains, uint32_t count);
void ipc_bus_set_metrics_url(struct ipc_bus *bus, const char *url);
void ipc_bus_set_public_address(struct ipc_bus *bus, const char *address); /* where clients may be sent to, "host:port"; "": nowhere */
/* Reads the list of keys again: for direct connections, new and standing. On failure the old one stays in force. */
int ipc_bus_reload_keys(struct ipc_bus *bus, struct err *e);
/* While held, peers of that role get no new credit: their records wait at their side. */
void ipc_bus_hold(struct ipc_bus *bus, const char *role, bool hold);

/* The directory, merged over all routers. Pointers are valid until the loop turns. */
uint32_t ipc_bus_instances(const struct ipc_bus *bus, const char *role, const Starling__Registration **out,
                           uint32_t max); /* role NULL: all */
const Starling__Registration *ipc_bus_find(const struct ipc_bus *bus, uint64_t instance);
uint64_t ipc_bus_slot_owner(const struct ipc_bus *bus, uint32_t slot, uint64_t *out_epoch); /* 0: nobody now */
uint64_t ipc_bus_domain_instance(const struct ipc_bus *bus, struct str domain); /* a ready one that serves the domain; 0: nobody */

/* --- for generated code ----------------------------------------------------------------------------------------- */

typedef void (*ipc_done_fn)(const struct ipc_result *result, const ProtobufCMessage *reply, void *ctx);
/* reply is NULL unless the result is OK. */
int ipc_call(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, uint32_t method, const ProtobufCMessage *request,
             ipc_done_fn done, void *ctx);
int ipc_send(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, uint32_t method, const ProtobufCMessage *event);
void ipc_reply(struct ipc_call *call, const ProtobufCMessage *reply);

/* Counters for /metrics; filled by the runtime. */
struct ipc_stats {
	uint64_t records_in, records_out, frames_in, frames_out, bytes_in, bytes_out;
	uint64_t calls_timed_out, calls_lost, undeliverable, malformed, queue_full;
	uint64_t queued;                /* records waiting for credit now, over all peers */
	uint64_t direct_in, direct_out; /* of the records: by direct connections */
	uint64_t link_refused;          /* direct connections and records that break a rule */
	uint32_t links;                 /* direct connections that stand now */
	uint32_t routers;               /* joined now */
	uint32_t calls_open, serving_open;
};
void ipc_bus_stats(const struct ipc_bus *bus, struct ipc_stats *out);

#endif
