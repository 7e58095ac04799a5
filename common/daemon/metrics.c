/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics: see metrics.h. Text format: Prometheus' exposition format, version 0.0.4. */
#include "common/daemon/metrics.h"

#include <math.h>

/* Metrics of one name are neighbours, as the format wants them. */
static struct metric *all;

void metrics_register(struct metric *m)
{
	struct metric **at = &all;
	struct metric **after = NULL;

	for (; *at; at = &(*at)->next) {
		if (*at == m)
			return;
		if (strcmp((*at)->name, m->name) == 0)
			after = &(*at)->next;
	}
	if (!after)
		after = at;
	m->next = *after;
	*after = m;
}

void metric_observe(struct metric *m, double v)
{
	uint32_t i = 0;

	while (i < m->bound_count && v > m->bounds[i])
		i++;
	m->counts[i]++;
	m->sum += v;
}

static double current(const struct metric *m)
{
	return m->read ? m->read(m->ctx) : m->value;
}

static void write_value(struct buf *out, double v)
{
	if (isnan(v))
		buf_append_cstr(out, "NaN");
	else if (isinf(v))
		buf_append_cstr(out, v > 0 ? "+Inf" : "-Inf");
	else if (v == floor(v) && fabs(v) < 1e15)
		buf_printf(out, "%.0f", v);
	else
		buf_printf(out, "%.9g", v);
}

static void write_sample(struct buf *out, const struct metric *m, const char *suffix, double v)
{
	buf_printf(out, "%s%s", m->name, suffix);
	if (m->labels)
		buf_printf(out, "{%s}", m->labels);
	buf_append_char(out, ' ');
	write_value(out, v);
	buf_append_char(out, '\n');
}

static void write_histogram(struct buf *out, const struct metric *m)
{
	uint64_t below = 0;

	for (uint32_t i = 0; i <= m->bound_count; i++) {
		below += m->counts[i];
		buf_printf(out, "%s_bucket{%s%sle=\"", m->name, m->labels ? m->labels : "", m->labels ? "," : "");
		write_value(out, i < m->bound_count ? m->bounds[i] : INFINITY);
		buf_printf(out, "\"} %llu\n", (unsigned long long)below);
	}
	write_sample(out, m, "_sum", m->sum);
	write_sample(out, m, "_count", (double)below);
}

static void write_help(struct buf *out, const struct metric *m)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };

	buf_printf(out, "# HELP %s ", m->name);
	for (const char *p = m->help ? m->help : ""; *p; p++) {
		if (*p == '\n')
			buf_append_cstr(out, "\\n");
		else if (*p == '\\')
			buf_append_cstr(out, "\\\\");
		else
			buf_append_char(out, *p);
	}
	buf_printf(out, "\n# TYPE %s %s\n", m->name, types[m->type]);
}

void metrics_write(struct buf *out)
{
	const char *last = "";

	for (const struct metric *m = all; m; m = m->next) {
		if (strcmp(m->name, last) != 0)
			write_help(out, m);
		last = m->name;
		if (m->type == METRIC_HISTOGRAM)
			write_histogram(out, m);
		else
			write_sample(out, m, "", current(m));
	}
}

void metrics_each(void (*fn)(const char *name, const char *labels, double value, void *ctx), void *ctx)
{
	for (const struct metric *m = all; m; m = m->next)
		if (m->type != METRIC_HISTOGRAM)
			fn(m->name, m->labels, current(m), ctx);
}
