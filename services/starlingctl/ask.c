/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/ask.h"

#include <stdio.h>

#include "services/starlingctl/command.h"

int ask_run(struct ask *q, const struct args *a, const char *role, int (*run)(struct ask *q))
{
	int status = client_open(&q->client, a);

	q->role = role;
	if (status == 0)
		status = run(q);
	client_close(&q->client);
	return status;
}

void ask_all(struct ask *q, void (*call)(struct ask_one *one))
{
	const Starling__Registration *all[CLIENT_MAX_INSTANCES];
	unsigned count;

	client_settle(&q->client);
	count = client_select(&q->client, q->role, all, CLIENT_MAX_INSTANCES);
	/* Their names are the bus's, until the loop turns. */
	for (unsigned i = 0; i < count; i++) {
		struct ask_one *one = &q->instances[i];

		one->all = q;
		one->instance = all[i]->instance;
		snprintf(one->name, sizeof(one->name), "%s", all[i]->name);
	}
	for (unsigned i = 0; i < count; i++) {
		client_expect(&q->client);
		call(&q->instances[i]);
	}
	client_wait(&q->client);
}

void ask_answered(struct ask_one *one, const struct ipc_result *result)
{
	struct ask *q = one->all;

	if (ipc_ok(result)) {
		q->answered++;
	} else {
		q->failed++;
		q->code = result->code;
		snprintf(q->text, sizeof(q->text), "%s", result->text);
	}
	client_answered(&q->client);
}

int ask_verdict(const struct ask *q)
{
	if (q->failed)
		return command_fail(q->client.args, exit_code_of(q->code), "%u of %u instances of %s did not answer: %s %s", q->failed,
		                    q->failed + q->answered, q->role, ipc_code_name(q->code), q->text);
	if (!q->answered)
		return command_fail(q->client.args, CTL_TEMPORARY, "no %s is up", q->role);
	return CTL_OK;
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

static int print_json(struct ask *q)
{
	json_close(&q->json, ']');
	json_bool(&q->json, "complete", q->failed == 0 && q->answered > 0);
	json_close(&q->json, '}');
	json_print(&q->json);
	/* Nothing may follow it. */
	if (q->failed)
		return exit_code_of(q->code);
	return q->answered ? CTL_OK : CTL_TEMPORARY;
}

static int print_table(const struct ask *q)
{
	struct buf text = { 0 };

	table_write(&q->table, &text);
	fwrite(buf_str(&text).p, 1, buf_str(&text).n, stdout);
	buf_fini(&text);
	return ask_verdict(q);
}

int ask_list(struct ask *q, const char *name, unsigned columns, const char *const *titles, unsigned right,
             void (*call)(struct ask_one *one))
{
	int status;

	table_init(&q->table, columns, titles, right);
	json_open(&q->json, NULL, '{');
	json_open(&q->json, name, '[');
	ask_all(q, call);
	status = q->client.args->json ? print_json(q) : print_table(q);
	buf_fini(&q->json.out);
	table_fini(&q->table);
	return status;
}
