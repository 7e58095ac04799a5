/* SPDX-License-Identifier: Apache-2.0 */
#include "common/dns/dns.h"

#include "common/base/mem.h"
#include "common/dns/dns_answer.h"
#include "common/dns/dns_name.h"
#include "common/dns/dns_private.h"

#define CLASS_IN 1

/* One question at c-ares, and all who wait for it. Freed by c-ares' callback. */
struct flight {
	struct list_node node;
	struct list_node waiting;
	struct dns *d;
	enum dns_type type;
	char name[DNS_NAME_MAX + 1];
};

/* The reason that c-ares gives when it has no message for us. It asks the next server after a refusal and keeps no record of it: ARES_ECONNREFUSED is what
 * is left then (1.18). */
static enum dns_code code_of(int status)
{
	switch (status) {
	case ARES_ETIMEOUT:
		return DNS_TIMEOUT;
	case ARES_EBADNAME:
	case ARES_EBADQUERY:
		return DNS_BAD_NAME;
	case ARES_EBADRESP:
		return DNS_MALFORMED;
	case ARES_EDESTRUCTION:
	case ARES_ECANCELLED:
		return DNS_CANCELLED;
	default:
		return DNS_REFUSED;
	}
}

/* Puts q among those whose function is to run; takes a reference. */
static void answer(struct dns *d, struct dns_query *q, struct dns_result *r)
{
	list_remove(&q->node);
	q->result = dns_result_ref(r);
	list_push_back(&d->answered, &q->node);
	net_defer(d->loop, &d->deliver);
}

static void deliver_one(struct dns *d)
{
	struct dns_query *q = list_entry(d->answered.next, struct dns_query, node);
	struct dns_result *r = q->result;

	q->result = NULL;
	list_remove(&q->node);
	q->fn(q, r);
	dns_result_unref(&r);
}

/* What is asked meanwhile and known already waits for the next turn. A function may free d: its memory is there until its handles are closed. */
static void on_deliver(struct net_task *t)
{
	struct dns *d = list_entry(t, struct dns, deliver);
	size_t n = 0;

	list_for_each (it, &d->answered)
		n++;
	while (n-- > 0 && !list_empty(&d->answered))
		deliver_one(d);
	if (!list_empty(&d->answered))
		net_defer(d->loop, &d->deliver);
}

static void on_done(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
	struct flight *f = arg;
	struct dns *d = f->d;
	struct dns_result *r = bytes && n > 0 ? dns_answer_read(str_make(bytes, (size_t)n), f->name, f->type)
	                                      : dns_result_without(f->type, code_of(status));

	(void)timeouts;
	list_remove(&f->node);
	d->flight_count--;
	if (r->code != DNS_CANCELLED)
		dns_cache_put(d->cache, f->name, r, net_now(d->loop));
	if (!dns_code_is_answer(r->code))
		d->stats.failed++;
	while (!list_empty(&f->waiting))
		answer(d, list_entry(f->waiting.next, struct dns_query, node), r);
	dns_result_unref(&r);
	mem_free(f);
}

static int check_range(const char *what, uint32_t value, uint32_t min, uint32_t max, struct err *e)
{
	return value >= min && value <= max ? 0 : err_set(e, "DNS: %s is %u; it has to be %u to %u", what, value, min, max);
}

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

struct dns *dns_new(struct net_loop *loop, const struct dns_config *config, struct err *e)
{
	struct dns_config c = *config;
	struct dns *d;

	c.timeout_ms = or_default(c.timeout_ms, 2000);
	c.tries = or_default(c.tries, 2);
	if (check_range("the time-out", c.timeout_ms, 100, 60000, e) < 0 || check_range("the number of tries", c.tries, 1, 10, e) < 0)
		return NULL;
	d = mem_new(struct dns);
	d->loop = loop;
	if (dns_channel_open(d, &c, e) < 0) {
		mem_free(d);
		return NULL;
	}
	d->max_queries = or_default(c.max_queries, 1024);
	d->cache = dns_cache_new(or_default(c.cache_entries, 2048), or_default(c.cache_bytes, 4u << 20), or_default(c.cache_age_s, 3600));
	list_init(&d->flights);
	list_init(&d->answered);
	net_task_init(&d->deliver, on_deliver);
	return d;
}

void dns_free(struct dns **d)
{
	struct dns *it = *d;

	if (!it)
		return;
	*d = NULL;
	dns_channel_close(it);
	/* All who waited are among the answered now; those whose answer had come already get it. */
	while (!list_empty(&it->answered))
		deliver_one(it);
	net_task_cancel(&it->deliver);
	dns_cache_free(&it->cache);
}

void dns_query_init(struct dns_query *q, void (*fn)(struct dns_query *q, const struct dns_result *r))
{
	list_init(&q->node);
	q->result = NULL;
	q->fn = fn;
}

static struct flight *find_flight(struct dns *d, const char *name, enum dns_type type)
{
	list_for_each (it, &d->flights) {
		struct flight *f = list_entry(it, struct flight, node);

		if (f->type == type && strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}

static void refuse(struct dns *d, struct dns_query *q, enum dns_type type, enum dns_code code)
{
	struct dns_result *r = dns_result_without(type, code);

	answer(d, q, r);
	dns_result_unref(&r);
}

static void send_query(struct dns *d, struct dns_query *q, const char *name, enum dns_type type)
{
	struct flight *f = mem_new(struct flight);

	list_init(&f->waiting);
	f->d = d;
	f->type = type;
	memcpy(f->name, name, strlen(name) + 1);
	list_push_back(&d->flights, &f->node);
	list_push_back(&f->waiting, &q->node);
	d->flight_count++;
	d->stats.sent++;
	/* May have ended when this returns. */
	ares_query(d->channel, f->name, CLASS_IN, (int)type, on_done, f);
	dns_channel_rearm(d);
}

bool dns_ask(struct dns *d, struct dns_query *q, const char *name, enum dns_type type)
{
	char clean[DNS_NAME_MAX + 1];
	struct dns_result *known;
	struct flight *f;

	if (!d->channel)
		return false;
	d->stats.asked++;
	if (!dns_name_from(str_from(name), clean)) {
		refuse(d, q, type, DNS_BAD_NAME);
	} else if ((known = dns_cache_get(d->cache, clean, type, net_now(d->loop)))) {
		d->stats.cached++;
		answer(d, q, known);
	} else if ((f = find_flight(d, clean, type))) {
		d->stats.shared++;
		list_push_back(&f->waiting, &q->node);
	} else if (d->flight_count >= d->max_queries) {
		refuse(d, q, type, DNS_BUSY);
	} else {
		send_query(d, q, clean, type);
	}
	return true;
}

void dns_cancel(struct dns_query *q)
{
	list_remove(&q->node);
	dns_result_unref(&q->result);
}

void dns_forget(struct dns *d)
{
	dns_cache_clear(d->cache);
}

const struct dns_stats *dns_stats(const struct dns *d)
{
	return &d->stats;
}
