/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_match_bench: CPU time and memory of the mqtt-broker's indexes: what it costs to find who gets a message among 1 to 1,000,000 subscriptions in
 * several shapes, and to find retained messages by filter. Topics are chosen at random, so that memory is cold as it is in use; `again` is the same topic
 * over and over. usage: mqtt_match_bench [MOST], the largest number of subscriptions (default 1000000). */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/mqtt/index_hash.h"
#include "common/mqtt/index_retained.h"
#include "common/mqtt/index_subs.h"
#include "common/mqtt/index_table.h"

#define BATCH        256u
#define BATCHES      400u
#define FILTERS_EACH 10u /* of one subscriber */
#define TOPIC_MAX    96u
#define READ_STEPS   1000u
#define FEW          64u /* changes timed together: reading the clock costs more than one */

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static size_t heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void must(bool holds)
{
	if (!holds) {
		fputs("mqtt_match_bench: a step failed\n", stderr);
		exit(1);
	}
}

/* A number that looks random and stands for i: device names have no order. */
static uint64_t scatter(uint64_t i)
{
	i = (i + 1) * 0x9e3779b97f4a7c15u;
	i = (i ^ i >> 30) * 0xbf58476d1ce4e5b9u;
	return i ^ i >> 27;
}

static uint32_t chosen(uint32_t n)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 20) % n);
}

/* --- shapes ------------------------------------------------------------------------------------------------------------- */

/* Device i of a hundred sites: what most filters are made of. */
#define DEVICE(i) (unsigned)((i) % 100), (unsigned long long)(scatter(i) >> 16)

static int device_topic(char *out, uint64_t i)
{
	return snprintf(out, TOPIC_MAX, "site%u/devices/%012llx/temperature", DEVICE(i));
}

static int plus_last(char *out, uint64_t i)
{
	return snprintf(out, TOPIC_MAX, "site%u/devices/%012llx/+", DEVICE(i));
}

static int multi_last(char *out, uint64_t i)
{
	return snprintf(out, TOPIC_MAX, "site%u/devices/%012llx/#", DEVICE(i));
}

static int plus_first(char *out, uint64_t i)
{
	return snprintf(out, TOPIC_MAX, "+/devices/%012llx/temperature", (unsigned long long)(scatter(i) >> 16));
}

static int plus_both(char *out, uint64_t i)
{
	return snprintf(out, TOPIC_MAX, "+/+/%012llx/+", (unsigned long long)(scatter(i) >> 16));
}

/* A sixteenth each of the four above, the rest exact, and four that match everything. */
static int mixed(char *out, uint64_t i)
{
	static int (*const some[])(char *, uint64_t) = { plus_last, multi_last, plus_first, plus_both };
	static const char *const all[] = { "#", "+/devices/#", "+/+/+/temperature", "+/+/+/+" };

	if (i < 4)
		return snprintf(out, TOPIC_MAX, "%s", all[i]);
	return i % 16 < 4 ? some[i % 16](out, i) : device_topic(out, i);
}

/* Six levels, each + or one of nine words: the tree branches at every level, and filters match in crowds. */
static int crowd(char *out, uint64_t i)
{
	uint64_t n = scatter(i);
	int at = 0;

	for (int level = 0; level < 6; level++, n /= 10)
		at += snprintf(out + at, TOPIC_MAX - (size_t)at, n % 10 ? "%sword%u" : "%s+", level ? "/" : "", (unsigned)(n % 10));
	return at;
}

static int crowd_topic(char *out, uint64_t i)
{
	uint64_t n = scatter(i);
	int at = 0;

	for (int level = 0; level < 6; level++, n /= 9)
		at += snprintf(out + at, TOPIC_MAX - (size_t)at, "%sword%u", level ? "/" : "", (unsigned)(1 + n % 9));
	return at;
}

static int one_for_all(char *out, uint64_t i)
{
	(void)i;
	return snprintf(out, TOPIC_MAX, "all/commands");
}

static const struct shape {
	const char *name;
	int (*filter)(char *out, uint64_t i);
	int (*topic)(char *out, uint64_t i);
	bool fan_out; /* one filter: each subscriber has it once, and a match costs by their number */
} shapes[] = {
	{ "s/devices/ID/temp", device_topic, device_topic, false },
	{ "s/devices/ID/+", plus_last, device_topic, false },
	{ "s/devices/ID/#", multi_last, device_topic, false },
	{ "+/devices/ID/temp", plus_first, device_topic, false },
	{ "+/+/ID/+", plus_both, device_topic, false },
	{ "mixed", mixed, device_topic, false },
	{ "crowd of +", crowd, crowd_topic, false },
	{ "fan-out", one_for_all, one_for_all, true },
};

