/* SPDX-License-Identifier: Apache-2.0
 *
 * Defaults, ranges and meanings; docs and --print-config come from here. */
#include "services/session-manager/options.h"

#include "services/session-manager/external_list.h"

static const char *const conflict_choices[] = { "replace", "reject", "rename", NULL };
static const char *const archive_choices[] = { "always", "never", "roster", NULL };

#define AT(field) offsetof(struct sm_options, field)

const struct config_option sm_config_options[] = {
	{ .name = "conflict",
	  .type = CONFIG_ENUM,
	  .offset = AT(conflict),
	  .fallback = "replace",
	  .choices = conflict_choices,
	  .reloads = true,
	  .doc = "When a client asks for a resource that is taken: replace ends the old session, reject refuses the new one, rename gives "
	         "it another name." },
	{ .name = "sessions_max",
	  .type = CONFIG_INT,
	  .offset = AT(sessions_max),
	  .fallback = "20",
	  .min = 1,
	  .max = 1000,
	  .reloads = true,
	  .doc = "Sessions of one account at a time." },
	{ .name = "roster_max",
	  .type = CONFIG_INT,
	  .offset = AT(roster_max),
	  .fallback = "1000",
	  .min = 1,
	  .max = 100000,
	  .reloads = true,
	  .doc = "Contacts in one roster, pending requests included." },
	{ .name = "offline_max",
	  .type = CONFIG_INT,
	  .offset = AT(offline_max),
	  .fallback = "1000",
	  .min = 0,
	  .max = 1000000,
	  .reloads = true,
	  .doc = "Messages kept for one account while it is away; 0 means no limit." },
	{ .name = "directed_max",
	  .type = CONFIG_INT,
	  .offset = AT(directed_max),
	  .fallback = "1000",
	  .min = 1,
	  .max = 100000,
	  .reloads = true,
	  .doc = "Addresses that one session's directed presence is remembered for." },
	{ .name = "accounts_max",
	  .type = CONFIG_INT,
	  .offset = AT(accounts_max),
	  .fallback = "100000",
	  .min = 100,
	  .max = 100000000,
	  .reloads = true,
	  .doc = "Accounts kept in memory without having a session." },
	{ .name = "pending_max",
	  .type = CONFIG_SIZE,
	  .offset = AT(pending_max),
	  .fallback = "64MiB",
	  .min = 1 << 16,
	  .max = 1LL << 40,
	  .reloads = true,
	  .doc = "Bytes of stanzas that may wait for the store or another owner before clients are read more slowly." },
	{ .name = "lease",
	  .type = CONFIG_DURATION,
	  .offset = AT(lease_ms),
	  .fallback = "6s",
	  .min = 1000,
	  .max = 600000,
	  .doc = "How long slots stay owned without a sign of life; renewed three times as often." },
	{ .name = "edge_grace",
	  .type = CONFIG_DURATION,
	  .offset = AT(edge_grace_ms),
	  .fallback = "0s",
	  .min = 0,
	  .max = 3600000,
	  .reloads = true,
	  .doc = "How long the sessions of an edge that died are kept before they become unavailable." },
	{ .name = "archive.default",
	  .type = CONFIG_ENUM,
	  .offset = AT(archive_default),
	  .fallback = "always",
	  .choices = archive_choices,
	  .reloads = true,
	  .doc = "Whose messages go to the archive of a user who has not said so: everybody's, nobody's, or those of contacts." },
	{ .name = "archive.page_max",
	  .type = CONFIG_INT,
	  .offset = AT(archive_page_max),
	  .fallback = "250",
	  .min = 1,
	  .max = 500,
	  .reloads = true,
	  .doc = "Messages in one answer to a query of an archive, at most." },
	{ .name = "external.services",
	  .type = CONFIG_LIST,
	  .offset = AT(external_services),
	  .reloads = true,
	  .doc = "Services outside of XMPP that users' clients are told of (XEP-0215), each as words: type=turn host=turn.example.org "
	         "port=3478 transport=udp name=\"Calls\"; host=* is every turn-relay of this flock." },
	{ .name = "external.lifetime",
	  .type = CONFIG_DURATION,
	  .offset = AT(external_lifetime_ms),
	  .fallback = "12h",
	  .min = 60000,
	  .max = 30LL * 86400000,
	  .reloads = true,
	  .doc = "How long credentials made for one account are valid; a call does not outlive them." },
	CONFIG_END,
};

int sm_options_check(const struct config_shared *shared, const void *config, struct err *e)
{
	const struct sm_options *options = config;
	struct external_list *external;
	int rc;

	if (shared->hosts.count == 0)
		return err_set(e, "hosts: at least one host is needed");
	external = external_list_load(&options->external_services, shared->keys_dir, e);
	rc = external ? 0 : -1;
	external_list_free(&external);
	return rc;
}
