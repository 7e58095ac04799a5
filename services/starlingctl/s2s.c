/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands on federation: s2s list, s2s close and s2s retry. Each s2s knows its own streams and domains, so all are asked. */
#include <stdio.h>
#include <string.h>

#include "common/base/list.h"
#include "common/xmpp/jid.h"
#include "ipc/gen/s2s.client.h"
#include "services/starlingctl/ask.h"
#include "services/starlingctl/command.h"

struct asking {
	struct ask ask;
	char domain[JID_PART_MAX + 1]; /* normalised; empty: all */
	unsigned closed, retried;
};

static struct asking *asking_of(struct ask *q)
{
	return list_entry(q, struct asking, ask);
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
	struct ask_one *one = ctx;
	struct ask *q = one->all;

	for (size_t i = 0; ipc_ok(result) && i < reply->n_links; i++) {
		if (q->client.args->json)
			link_json(&q->json, reply->links[i], one->name);
		else
			link_row(&q->table, reply->links[i], one->name);
	}
	ask_answered(one, result);
}

static void call_list(struct ask_one *one)
{
	Starling__S2sListRequest request = STARLING__S2S_LIST_REQUEST__INIT;

	request.domain = asking_of(one->all)->domain;
	request.limit = ASK_LIMIT;
	call_s2s_list(one->all->client.bus, ipc_instance(one->instance), &one->all->client.opts, &request, on_listed, one);
}

static int list(struct ask *q)
{
	static const char *const titles[] = { "LOCAL",   "REMOTE", "DIRECTION", "STATE",   "SINCE",    "PROOF", "TLS",
		                              "MANAGED", "QUEUED", "SPOOLED",   "ADDRESS", "INSTANCE", "ERROR" };

	return ask_list(q, "links", sizeof(titles) / sizeof(*titles), titles, 1u << 4 | 1u << 8 | 1u << 9, call_list);
}

/* --- close -------------------------------------------------------------------------------------------------------- */

static void on_closed(const struct ipc_result *result, const Starling__S2sCloseReply *reply, void *ctx)
{
	struct ask_one *one = ctx;

	if (ipc_ok(result)) {
		asking_of(one->all)->closed += reply->closed;
		asking_of(one->all)->retried += reply->retried;
	}
	ask_answered(one, result);
}

static void call_close(struct ask_one *one)
{
	Starling__S2sCloseRequest request = STARLING__S2S_CLOSE_REQUEST__INIT;

	request.domain = asking_of(one->all)->domain;
	call_s2s_close(one->all->client.bus, ipc_instance(one->instance), &one->all->client.opts, &request, on_closed, one);
}

static int close_streams(struct ask *ask)
{
	struct asking *q = asking_of(ask);
	int status;

	ask_all(ask, call_close);
	status = ask_verdict(ask);
	if (status)
		return status;
	if (!q->closed && !q->retried)
		return command_fail(ask->client.args, CTL_CONFLICT, "there is no stream with %s", q->domain);
	if (ask->client.args->json)
		printf("{\"closed\":%u,\"retried\":%u}\n", q->closed, q->retried);
	else
		printf("%u stream%s with %s ended%s\n", q->closed, q->closed == 1 ? "" : "s", q->domain,
		       q->retried ? "; what waits tries again now" : "");
	return CTL_OK;
}

/* --- retry -------------------------------------------------------------------------------------------------------- */

static void on_retried(const struct ipc_result *result, const Starling__S2sRetryReply *reply, void *ctx)
{
	struct ask_one *one = ctx;

	if (ipc_ok(result))
		asking_of(one->all)->retried += reply->retried;
	ask_answered(one, result);
}

static void call_retry(struct ask_one *one)
{
	Starling__S2sRetryRequest request = STARLING__S2S_RETRY_REQUEST__INIT;

	request.domain = asking_of(one->all)->domain;
	call_s2s_retry(one->all->client.bus, ipc_instance(one->instance), &one->all->client.opts, &request, on_retried, one);
}

static int retry(struct ask *ask)
{
	struct asking *q = asking_of(ask);
	int status;

	ask_all(ask, call_retry);
	status = ask_verdict(ask);
	if (status)
		return status;
	if (!q->retried)
		return command_fail(ask->client.args, CTL_CONFLICT, "nothing%s%s waits to try again", q->domain[0] ? " for " : "",
		                    q->domain);
	if (ask->client.args->json)
		printf("{\"retried\":%u}\n", q->retried);
	else
		printf("%u pair%s of domains: trying again now\n", q->retried, q->retried == 1 ? "" : "s");
	return CTL_OK;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned min_words;
	int (*run)(struct ask *q);
} actions[] = { { "list", 1, list }, { "close", 2, close_streams }, { "retry", 1, retry } };

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
		return ask_run(&q.ask, a, "s2s", actions[i].run);
	}
	return command_fail(a, CTL_USAGE, "s2s: no action '%s': list, close or retry is wanted", a->words[0]);
}
