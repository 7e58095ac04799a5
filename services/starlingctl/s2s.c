/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands on federation: s2s list, s2s close and s2s retry. Each s2s knows its own streams and domains, so all are asked. */
#include <stdio.h>
#include <string.h>

#include "common/xmpp/jid.h"
#include "ipc/gen/s2s.client.h"
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
	char domain[JID_PART_MAX + 1]; /* normalised; empty: all */
	unsigned count, answered, failed, closed, retried;
	int code; /* of the last failure */
	char text[256];
};

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void find_instances(struct asking *q)
{
	const Starling__Registration *all[CLIENT_MAX_INSTANCES];

	client_settle(&q->client);
	q->count = client_select(&q->client, "s2s", all, CLIENT_MAX_INSTANCES);
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
		return command_fail(q->client.args, exit_code_of(q->code), "%u of %u s2s did not answer: %s %s", q->failed,
		                    q->failed + q->answered, ipc_code_name(q->code), q->text);
	if (!q->answered)
		return command_fail(q->client.args, CTL_TEMPORARY, "no s2s is up");
	return CTL_OK;
}

/* --- list --------------------------------------------------------------------------------------------------------- */

static void link_json(struct json *j, const Starling__S2sLink *l, const char *instance)
{
	json_open(j, NULL, '{');
	json_text(j, "local", l->local);
	json_text(j, "remote", l->remote);
	json_text(j, "direction", l->direction);
	json_text(j, "state", l->state);
	json_text(j, "proof", l->proof);
	json_text(j, "tls", l->tls);
	json_bool(j, "managed", l->managed);
	json_bool(j, "compressed", l->compressed);
	json_text(j, "address", l->address);
	json_number(j, "since_ms", (double)l->since_ms);
	json_number(j, "queued", (double)l->queued);
	json_number(j, "spooled", (double)l->spooled);
	json_text(j, "error", l->error);
	json_text(j, "instance", instance);
	json_close(j, '}');
}

static const char *or_dash(const char *text)
{
	return text[0] ? text : "-";
}

static void link_row(struct table *t, const Starling__S2sLink *l, const char *instance)
{
	char age[32];

	table_duration(l->since_ms, age);
	table_cell(t, "%s", l->local);
	table_cell(t, "%s", l->remote);
	table_cell(t, "%s", l->direction);
	table_cell(t, "%s", l->state);
	table_cell(t, "%s", age);
	table_cell(t, "%s", or_dash(l->proof));
	table_cell(t, "%s", or_dash(l->tls));
	table_cell(t, "%s", l->managed ? "yes" : "no");
	table_cell(t, "%llu", (unsigned long long)l->queued);
	table_cell(t, "%llu", (unsigned long long)l->spooled);
	table_cell(t, "%s", or_dash(l->address));
	table_cell(t, "%s", instance);
	table_cell(t, "%s", l->error);
}

static void on_listed(const struct ipc_result *result, const Starling__S2sListReply *reply, void *ctx)
{
	struct asked *one = ctx;
	struct asking *q = one->all;

	for (size_t i = 0; ipc_ok(result) && i < reply->n_links; i++) {
		if (q->client.args->json)
			link_json(&q->json, reply->links[i], one->name);
		else
			link_row(&q->table, reply->links[i], one->name);
	}
	answered(q, result);
}

static void ask_lists(struct asking *q)
{
	Starling__S2sListRequest request = STARLING__S2S_LIST_REQUEST__INIT;

	find_instances(q);
	request.domain = q->domain;
	request.limit = LIMIT;
	for (unsigned i = 0; i < q->count; i++) {
		client_expect(&q->client);
		call_s2s_list(q->client.bus, ipc_instance(q->instances[i].instance), &q->client.opts, &request, on_listed,
		              &q->instances[i]);
	}
	client_wait(&q->client);
}

