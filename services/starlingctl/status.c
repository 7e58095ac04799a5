/* SPDX-License-Identifier: Apache-2.0
 *
 * `starlingctl status`: what the routers' directory knows, each asked for its own view, and what the supervisor runs that is not there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "ipc/gen/admin.client.h"
#include "services/starlingctl/children_file.h"
#include "services/starlingctl/client.h"
#include "services/starlingctl/command.h"
#include "services/starlingctl/json.h"
#include "services/starlingctl/lock.h"
#include "services/starlingctl/proc.h"
#include "services/starlingctl/supervisor.h"
#include "services/starlingctl/table.h"

enum { MAX_ROWS = CLIENT_MAX_INSTANCES + SUPERVISOR_MAX_CHILDREN };

struct row {
	struct survey *survey;
	char name[80], role[64], version[64], health[256];
	int pid;
	double uptime_ms, connections, rate, memory;
	bool answered, healthy, supervised;
	unsigned restarts;
};

struct survey {
	struct client client;
	struct row *rows;
	unsigned count;
	struct child_line children[SUPERVISOR_MAX_CHILDREN];
	unsigned child_count;
};

static void copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

static void on_status(const struct ipc_result *result, const Starling__StatusReply *reply, void *ctx)
{
	struct row *r = ctx;

	r->answered = ipc_ok(result);
	if (!r->answered) {
		snprintf(r->health, sizeof(r->health), "does not answer: %s", ipc_code_name(result->code));
	} else {
		copy(r->version, sizeof(r->version), reply->version);
		r->pid = (int)reply->pid;
		r->uptime_ms = (double)reply->uptime_ms;
		r->connections = (double)reply->connections;
		r->rate = reply->rate;
		r->memory = (double)reply->memory_bytes;
		r->healthy = reply->healthy && !reply->draining;
		copy(r->health, sizeof(r->health), reply->draining ? "draining" : reply->healthy ? "healthy" : reply->health);
	}
	client_answered(&r->survey->client);
}

static struct row *add_row(struct survey *s, const char *name, const char *role)
{
	struct row *r = &s->rows[s->count++];

	r->survey = s;
	copy(r->name, sizeof(r->name), name);
	copy(r->role, sizeof(r->role), role);
	return r;
}

static void ask_all(struct survey *s)
{
	const Starling__Registration *found[CLIENT_MAX_INSTANCES];
	Starling__Empty request = STARLING__EMPTY__INIT;
	uint64_t numbers[CLIENT_MAX_INSTANCES];
	unsigned n = client_select(&s->client, NULL, found, CLIENT_MAX_INSTANCES);

	for (unsigned i = 0; i < n; i++) {
		struct row *r = add_row(s, found[i]->name, found[i]->role);

		r->pid = (int)found[i]->pid;
		copy(r->version, sizeof(r->version), found[i]->version);
		numbers[i] = found[i]->instance;
	}
	for (unsigned i = 0; i < n; i++) {
		client_expect(&s->client);
		call_admin_status(s->client.bus, ipc_instance(numbers[i]), &s->client.opts, &request, on_status, &s->rows[i]);
	}
	client_wait(&s->client);
}

/* What the supervisor runs: the stores, which are on no bus, and whatever is missing there. */
static void add_supervised(struct survey *s)
{
	s->child_count = lock_holder() ? children_file_read(s->children, SUPERVISOR_MAX_CHILDREN) : 0;
	for (unsigned i = 0; i < s->child_count; i++) {
		const struct child_line *line = &s->children[i];
		struct row *r = NULL;

		for (unsigned k = 0; k < s->count && !r; k++)
			if (strcmp(s->rows[k].name, line->name) == 0)
				r = &s->rows[k];
		if (!r) {
			r = add_row(s, line->name, line->role);
			r->pid = line->pid;
			r->healthy = strcmp(line->state, "ready") == 0 && proc_alive(line->pid, line->start_ticks);
			copy(r->health, sizeof(r->health), r->healthy ? "running" : line->state);
			if (r->healthy && strcmp(line->role, "postgres") != 0 && strcmp(line->role, "redis") != 0) {
				r->healthy = false;
				copy(r->health, sizeof(r->health), "not on the bus");
			}
			r->memory = (double)proc_memory(line->pid);
			r->uptime_ms = (double)proc_uptime_ms(line->start_ticks);
		}
		r->supervised = true;
		r->restarts = line->restarts;
	}
}

