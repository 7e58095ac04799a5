/* SPDX-License-Identifier: Apache-2.0
 *
 * external_services: XEP-0215 1.0.1: the list, by type or whole, and credentials for one of it. For the users of this server alone: credentials are theirs. */
#include "services/session-manager/external_services.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/xmpp/jid.h"
#include "services/session-manager/features/features.h"
#include "services/session-manager/session.h"
#include "services/session-manager/sm.h"

#define NS_XML "http://www.w3.org/XML/1998/namespace"

/* True: refused, and said so (XEP-0215 section 2). */
static bool stranger(struct iq *iq)
{
	struct str bare = jid_view_bare(iq->from);

	if (jid_view_local(bare).n && sm_local_host(iq->sm, jid_view_domain(bare)))
		return false;
	iq_error(iq, "forbidden", NULL);
	return true;
}

/* XEP-0215 section 6: names in the language of the request. */
static struct str language(const struct iq *iq)
{
	for (const struct xml_attr *a = iq->root->attrs; a; a = a->next) {
		if (str_is(a->name, "lang") && str_is(a->ns, NS_XML))
			return a->value;
	}
	return STR("");
}

static struct external_reader reader_of(const struct iq *iq)
{
	return (struct external_reader){ .account = jid_view_bare(iq->from),
		                         .lang = language(iq),
		                         .now_us = clock_wall_us(),
		                         .life_us = iq->sm->options->external_lifetime_ms * 1000 };
}

static void services(struct iq *iq)
{
	const struct external_list *list = external_services_now(iq->sm->external);
	struct str type = xml_get(iq->child, "type");
	struct session *s = iq->stream ? session_find(iq->sm, iq->stream) : NULL;
	struct external_reader reader = reader_of(iq);
	struct buf out = { 0 };

	if (stranger(iq))
		return;
	if (type.p && !type.n) {
		iq_error(iq, "bad-request", "A type is a word.");
		return;
	}
	buf_append_cstr(&out, "<services xmlns='" NS_EXTDISCO "'");
	if (type.n)
		xml_attr(&out, "type", type);
	buf_append_cstr(&out, ">");
	for (uint32_t i = 0; i < list->count; i++) {
		if (!type.n || str_eq(type, list->items[i].type))
			external_service_write(&list->items[i], &reader, NULL, &out);
	}
	buf_append_cstr(&out, "</services>");
	/* Pushes come from the user's own host (section 3.2: only to whom the server sees to be there). */
	if (s && str_eq(iq->host, jid_view_domain(reader.account)))
		external_services_asked(iq->sm->external, s, type);
	iq_result(iq, buf_str(&out));
	buf_fini(&out);
}

/* What section 3.3 names a service by. False: not a valid name. */
static bool wanted(const struct xml_node *n, struct external_service *out)
{
	struct str port = xml_get(n, "port");
	unsigned long number = 0;

	for (size_t i = 0; i < port.n; i++) {
		if (port.p[i] < '0' || port.p[i] > '9' || number > 65535)
			return false;
		number = number * 10 + (unsigned long)(port.p[i] - '0');
	}
	*out = (struct external_service){ .type = xml_get(n, "type"), .host = xml_get(n, "host"), .transport = xml_get(n, "transport") };
	out->port = (uint16_t)number;
	return out->type.n && out->host.n && number <= 65535 && (!port.p || number > 0);
}

/* Port and transport count where they are named. */
static bool matches(const struct external_service *s, const struct external_service *wanted)
{
	struct external_service full = *wanted;

	if (!full.port)
		full.port = s->port;
	if (!full.transport.n)
		full.transport = s->transport;
	return s->credentials != EXTERNAL_OPEN && external_service_is(s, &full);
}

static void credentials(struct iq *iq)
{
	const struct external_list *list = external_services_now(iq->sm->external);
	const struct xml_node *service = xml_child(iq->child, "service", NS_EXTDISCO);
	struct external_reader reader = reader_of(iq);
	struct external_service want;
	struct buf out = { 0 };
	uint32_t found = 0;

	if (stranger(iq))
		return;
	if (!service || service != xml_first_element(iq->child) || xml_next_element(service) || !wanted(service, &want)) {
		iq_error(iq, "bad-request", "One service is needed, with its host and type.");
		return;
	}
	buf_append_cstr(&out, "<credentials xmlns='" NS_EXTDISCO "'>");
	for (uint32_t i = 0; i < list->count; i++) {
		if (!matches(&list->items[i], &want))
			continue;
		external_service_write(&list->items[i], &reader, NULL, &out);
		found++;
	}
	buf_append_cstr(&out, "</credentials>");
	if (found)
		iq_result(iq, buf_str(&out));
	else
		iq_error(iq, "item-not-found", NULL);
	buf_fini(&out);
}

static const struct iq_row rows[] = {
	{ NS_EXTDISCO, "services", IQ_HOST, IQ_GET, services, false },
	{ NS_EXTDISCO, "credentials", IQ_HOST, IQ_GET, credentials, false },
	{ 0 },
};

static const char *const vars[] = { NS_EXTDISCO, NULL };

const struct iq_feature external_services_feature = { "external_services", rows, vars, NULL };
