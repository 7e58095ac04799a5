/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/storage.h"

#include "common/base/mem.h"
#include "services/storage/options.h"
#include "services/storage/store.h"
#include "services/storage/store_metrics.h"

/* Ready when both the bus and the store are. */
static void ready(struct storage *s)
{
	if (s->running && s->ready)
		daemon_ready(s->daemon);
}

static void on_ready(void *ctx)
{
	struct storage *s = ctx;

	s->ready = true;
	ready(s);
}

static void on_refused(const char *why, void *ctx)
{
	daemon_fail(((struct storage *)ctx)->daemon, "schema: %s", why);
}

static void on_idle(void *ctx)
{
	struct storage *s = ctx;

	if (s->draining)
		daemon_drained(s->daemon);
}

int storage_start(struct daemon *d, void **out_state, struct err *e)
{
	const struct options *o = daemon_config(d);
	struct storage *s = mem_new(struct storage);
	struct store_config config = {
		.loop = daemon_loop(d),
		.dsn = o->dsn,
		.password_file = o->password_file,
		.connections = (uint32_t)o->connections,
		.writers = (uint32_t)o->writers,
		.batch_max = (uint32_t)o->batch_max,
		.batch_bytes = (size_t)o->batch_bytes,
		.batch_ms = (uint32_t)o->batch_ms,
		.connect_timeout_ms = (uint32_t)o->connect_timeout_ms,
		.statement_timeout_ms = (uint32_t)o->statement_timeout_ms,
		.wait_ms = (uint32_t)o->wait_ms,
		.queue_max = (uint32_t)o->queue_max,
		.queue_bytes = (size_t)o->queue_bytes,
		.limits = { (uint32_t)o->roster_items, (uint32_t)o->fetch_bytes, (uint64_t)o->retained_count, (uint64_t)o->retained_bytes },
		.upkeep_ms = (uint64_t)o->archive_interval_ms,
		.log = daemon_log(d),
		.on_ready = on_ready,
		.on_refused = on_refused,
		.on_idle = on_idle,
		.ctx = s,
	};

	s->daemon = d;
	store_metrics_register();
	if (archive_limits_init(&s->archive, o, e) < 0) {
		mem_free(s);
		return -1;
	}
	config.archive = &s->archive;
	s->store = store_new(&config, e);
	if (!s->store) {
		archive_limits_fini(&s->archive);
		mem_free(s);
		return -1;
	}
	*out_state = s;
	return 0;
}

void storage_run(void *state)
{
	struct storage *s = state;

	s->running = true;
	ready(s);
}

void storage_drain(void *state)
{
	struct storage *s = state;

	s->draining = true;
	if (store_open(s->store) == 0)
		daemon_drained(s->daemon);
}

void storage_stop(void *state)
{
	struct storage *s = state;

	store_free(&s->store);
	archive_limits_fini(&s->archive);
	mem_free(s);
}

void storage_status(void *state, struct daemon_status *out)
{
	const struct storage *s = state;

	out->work = store_ended(s->store);
	out->unhealthy = store_up(s->store) ? NULL : "PostgreSQL is away";
}
