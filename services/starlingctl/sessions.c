/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands on sessions: connected-users and kick. Each session-manager knows those of its own slots, so all are asked. */
#include <stdio.h>
#include <string.h>

#include "ipc/gen/admin.client.h"
#include "services/starlingctl/client.h"
#include "services/starlingctl/command.h"
#include "services/starlingctl/json.h"
#include "services/starlingctl/table.h"

enum { JID_BYTES = 2048, LIMIT = 10000 };

struct asking {
	struct client client;
	struct json json;
	struct table table;
	unsigned answered, failed, found;
	int code; /* of the last failure */
	char text[256];
};

static void note_failure(struct asking *q, const struct ipc_result *result)
{
	q->failed++;
	q->code = result->code;
	snprintf(q->text, sizeof(q->text), "%s", result->text);
}

static unsigned managers(struct client *c, uint64_t *out, unsigned max)
{
	const Starling__Registration *all[CLIENT_MAX_INSTANCES];
	unsigned n;

	client_settle(c);
	n = client_select(c, "session-manager", all, max < CLIENT_MAX_INSTANCES ? max : CLIENT_MAX_INSTANCES);
	for (unsigned i = 0; i < n; i++)
		out[i] = all[i]->instance;
	return n;
}

static void show_user(struct asking *q, const Starling__ConnectedUser *u)
{
	char age[32];

	q->found++;
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
	struct asking *q = ctx;

	if (ipc_ok(result)) {
		q->answered++;
		for (size_t i = 0; i < reply->n_users; i++)
			show_user(q, reply->users[i]);
	} else {
		note_failure(q, result);
	}
	client_answered(&q->client);
}

static void ask_connected(struct asking *q)
{
	Starling__ConnectedRequest request = STARLING__CONNECTED_REQUEST__INIT;
	uint64_t all[CLIENT_MAX_INSTANCES];
	unsigned n = managers(&q->client, all, CLIENT_MAX_INSTANCES);

	if (q->client.args->word_count)
		request.host = (char *)(uintptr_t)q->client.args->words[0];
	request.limit = LIMIT;
	for (unsigned i = 0; i < n; i++) {
		client_expect(&q->client);
		call_admin_connected(q->client.bus, ipc_instance(all[i]), &q->client.opts, &request, on_connected, q);
	}
	client_wait(&q->client);
}

/* Whatever the answers were. */
static int verdict(const struct asking *q)
{
	if (q->failed)
		return command_fail(q->client.args, exit_code_of(q->code), "%u of %u session-managers did not answer: %s %s", q->failed,
		                    q->failed + q->answered, ipc_code_name(q->code), q->text);
	if (!q->answered)
		return command_fail(q->client.args, CTL_TEMPORARY, "no session-manager is up");
	return CTL_OK;
}

static void print_users(struct asking *q)
{
	struct buf text = { 0 };

	if (q->client.args->json) {
		json_print(&q->json);
		return;
	}
	table_write(&q->table, &text);
	fwrite(buf_str(&text).p, 1, buf_str(&text).n, stdout);
	buf_fini(&text);
}

int command_connected_users(const struct args *a)
{
	static const char *const titles[] = { "JID", "ADDRESS", "TLS", "SINCE", "AVAILABLE", "PRIORITY", "EDGE" };
	struct asking q = { 0 };
	int status = client_open(&q.client, a);

	table_init(&q.table, 7, titles, 1u << 3 | 1u << 5);
	json_open(&q.json, NULL, '{');
	json_open(&q.json, "sessions", '[');
	if (status == 0) {
		ask_connected(&q);
		json_close(&q.json, ']');
		json_bool(&q.json, "complete", q.failed == 0 && q.answered > 0);
		json_close(&q.json, '}');
		print_users(&q);
		/* The list is out; with JSON nothing may follow it. */
		if (a->json)
			status = q.failed ? exit_code_of(q.code) : q.answered ? CTL_OK : CTL_TEMPORARY;
		else
			status = verdict(&q);
	}
	buf_fini(&q.json.out);
	table_fini(&q.table);
	client_close(&q.client);
	return status;
}

static void on_kicked(const struct ipc_result *result, const Starling__KickReply *reply, void *ctx)
{
	struct asking *q = ctx;

	if (ipc_ok(result)) {
		q->answered++;
		q->found += reply->kicked;
	} else if (result->code == STARLING__CODE__CODE_WRONG_OWNER || result->code == STARLING__CODE__CODE_NOT_FOUND) {
		q->answered++; /* not one of its slots, or nobody there */
	} else {
		note_failure(q, result);
	}
	client_answered(&q->client);
}

static void ask_kick(struct asking *q, char *account)
{
	Starling__KickRequest request = STARLING__KICK_REQUEST__INIT;
	uint64_t all[CLIENT_MAX_INSTANCES];
	unsigned n = managers(&q->client, all, CLIENT_MAX_INSTANCES);
	static char why[] = "ended by the operator";

	request.account = account;
	request.text = why;
	for (unsigned i = 0; i < n; i++) {
		client_expect(&q->client);
		call_admin_kick(q->client.bus, ipc_instance(all[i]), &q->client.opts, &request, on_kicked, q);
	}
	client_wait(&q->client);
}

static int report_kicked(const struct asking *q, const char *account)
{
	int status = verdict(q);

	if (status)
		return status;
	if (!q->found)
		return command_fail(q->client.args, CTL_CONFLICT, "%s has no session", account);
	if (q->client.args->json)
		printf("{\"kicked\":%u}\n", q->found);
	else
		printf("%u session%s of %s ended\n", q->found, q->found == 1 ? "" : "s", account);
	return CTL_OK;
}

int command_kick(const struct args *a)
{
	char account[JID_BYTES];
	struct asking q = { 0 };
	int status;

	if (snprintf(account, sizeof(account), "%s@%s", a->words[0], a->words[1]) >= (int)sizeof(account))
		return command_fail(a, CTL_USAGE, "the address is too long");
	status = client_open(&q.client, a);
	if (status == 0) {
		ask_kick(&q, account);
		status = report_kicked(&q, account);
	}
	client_close(&q.client);
	return status;
}