static void print_links(struct asking *q)
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
	static const char *const titles[] = { "LOCAL",   "REMOTE", "DIRECTION", "STATE",   "SINCE",    "PROOF", "TLS",
		                              "MANAGED", "QUEUED", "SPOOLED",   "ADDRESS", "INSTANCE", "ERROR" };
	int status = CTL_OK;

	table_init(&q->table, sizeof(titles) / sizeof(*titles), titles, 1u << 4 | 1u << 8 | 1u << 9);
	json_open(&q->json, NULL, '{');
	json_open(&q->json, "links", '[');
	ask_lists(q);
	json_close(&q->json, ']');
	json_bool(&q->json, "complete", q->failed == 0 && q->answered > 0);
	json_close(&q->json, '}');
	print_links(q);
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

/* --- close -------------------------------------------------------------------------------------------------------- */

static void on_closed(const struct ipc_result *result, const Starling__S2sCloseReply *reply, void *ctx)
{
	struct asked *one = ctx;

	if (ipc_ok(result)) {
		one->all->closed += reply->closed;
		one->all->retried += reply->retried;
	}
	answered(one->all, result);
}

static int close_streams(struct asking *q)
{
	Starling__S2sCloseRequest request = STARLING__S2S_CLOSE_REQUEST__INIT;
	int status;

	find_instances(q);
	request.domain = q->domain;
	for (unsigned i = 0; i < q->count; i++) {
		client_expect(&q->client);
		call_s2s_close(q->client.bus, ipc_instance(q->instances[i].instance), &q->client.opts, &request, on_closed,
		               &q->instances[i]);
	}
	client_wait(&q->client);
	status = verdict(q);
	if (status)
		return status;
	if (!q->closed && !q->retried)
		return command_fail(q->client.args, CTL_CONFLICT, "there is no stream with %s", q->domain);
	if (q->client.args->json)
		printf("{\"closed\":%u,\"retried\":%u}\n", q->closed, q->retried);
	else
		printf("%u stream%s with %s ended%s\n", q->closed, q->closed == 1 ? "" : "s", q->domain,
		       q->retried ? "; what waits tries again now" : "");
	return CTL_OK;
}

/* --- retry -------------------------------------------------------------------------------------------------------- */

static void on_retried(const struct ipc_result *result, const Starling__S2sRetryReply *reply, void *ctx)
{
	struct asked *one = ctx;

	if (ipc_ok(result))
		one->all->retried += reply->retried;
	answered(one->all, result);
}

static int retry(struct asking *q)
{
	Starling__S2sRetryRequest request = STARLING__S2S_RETRY_REQUEST__INIT;
	int status;

	find_instances(q);
	request.domain = q->domain;
	for (unsigned i = 0; i < q->count; i++) {
		client_expect(&q->client);
		call_s2s_retry(q->client.bus, ipc_instance(q->instances[i].instance), &q->client.opts, &request, on_retried,
		               &q->instances[i]);
	}
	client_wait(&q->client);
	status = verdict(q);
	if (status)
		return status;
	if (!q->retried)
		return command_fail(q->client.args, CTL_CONFLICT, "nothing%s%s waits to try again", q->domain[0] ? " for " : "", q->domain);
	if (q->client.args->json)
		printf("{\"retried\":%u}\n", q->retried);
	else
		printf("%u pair%s of domains: trying again now\n", q->retried, q->retried == 1 ? "" : "s");
	return CTL_OK;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned min_words;
	int (*run)(struct asking *q);
} actions[] = { { "list", 1, list }, { "close", 2, close_streams }, { "retry", 1, retry } };

static int with_client(struct asking *q, const struct args *a, int (*run)(struct asking *q))
{
	int status = client_open(&q->client, a);

	if (status == 0)
		status = run(q);
	client_close(&q->client);
	return status;
}

int command_s2s(const struct args *a)
{
	static struct asking q; /* too much for a stack */
	size_t n = 0;

	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		if (strcmp(actions[i].name, a->words[0]) != 0)
			continue;
		if (a->word_count < actions[i].min_words)
			return command_fail(a, CTL_USAGE, "s2s %s: the remote domain is missing", a->words[0]);
		if (a->word_count > 1 && jid_prep_domain(str_from(a->words[1]), q.domain, &n) != JID_OK)
			return command_fail(a, CTL_USAGE, "'%s' is no domain", a->words[1]);
		return with_client(&q, a, actions[i].run);
	}
	return command_fail(a, CTL_USAGE, "s2s: no action '%s': list, close or retry is wanted", a->words[0]);
}
