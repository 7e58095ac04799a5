/* SPDX-License-Identifier: Apache-2.0
 *
 * figures: the router's metrics. */
#include <string.h>

#include "common/base/mem.h"
#include "services/router/router.h"

#define ROLES_MAX 16u

struct metric figure_records = { .name = "starling_router_records_total", .help = "Records forwarded.", .type = METRIC_COUNTER };
struct metric figure_bytes = { .name = "starling_router_bytes_total", .help = "Bytes of records forwarded.", .type = METRIC_COUNTER };
struct metric figure_undeliverable = { .name = "starling_router_undeliverable_total",
	                               .help = "Records for an instance that is not here.",
	                               .type = METRIC_COUNTER };
static struct metric figure_refused = { .name = "starling_router_refused_total",
	                                .help = "Records and frames that break a rule.",
	                                .type = METRIC_COUNTER };
static struct metric figure_denied = { .name = "starling_router_denied_total",
	                               .help = "Connections refused for a key that is not listed.",
	                               .type = METRIC_COUNTER };

struct role_figure {
	const struct router *router;
	const char *role;
	struct metric metric;
};
static struct role_figure by_role[] = {
	{ .role = "router", .metric.labels = "role=\"router\"" },
	{ .role = "storage", .metric.labels = "role=\"storage\"" },
	{ .role = "auth", .metric.labels = "role=\"auth\"" },
	{ .role = "session-manager", .metric.labels = "role=\"session-manager\"" },
	{ .role = "c2s-edge", .metric.labels = "role=\"c2s-edge\"" },
	{ .role = "starlingctl", .metric.labels = "role=\"starlingctl\"" },
	{ .role = NULL, .metric.labels = "role=\"other\"" },
};
#define BY_ROLE (sizeof(by_role) / sizeof(*by_role))

static bool counts(const struct role_figure *f, const char *role)
{
	if (f->role)
		return strcmp(f->role, role) == 0;
	for (size_t i = 0; i + 1 < BY_ROLE; i++)
		if (strcmp(by_role[i].role, role) == 0)
			return false;
	return true;
}

static double read_role(void *ctx)
{
	const struct role_figure *f = ctx;
	double n = 0;

	IDMAP_EACH(&f->router->by_instance, i)
	{
		n += counts(f, ((const struct peer *)f->router->by_instance.cells[i].value)->registration->role);
	}
	return n;
}

void figures_register(struct router *r)
{
	metrics_register(&figure_records);
	metrics_register(&figure_bytes);
	metrics_register(&figure_undeliverable);
	metrics_register(&figure_refused);
	metrics_register(&figure_denied);
	for (size_t i = 0; i < BY_ROLE; i++) {
		by_role[i].router = r;
		by_role[i].metric.name = "starling_router_peers";
		by_role[i].metric.help = "Instances joined, by role.";
		by_role[i].metric.type = METRIC_GAUGE;
		by_role[i].metric.read = read_role;
		by_role[i].metric.ctx = &by_role[i];
		metrics_register(&by_role[i].metric);
	}
}

void figures_refused(struct router *r, const char *why, const struct router_origin *o)
{
	metric_inc(&figure_refused);
	log_info(daemon_log(r->daemon), "refused why=%s peer=%s", why, o->peer ? o->peer->registration->name : "(not joined)");
}

void figures_denied(const char *address, void *ctx)
{
	const struct router *r = ctx;

	log_info(daemon_log(r->daemon), "connection refused: its key is not listed address=%s", address);
	metric_inc(&figure_denied);
}

uint64_t figures_work(void)
{
	return (uint64_t)figure_records.value;
}
