/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of all features. One more is a file in features/, a line in features/features.h and a word here. */
#include "services/session-manager/features/features.h"

#include <stddef.h>

/* RFC 3921 section 3: old clients start a session after binding; binding has done that already. */
static void session_legacy(struct iq *iq)
{
	iq_result(iq, STR(""));
}

static const struct iq_row legacy_rows[] = {
	{ "urn:ietf:params:xml:ns:xmpp-session", "session", IQ_HOST | IQ_SELF, IQ_SET, session_legacy, false },
	{ 0 },
};
static const struct iq_feature legacy_feature = { "session", legacy_rows, NULL, NULL };

/* XEP-0424 sections 2 and 4: retractions are archived, and leave tombstones (archive_retract.h). */
static const struct iq_row no_rows[] = { { 0 } };
static const char *const retract_vars[] = { "urn:xmpp:message-retract:1", "urn:xmpp:message-retract:1#tombstone", NULL };
static const struct iq_feature retract_feature = { "retract", no_rows, retract_vars, retract_vars };

const struct iq_feature *const iq_features[] = {
	&roster_feature,
	&ping_feature,
	&disco_feature,
	&last_feature,
	&private_feature,
	&register_feature,
	&time_feature,
	&vcard_feature,
	&version_feature,
	&carbons_feature,
	&mam_feature,
	&mam_prefs_feature,
	&retract_feature,
	&flexible_offline_feature,
	&external_services_feature,
	&legacy_feature,
	NULL,
};
