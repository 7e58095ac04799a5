/* SPDX-License-Identifier: Apache-2.0 */
#include "services/auth/figures.h"

#include <stdio.h>

#define MECHANISMS_MAX 16
#define BOUNDS         10

static const char *const outcome_names[LOGIN_OUTCOMES] = { "success", "refused", "throttled", "unavailable" };

/* The last row counts unknown mechanisms. */
static struct metric logins[MECHANISMS_MAX + 1][LOGIN_OUTCOMES];
static char labels[MECHANISMS_MAX + 1][LOGIN_OUTCOMES][64];

static const double bounds[BOUNDS] = { 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3 };
static uint64_t step_counts[BOUNDS + 1], hash_counts[BOUNDS + 1];
static struct metric steps = { .name = "starling_auth_sasl_step_seconds",
	                       .help = "From the request of a SASL step to its answer.",
	                       .type = METRIC_HISTOGRAM,
	                       .bounds = bounds,
	                       .bound_count = BOUNDS,
	                       .counts = step_counts };
static struct metric hashes = { .name = "starling_auth_hash_seconds",
	                        .help = "Waiting for a worker and hashing of one password.",
	                        .type = METRIC_HISTOGRAM,
	                        .bounds = bounds,
	                        .bound_count = BOUNDS,
	                        .counts = hash_counts };
static struct metric hash_queue = { .name = "starling_auth_hash_queue",
	                            .help = "Passwords waiting or being hashed.",
	                            .type = METRIC_GAUGE };
static struct metric hash_refused = { .name = "starling_auth_hash_refused_total",
	                              .help = "Passwords refused because the queue was full.",
	                              .type = METRIC_COUNTER };

static double read_queue(void *ctx)
{
	const struct auth *a = ctx;

	return hashing_open(a->hashing);
}

void figures_register(struct auth *a)
{
	_Static_assert(LOGIN_OUTCOMES == 4, "outcome_names names them all");
	for (size_t m = 0; m <= mechanism_count && m <= MECHANISMS_MAX; m++) {
		for (int o = 0; o < LOGIN_OUTCOMES; o++) {
			snprintf(labels[m][o], sizeof(labels[m][o]), "mechanism=\"%s\",outcome=\"%s\"",
			         m < mechanism_count ? mechanisms[m].name : "unknown", outcome_names[o]);
			logins[m][o] = (struct metric){ .name = "starling_auth_logins_total",
				                        .help = "SASL exchanges by how they ended.",
				                        .type = METRIC_COUNTER,
				                        .labels = labels[m][o] };
			metrics_register(&logins[m][o]);
		}
	}
	hash_queue.read = read_queue;
	hash_queue.ctx = a;
	metrics_register(&hash_queue);
	metrics_register(&hash_refused);
	metrics_register(&steps);
	metrics_register(&hashes);
}

void figures_login(const struct mechanism *m, enum login_outcome outcome)
{
	metric_inc(&logins[m ? (size_t)(m - mechanisms) : mechanism_count][outcome]);
}

void figures_step(uint64_t us)
{
	metric_observe(&steps, (double)us / 1e6);
}

void figures_hashed(uint64_t us)
{
	metric_observe(&hashes, (double)us / 1e6);
}

void figures_hash_refused(void)
{
	metric_inc(&hash_refused);
}
