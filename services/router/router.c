/* SPDX-License-Identifier: Apache-2.0
 *
 * router: building up and ending. See router.h and README.md. */
#include <stdio.h>
#include <zmq.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/router/router.h"

static const struct config_option options[] = {
	{ .name = "bind",
	  .type = CONFIG_LIST,
	  .offset = offsetof(struct router_config, bind),
	  .doc = "Endpoints to listen at, ipc://PATH or tcp://ADDRESS:PORT; none: ipc://STATE_DIR/run/router.INSTANCE.ipc." },
	{ .name = "heartbeat",
	  .type = CONFIG_DURATION,
	  .offset = offsetof(struct router_config, heartbeat_ms),
	  .fallback = "1s",
	  .min = 50,
	  .max = 60000,
	  .doc = "Interval of heartbeats in both directions; a service is lost after three silent ones." },
	CONFIG_END,
};

static int load_keys(struct router *r, struct err *e)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/router.key", r->shared->keys_dir);
	if (keypair_read(path, &r->key, e) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/allow", r->shared->keys_dir);
	return allow_read(path, &r->allow, e);
}

static void release(struct router *r)
{
	admin_close(r);
	socket_close(r);
	zap_free(&r->zap);
	if (r->zmq)
		zmq_ctx_term(r->zmq);
	peers_free(r);
	allow_fini(&r->allow);
	keypair_wipe(&r->key);
	arena_free(&r->arena);
}

static int start(struct daemon *d, void **out_state, struct err *e)
{
	/* Static: the loop still closes handles in it after stop. */
	static struct router router;
	struct router *r = &router;

	r->daemon = d;
	r->config = daemon_config(d);
	r->shared = daemon_shared(d);
	r->loop = daemon_loop(d);
	r->hash_seed = random_u64();
	r->arena = arena_new(0);
	list_init(&r->dirty);
	if (load_keys(r, e) != 0) {
		release(r);
		return -1;
	}
	r->zmq = zmq_ctx_new();
	figures_register(r);
	*out_state = r;
	return 0;
}

/* After privileges are dropped, so that socket files belong to the right user. Ready when it has joined itself. */
static void run(void *state)
{
	struct router *r = state;
	struct err e;

	r->zap = zap_new(r->loop, r->zmq, &r->allow, figures_denied, r, &e);
	if (!r->zap || socket_open(r, &e) != 0 || admin_open(r, &e) != 0)
		daemon_fail(r->daemon, "%s", e.text);
}

static void reload(void *state)
{
	struct router *r = state;
	struct allow fresh;
	char path[512];
	struct err e;

	snprintf(path, sizeof(path), "%s/allow", r->shared->keys_dir);
	if (allow_read(path, &fresh, &e) != 0) {
		log_warn(daemon_log(r->daemon), "the old list of keys stays in force: %s", e.text);
		return;
	}
	allow_fini(&r->allow);
	r->allow = fresh;
	peers_revoke(r);
	log_info(daemon_log(r->daemon), "list of keys read again keys=%zu", r->allow.count);
}

static void stop(void *state)
{
	release(state);
}

static void status(void *state, struct daemon_status *out)
{
	(void)state;
	out->work = figures_work();
}

const struct daemon_spec router_spec = {
	.role = "router",
	.summary = "forwards records between the daemons of a flock",
	.options = options,
	.config_size = sizeof(struct router_config),
	.start = start,
	.run = run,
	.reload = reload,
	.stop = stop,
	.status = status,
	.no_bus = true,
};
