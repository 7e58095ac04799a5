/* SPDX-License-Identifier: Apache-2.0
 *
 * version: XEP-0092 1.1. The operating system is left out: it helps nobody but attackers. */
#include "common/daemon/daemon.h"
#include "services/session-manager/features/features.h"

static void answer(struct iq *iq)
{
	struct buf out = { 0 };

	buf_append_cstr(&out, "<query xmlns='jabber:iq:version'><name>Starling</name><version>");
	xml_escape(&out, str_from(daemon_version()));
	buf_append_cstr(&out, "</version></query>");
	iq_result(iq, buf_str(&out));
	buf_fini(&out);
}

static const struct iq_row rows[] = {
	{ "jabber:iq:version", "query", IQ_HOST, IQ_GET, answer, false },
	{ 0 },
};

static const char *const vars[] = { "jabber:iq:version", NULL };

const struct iq_feature version_feature = { "version", rows, vars, NULL };
