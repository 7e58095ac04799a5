/* SPDX-License-Identifier: Apache-2.0
 *
 * A store that fails at random, a broker that is killed, clients that come and go: whoever subscribed gets every message, with QoS 2 once, and in the order in which
 * they were published ([MQTT-4.6.0-6]). ORDER_SEED and ORDER_SECONDS in the environment repeat a run, or make it longer. */
#define ENTRIES 4000
#define ANSWERS 1000
#include <stdlib.h>

#include "services/mqtt-broker/fake_flock.h"

#define PAIRS   3
#define WINDOW  5
#define SECONDS 4
#define KEPT    1000 /* names of complete messages that the store remembers */

/* A client that connects again whenever its connection is gone. */
struct party {
	int who;
	char id;
	bool live;
	unsigned away; /* turns until it comes back */
	unsigned char in[8192];
	size_t n;
};

struct publisher {
	struct party at;
	unsigned qos;
	unsigned next, open_n;
	struct {
		unsigned number;
		bool received; /* PUBREC has come */
	} open[WINDOW];
};

struct subscriber {
	struct party at;
	unsigned next;
	bool known[65536]; /* packet identifiers that were not released */
};

static struct publisher publishers[PAIRS];
static struct subscriber subscribers[PAIRS];

static unsigned dice(unsigned sides)
{
	return (unsigned)random() % sides;
}

/* --- a client ----------------------------------------------------------------------------------------------------- */

static void put(const struct party *p, const void *bytes, size_t n)
{
	assert_true(send(fake.peers[p->who], bytes, n, MSG_NOSIGNAL) != 0);
}

static void put_ack(const struct party *p, uint8_t first, unsigned id)
{
	put(p, (uint8_t[]){ first, 2, (uint8_t)(id >> 8), (uint8_t)id }, 4);
}

static void leave(struct party *p)
{
	if (fake.peers[p->who] >= 0)
		close(fake.peers[p->who]);
	fake.peers[p->who] = -1;
	p->live = false;
	p->n = 0;
	p->away = dice(30);
}

static void come(struct party *p)
{
	struct buf bytes = { 0 };
	char packet[100];

	if (p->away > 0) {
		p->away--;
		return;
	}
	join(p->who);
	snprintf(packet, sizeof(packet), "10 . s'MQTT' 05 C0 0000 (11 00000E10) s'%c' s'romeo' s'secret'", p->id);
	packet_text(&bytes, packet);
	put(p, bytes.p + bytes.start, bytes.n - bytes.start);
	buf_fini(&bytes);
}

/* The next packet's first byte, and what is behind its length, which is one byte; 0: none has come. A connection that is over is left. */
static uint8_t next_packet(struct party *p, uint8_t body[128], size_t *out_n)
{
	ssize_t got = fake.peers[p->who] < 0 ? -1 : recv(fake.peers[p->who], p->in + p->n, sizeof(p->in) - p->n, MSG_DONTWAIT);
	uint8_t first;

	p->n += got > 0 ? (size_t)got : 0;
	if (p->n < 2 || p->n < 2u + p->in[1]) {
		if (got == 0)
			leave(p);
		return 0;
	}
	first = p->in[0];
	*out_n = p->in[1];
	assert_true(*out_n < 128);
	memcpy(body, p->in + 2, *out_n);
	p->n -= 2 + *out_n;
	memmove(p->in, p->in + 2 + *out_n, p->n);
	return first;
}

/* CONNACK and DISCONNECT. True: it is neither. */
static bool other_packet(struct party *p, uint8_t first, const uint8_t *body)
{
	if (first == 0x20 && body[1] == 0)
		p->live = true;
	else if (first == 0x20 || first == 0xE0)
		leave(p);
	else
		return true;
	return false;
}

/* --- both sides --------------------------------------------------------------------------------------------------- */

static unsigned id_of(unsigned number)
{
	return number % 1000 + 1;
}

static void publish(const struct publisher *p, unsigned number, bool dup)
{
	uint8_t packet[40] = { (uint8_t)(0x30 | p->qos << 1 | (dup ? 8 : 0)),
		               0,
		               0,
		               1,
		               (uint8_t)(p->at.id + 1),
		               (uint8_t)(id_of(number) >> 8),
		               (uint8_t)id_of(number),
		               0 };
	int n = snprintf((char *)packet + 8, sizeof(packet) - 8, "%u", number);

	packet[1] = (uint8_t)(6 + n);
	put(&p->at, packet, 8 + (size_t)n);
}

static void publisher_acked(struct publisher *p, uint8_t first, const uint8_t *body)
{
	unsigned id = (unsigned)(body[0] << 8 | body[1]), at = 0;

	while (at < p->open_n && id_of(p->open[at].number) != id)
		at++;
	assert_true(at < p->open_n);
	if (first == 0x50) {
		p->open[at].received = true;
		put_ack(&p->at, 0x62, id);
	} else {
		assert_int_equal(first, p->qos == 2 ? 0x70 : 0x40);
		memmove(&p->open[at], &p->open[at + 1], (--p->open_n - at) * sizeof(p->open[0]));
	}
}

