/* SPDX-License-Identifier: Apache-2.0 */
#include "common/daemon/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/daemon/rate.h"

static double read_seven(void *ctx)
{
	(void)ctx;
	return 7;
}

static struct metric in = { .name = "starling_x_total", .help = "Stanzas \\ in\nall.", .type = METRIC_COUNTER, .labels = "kind=\"in\"" };
static struct metric other = { .name = "starling_seven", .help = "Seven.", .type = METRIC_GAUGE, .read = read_seven };
static struct metric out = {
	.name = "starling_x_total", .help = "Ignored: the first speaks.", .type = METRIC_COUNTER, .labels = "kind=\"out\""
};
static const double bounds[] = { 0.005, 0.1, 10 };
static uint64_t counts[4], labelled_counts[2];
static const double one_bound[] = { 1 };
static struct metric latency = { .name = "starling_latency_seconds",
	                         .help = "Latency.",
	                         .type = METRIC_HISTOGRAM,
	                         .bounds = bounds,
	                         .bound_count = 3,
	                         .counts = counts };
static struct metric labelled = { .name = "starling_labelled",
	                          .type = METRIC_HISTOGRAM,
	                          .labels = "a=\"b\"",
	                          .bounds = one_bound,
	                          .bound_count = 1,
	                          .counts = labelled_counts };

static void add_up(const char *name, const char *labels, double value, void *ctx)
{
	(void)name;
	(void)labels;
	*(double *)ctx += value;
}

static void text_format(void **state)
{
	static const char expected[] = "# HELP starling_x_total Stanzas \\\\ in\\nall.\n"
	                               "# TYPE starling_x_total counter\n"
	                               "starling_x_total{kind=\"in\"} 12\n"
	                               "starling_x_total{kind=\"out\"} 0.25\n"
	                               "# HELP starling_seven Seven.\n"
	                               "# TYPE starling_seven gauge\n"
	                               "starling_seven 7\n"
	                               "# HELP starling_latency_seconds Latency.\n"
	                               "# TYPE starling_latency_seconds histogram\n"
	                               "starling_latency_seconds_bucket{le=\"0.005\"} 2\n"
	                               "starling_latency_seconds_bucket{le=\"0.1\"} 3\n"
	                               "starling_latency_seconds_bucket{le=\"10\"} 3\n"
	                               "starling_latency_seconds_bucket{le=\"+Inf\"} 4\n"
	                               "starling_latency_seconds_sum 99.06\n"
	                               "starling_latency_seconds_count 4\n"
	                               "# HELP starling_labelled \n"
	                               "# TYPE starling_labelled histogram\n"
	                               "starling_labelled_bucket{a=\"b\",le=\"1\"} 0\n"
	                               "starling_labelled_bucket{a=\"b\",le=\"+Inf\"} 0\n"
	                               "starling_labelled_sum{a=\"b\"} 0\n"
	                               "starling_labelled_count{a=\"b\"} 0\n";
	struct buf b = { 0 };
	double sum = 0;

	(void)state;
	metrics_register(&in);
	metrics_register(&other);
	metrics_register(&out);
	metrics_register(&latency);
	metrics_register(&labelled);
	/* Once more changes nothing, whatever the place. */
	metrics_register(&in);
	metrics_register(&labelled);
	metric_inc(&in);
	metric_add(&in, 11);
	metric_set(&out, 0.25);
	metric_observe(&latency, 0.005);
	metric_observe(&latency, 0);
	metric_observe(&latency, 0.055);
	metric_observe(&latency, 99);
	metrics_write(&b);
	buf_append_char(&b, '\0');
	assert_string_equal(b.p, expected);
	metrics_each(add_up, &sum);
	assert_true(sum == 12 + 0.25 + 7);
	buf_fini(&b);
}

static void values_keep_their_digits(void **state)
{
	static const struct {
		double v;
		const char *text;
	} rows[] = {
		{ 0, "0" },           { -1, "-1" },   { 123456789012, "123456789012" }, { 1e15, "1e+15" }, { 0.1, "0.1" },
		{ INFINITY, "+Inf" }, { NAN, "NaN" },
	};
	static struct metric m = { .name = "starling_value", .type = METRIC_GAUGE };
	char line[64];

	(void)state;
	metrics_register(&m);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = { 0 };
		metric_set(&m, rows[i].v);
		metrics_write(&b);
		buf_append_char(&b, '\0');
		snprintf(line, sizeof(line), "\nstarling_value %s\n", rows[i].text);
		assert_non_null(strstr(b.p, line));
		buf_fini(&b);
	}
}

static void rates(void **state)
{
	struct rate r = { 0 };

	(void)state;
	assert_true(rate_now(&r, 1000, 50) == 0);
	rate_sample(&r, 1000, 100);
	assert_true(rate_now(&r, 1000, 100) == 0);
	assert_true(rate_now(&r, 3000, 300) == 100);
	assert_true(rate_now(&r, 1010, 130) == 30);
	/* 10 a second for a long while, then ten seconds at 20: only these count. */
	for (uint64_t s = 2; s <= 100; s++)
		rate_sample(&r, s * 1000, 100 + s * 10);
	assert_true(rate_now(&r, 100000, 1100) == 10);
	for (uint64_t s = 1; s <= 10; s++)
		rate_sample(&r, (100 + s) * 1000, 1100 + s * 20);
	assert_true(rate_now(&r, 110000, 1300) == 20);
	/* A total that starts again is not a negative rate. */
	assert_true(rate_now(&r, 110500, 3) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_format),
		cmocka_unit_test(values_keep_their_digits),
		cmocka_unit_test(rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
