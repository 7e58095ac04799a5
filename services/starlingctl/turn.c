/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands on relayed media: turn list, turn kick and turn quota. Each relay knows its own allocations, so all are asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/daemon/config.h"
#include "ipc/gen/turn.client.h"
#include "services/starlingctl/client.h"
#include "services/starlingctl/command.h"
#include "services/starlingctl/json.h"
#include "services/starlingctl/table.h"

enum { LIMIT = 10000, NAME_BYTES = 128 };

struct asking;

struct asked {
	struct asking *all;
	uint64_t instance;
	char name[NAME_BYTES];
};

struct asking {
	struct client client;
	struct json json;
	struct table table;
	struct asked instances[CLIENT_MAX_INSTANCES];
	const char *user; /* "": all */
	uint64_t block_ms;
	const char *limit; /* NULL: as it is; "default"; or a number */
	unsigned count, answered, failed, kicked;
	int code; /* of the last failure */
	char text[256];
};

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void find_instances(struct asking *q)
{
	const Starling__Registration *all[CLIENT_MAX_INSTANCES];

	client_settle(&q->client);
	q->count = client_select(&q->client, "turn-relay", all, CLIENT_MAX_INSTANCES);
	for (unsigned i = 0; i < q->count; i++) {
		struct asked *one = &q->instances[i];

		one->all = q;
		one->instance = all[i]->instance;
		snprintf(one->name, sizeof(one->name), "%s", all[i]->name);
	}
}

static void answered(struct asking *q, const struct ipc_result *result)
{
	if (ipc_ok(result)) {
		q->answered++;
	} else {
		q->failed++;
		q->code = result->code;
		snprintf(q->text, sizeof(q->text), "%s", result->text);
	}
	client_answered(&q->client);
}

static int verdict(const struct asking *q)
{
	if (q->failed)
		return command_fail(q->client.args, exit_code_of(q->code), "%u of %u relays did not answer: %s %s", q->failed,
		                    q->failed + q->answered, ipc_code_name(q->code), q->text);
	if (!q->answered)
		return command_fail(q->client.args, CTL_TEMPORARY, "no turn-relay is up");
	return CTL_OK;
}

/* --- list --------------------------------------------------------------------------------------------------------- */

static void allocation_json(struct json *j, const Starling__TurnAllocation *a, const char *instance)
{
	json_open(j, NULL, '{');
	json_text(j, "user", a->user);
	json_text(j, "client", a->client);
	json_text(j, "transport", a->transport);
	json_open(j, "relayed", '[');
	for (size_t i = 0; i < a->n_relayed; i++)
		json_text(j, NULL, a->relayed[i]);
	json_close(j, ']');
	json_number(j, "since_ms", (double)a->since_ms);
	json_number(j, "expires_ms", (double)a->expires_ms);
	json_number(j, "permissions", a->permissions);
	json_number(j, "channels", a->channels);
	json_number(j, "bytes_to_peer", (double)a->bytes_to_peer);
	json_number(j, "bytes_to_client", (double)a->bytes_to_client);
	json_number(j, "packets_to_peer", (double)a->packets_to_peer);
	json_number(j, "packets_to_client", (double)a->packets_to_client);
	json_text(j, "instance", instance);
	json_close(j, '}');
}

static void allocation_row(struct table *t, const Starling__TurnAllocation *a, const char *instance)
{
	char age[32], left[32];

	table_duration(a->since_ms, age);
	table_duration(a->expires_ms, left);
	table_cell(t, "%s", a->user);
	table_cell(t, "%s", a->client);
	table_cell(t, "%s", a->transport);
	table_cell(t, "%s%s%s", a->relayed[0], a->n_relayed > 1 ? " " : "", a->n_relayed > 1 ? a->relayed[1] : "");
	table_cell(t, "%s", age);
	table_cell(t, "%s", left);
	table_cell(t, "%u", a->permissions);
	table_cell(t, "%u", a->channels);
	table_cell(t, "%llu", (unsigned long long)a->bytes_to_peer);
	table_cell(t, "%llu", (unsigned long long)a->bytes_to_client);
	table_cell(t, "%s", instance);
}

