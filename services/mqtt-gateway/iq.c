/* SPDX-License-Identifier: Apache-2.0
 *
 * iq: questions to our domain and to the names below it: service discovery (XEP-0030), ping (XEP-0199), version (XEP-0092). */
#include "common/xml/xml.h"
#include "common/xmpp/jid.h"
#include "services/mqtt-gateway/stanza.h"

#define NS_INFO    "http://jabber.org/protocol/disco#info"
#define NS_ITEMS   "http://jabber.org/protocol/disco#items"
#define NS_PING    "urn:xmpp:ping"
#define NS_VERSION "jabber:iq:version"

static bool asks_for_node(struct request *r, const struct xml_node *child)
{
	if (!xml_get(child, "node").n)
		return false;
	request_error(r, "item-not-found", NULL);
	return true;
}

/* The registry has no type for MQTT among gateways; a name is an automated client. */
static void info(struct request *r, const struct xml_node *child)
{
	bool name = jid_view_local(str_from(r->meta.to)).n > 0;
	struct buf out = { 0 };

	if (asks_for_node(r, child))
		return;
	buf_printf(&out,
	           "<query xmlns='" NS_INFO "'><identity category='%s' type='%s' name='%s'/>"
	           "<feature var='" NS_INFO "'/><feature var='" NS_ITEMS "'/><feature var='" NS_PING "'/><feature var='" NS_VERSION
	           "'/></query>",
	           name ? "client" : "component", name ? "bot" : "generic", name ? "MQTT" : "MQTT Gateway");
	request_result(r, buf_str(&out));
	buf_fini(&out);
}

/* Names are not listed: who may see which is a matter of rules. */
static void items(struct request *r, const struct xml_node *child)
{
	if (!asks_for_node(r, child))
		request_result(r, STR("<query xmlns='" NS_ITEMS "'/>"));
}

static void ping(struct request *r, const struct xml_node *child)
{
	(void)child;
	request_result(r, STR(""));
}

static void version(struct request *r, const struct xml_node *child)
{
	struct buf out = { 0 };

	(void)child;
	buf_append_cstr(&out, "<query xmlns='" NS_VERSION "'><name>Starling mqtt-gateway</name><version>");
	xml_escape(&out, str_from(daemon_version()));
	buf_append_cstr(&out, "</version></query>");
	request_result(r, buf_str(&out));
	buf_fini(&out);
}

static const struct {
	const char *ns, *name;
	void (*handler)(struct request *r, const struct xml_node *child);
} handlers[] = {
	{ NS_INFO, "query", info },
	{ NS_ITEMS, "query", items },
	{ NS_PING, "ping", ping },
	{ NS_VERSION, "query", version },
};

void iq_serve(struct request *r)
{
	struct str to = str_from(r->meta.to), name = jid_view_local(to);
	const struct xml_node *root = xml_parse(r->arena, r->bytes, STR("jabber:client")), *child = root ? xml_first_element(root) : NULL;

	if (!child || xml_next_element(child)) {
		request_error(r, "bad-request", NULL);
		return;
	}
	/* A name that there is not, and one that is not for the asker, cannot be told apart. */
	if (name.n > 0 && !rules_visible(r->gateway->rules, name, jid_view_bare(str_from(r->meta.from)))) {
		request_error(r, "service-unavailable", NULL);
		return;
	}
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		if (r->meta.type == STARLING__STANZA_TYPE__TYPE_GET && str_is(child->name, handlers[i].name) &&
		    str_is(child->ns, handlers[i].ns)) {
			handlers[i].handler(r, child);
			return;
		}
	}
	request_error(r, "service-unavailable", NULL);
}
