/* SPDX-License-Identifier: Apache-2.0
 *
 * Load for a TURN relay, and what it costs the relay: clients with an allocation and a channel each, and their peers, all in this one process.
 *
 *   turn_load server=127.0.0.1 port=3478 user=U password=P flows=100 size=172 window=4 seconds=5 pid=PID
 *
 * Every flow keeps `window` datagrams on their way: the peer sends each back, the client answers each with the next. rate=N instead: N datagrams a second over all flows, which are sent
 * back. gso=1: what a client sends at once leaves as one (UDP_SEGMENT). transport=tcp: clients connect by TCP. memory=1: only allocations. pid: the relay's, whose CPU and memory are read. Prints one line of JSON. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define COOKIE   0x2112A442u
#define BATCH    64
#define DATAGRAM 2048
#define CHANNEL  0x4000

struct options {
	const char *server, *user, *password, *transport;
	int port, flows, size, window, seconds, rate, memory, gso, pid;
};

struct flow {
	int client, peer;
	struct sockaddr_in peer_name, relayed;
	char realm[128], nonce[128];
	uint8_t key[16];
	uint8_t *in; /* of a TCP stream */
	size_t in_n;
	uint64_t sent, got;
};

static struct options o = { "127.0.0.1", "load", "load", "udp", 3478, 100, 172, 4, 5, 0, 0, 0, 0 };
static struct flow *flows;
static uint64_t relayed_to_peer, relayed_to_client;
static bool tcp;

static void die(const char *what)
{
	fprintf(stderr, "turn_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- the relay's use ---------------------------------------------------------------------------------------------- */

static double cpu_us(void)
{
	char path[400];
	double total = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", o.pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		unsigned long long ns = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", o.pid, e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (f && fscanf(f, "%llu", &ns) == 1)
			total += (double)ns / 1000;
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return total;
}

static double pss_kib(void)
{
	char path[64], line[256];
	double kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", o.pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "Pss: %lf", &kib);
	if (f)
		fclose(f);
	return kib;
}

/* --- STUN --------------------------------------------------------------------------------------------------------- */

static void set16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static size_t attribute(uint8_t *m, size_t at, unsigned type, const void *value, size_t n)
{
	set16(m + at, type);
	set16(m + at + 2, (unsigned)n);
	memset(m + at + 4, 0, (n + 3) & ~(size_t)3);
	memcpy(m + at + 4, value, n);
	at += 4 + ((n + 3) & ~(size_t)3);
	set16(m + 2, (unsigned)at - 20);
	return at;
}

static size_t begin(uint8_t *m, unsigned type)
{
	static uint64_t id = 1;

	set16(m, type);
	set16(m + 2, 0);
	set16(m + 4, COOKIE >> 16);
	set16(m + 6, COOKIE & 0xffff);
	memset(m + 8, 0, 12);
	memcpy(m + 8, &id, sizeof(id));
	id++;
	return 20;
}

static size_t credentials(const struct flow *f, uint8_t *m, size_t at)
{
	unsigned int n = 20;
	uint8_t mac[20];

	at = attribute(m, at, 0x06, o.user, strlen(o.user));
	at = attribute(m, at, 0x14, f->realm, strlen(f->realm));
	at = attribute(m, at, 0x15, f->nonce, strlen(f->nonce));
	set16(m + 2, (unsigned)at + 24 - 20);
	HMAC(EVP_sha1(), f->key, 16, m, at, mac, &n);
	return attribute(m, at, 0x08, mac, 20);
}

static const uint8_t *find(const uint8_t *m, size_t size, unsigned type, size_t *n)
{
	for (size_t at = 20; at + 4 <= size; at += 4 + ((get16(m + at + 2) + 3u) & ~3u)) {
		if (get16(m + at) == type) {
			*n = get16(m + at + 2);
			return m + at + 4;
		}
	}
	return NULL;
}

/* Sends a request and waits for its answer, whatever else comes. */
static size_t ask(struct flow *f, const uint8_t *request, size_t n, uint8_t *answer)
{
	struct timeval wait = { .tv_sec = 1 };

	setsockopt(f->client, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	for (int tries = 0; tries < 10; tries++) {
		double until = now_s() + 1;
		ssize_t got = 1;

		if (send(f->client, request, n, 0) < 0)
			die("send");
		while (got > 0 && now_s() < until) {
			got = recv(f->client, answer, DATAGRAM, 0);
			if (got >= 20 && memcmp(answer + 8, request + 8, 12) == 0)
				return (size_t)got;
		}
	}
	fprintf(stderr, "turn_load: no answer\n");
	exit(1);
}

static size_t expect(struct flow *f, const uint8_t *request, size_t size, uint8_t *answer, unsigned type)
{
	size_t got = ask(f, request, size, answer), n = 0;
	const uint8_t *code = find(answer, got, 0x09, &n);

	if (get16(answer) != type) {
		fprintf(stderr, "turn_load: request %03x is refused: %d\n", get16(request), code ? code[2] * 100 + code[3] : 0);
		exit(1);
	}
	return got;
}

static void copy_text(char *out, const uint8_t *answer, size_t size, unsigned type)
{
	size_t n = 0;
	const uint8_t *v = find(answer, size, type, &n);

	if (!v || n > 127) {
		v = find(answer, size, 0x09, &n);
		fprintf(stderr, "turn_load: no realm or nonce, code %d\n", v ? v[2] * 100 + v[3] : 0);
		exit(1);
	}
	memcpy(out, v, n);
	out[n] = '\0';
}

static void allocate(struct flow *f)
{
	uint8_t request[1024], answer[DATAGRAM], transport[4] = { 17 };
	const uint8_t *v;
	char text[400];
	size_t at, n;

	at = attribute(request, begin(request, 0x003), 0x19, transport, 4);
	n = ask(f, request, at, answer);
	copy_text(f->realm, answer, n, 0x14);
	copy_text(f->nonce, answer, n, 0x15);
	snprintf(text, sizeof(text), "%s:%s:%s", o.user, f->realm, o.password);
	EVP_Digest(text, strlen(text), f->key, NULL, EVP_md5(), NULL);
	at = attribute(request, begin(request, 0x003), 0x19, transport, 4);
	n = expect(f, request, credentials(f, request, at), answer, 0x103);
	v = find(answer, n, 0x16, &n);
	if (!v)
		die("no relayed address");
	f->relayed = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)(get16(v + 2) ^ COOKIE >> 16)) };
	f->relayed.sin_addr.s_addr = htonl(((uint32_t)get16(v + 4) << 16 | get16(v + 6)) ^ COOKIE);
}