static void on_listed(const struct ipc_result *result, const Starling__TurnListReply *reply, void *ctx)
{
	struct asked *one = ctx;
	struct asking *q = one->all;

	for (size_t i = 0; ipc_ok(result) && i < reply->n_allocations; i++) {
		if (q->client.args->json)
			allocation_json(&q->json, reply->allocations[i], one->name);
		else if (reply->allocations[i]->n_relayed > 0)
			allocation_row(&q->table, reply->allocations[i], one->name);
	}
	answered(q, result);
}

static void ask_lists(struct asking *q)
{
	Starling__TurnListRequest request = STARLING__TURN_LIST_REQUEST__INIT;

	find_instances(q);
	request.user = (char *)(uintptr_t)q->user;
	request.limit = LIMIT;
	for (unsigned i = 0; i < q->count; i++) {
		client_expect(&q->client);
		call_turn_list(q->client.bus, ipc_instance(q->instances[i].instance), &q->client.opts, &request, on_listed,
		               &q->instances[i]);
	}
	client_wait(&q->client);
}

static void print_answers(struct asking *q)
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

static int list(struct asking *q)
{
	static const char *const titles[] = { "USER",    "CLIENT",   "TRANSPORT", "RELAYED",   "SINCE",   "LEFT",
		                              "PERMITS", "CHANNELS", "TO-PEER",   "TO-CLIENT", "INSTANCE" };
	int status = CTL_OK;

	table_init(&q->table, sizeof(titles) / sizeof(*titles), titles, 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 9);
	json_open(&q->json, NULL, '{');
	json_open(&q->json, "allocations", '[');
	ask_lists(q);
	json_close(&q->json, ']');
	json_bool(&q->json, "complete", q->failed == 0 && q->answered > 0);
	json_close(&q->json, '}');
	print_answers(q);
	/* The list is out; with JSON nothing may follow it. */
	if (!q->client.args->json)
		status = verdict(q);
	else if (q->failed)
		status = exit_code_of(q->code);
	else if (!q->answered)
		status = CTL_TEMPORARY;
	buf_fini(&q->json.out);
	table_fini(&q->table);
	return status;
}

/* --- kick --------------------------------------------------------------------------------------------------------- */

static void on_kicked(const struct ipc_result *result, const Starling__TurnKickReply *reply, void *ctx)
{
	struct asked *one = ctx;

	if (ipc_ok(result))
		one->all->kicked += reply->kicked;
	answered(one->all, result);
}

static int kick(struct asking *q)
{
	Starling__TurnKickRequest request = STARLING__TURN_KICK_REQUEST__INIT;
	int status;

	find_instances(q);
	request.user = (char *)(uintptr_t)q->user;
	request.block_ms = q->block_ms;
	for (unsigned i = 0; i < q->count; i++) {
		client_expect(&q->client);
		call_turn_kick(q->client.bus, ipc_instance(q->instances[i].instance), &q->client.opts, &request, on_kicked,
		               &q->instances[i]);
	}
	client_wait(&q->client);
	status = verdict(q);
	if (status)
		return status;
	if (!q->kicked && !q->block_ms)
		return command_fail(q->client.args, CTL_CONFLICT, "%s has no allocation", q->user);
	if (q->client.args->json)
		printf("{\"kicked\":%u}\n", q->kicked);
	else
		printf("%u allocation%s of %s ended\n", q->kicked, q->kicked == 1 ? "" : "s", q->user);
	return CTL_OK;
}

/* --- quota -------------------------------------------------------------------------------------------------------- */

