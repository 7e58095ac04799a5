/* SPDX-License-Identifier: Apache-2.0
 *
 * storage_bench: how many calls a second the store answers, and what one costs in CPU time, in the storage process (the making of requests is in
 * it) and in PostgreSQL. It drives services/storage/store.h directly, so the bus is not in the figures; PostgreSQL is a private one with fsync on.
 *
 * usage: storage_bench [--seconds N] [--open N] [--accounts N] [--bytes N] [--connections N] [--writers N] [--batch-max N] [--window MS] [--rate N]
 *        [--method NAME] [--max N] [--check] [--partitions N] [--backlog N] [--qos N] [--fan N] [DSN PID]
 *   --open      calls kept open (default 2000)
 *   --rate      appends a second instead of saturation
 *   --method    log (LogAppend, the default), offline (OfflineAppend), open, fetch, delivered, query, credentials; spool: SpoolAppend and then
 *               SpoolDone, which count as one call, for so many domains as --accounts says;
 *               mqtt: MqttQueue and then MqttDone, likewise, each for one of so many sessions; receive: MqttReceive and then MqttReleased;
 *               retain: MqttRetain, for so many topics
 *   --max       max_waiting of LogAppend, max_count of SpoolAppend, limit of MqttRetain
 *   --check     LogAppend, SpoolAppend and MqttQueue look for their key
 *   --backlog   with spool and mqtt: so many stanzas or messages that stay
 *   --qos       with mqtt: 1 (default) or 2, which sends MqttDone twice, received and done
 *   --fan       with mqtt: so many sessions a message (default 1)
 *   --partitions  so many more partitions of the log, in the past
 *   DSN PID     a PostgreSQL that runs already, and its postmaster; without them tests/tools/private-postgres makes one */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "tests/bench/storage_bench.h"
#include "tests/bench/storage_bench_mqtt.h"

#define PRIVATE_POSTGRES "tests/tools/private-postgres"

