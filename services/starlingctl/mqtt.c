/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands on MQTT clients: mqtt list, sessions, kick, ban, unban, bans. Each broker knows its own clients, so all are asked. */
#include <stdio.h>
#include <string.h>

#include "common/base/list.h"
#include "common/daemon/config.h"
#include "ipc/gen/mqttadmin.client.h"
#include "services/starlingctl/ask.h"
#include "services/starlingctl/command.h"

struct asking {
	struct ask ask;
	const struct action *action;
	const char *user; /* of the lists; "": all */
	Starling__MqttWhom whom;
	uint64_t for_ms;
	unsigned missing, kicked, unkept;
};

struct action {
	const char *name;
	bool whom;          /* client|user|address NAME follows */
	unsigned max_words; /* with the action's own */
	/* Asks one broker. */
	void (*call)(struct ask_one *one);
	const char *key; /* of the list in JSON; NULL: it is no list */
	const char *const *titles;
	unsigned columns, right;
};

/* --- answers ------------------------------------------------------------------------------------------------------ */

static struct asking *asking_of(struct ask_one *one)
{
	return list_entry(one->all, struct asking, ask);
}

/* To have nothing of that name is an answer, too. */
static void answered(struct ask_one *one, const struct ipc_result *result)
{
	struct ipc_result nothing_here = { .code = STARLING__CODE__CODE_OK };
	bool missing = result->code == STARLING__CODE__CODE_NOT_FOUND;

	asking_of(one)->missing += missing;
	ask_answered(one, missing ? &nothing_here : result);
}

static void on_listed(const struct ipc_result *result, const Starling__MqttListReply *reply, void *ctx)
{
	struct ask_one *one = ctx;
	struct ask *q = one->all;
	char age[32], size[32];

	for (size_t i = 0; ipc_ok(result) && i < reply->n_clients; i++) {
		const Starling__MqttClientInfo *c = reply->clients[i];

		json_open(&q->json, NULL, '{');
		json_text(&q->json, "client", c->client);
		json_text(&q->json, "user", c->user);
		json_text(&q->json, "host", c->host);
		json_text(&q->json, "address", c->address);
		json_text(&q->json, "transport", c->transport);
		json_number(&q->json, "version", c->version);
		json_number(&q->json, "since_ms", (double)c->since_ms);
		json_number(&q->json, "inflight", c->inflight);
		json_number(&q->json, "queued", (double)c->queued);
		json_number(&q->json, "bytes", (double)c->bytes);
		json_number(&q->json, "subscriptions", c->subscriptions);
		json_text(&q->json, "instance", one->name);
		json_close(&q->json, '}');
		table_duration(c->since_ms, age);
		table_size(c->bytes, size);
		table_cell(&q->table, "%s", c->client);
		table_cell(&q->table, "%s", c->user[0] ? c->user : "-");
		table_cell(&q->table, "%s", c->address);
		table_cell(&q->table, "%s", c->transport);
		table_cell(&q->table, "%s", c->version == 5 ? "5.0" : c->version == 4 ? "3.1.1" : "3.1");
		table_cell(&q->table, "%s", age);
		table_cell(&q->table, "%u", c->inflight);
		table_cell(&q->table, "%llu", (unsigned long long)c->queued);
		table_cell(&q->table, "%s", size);
		table_cell(&q->table, "%u", c->subscriptions);
		table_cell(&q->table, "%s", one->name);
	}
	answered(one, result);
}

static void on_sessions(const struct ipc_result *result, const Starling__MqttSessionsReply *reply, void *ctx)
{
	struct ask_one *one = ctx;
	struct ask *q = one->all;

	for (size_t i = 0; ipc_ok(result) && i < reply->n_sessions; i++) {
		const Starling__MqttSessionInfo *s = reply->sessions[i];

		json_open(&q->json, NULL, '{');
		json_text(&q->json, "client", s->client);
		json_text(&q->json, "user", s->user);
		json_text(&q->json, "host", s->host);
		json_bool(&q->json, "connected", s->connected);
		json_bool(&q->json, "lasts", s->lasts);
		json_number(&q->json, "subscriptions", s->subscriptions);
		json_number(&q->json, "queued", (double)s->queued);
		json_text(&q->json, "instance", one->name);
		json_close(&q->json, '}');
		table_cell(&q->table, "%s", s->client);
		table_cell(&q->table, "%s", s->user[0] ? s->user : "-");
		table_cell(&q->table, "%s", s->host);
		table_cell(&q->table, "%s", s->connected ? "yes" : "no");
		table_cell(&q->table, "%s", s->lasts ? "yes" : "no");
		table_cell(&q->table, "%u", s->subscriptions);
		table_cell(&q->table, "%llu", (unsigned long long)s->queued);
		table_cell(&q->table, "%s", one->name);
	}
	answered(one, result);
}