static void on_quota(const struct ipc_result *result, const Starling__TurnQuotaReply *r, void *ctx)
{
	struct asked *one = ctx;
	struct asking *q = one->all;
	char left[32];

	if (ipc_ok(result) && q->client.args->json) {
		json_open(&q->json, NULL, '{');
		json_number(&q->json, "allocations", r->allocations);
		json_bool(&q->json, "set", r->set);
		json_number(&q->json, "used", r->used);
		json_number(&q->json, "blocked_ms", (double)r->blocked_ms);
		json_text(&q->json, "instance", one->name);
		json_close(&q->json, '}');
	} else if (ipc_ok(result)) {
		table_duration(r->blocked_ms, left);
		table_cell(&q->table, "%s", one->name);
		table_cell(&q->table, "%u%s", r->allocations, r->set ? " (set)" : "");
		table_cell(&q->table, "%u", r->used);
		table_cell(&q->table, "%s", r->blocked_ms ? left : "-");
	}
	answered(q, result);
}

static void ask_quotas(struct asking *q)
{
	Starling__TurnQuotaRequest request = STARLING__TURN_QUOTA_REQUEST__INIT;

	find_instances(q);
	request.user = (char *)(uintptr_t)q->user;
	request.reset = q->limit && strcmp(q->limit, "default") == 0;
	request.set = q->limit && !request.reset;
	request.allocations = request.set ? (uint32_t)strtoul(q->limit, NULL, 10) : 0;
	for (unsigned i = 0; i < q->count; i++) {
		client_expect(&q->client);
		call_turn_quota(q->client.bus, ipc_instance(q->instances[i].instance), &q->client.opts, &request, on_quota,
		                &q->instances[i]);
	}
	client_wait(&q->client);
}

static int quota(struct asking *q)
{
	static const char *const titles[] = { "INSTANCE", "ALLOCATIONS", "USED", "KEPT-OUT" };
	int status;

	table_init(&q->table, sizeof(titles) / sizeof(*titles), titles, 1u << 2 | 1u << 3);
	json_open(&q->json, NULL, '{');
	json_open(&q->json, "quotas", '[');
	ask_quotas(q);
	json_close(&q->json, ']');
	json_close(&q->json, '}');
	status = verdict(q);
	if (status == CTL_OK)
		print_answers(q);
	buf_fini(&q->json.out);
	table_fini(&q->table);
	return status;
}

/* A number of allocations, or "default". */
static bool is_limit(const char *text)
{
	return strcmp(text, "default") == 0 || (text[0] && strlen(text) <= 7 && strspn(text, "0123456789") == strlen(text));
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned min_words, max_words;
	int (*run)(struct asking *q);
} actions[] = { { "list", 1, 2, list }, { "kick", 2, 3, kick }, { "quota", 2, 3, quota } };

static int with_client(struct asking *q, const struct args *a, int (*run)(struct asking *q))
{
	int status = client_open(&q->client, a);

	if (status == 0)
		status = run(q);
	client_close(&q->client);
	return status;
}

int command_turn(const struct args *a)
{
	static struct asking q; /* too much for a stack */
	int64_t block_ms = 0;

	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		if (strcmp(actions[i].name, a->words[0]) != 0)
			continue;
		if (a->word_count < actions[i].min_words)
			return command_fail(a, CTL_USAGE, "turn %s: the user is missing", a->words[0]);
		if (a->word_count > actions[i].max_words)
			return command_fail(a, CTL_USAGE, "turn %s: too many words", a->words[0]);
		q.limit = a->word_count > 2 ? a->words[2] : NULL;
		if (q.limit && actions[i].run == quota && !is_limit(q.limit))
			return command_fail(a, CTL_USAGE, "'%s' is neither a number of allocations nor 'default'", q.limit);
		if (a->word_count > 2 && actions[i].run == kick && (config_parse_duration(a->words[2], &block_ms) != 0 || block_ms <= 0))
			return command_fail(a, CTL_USAGE, "'%s' is no time: 30s, 10m, 2h, 7d", a->words[2]);
		q.user = a->word_count > 1 ? a->words[1] : "";
		q.block_ms = (uint64_t)block_ms;
		return with_client(&q, a, actions[i].run);
	}
	return command_fail(a, CTL_USAGE, "turn: no action '%s': list, kick or quota is wanted", a->words[0]);
}
