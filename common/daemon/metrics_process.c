/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics_process: see metrics_process.h. Names of process_* as Prometheus' client libraries use them. */
#include "common/daemon/metrics_process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/daemon/metrics.h"
#include "ipc/runtime/bus.h"

static const struct ipc_bus *the_bus;
static char build_labels[256];
static double started_at;

/* --- the process -------------------------------------------------------------------------------------------------- */

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double read_cpu(void *ctx)
{
	struct rusage ru;

	(void)ctx;
	getrusage(RUSAGE_SELF, &ru);
	return seconds(ru.ru_utime) + seconds(ru.ru_stime);
}

uint64_t process_memory_bytes(void)
{
	unsigned long long total = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%llu %llu", &total, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double read_memory(void *ctx)
{
	(void)ctx;
	return (double)process_memory_bytes();
}

static double read_fds(void *ctx)
{
	DIR *dir = opendir("/proc/self/fd");
	double n = 0;

	(void)ctx;
	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	/* Less . and .. and the one that reads. */
	return n - 3;
}

static double read_fd_limit(void *ctx)
{
	struct rlimit limit;

	(void)ctx;
	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : 0;
}

static double read_started(void *ctx)
{
	(void)ctx;
	return started_at;
}

static double read_one(void *ctx)
{
	(void)ctx;
	return 1;
}

static double read_log_dropped(void *ctx)
{
	(void)ctx;
	return (double)log_dropped();
}

/* --- the bus ------------------------------------------------------------------------------------------------------ */

/* Reads one member of struct ipc_stats; one function a width. */
static double read_bus_u64(void *ctx)
{
	struct ipc_stats stats = { 0 };

	if (the_bus)
		ipc_bus_stats(the_bus, &stats);
	return (double)*(const uint64_t *)((const char *)&stats + (size_t)(uintptr_t)ctx);
}

static double read_bus_u32(void *ctx)
{
	struct ipc_stats stats = { 0 };

	if (the_bus)
		ipc_bus_stats(the_bus, &stats);
	return (double)*(const uint32_t *)((const char *)&stats + (size_t)(uintptr_t)ctx);
}

#define MEMBER(m) ((void *)(uintptr_t)offsetof(struct ipc_stats, m))
#define BUS_COUNTER(metric_name, member, text)                                                                                             \
	{                                                                                                                                  \
		.name = metric_name, .help = text, .type = METRIC_COUNTER, .read = read_bus_u64, .ctx = MEMBER(member)                     \
	}
#define BUS_LABELLED(metric_name, label, member, text)                                                                                     \
	{                                                                                                                                  \
		.name = metric_name, .help = text, .type = METRIC_COUNTER, .labels = label, .read = read_bus_u64, .ctx = MEMBER(member)    \
	}
#define BUS_GAUGE(metric_name, reader, member, text)                                                                                       \
	{                                                                                                                                  \
		.name = metric_name, .help = text, .type = METRIC_GAUGE, .read = reader, .ctx = MEMBER(member)                             \
	}
#define PROCESS(metric_name, kind, reader, text)                                                                                           \
	{                                                                                                                                  \
		.name = metric_name, .help = text, .type = kind, .read = reader                                                            \
	}

static struct metric process_metrics[] = {
	PROCESS("process_cpu_seconds_total", METRIC_COUNTER, read_cpu, "User and system CPU time."),
	PROCESS("process_resident_memory_bytes", METRIC_GAUGE, read_memory, "Resident memory."),
	PROCESS("process_open_fds", METRIC_GAUGE, read_fds, "Open descriptors."),
	PROCESS("process_max_fds", METRIC_GAUGE, read_fd_limit, "Limit of open descriptors."),
	PROCESS("process_start_time_seconds", METRIC_GAUGE, read_started, "Start, in seconds since 1970 UTC."),
	PROCESS("starling_log_dropped_total", METRIC_COUNTER, read_log_dropped, "Log lines dropped because stderr was not read."),
	{ .name = "starling_build_info", .help = "Always 1.", .type = METRIC_GAUGE, .labels = build_labels, .read = read_one },
};

static struct metric bus_metrics[] = {
	BUS_LABELLED("starling_bus_records_total", "direction=\"in\"", records_in, "Records over the bus."),
	BUS_LABELLED("starling_bus_records_total", "direction=\"out\"", records_out, "Records over the bus."),
	BUS_LABELLED("starling_bus_frames_total", "direction=\"in\"", frames_in, "ZeroMQ messages, each a batch of records."),
	BUS_LABELLED("starling_bus_frames_total", "direction=\"out\"", frames_out, "ZeroMQ messages, each a batch of records."),
	BUS_LABELLED("starling_bus_bytes_total", "direction=\"in\"", bytes_in, "Bytes over the bus, before encryption."),
	BUS_LABELLED("starling_bus_bytes_total", "direction=\"out\"", bytes_out, "Bytes over the bus, before encryption."),
	BUS_LABELLED("starling_bus_direct_records_total", "direction=\"in\"", direct_in,
	             "Of the records: by direct connections, not through a router."),
	BUS_LABELLED("starling_bus_direct_records_total", "direction=\"out\"", direct_out,
	             "Of the records: by direct connections, not through a router."),
	BUS_COUNTER("starling_bus_link_refused_total", link_refused, "Direct connections and records refused."),
	BUS_GAUGE("starling_bus_links", read_bus_u32, links, "Direct connections to other instances."),
	BUS_COUNTER("starling_bus_calls_timed_out_total", calls_timed_out, "Calls whose deadline passed."),
	BUS_COUNTER("starling_bus_calls_lost_total", calls_lost, "Calls whose peer went away."),
	BUS_COUNTER("starling_bus_undeliverable_total", undeliverable, "Records that a router could not forward."),
	BUS_COUNTER("starling_bus_malformed_total", malformed, "Frames and records that break the wire format."),
	BUS_COUNTER("starling_bus_queue_full_total", queue_full, "Sends refused because the queue to the peer was full."),
	BUS_GAUGE("starling_bus_queued_records", read_bus_u64, queued, "Records that wait for credit."),
	BUS_GAUGE("starling_bus_routers", read_bus_u32, routers, "Routers joined."),
	BUS_GAUGE("starling_bus_calls_open", read_bus_u32, calls_open, "Calls that wait for their answer."),
	BUS_GAUGE("starling_bus_serving_open", read_bus_u32, serving_open, "Calls that wait for our answer."),
};

static void register_all(struct metric *metrics, size_t n)
{
	for (size_t i = 0; i < n; i++)
		metrics_register(&metrics[i]);
}

void metrics_process_register(const struct ipc_bus *bus, const char *role, const char *name, const char *version)
{
	the_bus = bus;
	started_at = (double)clock_wall_us() / 1e6;
	snprintf(build_labels, sizeof(build_labels), "role=\"%s\",name=\"%s\",version=\"%s\"", role, name, version);
	register_all(process_metrics, sizeof(process_metrics) / sizeof(process_metrics[0]));
	if (bus)
		register_all(bus_metrics, sizeof(bus_metrics) / sizeof(bus_metrics[0]));
}

void metrics_process_forget_bus(void)
{
	the_bus = NULL;
}
