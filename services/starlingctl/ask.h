/* SPDX-License-Identifier: Apache-2.0
 *
 * ask: one question for every instance of a role, since each knows only its own: streams, sessions, allocations. A command embeds struct ask in what it
 * collects, and has one function that makes the call to one instance and one that takes its answer. */
#ifndef SERVICES_STARLINGCTL_ASK_H
#define SERVICES_STARLINGCTL_ASK_H

#include "services/starlingctl/client.h"
#include "services/starlingctl/json.h"
#include "services/starlingctl/table.h"

enum { ASK_LIMIT = 10000, ASK_NAME_BYTES = 128 };

struct ask;

struct ask_one {
	struct ask *all;
	uint64_t instance;
	char name[ASK_NAME_BYTES];
};

/* Zeroed before use; too large for a stack. */
struct ask {
	struct client client;
	const char *role;
	struct json json; /* of a list, */
	struct table table;
	struct ask_one instances[CLIENT_MAX_INSTANCES];
	unsigned answered, failed;
	int code; /* of the last failure */
	char text[256];
};

/* Joins the bus, runs the command, leaves. An exit status. */
int ask_run(struct ask *q, const struct args *a, const char *role, int (*run)(struct ask *q));
/* Makes all calls and waits for their answers. */
void ask_all(struct ask *q, void (*call)(struct ask_one *one));
/* At the end of each answer's function. */
void ask_answered(struct ask_one *one, const struct ipc_result *result);
/* CTL_OK: all have answered; otherwise an exit status, and the reason has been told. */
int ask_verdict(const struct ask *q);

/* A list, as a table or with --json as an object with an array of that name: the answers' functions fill q->json or q->table. An exit status. `right` as
 * in table_init. */
int ask_list(struct ask *q, const char *name, unsigned columns, const char *const *titles, unsigned right,
             void (*call)(struct ask_one *one));

#endif