static void publisher_turn(struct publisher *p)
{
	uint8_t body[128], first;
	size_t n;

	while ((first = next_packet(&p->at, body, &n))) {
		bool had = p->at.live;

		if (other_packet(&p->at, first, body))
			publisher_acked(p, first, body);
		for (unsigned i = 0; p->at.live && !had && i < p->open_n; i++) {
			if (p->open[i].received)
				put_ack(&p->at, 0x62, id_of(p->open[i].number));
			else
				publish(p, p->open[i].number, true);
		}
	}
	while (p->at.live && p->open_n < WINDOW && dice(3) == 0) {
		p->open[p->open_n].number = p->next;
		p->open[p->open_n++].received = false;
		publish(p, p->next++, false);
	}
}

/* With QoS 1 any may come again. */
static void subscriber_got(struct subscriber *s, unsigned qos, const uint8_t *body, size_t n)
{
	unsigned id = (unsigned)(body[3] << 8 | body[4]), number = 0;

	for (size_t i = 6; i < n; i++)
		number = 10 * number + (body[i] - '0');
	if (qos == 1 ? number >= s->next : !s->known[id])
		assert_int_equal(number, s->next++);
	s->known[id] = qos == 2;
	put_ack(&s->at, qos == 1 ? 0x40 : 0x50, id);
}

static void subscriber_turn(struct subscriber *s)
{
	uint8_t body[128], first;
	size_t n;

	while ((first = next_packet(&s->at, body, &n))) {
		if (!other_packet(&s->at, first, body))
			continue;
		if (first >> 4 == 3) {
			subscriber_got(s, first >> 1 & 3, body, n);
		} else {
			assert_int_equal(first, 0x62);
			s->known[body[0] << 8 | body[1]] = false;
			put_ack(&s->at, 0x70, (unsigned)(body[0] << 8 | body[1]));
		}
	}
}

static void party_turn(struct party *p)
{
	if (fake.peers[p->who] < 0)
		come(p);
	else if (p->live && dice(700) == 0)
		leave(p);
}

/* --- what fails --------------------------------------------------------------------------------------------------- */

static void kill_broker(void)
{
	fake_kill();
	for (int i = 0; i < PAIRS; i++) {
		leave(&publishers[i].at);
		leave(&subscribers[i].at);
	}
}

/* How many turns the store stays so. */
static unsigned break_something(void)
{
	store.refuses = 0;
	store.mode = STORE_ANSWERS;
	switch (dice(80)) {
	case 0:
		store.mode = STORE_HOLDS;
		return dice(40);
	case 1:
		store.mode = STORE_AWAY;
		return dice(10);
	case 2:
		store.mode = STORE_LOSES;
		return dice(3);
	case 3:
		store.refuses = STARLING__CODE__CODE_TIMEOUT;
		return dice(3);
	case 4:
		kill_broker();
		return 0;
	default:
		return 0;
	}
}

/* Answers come in any order. */
static void shuffle(void)
{
	for (uint32_t i = 0; i + 1 < store.answer_n; i++) {
		uint32_t k = i + dice(store.answer_n - i);
		__typeof__(store.answers[0]) one = store.answers[i];

		store.answers[i] = store.answers[k];
		store.answers[k] = one;
	}
}

static void forget_names(void)
{
	uint32_t kept = 0;

	if (store.entry_n < ENTRIES - 500)
		return;
	for (uint32_t i = 0; i < store.entry_n; i++) {
		if (store.entries[i].done && i + KEPT < store.entry_n)
			store_drop(store.entries[i].message);
		else
			store.entries[kept++] = store.entries[i];
	}
	store.entry_n = kept;
}

static void one_turn(void)
{
	shuffle();
	uv_run(&skeleton.loop, UV_RUN_NOWAIT);
	fake_answer(0);
	if (store.mode != STORE_HOLDS)
		store_answer(0);
	for (int i = 0; i < PAIRS; i++) {
		party_turn(&publishers[i].at);
		publisher_turn(&publishers[i]);
		party_turn(&subscribers[i].at);
		subscriber_turn(&subscribers[i]);
	}
	forget_names();
	poll(NULL, 0, 1);
}

static void set_up_pair(int i)
{
	char id[2] = { (char)('a' + 2 * i), 0 }, packet[100];

	publishers[i].at = (struct party){ .who = 2 * i, .id = id[0] };
	publishers[i].qos = i == 0 ? 2 : 1;
	subscribers[i].at = (struct party){ .who = 2 * i + 1, .id = (char)(id[0] + 1), .live = true };
	id[0]++;
	last5(2 * i + 1, id, CONNACK_5);
	snprintf(packet, sizeof(packet), "82 . 0001 () s'%s' 02", id);
	say(2 * i + 1, packet);
	hear(2 * i + 1, "90 . 0001 () 02");
}

static long from_environment(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : otherwise;
}

static void test_order(void **state)
{
	uint64_t end = clock_mono_ms() + 1000u * (uint64_t)from_environment("ORDER_SECONDS", SECONDS);
	unsigned turns = 0;

	(void)state;
	srandom((unsigned)from_environment("ORDER_SEED", 1));
	fake.config.inflight = 20;
	fake.config.queue_messages = 100000;
	for (int i = 0; i < PAIRS; i++)
		set_up_pair(i);
	while (clock_mono_ms() < end) {
		if (turns > 0)
			turns--;
		else
			turns = break_something();
		one_turn();
	}
	store.mode = STORE_ANSWERS;
	store.refuses = 0;
	for (int i = 0; i < PAIRS; i++)
		assert_true(subscribers[i].next > 0 && subscribers[i].next <= publishers[i].next);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_order, fake_setup, fake_teardown) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