/* --- subscriptions ------------------------------------------------------------------------------------------------------ */

static void on_subscription(void *ctx, const struct index_subscription *s)
{
	*(uint64_t *)ctx += s->qos;
}

static const struct index_subs_visitor visitor = { on_subscription, NULL };

/* ns of one match; *matches: of one topic. */
static double bench_match(struct index_subs *subs, const struct shape *shape, uint32_t n, bool again, double *matches)
{
	static char topics[BATCH][TOPIC_MAX];
	size_t lengths[BATCH];
	uint32_t batch = shape->fan_out && n > 1000 ? 4 : BATCH, batches = shape->fan_out && n > 1000 ? 8 : BATCHES;
	uint64_t seen = 0;
	double spent = 0;

	for (uint32_t round = 0; round < batches; round++) {
		uint32_t same = chosen(n);

		for (uint32_t i = 0; i < batch; i++)
			lengths[i] = (size_t)shape->topic(topics[i], again ? same : chosen(n));
		double start = cpu_ns();
		for (uint32_t i = 0; i < batch; i++)
			index_subs_match(subs, str_make(topics[i], lengths[i]), &visitor, &seen);
		spent += cpu_ns() - start;
	}
	*matches = (double)seen / batches / batch;
	return spent / batches / batch;
}

/* ns of adding or removing each. */
static double bench_change(struct index_subs *subs, struct index_subscriber *who, const struct shape *shape, uint32_t n, bool add)
{
	static const struct index_subscription options = { .qos = 1 };
	char filters[FEW][TOPIC_MAX];
	size_t lengths[FEW];
	double spent = 0;

	for (uint32_t from = 0; from < n; from += FEW) {
		uint32_t few = n - from < FEW ? n - from : FEW;

		for (uint32_t i = 0; i < few; i++)
			lengths[i] = (size_t)shape->filter(filters[i], from + i);
		double start = cpu_ns();
		for (uint32_t i = 0; i < few; i++) {
			struct index_subscriber *of = &who[shape->fan_out ? from + i : (from + i) / FILTERS_EACH];
			struct str filter = str_make(filters[i], lengths[i]);

			if (add)
				must(index_subs_add(subs, of, STR(""), filter, &options) != INDEX_SUBS_REFUSED);
			else
				must(index_subs_remove(subs, of, STR(""), filter) != INDEX_SUBS_REFUSED);
		}
		spent += cpu_ns() - start;
	}
	return spent / n;
}

static void bench_shape(const struct shape *shape, uint32_t n)
{
	struct index_subscriber *who = mem_zalloc((n / (shape->fan_out ? 1 : FILTERS_EACH) + 1) * sizeof(*who));
	size_t before = heap_bytes();
	struct index_subs *subs = index_subs_new();
	double matches;
	double added = bench_change(subs, who, shape, n, true);
	double bytes = (double)(heap_bytes() - before) / n;
	double cold = bench_match(subs, shape, n, false, &matches);
	double again = bench_match(subs, shape, n, true, &matches);
	double removed = bench_change(subs, who, shape, n, false);

	printf("%-18s %9u %10.1f %10.0f %10.0f %8.0f %9.0f %9.0f\n", shape->name, n, matches, cold, again, added, removed, bytes);
	fflush(stdout);
	index_subs_free(&subs);
	mem_free(who);
}

/* --- what a cache of topics would cost ---------------------------------------------------------------------------------- */

/* From a whole topic to a number that stands for its matches: the least that a cache in front of the tree has to do. */
struct cache {
	struct index_key key;
	struct index_table table;
	char (*topics)[TOPIC_MAX]; /* by number */
};

static uint32_t look_up(const struct cache *c, struct str topic)
{
	uint32_t probe = 0, id;

	while ((id = index_table_next(&c->table, index_hash_text(&c->key, topic), &probe)) != 0)
		if (memcmp(c->topics[id], topic.p, topic.n) == 0)
			break;
	return id;
}

