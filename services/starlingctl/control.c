/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands to daemons themselves: log-level and reload, of one instance, a role, or all. */
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "ipc/gen/admin.client.h"
#include "services/starlingctl/client.h"
#include "services/starlingctl/command.h"
#include "services/starlingctl/json.h"

struct order {
	struct client client;
	struct json json;
	unsigned done, failed;
	int status; /* the worst */
};

/* One of the instances that were told. */
struct told {
	struct order *order;
	char name[80];
};

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
	if (ipc_ok(result)) {
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

static void ask(struct order *o, uint64_t instance, struct told *t, const char *level)
{
	struct client *c = &o->client;

	client_expect(c);
	if (level) {
		Starling__LogLevelRequest request = STARLING__LOG_LEVEL_REQUEST__INIT;

		request.level = (char *)(uintptr_t)level;
		call_admin_log_level(c->bus, ipc_instance(instance), &c->opts, &request, on_done, t);
	} else {
		Starling__Empty request = STARLING__EMPTY__INIT;

		call_admin_reload(c->bus, ipc_instance(instance), &c->opts, &request, on_done, t);
	}
}

static int tell(struct order *o, const char *which, const char *level)
{
	const Starling__Registration *found[CLIENT_MAX_INSTANCES];
	static struct told told[CLIENT_MAX_INSTANCES];
	unsigned n;

	client_settle(&o->client);
	n = client_select(&o->client, which, found, CLIENT_MAX_INSTANCES);
	if (n == 0)
		return command_fail(o->client.args, CTL_CONFLICT, "there is no instance or role %s", which ? which : "at all");
	for (unsigned i = 0; i < n; i++) {
		told[i].order = o;
		snprintf(told[i].name, sizeof(told[i].name), "%s", found[i]->name);
		ask(o, found[i]->instance, &told[i], level);
	}
	client_wait(&o->client);
	return o->status;
}

static int run(const struct args *a, const char *which, const char *level)
{
	struct order o = { 0 };
	int status = client_open(&o.client, a);

	json_open(&o.json, NULL, '{');
	json_open(&o.json, "instances", '[');
	if (status == 0) {
		status = tell(&o, which, level);
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
	return run(a, a->word_count > 1 ? a->words[1] : NULL, a->words[0]);
}

int command_reload(const struct args *a)
{
	return run(a, a->word_count ? a->words[0] : NULL, NULL);
}
