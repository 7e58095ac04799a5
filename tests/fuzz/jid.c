/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: addresses. What is accepted is a fixed point, its views agree with its parts, and its text is valid UTF-8 within the limits. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/text/idna.h"
#include "common/text/utf8.h"
#include "common/xmpp/jid.h"

static void require(bool ok, const char *what, struct str at)
{
	if (ok)
		return;
	fprintf(stderr, "property violated: %s\n%.*s\n", what, STR_ARG(at));
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = mem_memdup(data, size), out[JID_PART_MAX + 1];
	struct str in = str_make(copy, size);
	struct jid j, again;
	size_t n;

	if (jid_parse(in, &j) == JID_OK) {
		require(utf8_valid(j.full) && strlen(j.text) == j.full.n, "text", j.full);
		require(j.domain.n > 0 && j.domain.n <= JID_PART_MAX && j.local.n <= JID_PART_MAX && j.resource.n <= JID_PART_MAX,
		        "lengths", j.full);
		require(jid_parse(j.full, &again) == JID_OK && jid_equal(&j, &again), "fixed point", j.full);
		jid_fini(&again);
		require(jid_make(j.local, j.domain, j.resource, &again) == JID_OK && jid_equal(&j, &again), "made of its parts", j.full);
		jid_fini(&again);
		require(str_eq(jid_view_bare(j.full), j.bare) && str_eq(jid_view_local(j.full), j.local) &&
		                str_eq(jid_view_domain(j.full), j.domain) && str_eq(jid_view_resource(j.full), j.resource),
		        "views", j.full);
		require(idna_to_ascii(j.domain, out, sizeof(out), &n), "domain in ASCII", j.domain);
	}
	jid_fini(&j);
	if (jid_prep_password(in, out, &n) == JID_OK)
		require(n > 0 && out[n] == 0 && utf8_valid(str_make(out, n)), "password", in);
	mem_free(copy);
	return 0;
}