static void bench_cache(uint32_t n)
{
	struct cache cache = { .topics = mem_zalloc((n + 1) * sizeof(*cache.topics)) };
	char topics[BATCH][TOPIC_MAX];
	size_t lengths[BATCH];
	double spent[2] = { 0, 0 };
	uint64_t found = 0;

	random_bytes(&cache.key, sizeof(cache.key));
	for (uint32_t i = 0; i < n; i++) {
		int length = device_topic(cache.topics[i + 1], i);

		index_table_put(&cache.table, index_hash_text(&cache.key, str_make(cache.topics[i + 1], (size_t)length)), i + 1);
	}
	for (uint32_t round = 0; round < 2 * BATCHES; round++) {
		uint32_t same = chosen(n);

		for (uint32_t i = 0; i < BATCH; i++)
			lengths[i] = (size_t)device_topic(topics[i], round % 2 ? same : chosen(n));
		double start = cpu_ns();
		for (uint32_t i = 0; i < BATCH; i++)
			found += look_up(&cache, str_make(topics[i], lengths[i])) > 0;
		spent[round % 2] += cpu_ns() - start;
	}
	must(found == 2 * BATCHES * BATCH);
	printf("%-18s %9u %10s %10.0f %10.0f\n", "(cache, at least)", n, "-", spent[0] / BATCHES / BATCH, spent[1] / BATCHES / BATCH);
	index_table_fini(&cache.table);
	mem_free(cache.topics);
}

/* --- retained messages -------------------------------------------------------------------------------------------------- */

static void bench_read(struct index_retained *r, uint32_t n, const char *filter)
{
	struct index_retained_cursor *c = index_retained_open(r, str_from(filter));
	void *values[READ_STEPS];
	double spent = 0;
	size_t found = 0, calls = 0;

	for (; !index_retained_done(c); calls++) {
		double start = cpu_ns();

		found += index_retained_read(c, values, READ_STEPS, READ_STEPS);
		spent += cpu_ns() - start;
	}
	index_retained_close(&c);
	printf("  %-22s of %8u: %8zu found in %6zu calls, %6.0f ns each, %9.1f us a call\n", filter, n, found, calls,
	       found ? spent / (double)found : 0, spent / 1e3 / (double)calls);
}

enum retained_step { RETAINED_SET, RETAINED_GET, RETAINED_REMOVE };

/* ns of doing it with each topic. */
static double bench_each(struct index_retained *r, uint32_t n, enum retained_step step)
{
	char topics[FEW][TOPIC_MAX];
	size_t lengths[FEW];
	double spent = 0;
	void *old;

	for (uint32_t from = 0; from < n; from += FEW) {
		uint32_t few = n - from < FEW ? n - from : FEW;

		for (uint32_t i = 0; i < few; i++)
			lengths[i] = (size_t)device_topic(topics[i], step == RETAINED_GET ? chosen(n) : from + i);
		double start = cpu_ns();
		for (uint32_t i = 0; i < few; i++) {
			struct str topic = str_make(topics[i], lengths[i]);

			if (step == RETAINED_SET)
				must(index_retained_set(r, topic, r, &old));
			else
				must((step == RETAINED_GET ? index_retained_get(r, topic) : index_retained_remove(r, topic)) != NULL);
		}
		spent += cpu_ns() - start;
	}
	return spent / n;
}

static void bench_retained(uint32_t n)
{
	static const char *const filters[] = { "#", "+/devices/+/temperature", "site7/#", "+/devices/+/humidity",
		                               "+/+/nobody/temperature" };
	size_t before = heap_bytes();
	struct index_retained *r = index_retained_new();
	double set = bench_each(r, n, RETAINED_SET);
	double bytes = (double)(heap_bytes() - before) / n;
	double got = bench_each(r, n, RETAINED_GET);

	printf("retained %8u: set %4.0f ns, get %4.0f ns, %4.0f bytes each\n", n, set, got, bytes);
	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++)
		bench_read(r, n, filters[i]);
	printf("  remove %4.0f ns\n", bench_each(r, n, RETAINED_REMOVE));
	index_retained_free(&r, NULL);
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = { 1, 1000, 100000, 1000000 };
	uint32_t most = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;

	printf("%-18s %9s %10s %10s %10s %8s %9s %9s\n", "shape", "subs", "matches", "ns/match", "ns again", "ns add", "ns remove",
	       "bytes/sub");
	for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes) && sizes[i] <= most; i++)
			bench_shape(&shapes[s], sizes[i]);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes) && sizes[i] <= most; i++)
		bench_cache(sizes[i]);
	for (size_t i = 1; i < sizeof(sizes) / sizeof(*sizes) && sizes[i] <= most; i++)
		bench_retained(sizes[i]);
	return 0;
}