static void on_bans(const struct ipc_result *result, const Starling__MqttBansReply *reply, void *ctx)
{
	struct ask_one *one = ctx;
	struct ask *q = one->all;
	char left[32];

	for (size_t i = 0; ipc_ok(result) && i < reply->n_bans; i++) {
		const Starling__MqttBan *b = reply->bans[i];

		json_open(&q->json, NULL, '{');
		json_text(&q->json, "client", b->whom->client);
		json_text(&q->json, "user", b->whom->user);
		json_text(&q->json, "address", b->whom->address);
		json_number(&q->json, "left_ms", (double)b->left_ms);
		json_text(&q->json, "instance", one->name);
		json_close(&q->json, '}');
		table_duration(b->left_ms, left);
		table_cell(&q->table, "%s", b->whom->client[0] ? b->whom->client : "-");
		table_cell(&q->table, "%s", b->whom->user[0] ? b->whom->user : "-");
		table_cell(&q->table, "%s", b->whom->address[0] ? b->whom->address : "-");
		table_cell(&q->table, "%s", b->left_ms ? left : "-");
		table_cell(&q->table, "%s", one->name);
	}
	answered(one, result);
}

static void on_kicked(const struct ipc_result *result, const Starling__MqttKickReply *reply, void *ctx)
{
	struct ask_one *one = ctx;

	asking_of(one)->kicked += ipc_ok(result) ? reply->kicked : 0;
	answered(one, result);
}

static void on_banned(const struct ipc_result *result, const Starling__MqttBanReply *reply, void *ctx)
{
	struct ask_one *one = ctx;

	asking_of(one)->kicked += ipc_ok(result) ? reply->kicked : 0;
	asking_of(one)->unkept += ipc_ok(result) && !reply->kept;
	answered(one, result);
}

static void on_unbanned(const struct ipc_result *result, const Starling__MqttUnbanReply *reply, void *ctx)
{
	struct ask_one *one = ctx;

	asking_of(one)->unkept += ipc_ok(result) && !reply->kept;
	answered(one, result);
}

/* --- questions ---------------------------------------------------------------------------------------------------- */

static void call_list(struct ask_one *one)
{
	Starling__MqttListRequest request = STARLING__MQTT_LIST_REQUEST__INIT;

	request.user = (char *)(uintptr_t)asking_of(one)->user;
	request.limit = ASK_LIMIT;
	call_mqttadmin_list(one->all->client.bus, ipc_instance(one->instance), &one->all->client.opts, &request, on_listed, one);
}

static void call_sessions(struct ask_one *one)
{
	Starling__MqttListRequest request = STARLING__MQTT_LIST_REQUEST__INIT;

	request.user = (char *)(uintptr_t)asking_of(one)->user;
	request.limit = ASK_LIMIT;
	call_mqttadmin_sessions(one->all->client.bus, ipc_instance(one->instance), &one->all->client.opts, &request, on_sessions, one);
}

static void call_bans(struct ask_one *one)
{
	Starling__MqttBansRequest request = STARLING__MQTT_BANS_REQUEST__INIT;

	call_mqttadmin_bans(one->all->client.bus, ipc_instance(one->instance), &one->all->client.opts, &request, on_bans, one);
}

static void call_kick(struct ask_one *one)
{
	Starling__MqttKickRequest request = STARLING__MQTT_KICK_REQUEST__INIT;

	request.whom = &asking_of(one)->whom;
	call_mqttadmin_kick(one->all->client.bus, ipc_instance(one->instance), &one->all->client.opts, &request, on_kicked, one);
}

static void call_ban(struct ask_one *one)
{
	Starling__MqttBanRequest request = STARLING__MQTT_BAN_REQUEST__INIT;

	request.whom = &asking_of(one)->whom;
	request.for_ms = asking_of(one)->for_ms;
	call_mqttadmin_ban(one->all->client.bus, ipc_instance(one->instance), &one->all->client.opts, &request, on_banned, one);
}

static void call_unban(struct ask_one *one)
{
	Starling__MqttKickRequest request = STARLING__MQTT_KICK_REQUEST__INIT;

	request.whom = &asking_of(one)->whom;
	call_mqttadmin_unban(one->all->client.bus, ipc_instance(one->instance), &one->all->client.opts, &request, on_unbanned, one);
}

