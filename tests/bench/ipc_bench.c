/* SPDX-License-Identifier: Apache-2.0
 *
 * ipc_bench: what a record costs. A client and a server, each a process with a bus, and a real router: Unix socket, CURVE. They speak directly, or through
 * the router where IPC_BENCH_LINK is none. The client
 * sends stanza-like events (edge.Deliver, 200 bytes of payload) or calls, as many at once as asked; the server sends each back.
 *
 * usage: ipc_bench [events|calls] [RECORDS] [IN_FLIGHT]
 * Prints records a second (both directions counted), and the CPU time and the wake-ups (voluntary context switches of all its threads) of each process per
 * record that it touched. */
#include <dirent.h>

#include "ipc/gen/auth.client.h"
#include "ipc/gen/edge.client.h"
#include "services/router/flock_for_test.h"

static struct test_flock flock;
static struct ipc_method edge_methods[2], auth_methods[1];
static const struct ipc_interface edge = { 6, 2, "edge", edge_methods, 2 }, auth = { 3, 1, "auth", auth_methods, 1 };
static const struct ipc_interface *const serves[] = { &edge, &auth };

static struct ipc_bus *bus;
static uint64_t total, sent, back, in_flight, server;
static unsigned joined;
static bool calls;

static void deliver(struct ipc_bus *from, uint64_t to, uint64_t number, struct str payload)
{
	static uint64_t stream = 0x1122334455667788;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	Starling__DeliverEvent event = STARLING__DELIVER_EVENT__INIT;
	struct ipc_opts opts = { .trace = 0x99887766, .payload = payload };

	meta.kind = STARLING__STANZA_KIND__STANZA_MESSAGE;
	meta.type = STARLING__STANZA_TYPE__TYPE_CHAT;
	meta.from = (char *)"romeo@montague.example/orchard";
	meta.to = (char *)"juliet@capulet.example";
	meta.id = (char *)"b4vs9km4";
	meta.flags = STARLING__STANZA_FLAG__FLAG_BODY;
	event.streams = &stream;
	event.n_streams = 1;
	event.meta = &meta;
	event.delivery = number;
	send_edge_deliver(from, ipc_instance(to), &opts, &event);
}

static void on_done(const struct ipc_result *result, const ProtobufCMessage *reply, void *ctx);

static void more(void)
{
	static const char payload[200] = "<message type='chat' id='b4vs9km4'><body>Wherefore art thou, Romeo?</body></message>";
	Starling__MechanismsRequest request = STARLING__MECHANISMS_REQUEST__INIT;

	while (sent < total && sent - back < in_flight) {
		sent++;
		if (calls) {
			request.host = (char *)"montague.example";
			ipc_call(bus, ipc_instance(server), NULL, METHOD_AUTH_MECHANISMS, &request.base, on_done, NULL);
		} else {
			deliver(bus, server, sent, str_make(payload, sizeof(payload)));
		}
	}
}

static void on_done(const struct ipc_result *result, const ProtobufCMessage *reply, void *ctx)
{
	(void)reply;
	(void)ctx;
	if (!ipc_ok(result)) {
		fprintf(stderr, "a call failed: %s\n", result->text);
		exit(1);
	}
	back++;
	more();
}

static void on_deliver_back(struct ipc_call *call, const ProtobufCMessage *request)
{
	(void)call;
	(void)request;
	back++;
	more();
}

static void on_deliver(struct ipc_call *call, const ProtobufCMessage *request)
{
	deliver(ipc_call_bus(call), ipc_call_source(call), ((const Starling__DeliverEvent *)request)->delivery, ipc_call_payload(call));
}

static void on_mechanisms(struct ipc_call *call, const ProtobufCMessage *request)
{
	Starling__MechanismsReply reply = STARLING__MECHANISMS_REPLY__INIT;

	(void)request;
	ipc_reply(call, &reply.base);
}

static void on_joined(void *ctx)
{
	(void)ctx;
	joined = 1;
}

static void run_server(void)
{
	struct ipc_config config = { .serves = serves, .serve_count = 2, .link = getenv("IPC_BENCH_LINK") };

	uv_loop_init(&flock.loop);
	ipc_bus_set_state(flock_bus(&flock, "storage", "storage", &config, NULL, NULL), STARLING__INSTANCE_STATE__INSTANCE_READY);
	alarm(600);
	uv_run(&flock.loop, UV_RUN_DEFAULT);
	_exit(1);
}