static void bind_channel(struct flow *f)
{
	uint8_t request[1024], answer[DATAGRAM], channel[4] = { CHANNEL >> 8, CHANNEL & 0xff }, peer[8] = { 0, 1 };
	uint32_t ip = ntohl(f->peer_name.sin_addr.s_addr) ^ COOKIE;
	size_t at;

	set16(peer + 2, ntohs(f->peer_name.sin_port) ^ COOKIE >> 16);
	set16(peer + 4, ip >> 16);
	set16(peer + 6, ip & 0xffff);
	at = attribute(request, begin(request, 0x009), 0x0c, channel, 4);
	at = attribute(request, at, 0x12, peer, 8);
	expect(f, request, credentials(f, request, at), answer, 0x109);
}

/* The next run's clients may have this one's ports. */
static void release(struct flow *f)
{
	uint8_t request[1024], answer[DATAGRAM], lifetime[4] = { 0 };
	size_t at = attribute(request, begin(request, 0x004), 0x0d, lifetime, 4);

	while (!tcp && recv(f->client, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
	if (!tcp)
		ask(f, request, credentials(f, request, at), answer);
}

static void open_flow(struct flow *f)
{
	struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons((uint16_t)o.port) }, any = { .sin_family = AF_INET };
	socklen_t n = sizeof(f->peer_name);
	int size = 1 << 20, on = 1;

	inet_pton(AF_INET, o.server, &server.sin_addr);
	/* Another address than the relay's, some of whose ports are no peers. */
	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	f->client = socket(AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	f->peer = socket(AF_INET, SOCK_DGRAM, 0);
	if (f->client < 0 || f->peer < 0)
		die("socket");
	setsockopt(f->client, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(f->peer, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (tcp)
		setsockopt(f->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(f->client, (struct sockaddr *)&server, sizeof(server)) < 0 || bind(f->peer, (struct sockaddr *)&any, sizeof(any)) < 0)
		die("connect");
	getsockname(f->peer, (struct sockaddr *)&f->peer_name, &n);
	f->in = tcp ? malloc(1 << 17) : NULL;
}

/* --- data --------------------------------------------------------------------------------------------------------- */

static uint8_t frame[DATAGRAM];
static size_t frame_n;

/* One burst that the kernel cuts, or a network card would have put together. */
static void send_burst(struct flow *f, int count)
{
	struct iovec pieces[BATCH];
	union {
		char bytes[CMSG_SPACE(sizeof(uint16_t))];
		struct cmsghdr align;
	} control;
	struct msghdr h = { .msg_iov = pieces, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	uint16_t size = (uint16_t)frame_n;
	int most = (int)(65000 / frame_n) < BATCH ? (int)(65000 / frame_n) : BATCH;

	*c = (struct cmsghdr){ .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT, .cmsg_len = CMSG_LEN(sizeof(size)) };
	memcpy(CMSG_DATA(c), &size, sizeof(size));
	for (int i = 0; i < BATCH; i++)
		pieces[i] = (struct iovec){ frame, frame_n };
	for (int n; count > 0; count -= n) {
		n = count < most ? count : most;
		h.msg_iovlen = (size_t)n;
		if (sendmsg(f->client, &h, MSG_DONTWAIT) < 0)
			return;
		f->sent += (uint64_t)n;
	}
}

static void send_frames(struct flow *f, int count)
{
	struct iovec piece = { frame, frame_n };
	struct mmsghdr h[BATCH];

	for (int i = 0; i < count; i++)
		h[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &piece, .msg_iovlen = 1 } };
	if (tcp) {
		for (int i = 0; i < count; i++) {
			if (send(f->client, frame, frame_n, MSG_NOSIGNAL) == (ssize_t)frame_n)
				f->sent++;
		}
		return;
	}
	if (o.gso) {
		send_burst(f, count);
		return;
	}
	for (int done = 0; done < count;) {
		int n = sendmmsg(f->client, h + done, (unsigned)(count - done), MSG_DONTWAIT);

		if (n <= 0)
			return;
		done += n;
		f->sent += (uint64_t)n;
	}
}

/* How many datagrams came; each is sent back when `back`. */
static int drain(int fd, bool back)
{
	static uint8_t memory[BATCH][DATAGRAM];
	struct mmsghdr h[BATCH];
	struct iovec pieces[BATCH];
	int n;

	for (int i = 0; i < BATCH; i++) {
		pieces[i] = (struct iovec){ memory[i], DATAGRAM };
		h[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &pieces[i], .msg_iovlen = 1 } };
	}
	n = recvmmsg(fd, h, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n && back; i++)
		pieces[i].iov_len = h[i].msg_len;
	if (n > 0 && back)
		sendmmsg(fd, h, (unsigned)n, MSG_DONTWAIT);
	return n > 0 ? n : 0;
}

static int drain_stream(struct flow *f)
{
	ssize_t got = recv(f->client, f->in + f->in_n, (1 << 17) - f->in_n, MSG_DONTWAIT);
	size_t at = 0;
	int n = 0;

	if (got <= 0)
		return 0;
	f->in_n += (size_t)got;
	while (f->in_n - at >= 4) {
		size_t size = 4 + ((get16(f->in + at + 2) + 3u) & ~3u);

		if (f->in_n - at < size)
			break;
		at += size;
		n++;
	}
	memmove(f->in, f->in + at, f->in_n - at);
	f->in_n -= at;
	return n;
}

static void on_client(struct flow *f)
{
	int n = tcp ? drain_stream(f) : drain(f->client, false);

	f->got += (uint64_t)n;
	relayed_to_client += (uint64_t)n;
	if (!o.rate)
		for (; n > 0; n -= BATCH)
			send_frames(f, n < BATCH ? n : BATCH);
}

static void run(double until)
{
	struct epoll_event events[256];
	int ep = epoll_create1(0), next = 0;
	double start = now_s(), last = start;
	uint64_t sent = 0;

	for (int i = 0; i < o.flows; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data = { .u64 = (uint64_t)i * 2 } };

		epoll_ctl(ep, EPOLL_CTL_ADD, flows[i].client, &e);
		e.data.u64++;
		epoll_ctl(ep, EPOLL_CTL_ADD, flows[i].peer, &e);
	}
	for (double t = start; t < until; t = now_s()) {
		int n = epoll_wait(ep, events, 256, o.rate ? 0 : 10);

		for (int i = 0; i < n; i++) {
			struct flow *f = &flows[events[i].data.u64 / 2];

			if (events[i].data.u64 % 2)
				relayed_to_peer += (uint64_t)drain(f->peer, true);
			else
				on_client(f);
		}
		for (; o.rate && (double)sent < (t - start) * o.rate; sent++, next = (next + 1) % o.flows)
			send_frames(&flows[next], 1);
		/* What was lost would leave a flow with nothing on its way. */
		if (!o.rate && t - last > 0.2) {
			static uint64_t *before;

			before = before ? before : calloc((size_t)o.flows, sizeof(*before));
			for (int i = 0; i < o.flows; i++) {
				if (flows[i].got == before[i])
					send_frames(&flows[i], o.window < BATCH ? o.window : BATCH);
				before[i] = flows[i].got;
			}
			last = t;
		}
	}
	close(ep);
}

static void read_options(int argc, char **argv)
{
	static const struct {
		const char *name;
		int *number;
		const char **text;
	} known[] = {
		{ "server", NULL, &o.server },     { "user", NULL, &o.user },
		{ "password", NULL, &o.password }, { "transport", NULL, &o.transport },
		{ "port", &o.port, NULL },         { "flows", &o.flows, NULL },
		{ "size", &o.size, NULL },         { "window", &o.window, NULL },
		{ "seconds", &o.seconds, NULL },   { "rate", &o.rate, NULL },
		{ "memory", &o.memory, NULL },     { "pid", &o.pid, NULL },
		{ "gso", &o.gso, NULL },
	};

	for (int i = 1; i < argc; i++) {
		const char *value = strchr(argv[i], '=');
		size_t k = 0;

		while (value && k < sizeof(known) / sizeof(*known) &&
		       (strlen(known[k].name) != (size_t)(value - argv[i]) ||
		        strncmp(known[k].name, argv[i], (size_t)(value - argv[i])) != 0))
			k++;
		if (!value || k == sizeof(known) / sizeof(*known)) {
			fprintf(stderr, "turn_load: %s?\n", argv[i]);
			exit(64);
		}
		if (known[k].number)
			*known[k].number = atoi(value + 1);
		else
			*known[k].text = value + 1;
	}
	tcp = strcmp(o.transport, "tcp") == 0;
}

static void raise_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int main(int argc, char **argv)
{
	double cpu, pss, start, allocation_us, allocation_kib, wall;
	uint64_t sent = 0, got = 0;

	read_options(argc, argv);
	raise_file_limit();
	flows = calloc((size_t)o.flows, sizeof(*flows));
	frame_n = 4 + (((size_t)o.size + 3) & ~(size_t)3);
	set16(frame, CHANNEL);
	set16(frame + 2, (unsigned)o.size);
	if (!tcp)
		frame_n = 4 + (size_t)o.size;
	for (int i = 0; i < o.flows; i++)
		open_flow(&flows[i]);
	cpu = cpu_us();
	pss = pss_kib();
	start = now_s();
	for (int i = 0; i < o.flows; i++) {
		allocate(&flows[i]);
		bind_channel(&flows[i]);
	}
	wall = now_s() - start;
	allocation_us = (cpu_us() - cpu) / o.flows;
	allocation_kib = (pss_kib() - pss) / o.flows;
	if (o.memory) {
		printf("{\"allocation_us\": %.1f, \"allocation_kib\": %.2f, \"allocations_per_s\": %.0f}\n", allocation_us, allocation_kib,
		       o.flows / wall);
		for (int i = 0; i < o.flows; i++)
			release(&flows[i]);
		return 0;
	}
	for (int i = 0; i < o.flows; i++) {
		fcntl(flows[i].peer, F_SETFL, O_NONBLOCK);
		if (connect(flows[i].peer, (struct sockaddr *)&flows[i].relayed, sizeof(flows[i].relayed)) < 0)
			die("connect");
		for (int w = o.window; w > 0 && !o.rate; w -= BATCH)
			send_frames(&flows[i], w < BATCH ? w : BATCH);
	}
	run(now_s() + 1); /* warm */
	relayed_to_peer = relayed_to_client = 0;
	for (int i = 0; i < o.flows; i++)
		flows[i].sent = flows[i].got = 0;
	cpu = cpu_us();
	start = now_s();
	run(start + o.seconds);
	wall = now_s() - start;
	cpu = cpu_us() - cpu;
	for (int i = 0; i < o.flows; i++) {
		sent += flows[i].sent;
		got += flows[i].got;
	}
	printf("{\"relayed_per_s\": %.0f, \"cpu_us_per_packet\": %.3f, \"busy\": %.2f, \"lost\": %.4f, \"allocation_us\": %.1f, "
	       "\"allocation_kib\": %.2f}\n",
	       (double)(relayed_to_peer + relayed_to_client) / wall, cpu / (double)(relayed_to_peer + relayed_to_client + !relayed_to_peer),
	       cpu / 1e6 / wall, sent > got && o.rate ? (double)(sent - got) / (double)sent : 0.0, allocation_us, allocation_kib);
	for (int i = 0; i < o.flows; i++)
		release(&flows[i]);
	return 0;
}