/* CPU time of PostgreSQL's processes, microseconds: the postmaster and its children, those that ended among them. */
static uint64_t server_cpu_us(long postmaster)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	uint64_t ticks = 0;

	while (d && (entry = readdir(d)) != NULL) {
		char path[300];
		unsigned long user, system, waited_user, waited_system;
		long pid = atol(entry->d_name), parent;
		FILE *f;

		snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
		f = pid > 0 ? fopen(path, "r") : NULL;
		if (!f)
			continue;
		if (fscanf(f, "%*d (%*[^)]) %*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", &parent, &user, &system,
		           &waited_user, &waited_system) == 5 &&
		    (pid == postmaster || parent == postmaster))
			ticks += user + system + (pid == postmaster ? waited_user + waited_system : 0);
		fclose(f);
	}
	if (d)
		closedir(d);
	return ticks * (1000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

static uint64_t own_cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000u + (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void account_name(char out[64], uint32_t i)
{
	snprintf(out, 64, "user%u@bench.example", i);
}

static Starling__StanzaMeta chat(char *from, char *to, char *id)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	meta.kind = STARLING__STANZA_KIND__STANZA_MESSAGE;
	meta.type = STARLING__STANZA_TYPE__TYPE_CHAT;
	meta.from = from;
	meta.to = to;
	meta.id = id;
	meta.flags = STARLING__STANZA_FLAG__FLAG_BODY;
	return meta;
}

static Starling__Fence fence_of(const char *account)
{
	Starling__Fence fence = STARLING__FENCE__INIT;

	fence.slot = hash_slot(str_from(account));
	fence.epoch = 1;
	return fence;
}

static void offline_one(struct bench *b)
{
	Starling__OfflineAppendRequest r = STARLING__OFFLINE_APPEND_REQUEST__INIT;
	char account[64], key[17];
	Starling__StanzaMeta meta;
	Starling__Fence fence;

	account_name(account, b->next_account++ % b->accounts);
	snprintf(key, sizeof key, "%016llx", (unsigned long long)random_u64());
	meta = chat((char *)"romeo@bench.example/orchard", account, key);
	fence = fence_of(account);
	r.account = account;
	r.meta = &meta;
	r.time_us = clock_wall_us();
	r.fence = &fence;
	r.key = (ProtobufCBinaryData){ 16, (uint8_t *)key };
	submit(b, METHOD_STORAGE_OFFLINE_APPEND, &r.base, str_make(b->stanza, b->bytes));
}

/* Each to the next but a few, in both archives. */
static void log_one(struct bench *b)
{
	Starling__LogAppendRequest r = STARLING__LOG_APPEND_REQUEST__INIT;
	char sender[64], recipient[64], from[80], id[40];
	Starling__StanzaMeta meta;
	Starling__Fence fence;
	uint32_t n = b->next_account++;

	account_name(recipient, n % b->accounts);
	account_name(sender, (n + 1 + n % 7) % b->accounts);
	snprintf(from, sizeof from, "%s/%s", sender, "phone.4f7a2c");
	snprintf(id, sizeof id, "%016llx-%016llx", (unsigned long long)n, (unsigned long long)n * 0x9e3779b97f4a7c15u);
	meta = chat(from, recipient, id);
	meta.origin_id = id;
	fence = fence_of(recipient);
	r.sender = sender;
	r.recipient = recipient;
	r.archived = true;
	r.meta = &meta;
	r.fence = &fence;
	r.key_stream = 77;
	r.key_number = n + 1;
	r.check = b->check;
	r.max_waiting = b->max;
	submit(b, METHOD_STORAGE_LOG_APPEND, &r.base, str_make(b->stanza, b->bytes));
}

static void key_one(struct bench *b)
{
	Starling__AccountKey r = STARLING__ACCOUNT_KEY__INIT;
	char account[64];

	account_name(account, b->next_account++ % b->accounts);
	r.account = account;
	submit(b, b->method == 6 ? METHOD_STORAGE_CREDENTIALS_GET : METHOD_STORAGE_LOG_OPEN, &r.base, STR(""));
}

static void fetch_one(struct bench *b)
{
	Starling__LogFetchRequest r = STARLING__LOG_FETCH_REQUEST__INIT;
	char account[64];

	account_name(account, b->next_account++ % b->accounts);
	r.account = account;
	r.after = (uint64_t)clock_wall_us() - 3600000000;
	r.limit = 50;
	r.received_only = true;
	submit(b, METHOD_STORAGE_LOG_FETCH, &r.base, STR(""));
}

static void delivered_one(struct bench *b)
{
	Starling__LogDeliveredRequest r = STARLING__LOG_DELIVERED_REQUEST__INIT;
	Starling__Fence fence;
	char account[64];

	account_name(account, b->next_account++ % b->accounts);
	fence = fence_of(account);
	r.account = account;
	r.delivered = (uint64_t)clock_wall_us();
	r.fence = &fence;
	submit(b, METHOD_STORAGE_LOG_DELIVERED, &r.base, STR(""));
}

static void query_one(struct bench *b)
{
	Starling__LogQueryRequest r = STARLING__LOG_QUERY_REQUEST__INIT;
	char account[64];

	account_name(account, b->next_account++ % b->accounts);
	r.account = account;
	r.backward = true;
	r.limit = 50;
	r.count = b->check;
	submit(b, METHOD_STORAGE_LOG_QUERY, &r.base, STR(""));
}

static void domain_name(char out[64], uint32_t i)
{
	snprintf(out, 64, "server%u.bench.example", i);
}

static void on_spooled(int code, const char *text, const ProtobufCMessage *reply, void *ctx)
{
	Starling__SpoolDoneRequest r = STARLING__SPOOL_DONE_REQUEST__INIT;
	struct sample *s = ctx;
	Starling__Fence fence;
	char domain[64];
	uint64_t id;

	if (code) {
		on_done(code, text, reply, s);
		return;
	}
	id = ((const Starling__SpoolAppendReply *)reply)->id;
	domain_name(domain, s->domain);
	fence = fence_of(domain);
	r.domain = domain;
	r.ids = &id;
	r.n_ids = 1;
	r.fence = &fence;
	store_submit(s->bench->store, METHOD_STORAGE_SPOOL_DONE & 0xff, &r.base, STR(""), 0, on_done, s);
}

static void spool_append(struct bench *b, op_done_fn done)
{
	Starling__SpoolAppendRequest r = STARLING__SPOOL_APPEND_REQUEST__INIT;
	struct sample *s = sample_new(b);
	Starling__StanzaMeta meta;
	Starling__Fence fence;
	char domain[64], to[80];

	s->domain = b->next_account % b->accounts;
	domain_name(domain, s->domain);
	snprintf(to, sizeof to, "juliet@%s", domain);
	meta = chat((char *)"romeo@bench.example/orchard", to, (char *)"4f7a2c99");
	fence = fence_of(domain);
	r.domain = domain;
	r.meta = &meta;
	r.time_us = clock_wall_us();
	r.key_stream = 77;
	r.key_number = ++b->next_account;
	r.again = b->check;
	r.max_count = b->max;
	r.max_bytes = b->max ? UINT32_MAX : 0;
	r.fence = &fence;
	store_submit(b->store, METHOD_STORAGE_SPOOL_APPEND & 0xff, &r.base, str_make(b->stanza, b->bytes), 0, done, s);
}

static void spool_one(struct bench *b)
{
	spool_append(b, on_spooled);
}

/* All slots under epoch 1, and what stays. */
static void fill_spool(struct bench *b)
{
	Starling__SpoolClaimRequest r = STARLING__SPOOL_CLAIM_REQUEST__INIT;
	uint32_t slots[SLOT_COUNT];

	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		slots[i] = i;
	r.slots = slots;
	r.n_slots = SLOT_COUNT;
	r.instance = 1;
	submit(b, METHOD_STORAGE_SPOOL_CLAIM, &r.base, STR(""));
	while (b->open)
		uv_run(&b->loop, UV_RUN_ONCE);
	for (uint32_t i = 0; i < b->backlog; i++) {
		spool_append(b, on_done);
		while (b->open >= b->open_max)
			uv_run(&b->loop, UV_RUN_ONCE);
	}
	while (b->open)
		uv_run(&b->loop, UV_RUN_ONCE);
}

static void create_accounts(struct bench *b)
{
	Starling__Credentials r = STARLING__CREDENTIALS__INIT;
	Starling__ScramKeys keys[3] = { STARLING__SCRAM_KEYS__INIT, STARLING__SCRAM_KEYS__INIT, STARLING__SCRAM_KEYS__INIT };
	Starling__ScramKeys *list[] = { &keys[0], &keys[1], &keys[2] };
	char account[64];

	for (int i = 0; i < 3; i++) {
		keys[i].hash = (char *)(i == 0 ? "SHA-1" : i == 1 ? "SHA-256" : "SHA-512");
		keys[i].iterations = 10000;
		keys[i].salt = (ProtobufCBinaryData){ 16, (uint8_t *)"0123456789abcdef" };
		keys[i].stored_key = keys[i].server_key = (ProtobufCBinaryData){ 32, (uint8_t *)"0123456789abcdef0123456789abcdef" };
	}
	r.account = account;
	r.scram = list;
	r.n_scram = 3;
	for (uint32_t i = 0; i < b->accounts; i++) {
		account_name(account, i);
		store_submit(b->store, METHOD_STORAGE_ACCOUNT_CREATE & 0xff, &r.base, STR(""), 0, on_done, sample_new(b));
		while (b->open >= b->open_max)
			uv_run(&b->loop, UV_RUN_ONCE);
	}
	while (b->open)
		uv_run(&b->loop, UV_RUN_ONCE);
}

static const struct {
	const char *name;
	void (*one)(struct bench *b);
	void (*fill)(struct bench *b);
} kinds[] = {
	{ "log", log_one, create_accounts },
	{ "offline", offline_one, create_accounts },
	{ "open", key_one, create_accounts },
	{ "fetch", fetch_one, create_accounts },
	{ "delivered", delivered_one, create_accounts },
	{ "query", query_one, create_accounts },
	{ "credentials", key_one, create_accounts },
	{ "spool", spool_one, fill_spool },
	{ "mqtt", mqtt_one, fill_mqtt },
	{ "receive", receive_one, fill_mqtt },
	{ "retain", retain_one, NULL },
};

static void run_for(struct bench *b, uint64_t ms)
{
	uint64_t begin = clock_mono_us(), end = begin + ms * 1000, first = b->sent;

	while (clock_mono_us() < end) {
		uint64_t due = b->rate ? first + (clock_mono_us() - begin) * b->rate / 1000000u : UINT64_MAX;

		/* A few a turn, as they come from the bus. */
		for (int i = 0; i < 64 && b->open < b->open_max && b->sent < due; i++)
			kinds[b->method].one(b);
		uv_run(&b->loop, b->open >= b->open_max || b->sent >= due ? UV_RUN_ONCE : UV_RUN_NOWAIT);
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void measure(struct bench *b)
{
	uint64_t own, server, begin, done;
	double seconds;

	run_for(b, 1000);
	own = own_cpu_us();
	server = server_cpu_us(b->postmaster);
	begin = clock_mono_us();
	b->ended = 0;
	run_for(b, b->seconds * 1000u);
	seconds = (double)(clock_mono_us() - begin) / 1e6;
	own = own_cpu_us() - own;
	server = server_cpu_us(b->postmaster) - server;
	done = b->ended;
	while (b->open)
		uv_run(&b->loop, UV_RUN_ONCE);
	qsort(b->latency_us, done < LATENCY_ROOM ? done : LATENCY_ROOM, sizeof *b->latency_us, compare);
	printf("%s: %.0f/s, CPU us each: storage %.2f, PostgreSQL %.2f; latency ms: median %.2f, 99th %.2f; %llu failed\n",
	       kinds[b->method].name, (double)done / seconds, (double)own / (double)done, (double)server / (double)done,
	       b->latency_us[done / 2] / 1e3, b->latency_us[done * 99 / 100] / 1e3, (unsigned long long)b->failed);
}

static void start_server(struct bench *b)
{
	char line[256];
	FILE *p;

	snprintf(b->dir, sizeof b->dir, "/tmp/starling-bench-XXXXXX");
	if (!mkdtemp(b->dir))
		exit(1);
	chmod(b->dir, 0755);
	snprintf(line, sizeof line, "PRIVATE_POSTGRES_FSYNC=on %s start %s && %s pid %s", PRIVATE_POSTGRES, b->dir, PRIVATE_POSTGRES,
	         b->dir);
	p = popen(line, "r");
	if (!p || !fgets(b->dsn, sizeof b->dsn, p) || fscanf(p, "%ld", &b->postmaster) != 1 || pclose(p) != 0)
		exit(1);
	b->dsn[strcspn(b->dsn, "\n")] = '\0';
}

static void stop_server(const struct bench *b)
{
	char line[256];

	if (!*b->dir)
		return;
	snprintf(line, sizeof line, "%s stop %s immediate; rm -rf %s", PRIVATE_POSTGRES, b->dir, b->dir);
	if (system(line) != 0)
		fprintf(stderr, "storage_bench: PostgreSQL did not stop\n");
}

static void on_ready(void *ctx)
{
	((struct bench *)ctx)->ready = true;
}

static void on_refused(const char *why, void *ctx)
{
	(void)ctx;
	fprintf(stderr, "storage_bench: %s\n", why);
	exit(1);
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static void open_store(struct bench *b)
{
	const struct store_config config = {
		.loop = &b->loop,
		.dsn = b->dsn,
		.connections = b->connections,
		.writers = b->writers,
		.batch_max = b->batch_max,
		.batch_bytes = 1 << 20,
		.batch_ms = b->window_ms,
		.connect_timeout_ms = 5000,
		.statement_timeout_ms = 10000,
		.wait_ms = 500,
		.queue_max = 1000000,
		.queue_bytes = (size_t)1 << 30,
		.limits = { 10000, 1 << 20, b->max, b->max ? UINT32_MAX : 0 },
		.on_ready = on_ready,
		.on_refused = on_refused,
		.ctx = b,
	};
	struct err e;

	uv_loop_init(&b->loop);
	uv_timer_init(&b->loop, &b->tick);
	uv_timer_start(&b->tick, on_tick, 1, 1);
	b->store = store_new(&config, &e);
	if (!b->store) {
		fprintf(stderr, "storage_bench: %s\n", e.text);
		exit(1);
	}
	while (!b->ready)
		uv_run(&b->loop, UV_RUN_ONCE);
}

static void more_partitions(struct bench *b)
{
	PGconn *c = PQconnectdb(b->dsn);
	char sql[160];

	snprintf(sql, sizeof sql,
	         "SELECT message_log_partition((extract(epoch FROM now()) * 1000000)::bigint - n * 2592000000000) FROM generate_series(1, "
	         "%u) n",
	         b->partitions);
	PQclear(PQexec(c, sql));
	if (PQstatus(c) != CONNECTION_OK)
		fprintf(stderr, "storage_bench: %s", PQerrorMessage(c));
	PQfinish(c);
}

static void arguments(struct bench *b, int argc, char **argv)
{
	struct {
		const char *name;
		uint32_t *value;
	} const numbers[] = {
		{ "--seconds", &b->seconds },
		{ "--open", &b->open_max },
		{ "--accounts", &b->accounts },
		{ "--bytes", &b->bytes },
		{ "--connections", &b->connections },
		{ "--writers", &b->writers },
		{ "--batch-max", &b->batch_max },
		{ "--window", &b->window_ms },
		{ "--rate", &b->rate },
		{ "--max", &b->max },
		{ "--partitions", &b->partitions },
		{ "--backlog", &b->backlog },
		{ "--qos", &b->qos },
		{ "--fan", &b->fan },
	};

	for (int i = 1; i < argc; i++) {
		bool known = strcmp(argv[i], "--check") == 0;

		b->check |= known;
		for (uint32_t k = 0; strcmp(argv[i], "--method") == 0 && i + 1 < argc && k < sizeof kinds / sizeof kinds[0]; k++)
			if (strcmp(argv[i + 1], kinds[k].name) == 0) {
				b->method = k;
				i++;
				known = true;
				break;
			}
		for (size_t n = 0; n < sizeof numbers / sizeof numbers[0] && i + 1 < argc; n++)
			if (strcmp(argv[i], numbers[n].name) == 0) {
				*numbers[n].value = (uint32_t)strtoul(argv[++i], NULL, 10);
				known = true;
				break;
			}
		if (known)
			continue;
		if (i + 2 != argc) {
			fprintf(stderr, "storage_bench: unknown argument %s\n", argv[i]);
			exit(2);
		}
		snprintf(b->dsn, sizeof b->dsn, "%s", argv[i]);
		b->postmaster = strtol(argv[++i], NULL, 10);
	}
}

int main(int argc, char **argv)
{
	struct bench b = { .seconds = 5,
		           .open_max = 2000,
		           .accounts = 5000,
		           .bytes = 300,
		           .connections = 4,
		           .writers = 1,
		           .batch_max = 256,
		           .window_ms = 0,
		           .qos = 1,
		           .fan = 1 };

	arguments(&b, argc, argv);
	if (!*b.dsn)
		start_server(&b);
	b.latency_us = mem_alloc(LATENCY_ROOM * sizeof *b.latency_us);
	b.stanza = mem_alloc(b.bytes + 1);
	memset(b.stanza, 'x', b.bytes);
	open_store(&b);
	if (b.partitions)
		more_partitions(&b);
	if (kinds[b.method].fill)
		kinds[b.method].fill(&b);
	measure(&b);
	store_free(&b.store);
	uv_close((uv_handle_t *)&b.tick, NULL);
	uv_run(&b.loop, UV_RUN_DEFAULT);
	uv_loop_close(&b.loop);
	mem_free(b.latency_us);
	mem_free(b.stanza);
	mem_free(b.sessions);
	stop_server(&b);
	return b.failed ? 1 : 0;
}
