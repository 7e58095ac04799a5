/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/daemon/daemon.h"
#include "services/starlingctl/command.h"
#include "services/starlingctl/state_dir.h"

enum { QUIET_MS = 100, SETTLE_MS = 2000 };

static void wake(struct client *c)
{
	uv_stop(&c->loop);
}

static void on_joined(void *ctx)
{
	struct client *c = ctx;

	c->joined = true;
	wake(c);
}

static void on_directory(void *ctx)
{
	struct client *c = ctx;

	c->directory = true;
	wake(c);
}

/* Not every loss comes with a directory: a router that left is missed after a while only. */
static void on_lost(uint64_t instance, const char *role, void *ctx)
{
	(void)instance;
	(void)role;
	wake(ctx);
}

static void on_limit(uv_timer_t *t)
{
	struct client *c = t->data;

	c->timed_out = true;
	wake(c);
}

static int join(struct client *c, struct err *e)
{
	static const struct ipc_bus_hooks hooks = { .on_joined = on_joined, .on_directory = on_directory, .on_lost = on_lost };
	char name[64], key[4096], allow[4096];
	struct ipc_config config = {
		.role = "starlingctl",
		.name = name,
		.version = STARLING_VERSION,
		.routers = (const char *const *)c->config.shared.routers.items,
		.router_count = (uint32_t)c->config.shared.routers.count,
		.key_file = key,
		.allow_file = allow,
	};

	snprintf(name, sizeof(name), "starlingctl-%d", (int)getpid());
	snprintf(key, sizeof(key), "%s/starlingctl.key", c->config.shared.keys_dir);
	snprintf(allow, sizeof(allow), "%s/allow", c->config.shared.keys_dir);
	c->bus = ipc_bus_new(&c->loop, &config, &hooks, c, e);
	return c->bus ? 0 : -1;
}

int client_open(struct client *c, const struct args *a)
{
	struct err e;

	*c = (struct client){ .args = a, .opts.deadline_ms = (uint32_t)a->timeout_ms };
	log_set_level(LOG_LEVEL_ERROR); /* what matters here is told by exit status and message */
	uv_loop_init(&c->loop);
	uv_timer_init(&c->loop, &c->limit);
	c->limit.data = c;
	c->opened_ms = uv_now(&c->loop);
	if (state_dir_open(a->dir, &e) || ctl_config_load(&c->config, &e) || join(c, &e))
		return command_fail(a, CTL_FAILED, "%s", e.text);
	uv_timer_start(&c->limit, on_limit, (uint64_t)a->timeout_ms, 0);
	while (!c->timed_out && !(c->joined && c->directory))
		uv_run(&c->loop, UV_RUN_DEFAULT);
	uv_timer_stop(&c->limit);
	if (c->timed_out)
		return command_fail(a, CTL_UNAVAILABLE, "no router answers: is the flock of %s up?", state_dir_path());
	return CTL_OK;
}

void client_close(struct client *c)
{
	ipc_bus_free(&c->bus);
	uv_close((uv_handle_t *)&c->limit, NULL);
	uv_run(&c->loop, UV_RUN_DEFAULT);
	uv_loop_close(&c->loop);
	ctl_config_free(&c->config);
}

void client_expect(struct client *c)
{
	c->open++;
}

void client_answered(struct client *c)
{
	if (--c->open == 0)
		wake(c);
}

void client_wait(struct client *c)
{
	while (c->open)
		uv_run(&c->loop, UV_RUN_DEFAULT);
}

static bool any_ready(const struct client *c, const char *role)
{
	const Starling__Registration *found[CLIENT_MAX_INSTANCES];
	uint32_t n = ipc_bus_instances(c->bus, role, found, CLIENT_MAX_INSTANCES);

	for (uint32_t i = 0; i < n; i++)
		if (found[i]->state == STARLING__INSTANCE_STATE__INSTANCE_READY)
			return true;
	return false;
}

void client_await(struct client *c, const char *role)
{
	c->timed_out = false;
	uv_timer_start(&c->limit, on_limit, (uint64_t)c->args->timeout_ms, 0);
	while (!c->timed_out && !any_ready(c, role))
		uv_run(&c->loop, UV_RUN_DEFAULT);
	uv_timer_stop(&c->limit);
}

bool client_lacks(struct client *c, uint64_t instance)
{
	c->timed_out = false;
	uv_timer_start(&c->limit, on_limit, (uint64_t)c->args->timeout_ms, 0);
	while (!c->timed_out && ipc_bus_find(c->bus, instance))
		uv_run(&c->loop, UV_RUN_DEFAULT);
	uv_timer_stop(&c->limit);
	return !c->timed_out;
}

bool client_is_new(const struct client *c)
{
	return uv_now(&c->loop) - c->opened_ms < SETTLE_MS;
}

void client_settle(struct client *c)
{
	do {
		c->directory = c->timed_out = false;
		uv_timer_start(&c->limit, on_limit, QUIET_MS, 0);
		while (!c->timed_out && !c->directory)
			uv_run(&c->loop, UV_RUN_DEFAULT);
	} while (c->directory && client_is_new(c));
	uv_timer_stop(&c->limit);
}

unsigned client_select(const struct client *c, const char *which, const Starling__Registration **out, unsigned max)
{
	const Starling__Registration *all[CLIENT_MAX_INSTANCES];
	uint32_t n = ipc_bus_instances(c->bus, NULL, all, CLIENT_MAX_INSTANCES);
	unsigned found = 0;

	for (uint32_t i = 0; i < n && i < CLIENT_MAX_INSTANCES && found < max; i++) {
		if (strcmp(all[i]->role, "starlingctl") == 0)
			continue;
		if (!which || strcmp(all[i]->name, which) == 0 || strcmp(all[i]->role, which) == 0)
			out[found++] = all[i];
	}
	return found;
}
