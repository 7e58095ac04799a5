/* SPDX-License-Identifier: Apache-2.0
 *
 * disco: XEP-0030 2.5. What a host and an account offer, from the tables of all features. Of an account, strangers learn nothing: section 8. */
#include "services/session-manager/account.h"
#include "services/session-manager/features/features.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

#define NS_INFO  "http://jabber.org/protocol/disco#info"
#define NS_ITEMS "http://jabber.org/protocol/disco#items"

static void add_vars(struct buf *out, const char *const *vars)
{
	for (; vars && *vars; vars++)
		buf_printf(out, "<feature var='%s'/>", *vars);
}

static void answer_info(struct iq *iq, const char *identity, bool host)
{
	struct buf out = { 0 };

	buf_printf(&out, "<query xmlns='" NS_INFO "'>%s", identity);
	for (const struct iq_feature *const *f = iq_features; *f; f++)
		add_vars(&out, host ? (*f)->host_features : (*f)->account_features);
	buf_append_cstr(&out, "</query>");
	iq_result(iq, buf_str(&out));
	buf_fini(&out);
}

/* There are no nodes but that of a user's own offline messages (XEP-0013); asking for another finds nothing. */
static bool asks_for_node(struct iq *iq)
{
	return xml_get(iq->child, "node").n > 0;
}

static bool asks_for_offline(struct iq *iq)
{
	return str_is(xml_get(iq->child, "node"), NS_OFFLINE);
}

static void host_info(struct iq *iq)
{
	if (asks_for_node(iq))
		iq_error(iq, "item-not-found", NULL);
	else
		answer_info(iq, "<identity category='server' type='im' name='Starling'/>", true);
}

static void account_info(struct iq *iq)
{
	if (!iq->trusted)
		iq_error(iq, "service-unavailable", NULL);
	else if (asks_for_offline(iq) && iq->scope == IQ_SELF)
		flexible_offline_info(iq);
	else if (asks_for_offline(iq))
		iq_error(iq, "forbidden", NULL);
	else if (asks_for_node(iq))
		iq_error(iq, "item-not-found", NULL);
	else
		answer_info(iq, "<identity category='account' type='registered'/>", false);
}

static bool below(struct str domain, struct str host)
{
	return domain.n > host.n + 1 && domain.p[domain.n - host.n - 1] == '.' && memcmp(domain.p + domain.n - host.n, host.p, host.n) == 0;
}

/* The services of a host are the domains below it that some daemon has registered for. */
static void add_services(struct buf *out, struct iq *iq)
{
	const Starling__Registration *all[256];
	uint32_t n = ipc_bus_instances(iq->sm->bus, NULL, all, 256);

	for (uint32_t i = 0; i < n; i++)
		for (size_t d = 0; d < all[i]->n_domains; d++) {
			struct str domain = str_from(all[i]->domains[d]);
			struct buf item = { 0 };

			if (!below(domain, iq->host) || sm_local_host(iq->sm, domain))
				continue;
			buf_append_cstr(&item, "<item");
			xml_attr(&item, "jid", domain);
			buf_append_cstr(&item, "/>");
			if (!memmem(out->p, out->n, item.p, item.n)) /* several instances serve one domain */
				buf_append_str(out, buf_str(&item));
			buf_fini(&item);
		}
}

static void host_items(struct iq *iq)
{
	struct buf out = { 0 };

	if (asks_for_node(iq)) {
		iq_error(iq, "item-not-found", NULL);
		return;
	}
	buf_append_cstr(&out, "<query xmlns='" NS_ITEMS "'>");
	add_services(&out, iq);
	buf_append_cstr(&out, "</query>");
	iq_result(iq, buf_str(&out));
	buf_fini(&out);
}

static void account_items(struct iq *iq)
{
	struct account *a = iq->trusted ? account_find(iq->sm, iq->account) : NULL;
	struct buf out = { 0 };

	if (asks_for_offline(iq) && iq->scope == IQ_SELF) {
		flexible_offline_items(iq);
		return;
	}
	if (asks_for_offline(iq)) {
		iq_error(iq, iq->trusted ? "forbidden" : "service-unavailable", NULL);
		return;
	}
	buf_append_cstr(&out, "<query xmlns='" NS_ITEMS "'>");
	if (a && !asks_for_node(iq))
		list_for_each (node, &a->sessions) {
			const struct session *s = list_entry(node, struct session, of_account);

			if (!s->available)
				continue;
			buf_append_cstr(&out, "<item");
			xml_attr(&out, "jid", s->full);
			buf_append_cstr(&out, "/>");
		}
	buf_append_cstr(&out, "</query>");
	iq_result(iq, buf_str(&out));
	buf_fini(&out);
}

static const struct iq_row rows[] = {
	{ NS_INFO, "query", IQ_HOST, IQ_GET, host_info, false },
	{ NS_INFO, "query", IQ_SELF | IQ_ACCOUNT, IQ_GET, account_info, false },
	{ NS_ITEMS, "query", IQ_HOST, IQ_GET, host_items, false },
	{ NS_ITEMS, "query", IQ_SELF | IQ_ACCOUNT, IQ_GET, account_items, false },
	{ 0 },
};

/* msgoffline: XEP-0160 section 4. */
static const char *const host_vars[] = { NS_INFO, NS_ITEMS, "msgoffline", NULL };
static const char *const account_vars[] = { NS_INFO, NS_ITEMS, NULL };

const struct iq_feature disco_feature = { "disco", rows, host_vars, account_vars };
