/* SPDX-License-Identifier: Apache-2.0
 *
 * exchange: what two brokers tell each other of themselves, in one call at a time: filters, whom they have settled among, sessions that they have opened. After
 * anything that may have been lost, all of it anew. */
#include "common/base/mem.h"
#include "ipc/gen/mqtt.server.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define FILTERS  1000u        /* in one call, */
#define BYTES    (256u << 10) /* or so many */
#define RETRY_MS 256u

static bool behind(const struct mq_peer *p)
{
	const struct list_node *log = &p->broker->several->log;

	for (const struct list_node *n = p->mark.node.next; n != log; n = n->next) {
		if (list_entry(n, struct mq_filter, node)->tenant)
			return true;
	}
	return false;
}

/* It sees the same brokers, and we have settled among them. */
static bool may_answer(const struct mq_peer *p)
{
	const struct mq_several *s = p->broker->several;

	return p->ask != p->answer_told && p->ask_view == s->view && s->settled == s->view;
}

static void drop_names(struct mq_settled **names, uint32_t *n)
{
	for (uint32_t i = 0; i < *n; i++)
		mq_settled_fini(&(*names)[i]);
	mem_free(*names);
	*names = NULL;
	*n = 0;
}

static void on_retry(struct wheel_timer *t)
{
	mq_exchange_tell(list_entry(t, struct mq_peer, retry));
}

void mq_exchange_begin(struct mq_peer *p)
{
	struct mq_several *s = p->broker->several;

	p->retry.fn = on_retry;
	p->all = true;
	p->told = 0;
	list_remove(&p->mark.node);
	list_push_front(&s->log, &p->mark.node);
	net_defer(p->broker->net, &s->tell_task);
}

void mq_exchange_names(struct mq_peer *p, const struct mq_settled *one)
{
	p->names = mem_realloc(p->names, (p->name_n + 1) * sizeof(*p->names));
	p->names[p->name_n++] = (struct mq_settled){ mem_strdup(one->name), mq_session_ref(one->session) };
	net_defer(p->broker->net, &p->broker->several->tell_task);
}