/* --- what is said about it ---------------------------------------------------------------------------------------- */

static int list(struct ask *ask)
{
	const struct action *action = list_entry(ask, struct asking, ask)->action;

	return ask_list(ask, action->key, action->columns, action->titles, action->right, action->call);
}

static int act(struct ask *ask)
{
	const struct asking *q = list_entry(ask, struct asking, ask);
	bool kick = q->action->call == call_kick, unban = q->action->call == call_unban;
	int status;

	ask_all(ask, q->action->call);
	status = ask_verdict(ask);
	if (status)
		return status;
	if (unban && q->missing == ask->answered)
		return command_fail(ask->client.args, CTL_CONFLICT, "there is no such ban");
	if (kick && !q->kicked)
		return command_fail(ask->client.args, CTL_CONFLICT, "there is no such client");
	if (ask->client.args->json)
		printf("{\"kicked\":%u,\"kept\":%s}\n", q->kicked, q->unkept ? "false" : "true");
	else if (!unban)
		printf("%u connection%s ended\n", q->kicked, q->kicked == 1 ? "" : "s");
	if (q->unkept)
		fprintf(stderr, "starlingctl: %u broker%s could not write it down: it lasts until the next start\n", q->unkept,
		        q->unkept == 1 ? "" : "s");
	return CTL_OK;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static const char *const client_titles[] = { "CLIENT",   "USER",   "ADDRESS", "TRANSPORT", "VERSION", "SINCE",
	                                     "INFLIGHT", "QUEUED", "MEMORY",  "FILTERS",   "INSTANCE" };
static const char *const session_titles[] = { "CLIENT", "USER", "HOST", "CONNECTED", "LASTS", "FILTERS", "QUEUED", "INSTANCE" };
static const char *const ban_titles[] = { "CLIENT", "USER", "ADDRESS", "LEFT", "INSTANCE" };

static const struct action actions[] = {
	{ "list", false, 2, call_list, "clients", client_titles, 11, 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 9 },
	{ "sessions", false, 2, call_sessions, "sessions", session_titles, 8, 1u << 5 | 1u << 6 },
	{ "bans", false, 1, call_bans, "bans", ban_titles, 5, 1u << 3 },
	{ "kick", true, 3, call_kick, NULL, NULL, 0, 0 },
	{ "ban", true, 4, call_ban, NULL, NULL, 0, 0 },
	{ "unban", true, 3, call_unban, NULL, NULL, 0, 0 },
};

static int take_whom(struct asking *q, const struct args *a)
{
	const char *kind = a->words[1];
	char *name = (char *)(uintptr_t)a->words[2];
	int64_t ms = 0;

	if (!name[0])
		return command_fail(a, CTL_USAGE, "mqtt %s: the name is empty", a->words[0]);
	if (strcmp(kind, "client") == 0)
		q->whom.client = name;
	else if (strcmp(kind, "user") == 0)
		q->whom.user = name;
	else if (strcmp(kind, "address") == 0)
		q->whom.address = name;
	else
		return command_fail(a, CTL_USAGE, "mqtt %s: '%s' is none of client, user and address", a->words[0], kind);
	if (a->word_count > 3 && (config_parse_duration(a->words[3], &ms) != 0 || ms <= 0))
		return command_fail(a, CTL_USAGE, "'%s' is no time: 30s, 10m, 2h, 7d", a->words[3]);
	q->for_ms = (uint64_t)ms;
	return CTL_OK;
}

int command_mqtt(const struct args *a)
{
	static struct asking q; /* too much for a stack */
	int status = CTL_OK;

	starling__mqtt_whom__init(&q.whom);
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions) && !q.action; i++) {
		if (strcmp(actions[i].name, a->words[0]) == 0)
			q.action = &actions[i];
	}
	if (!q.action)
		return command_fail(a, CTL_USAGE, "mqtt: no action '%s': list, sessions, kick, ban, unban or bans is wanted", a->words[0]);
	if (a->word_count > q.action->max_words || (q.action->whom && a->word_count < 3))
		return command_fail(a, CTL_USAGE, "mqtt %s: too %s words", a->words[0], a->word_count < 3 ? "few" : "many");
	if (q.action->whom)
		status = take_whom(&q, a);
	if (status)
		return status;
	q.user = !q.action->whom && a->word_count > 1 ? a->words[1] : "";
	return ask_run(&q.ask, a, "mqtt-broker", q.action->key ? list : act);
}
