/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands on relayed media: turn list, turn kick and turn quota. Each relay knows its own allocations, so all are asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/list.h"
#include "common/daemon/config.h"
#include "ipc/gen/turn.client.h"
#include "services/starlingctl/ask.h"
#include "services/starlingctl/command.h"

struct asking {
	struct ask ask;
	const char *user;  /* "": all */
	const char *limit; /* of quota, as it was said; NULL: only shown */
	uint64_t block_ms;
	unsigned kicked;
};

static struct asking *asking_of(struct ask *q)
{
	return list_entry(q, struct asking, ask);
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
	struct ask_one *one = ctx;
	struct ask *q = one->all;

	for (size_t i = 0; ipc_ok(result) && i < reply->n_allocations; i++) {
		if (q->client.args->json)
			allocation_json(&q->json, reply->allocations[i], one->name);
		else if (reply->allocations[i]->n_relayed > 0)
			allocation_row(&q->table, reply->allocations[i], one->name);
	}
	ask_answered(one, result);
}

static void call_list(struct ask_one *one)
{
	Starling__TurnListRequest request = STARLING__TURN_LIST_REQUEST__INIT;

	request.user = (char *)(uintptr_t)asking_of(one->all)->user;
	request.limit = ASK_LIMIT;
	call_turn_list(one->all->client.bus, ipc_instance(one->instance), &one->all->client.opts, &request, on_listed, one);
}

static int list(struct ask *q)
{
	static const char *const titles[] = { "USER",    "CLIENT",   "TRANSPORT", "RELAYED",   "SINCE",   "LEFT",
		                              "PERMITS", "CHANNELS", "TO-PEER",   "TO-CLIENT", "INSTANCE" };

	return ask_list(q, "allocations", sizeof(titles) / sizeof(*titles), titles,
	                1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 9, call_list);
}

/* --- kick --------------------------------------------------------------------------------------------------------- */

static void on_kicked(const struct ipc_result *result, const Starling__TurnKickReply *reply, void *ctx)
{
	struct ask_one *one = ctx;

	if (ipc_ok(result))
		asking_of(one->all)->kicked += reply->kicked;
	ask_answered(one, result);
}

static void call_kick(struct ask_one *one)
{
	Starling__TurnKickRequest request = STARLING__TURN_KICK_REQUEST__INIT;
	const struct asking *q = asking_of(one->all);

	request.user = (char *)(uintptr_t)q->user;
	request.block_ms = q->block_ms;
	call_turn_kick(one->all->client.bus, ipc_instance(one->instance), &one->all->client.opts, &request, on_kicked, one);
}

static int kick(struct ask *ask)
{
	const struct asking *q = asking_of(ask);
	int status;

	ask_all(ask, call_kick);
	status = ask_verdict(ask);
	if (status)
		return status;
	if (!q->kicked && !q->block_ms)
		return command_fail(ask->client.args, CTL_CONFLICT, "%s has no allocation", q->user);
	if (ask->client.args->json)
		printf("{\"kicked\":%u}\n", q->kicked);
	else
		printf("%u allocation%s of %s ended\n", q->kicked, q->kicked == 1 ? "" : "s", q->user);
	return CTL_OK;
}

/* --- quota -------------------------------------------------------------------------------------------------------- */

static void quota_json(struct json *j, const Starling__TurnQuotaReply *r, const char *instance)
{
	json_open(j, NULL, '{');
	json_number(j, "allocations", r->allocations);
	json_bool(j, "set", r->set);
	json_number(j, "used", r->used);
	json_number(j, "blocked_ms", (double)r->blocked_ms);
	json_text(j, "instance", instance);
	json_close(j, '}');
}

static void quota_row(struct table *t, const Starling__TurnQuotaReply *r, const char *instance)
{
	char left[32];

	table_duration(r->blocked_ms, left);
	table_cell(t, "%s", instance);
	table_cell(t, "%u%s", r->allocations, r->set ? " (set)" : "");
	table_cell(t, "%u", r->used);
	table_cell(t, "%s", r->blocked_ms ? left : "-");
}

static void on_quota(const struct ipc_result *result, const Starling__TurnQuotaReply *reply, void *ctx)
{
	struct ask_one *one = ctx;
	struct ask *q = one->all;

	if (ipc_ok(result) && q->client.args->json)
		quota_json(&q->json, reply, one->name);
	else if (ipc_ok(result))
		quota_row(&q->table, reply, one->name);
	ask_answered(one, result);
}

static void call_quota(struct ask_one *one)
{
	Starling__TurnQuotaRequest request = STARLING__TURN_QUOTA_REQUEST__INIT;
	const struct asking *q = asking_of(one->all);

	request.user = (char *)(uintptr_t)q->user;
	request.reset = q->limit && strcmp(q->limit, "default") == 0;
	request.set = q->limit && !request.reset;
	request.allocations = request.set ? (uint32_t)strtoul(q->limit, NULL, 10) : 0;
	call_turn_quota(one->all->client.bus, ipc_instance(one->instance), &one->all->client.opts, &request, on_quota, one);
}

static int quota(struct ask *q)
{
	static const char *const titles[] = { "INSTANCE", "ALLOCATIONS", "USED", "KEPT-OUT" };

	return ask_list(q, "quotas", sizeof(titles) / sizeof(*titles), titles, 1u << 2 | 1u << 3, call_quota);
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
	int (*run)(struct ask *q);
} actions[] = { { "list", 1, 2, list }, { "kick", 2, 3, kick }, { "quota", 2, 3, quota } };

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
		if (q.limit && actions[i].run == kick && (config_parse_duration(q.limit, &block_ms) != 0 || block_ms <= 0))
			return command_fail(a, CTL_USAGE, "'%s' is no time: 30s, 10m, 2h, 7d", a->words[2]);
		q.user = a->word_count > 1 ? a->words[1] : "";
		q.block_ms = (uint64_t)block_ms;
		return ask_run(&q.ask, a, "turn-relay", actions[i].run);
	}
	return command_fail(a, CTL_USAGE, "turn: no action '%s': list, kick or quota is wanted", a->words[0]);
}