/* Its calls end on their own, by its number. */
void mq_exchange_free(struct mq_peer *p)
{
	drop_names(&p->names, &p->name_n);
	drop_names(&p->telling, &p->telling_n);
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

struct asked {
	struct mq_broker *broker;
	uint64_t instance;
};

static void failed(struct mq_peer *p, const struct ipc_result *result)
{
	log_debug(p->broker->log, "a broker was not told of filters: %s %s", ipc_code_name(result->code), result->text);
	for (uint32_t i = 0; i < p->telling_n; i++)
		mq_exchange_names(p, &p->telling[i]);
	drop_names(&p->telling, &p->telling_n);
	mq_exchange_begin(p);
	net_timer_set(p->broker->net, &p->retry, RETRY_MS);
}

static void on_told(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct asked *a = ctx;
	struct mq_broker *b = a->broker;
	struct mq_peer *p = b->stopped ? NULL : mq_peer_find(b, a->instance);

	(void)reply;
	mem_free(a);
	if (!p)
		return;
	p->asking = false;
	if (!ipc_ok(result)) {
		failed(p, result);
		return;
	}
	drop_names(&p->telling, &p->telling_n);
	p->parts = p->parts && !p->all && behind(p);
	if (!p->all)
		p->told = p->asked;
	mq_several_look(b);
	mq_exchange_tell(p);
}

struct request {
	Starling__MqttFiltersRequest body;
	Starling__MqttFilter rows[FILTERS], *list[FILTERS];
};

/* The next ones behind the mark, which moves. */
static void fill(struct mq_peer *p, struct request *r)
{
	struct mq_several *s = p->broker->several;
	struct list_node *n = p->mark.node.next;
	size_t bytes = 0;

	while (n != &s->log && r->body.n_filters < FILTERS && bytes < BYTES) {
		struct mq_filter *f = list_entry(n, struct mq_filter, node);
		Starling__MqttFilter *row = &r->rows[r->body.n_filters];

		n = n->next;
		if (!f->tenant)
			continue;
		p->asked = f->version;
		if (f->members == 0 && r->body.all)
			continue;
		starling__mqtt_filter__init(row);
		row->filter = (char *)(uintptr_t)f->key.p;
		row->group = (char *)(uintptr_t)(f->key.p + f->key.n - 1 - f->group_n);
		row->members = f->members;
		row->here = f->here;
		r->list[r->body.n_filters++] = row;
		bytes += f->key.n + 16;
	}
	if (n == &s->log)
		p->asked = s->version;
	list_remove(&p->mark.node);
	list_insert_before(n, &p->mark.node);
}

/* Those that are still so. The caller frees the list. */
static void fill_names(struct mq_peer *p, Starling__MqttFiltersRequest *r)
{
	p->telling = p->names;
	p->telling_n = p->name_n;
	p->names = NULL;
	p->name_n = 0;
	r->settled = mem_alloc((p->telling_n + 1) * sizeof(*r->settled));
	for (uint32_t i = 0; i < p->telling_n; i++) {
		if (mq_settled_holds(&p->telling[i]))
			r->settled[r->n_settled++] = p->telling[i].name;
	}
}

static void call(struct mq_peer *p)
{
	struct mq_broker *b = p->broker;
	struct request *r = mem_new(struct request);
	struct ipc_opts opts = mq_wire_opts(b);
	struct asked *a = mem_new(struct asked);

	*a = (struct asked){ b, p->instance };
	starling__mqtt_filters_request__init(&r->body);
	r->body.filters = r->list;
	r->body.all = p->all;
	p->parts |= p->all;
	p->all = false;
	fill(p, r);
	r->body.more = p->parts && behind(p);
	r->body.known = p->here;
	r->body.given_up = p->given_up;
	r->body.view = b->several->view;
	r->body.ask = p->ask_told = b->several->ask;
	if (may_answer(p))
		p->answer_told = p->ask;
	r->body.answer = p->answer_told;
	fill_names(p, &r->body);
	p->asking = true;
	call_mqtt_filters(b->bus, ipc_instance(p->instance), &opts, &r->body, on_told, a);
	mem_free(r->body.settled);
	mem_free(r);
}

void mq_exchange_tell(struct mq_peer *p)
{
	if (p->asking || !list_unlinked(&p->retry.node))
		return;
	if (p->all || p->name_n || p->ask_told != p->broker->several->ask || may_answer(p) || behind(p))
		call(p);
}

/* --- being told --------------------------------------------------------------------------------------------------- */

static void take(struct mq_peer *p, const Starling__MqttFiltersRequest *r)
{
	struct mq_broker *b = p->broker;

	if (r->all)
		mq_peer_clear(p);
	for (size_t i = 0; i < r->n_filters; i++) {
		const Starling__MqttFilter *f = r->filters[i];
		struct str filter;
		struct mq_tenant *t = mq_wire_tenant(b, str_from(f->filter), &filter);

		/* Of a host that is none of ours nobody here publishes. */
		if (t && !mq_peer_set(p, t, str_from(f->group), filter, f->members, f->here))
			log_error(b->log, "another broker's filter is none filter=%s", f->filter);
		b->several->epoch += f->members > 0;
	}
	if (r->all && !r->known)
		mq_exchange_begin(p);
	p->reading = (p->reading || r->all) && r->more;
	p->here = !p->reading;
	p->ask_view = r->view;
	p->ask = r->ask;
	p->answer = r->answer;
	mq_settle_names(b, r->settled, r->n_settled);
}

void on_mqtt_filters(struct ipc_call *call, const Starling__MqttFiltersRequest *request)
{
	static const Starling__Empty empty = STARLING__EMPTY__INIT;
	struct mq_broker *b = ipc_call_daemon(call);
	struct mq_peer *p;

	if (b->bus)
		mq_peers_update(b);
	p = b->bus ? mq_peer_find(b, ipc_call_source(call)) : NULL;
	if (request->given_up) {
		daemon_fail(b->daemon, "the other brokers held this one for dead, and have its sessions now: it begins anew");
		ipc_fail(call, STARLING__CODE__CODE_UNAVAILABLE, "ends");
		return;
	}
	if (!p || (!request->all && !p->here && !p->reading)) {
		ipc_fail(call, STARLING__CODE__CODE_UNAVAILABLE, "not known here");
		return;
	}
	take(p, request);
	reply_mqtt_filters(call, &empty);
	net_defer(b->net, &b->several->tell_task);
	mq_several_look(b);
}
