/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands on sessions: connected-users and kick. Each session-manager knows those of its own slots, so all are asked. */
#include <stdio.h>
#include <string.h>

#include "common/base/list.h"
#include "ipc/gen/admin.client.h"
#include "services/starlingctl/ask.h"
#include "services/starlingctl/command.h"

enum { JID_BYTES = 2048 };

struct asking {
	struct ask ask;
	char *account; /* whose sessions end */
	unsigned kicked;
};

static struct asking *asking_of(struct ask *q)
{
	return list_entry(q, struct asking, ask);
}

/* --- connected-users ---------------------------------------------------------------------------------------------- */

static void show_user(struct ask *q, const Starling__ConnectedUser *u)
{
	char age[32];

	if (q->client.args->json) {
		json_open(&q->json, NULL, '{');
		json_text(&q->json, "jid", u->jid);
		json_text(&q->json, "address", u->address);
		json_bool(&q->json, "encrypted", u->encrypted);
		json_number(&q->json, "since_ms", (double)u->since_ms);
		json_number(&q->json, "priority", u->priority);
		json_bool(&q->json, "available", u->available);
		json_text(&q->json, "edge", u->edge);
		json_close(&q->json, '}');
		return;
	}
	table_duration(u->since_ms, age);
	table_cell(&q->table, "%s", u->jid);
	table_cell(&q->table, "%s", u->address);
	table_cell(&q->table, "%s", u->encrypted ? "yes" : "no");
	table_cell(&q->table, "%s", age);
	table_cell(&q->table, "%s", u->available ? "yes" : "no");
	table_cell(&q->table, "%d", u->priority);
	table_cell(&q->table, "%s", u->edge);
}

static void on_connected(const struct ipc_result *result, const Starling__ConnectedReply *reply, void *ctx)
{
	struct ask_one *one = ctx;

	for (size_t i = 0; ipc_ok(result) && i < reply->n_users; i++)
		show_user(one->all, reply->users[i]);
	ask_answered(one, result);
}

static void call_connected(struct ask_one *one)
{
	Starling__ConnectedRequest request = STARLING__CONNECTED_REQUEST__INIT;
	struct client *c = &one->all->client;

	if (c->args->word_count)
		request.host = (char *)(uintptr_t)c->args->words[0];
	request.limit = ASK_LIMIT;
	call_admin_connected(c->bus, ipc_instance(one->instance), &c->opts, &request, on_connected, one);
}

static int connected(struct ask *q)
{
	static const char *const titles[] = { "JID", "ADDRESS", "TLS", "SINCE", "AVAILABLE", "PRIORITY", "EDGE" };

	return ask_list(q, "sessions", sizeof(titles) / sizeof(*titles), titles, 1u << 3 | 1u << 5, call_connected);
}

int command_connected_users(const struct args *a)
{
	static struct asking q;

	return ask_run(&q.ask, a, "session-manager", connected);
}

/* --- kick --------------------------------------------------------------------------------------------------------- */

static void on_kicked(const struct ipc_result *result, const Starling__KickReply *reply, void *ctx)
{
	struct ask_one *one = ctx;
	struct ipc_result not_here = { .code = STARLING__CODE__CODE_OK };

	if (ipc_ok(result))
		asking_of(one->all)->kicked += reply->kicked;
	/* Not one of its slots, or nobody there. */
	else if (result->code == STARLING__CODE__CODE_WRONG_OWNER || result->code == STARLING__CODE__CODE_NOT_FOUND)
		result = &not_here;
	ask_answered(one, result);
}

static void call_kick(struct ask_one *one)
{
	Starling__KickRequest request = STARLING__KICK_REQUEST__INIT;
	struct client *c = &one->all->client;
	static char why[] = "ended by the operator";

	request.account = asking_of(one->all)->account;
	request.text = why;
	call_admin_kick(c->bus, ipc_instance(one->instance), &c->opts, &request, on_kicked, one);
}

static int kick(struct ask *ask)
{
	const struct asking *q = asking_of(ask);
	int status;

	ask_all(ask, call_kick);
	status = ask_verdict(ask);
	if (status)
		return status;
	if (!q->kicked)
		return command_fail(ask->client.args, CTL_CONFLICT, "%s has no session", q->account);
	if (ask->client.args->json)
		printf("{\"kicked\":%u}\n", q->kicked);
	else
		printf("%u session%s of %s ended\n", q->kicked, q->kicked == 1 ? "" : "s", q->account);
	return CTL_OK;
}

int command_kick(const struct args *a)
{
	static struct asking q;
	static char account[JID_BYTES];

	if (snprintf(account, sizeof(account), "%s@%s", a->words[0], a->words[1]) >= (int)sizeof(account))
		return command_fail(a, CTL_USAGE, "the address is too long");
	q.account = account;
	return ask_run(&q.ask, a, "session-manager", kick);
}
