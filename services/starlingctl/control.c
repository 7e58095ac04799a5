/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands to daemons themselves: log-level, reload and drain, of one instance, a role, or (not drain) all. */
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "ipc/gen/admin.client.h"
#include "services/starlingctl/client.h"
#include "services/starlingctl/command.h"
#include "services/starlingctl/json.h"

struct order {
	struct client client;
	void (*ask)(struct order *o, uint64_t instance, void *told);
	const char *level;
	struct json json;
	unsigned done, failed;
	int status; /* the worst */
};

/* One of the instances that were told. */
struct told {
	struct order *order;
	char name[80];
};

static void ask_drain(struct order *o, uint64_t instance, void *told);

/* An instance that was told to leave may be gone before its answer is here, as a router takes the way along; await_leaving() looks. */
static bool is_done(const struct order *o, const struct ipc_result *result)
{
	return ipc_ok(result) || (o->ask == ask_drain && result->code == STARLING__CODE__CODE_PEER_LOST);
}

static void on_done(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct told *t = ctx;
	struct order *o = t->order;

	(void)reply;
	json_open(&o->json, NULL, '{');
	json_text(&o->json, "name", t->name);
	json_text(&o->json, "result", ipc_code_name(result->code));
	json_text(&o->json, "text", result->text);
	json_close(&o->json, '}');
	if (is_done(o, result)) {
		o->done++;
	} else {
		int status = exit_code_of(result->code);

		o->failed++;
		if (o->status != CTL_FAILED)
			o->status = status;
		fprintf(stderr, "starlingctl: %s: %s%s%s\n", t->name, ipc_code_name(result->code), *result->text ? ": " : "", result->text);
	}
	client_answered(&o->client);
}

static void ask_log_level(struct order *o, uint64_t instance, void *told)
{
	Starling__LogLevelRequest request = STARLING__LOG_LEVEL_REQUEST__INIT;

	request.level = (char *)(uintptr_t)o->level;
	call_admin_log_level(o->client.bus, ipc_instance(instance), &o->client.opts, &request, on_done, told);
}

static void ask_reload(struct order *o, uint64_t instance, void *told)
{
	Starling__Empty request = STARLING__EMPTY__INIT;

	call_admin_reload(o->client.bus, ipc_instance(instance), &o->client.opts, &request, on_done, told);
}

static void ask_drain(struct order *o, uint64_t instance, void *told)
{
	Starling__Empty request = STARLING__EMPTY__INIT;

	call_admin_drain(o->client.bus, ipc_instance(instance), &o->client.opts, &request, on_done, told);
}

/* Drained instances leave the directory; those that have not done so in time are left to themselves. */
static void await_leaving(struct order *o, const uint64_t *instances, unsigned n)
{
	unsigned gone = 0;

	while (gone < n && client_lacks(&o->client, instances[gone]))
		gone++;
	if (gone == n || o->status)
		return;
	o->status = CTL_TEMPORARY;
	fprintf(stderr, "starlingctl: still draining after the time-out\n");
}

static int tell(struct order *o, const char *which)
{
	const Starling__Registration *found[CLIENT_MAX_INSTANCES];
	static struct told told[CLIENT_MAX_INSTANCES];
	uint64_t instances[CLIENT_MAX_INSTANCES];
	unsigned n;

	/* A router is known to those alone who have joined it, which may take a moment on a busy machine. */
	do {
		client_settle(&o->client);
		n = client_select(&o->client, which, found, CLIENT_MAX_INSTANCES);
	} while (n == 0 && which && client_is_new(&o->client));
	if (n == 0)
		return command_fail(o->client.args, CTL_CONFLICT, "there is no instance or role %s", which ? which : "at all");
	for (unsigned i = 0; i < n; i++) {
		told[i].order = o;
		snprintf(told[i].name, sizeof(told[i].name), "%s", found[i]->name);
		instances[i] = found[i]->instance;
	}
	for (unsigned i = 0; i < n; i++) {
		client_expect(&o->client);
		o->ask(o, instances[i], &told[i]);
	}
	client_wait(&o->client);
	if (o->ask == ask_drain)
		await_leaving(o, instances, n);
	return o->status;
}

static int run(const struct args *a, const char *which, void (*ask)(struct order *o, uint64_t instance, void *told), const char *level)
{
	struct order o = { .ask = ask, .level = level };
	int status = client_open(&o.client, a);

	json_open(&o.json, NULL, '{');
	json_open(&o.json, "instances", '[');
	if (status == 0) {
		status = tell(&o, which);
		json_close(&o.json, ']');
		json_close(&o.json, '}');
		if (a->json && o.done + o.failed)
			json_print(&o.json);
	}
	buf_fini(&o.json.out);
	client_close(&o.client);
	return status;
}

int command_log_level(const struct args *a)
{
	enum log_level level;

	if (!log_level_parse(a->words[0], &level))
		return command_fail(a, CTL_USAGE, "'%s' is none of error, warn, info, debug", a->words[0]);
	return run(a, a->word_count > 1 ? a->words[1] : NULL, ask_log_level, a->words[0]);
}

int command_reload(const struct args *a)
{
	return run(a, a->word_count ? a->words[0] : NULL, ask_reload, NULL);
}

int command_drain(const struct args *a)
{
	return run(a, a->words[0], ask_drain, NULL);
}