struct usage {
	double cpu_us, wakeups;
};

static double wakeups_of(const char *status)
{
	FILE *f = fopen(status, "r");
	unsigned long n = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
			n = strtoul(line + 24, NULL, 10);
	if (f)
		fclose(f);
	return (double)n;
}

/* Of a process until now: the scheduler's account of each of its threads. */
static struct usage usage_of(pid_t pid)
{
	struct usage u = { 0 };
	struct dirent *entry;
	char path[300];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		unsigned long long ns;
		FILE *f;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid, entry->d_name);
		u.wakeups += wakeups_of(path);
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid, entry->d_name);
		f = fopen(path, "r");
		if (f && fscanf(f, "%llu", &ns) == 1)
			u.cpu_us += (double)ns / 1e3;
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return u;
}

static uint64_t find_server(void)
{
	const Starling__Registration *list[1];

	for (int i = 0; i < 500 && ipc_bus_instances(bus, "storage", list, 1) == 0; i++)
		flock_run(&flock, NULL, 0, 10);
	return ipc_bus_instances(bus, "storage", list, 1) ? list[0]->instance : 0;
}

static struct usage per_record(struct usage before, pid_t pid)
{
	struct usage u = usage_of(pid);
	double records = (double)total * 2;

	return (struct usage){ (u.cpu_us - before.cpu_us) / records, (u.wakeups - before.wakeups) / records };
}

static void report(uint64_t us, struct usage client, struct usage router, struct usage serving)
{
	printf("%s: %llu there and back, %llu in flight: %.0f records/s", calls ? "calls" : "events", (unsigned long long)total,
	       (unsigned long long)in_flight, (double)total * 2e6 / (double)us);
	if (in_flight == 1)
		printf(", %.1f us a round trip", (double)us / (double)total);
	printf("\nCPU us per record: client %.2f (sent or received), router %.2f, server %.2f, all three %.2f\n", client.cpu_us,
	       router.cpu_us, serving.cpu_us, client.cpu_us + router.cpu_us + serving.cpu_us);
	printf("wake-ups per record: client %.2f, router %.2f, server %.2f, all three %.2f\n", client.wakeups, router.wakeups,
	       serving.wakeups, client.wakeups + router.wakeups + serving.wakeups);
}

int main(int argc, char **argv)
{
	static const char *const roles[] = { "router", "storage", "c2s-edge", NULL };
	static const struct ipc_bus_hooks hooks = { .on_joined = on_joined };
	struct ipc_config config = { .serves = serves, .serve_count = 2, .link = getenv("IPC_BENCH_LINK") };
	struct usage client_use, router_use, server_use;
	uint64_t start;
	pid_t child;
	int router = flock_main(argc, argv);

	if (router >= 0)
		return router;
	calls = argc > 1 && strcmp(argv[1], "calls") == 0;
	total = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
	in_flight = argc > 3 ? strtoull(argv[3], NULL, 10) : 512;
	edge_methods[0] = *ipc_method_find(METHOD_EDGE_ACCEPTED);
	edge_methods[1] = *ipc_method_find(METHOD_EDGE_DELIVER);
	edge_methods[1].handler = on_deliver;
	auth_methods[0] = *ipc_method_find(METHOD_AUTH_MECHANISMS);
	auth_methods[0].handler = on_mechanisms;
	flock_make(&flock, roles);
	flock.router = flock_start_router(&flock, "bench");
	child = fork();
	if (child == 0)
		run_server();
	edge_methods[1].handler = on_deliver_back;
	bus = flock_bus(&flock, "c2s-edge", "c2s-edge", &config, &hooks, NULL);
	flock_run(&flock, &joined, 1, 5000);
	server = find_server();
	client_use = usage_of(getpid());
	router_use = usage_of(flock.router);
	server_use = usage_of(child);
	start = clock_mono_us();
	more();
	while (back < total && clock_mono_us() - start < 300000000)
		uv_run(&flock.loop, UV_RUN_ONCE);
	start = clock_mono_us() - start;
	report(start, per_record(client_use, getpid()), per_record(router_use, flock.router), per_record(server_use, child));
	flock_end(child, SIGKILL);
	ipc_bus_free(&bus);
	flock_end(flock.router, SIGTERM);
	flock_remove(&flock);
	return back == total ? 0 : 1;
}
