/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-gateway/gateway.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "services/mqtt-gateway/metrics.h"
#include "services/mqtt-gateway/turn.h"

bool gateway_is_host(const struct gateway *g, struct str domain)
{
	const struct config_list *hosts = &daemon_shared(g->daemon)->hosts;

	for (size_t i = 0; i < hosts->count; i++) {
		if (str_is(domain, hosts->items[i]))
			return true;
	}
	return false;
}

void gateway_say_once(struct gateway *g, struct rule *r, uint32_t bit, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (r->logged & bit)
		return;
	r->logged |= bit;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_info(g->log, "rule %s: %s; further ones are counted", r->name, text);
}

static void take_config(struct gateway *g)
{
	g->config = daemon_config(g->daemon);
	g->env = (struct mqtt_link_env){ g->net, g->dns, (uint32_t)g->config->connect_ms, (uint32_t)g->config->close_ms };
}

static int load(struct gateway *g, struct rules **out_rules, struct mqtt_party *out_party, struct err *e)
{
	const struct config_shared *shared = daemon_shared(g->daemon);

	*out_rules = rules_load(g->config->rules, &shared->hosts, e);
	if (!*out_rules)
		return -1;
	if (gateway_config_party(shared, g->config, out_party, e) == 0)
		return 0;
	rules_free(out_rules);
	return -1;
}

struct gateway *gateway_new(struct daemon *d, struct err *e)
{
	struct gateway *g = mem_new(struct gateway);
	struct dns_config dns = { 0 };

	g->daemon = d;
	g->bus = daemon_bus(d);
	g->log = daemon_log(d);
	g->net = net_loop_new(daemon_loop(d));
	take_config(g);
	g->domain = gateway_config_domain(daemon_shared(d), g->config);
	broker_init(g);
	intake_init(&g->intake, g);
	orders_init(&g->orders, g);
	dns.servers = g->config->dns_servers;
	g->dns = g->env.dns = dns_new(g->net, &dns, e);
	if (!g->dns || load(g, &g->rules, &g->party, e) < 0) {
		gateway_free(&g);
		return NULL;
	}
	gateway_metrics_register(g);
	return g;
}

void gateway_run(struct gateway *g)
{
	daemon_ready(g->daemon);
}

/* --- at work, or standing by -------------------------------------------------------------------------------------- */

static void work(struct gateway *g)
{
	const char *domains[] = { g->domain };

	log_info(g->log, "at work domain=%s", g->domain);
	g->working = true;
	ipc_bus_set_domains(g->bus, domains, 1);
	if (g->state == GATEWAY_ENDED)
		broker_connect(g);
}

static void stand_by(struct gateway *g)
{
	log_info(g->log, "stands by");
	g->working = false;
	ipc_bus_set_domains(g->bus, NULL, 0);
	broker_close(g);
}

void gateway_look_around(struct gateway *g)
{
	enum turn turn = g->draining || g->stopped ? TURN_NONE : turn_of(g->bus, g->working);

	if (turn == TURN_BEGINS)
		work(g);
	else if (turn == TURN_ENDS)
		stand_by(g);
}

/* --- changes, and the end ----------------------------------------------------------------------------------------- */

static void take_next(struct gateway *g)
{
	rules_free(&g->rules);
	mqtt_party_fini(&g->party);
	g->rules = g->next_rules;
	g->party = g->next_party;
	g->next_rules = NULL;
	g->next_party = (struct mqtt_party){ 0 };
}

void gateway_closed(struct gateway *g)
{
	if (g->draining) {
		daemon_drained(g->daemon);
		return;
	}
	if (g->next_rules)
		take_next(g);
	if (g->working)
		broker_connect(g);
}

/* What is on its way waits in the broker's session meanwhile. */
void gateway_reload(struct gateway *g)
{
	struct mqtt_party party = { 0 };
	struct rules *rules;
	struct err e;

	take_config(g);
	if (g->draining)
		return;
	if (load(g, &rules, &party, &e) < 0) {
		log_error(g->log, "the rules stay as they are: %s", e.text);
		return;
	}
	rules_free(&g->next_rules);
	mqtt_party_fini(&g->next_party);
	g->next_rules = rules;
	g->next_party = party;
	if (g->state == GATEWAY_ENDED)
		take_next(g); /* it is not at work */
	else
		broker_close(g);
}

void gateway_look(struct gateway *g)
{
	if (g->draining && !g->stopped && g->state != GATEWAY_CLOSING && intake_idle(&g->intake) && list_empty(&g->orders.all)) {
		if (g->state == GATEWAY_ENDED)
			daemon_drained(g->daemon);
		else
			broker_close(g);
	}
}

/* Nothing new is taken, from neither side; what was taken comes to its end. */
void gateway_drain(struct gateway *g)
{
	g->draining = true;
	ipc_bus_set_domains(g->bus, NULL, 0);
	gateway_look(g);
}

void gateway_free(struct gateway **out)
{
	struct gateway *g = *out;

	*out = NULL;
	if (!g)
		return;
	g->stopped = true;
	broker_fini(g);
	intake_fini(&g->intake);
	orders_fini(&g->orders);
	rules_free(&g->rules);
	rules_free(&g->next_rules);
	mqtt_party_fini(&g->party);
	mqtt_party_fini(&g->next_party);
	if (g->dns)
		dns_free(&g->dns);
	net_loop_free(&g->net);
	mem_free(g->domain);
	mem_free(g);
}