static int by_role_and_name(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int role = strcmp(x->role, y->role);

	return role ? role : strcmp(x->name, y->name);
}

static void print_json(const struct survey *s)
{
	struct json j = { 0 };

	json_open(&j, NULL, '{');
	json_open(&j, "instances", '[');
	for (unsigned i = 0; i < s->count; i++) {
		const struct row *r = &s->rows[i];

		json_open(&j, NULL, '{');
		json_text(&j, "role", r->role);
		json_text(&j, "name", r->name);
		json_number(&j, "pid", r->pid);
		json_text(&j, "version", r->version);
		json_number(&j, "uptime_ms", r->uptime_ms);
		json_number(&j, "connections", r->connections);
		json_number(&j, "rate", r->rate);
		json_number(&j, "memory_bytes", r->memory);
		json_bool(&j, "healthy", r->healthy);
		json_text(&j, "health", r->health);
		json_bool(&j, "supervised", r->supervised);
		json_number(&j, "restarts", r->restarts);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	json_print(&j);
}

static void print_table(const struct survey *s)
{
	static const char *const titles[] = { "ROLE",        "NAME",   "PID",    "VERSION", "UPTIME",
		                              "CONNECTIONS", "RATE/S", "MEMORY", "STARTS",  "HEALTH" };
	struct table t;
	struct buf text = { 0 };

	table_init(&t, 10, titles, 1u << 2 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8);
	for (unsigned i = 0; i < s->count; i++) {
		const struct row *r = &s->rows[i];
		char uptime[32], memory[32];

		table_duration((uint64_t)r->uptime_ms, uptime);
		table_size((uint64_t)r->memory, memory);
		table_cell(&t, "%s", r->role);
		table_cell(&t, "%s", r->name);
		table_cell(&t, r->pid ? "%d" : "-", r->pid);
		table_cell(&t, "%s", *r->version ? r->version : "-");
		table_cell(&t, "%s", r->uptime_ms > 0 ? uptime : "-");
		table_cell(&t, r->answered ? "%.0f" : "-", r->connections);
		table_cell(&t, r->answered ? "%.0f" : "-", r->rate);
		table_cell(&t, "%s", r->memory > 0 ? memory : "-");
		table_cell(&t, r->supervised ? "%u" : "-", r->restarts + 1);
		table_cell(&t, "%s", r->health);
	}
	table_write(&t, &text);
	fwrite(buf_str(&text).p, 1, buf_str(&text).n, stdout);
	buf_fini(&text);
	table_fini(&t);
}

int command_status(const struct args *a)
{
	struct survey *s = mem_new(struct survey);
	/* Without a router there is still the supervisor's view; the failure was told already, but not as JSON: one document is enough. */
	struct args quiet = *a;
	int status;

	quiet.json = false;
	s->rows = mem_zalloc(MAX_ROWS * sizeof(*s->rows));
	status = client_open(&s->client, &quiet);
	if (status == CTL_OK) {
		client_settle(&s->client);
		ask_all(s);
	}
	if (status == CTL_OK || status == CTL_UNAVAILABLE) {
		add_supervised(s);
		qsort(s->rows, s->count, sizeof(*s->rows), by_role_and_name);
		if (a->json)
			print_json(s);
		else if (s->count)
			print_table(s);
	}
	for (unsigned i = 0; status == CTL_OK && i < s->count; i++)
		if (!s->rows[i].healthy)
			status = CTL_FAILED;
	client_close(&s->client);
	mem_free(s->rows);
	mem_free(s);
	return status;
}
