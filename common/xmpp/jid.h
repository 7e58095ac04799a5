/* SPDX-License-Identifier: Apache-2.0
 *
 * jid: addresses by RFC 7622. Localpart: PRECIS UsernameCaseMapped; domainpart: IDNA2008 U-labels, or an IP literal; resourcepart:
 * PRECIS OpaqueString. Each part at most 1023 bytes. A struct jid is always normalised. */
#ifndef COMMON_XMPP_JID_H
#define COMMON_XMPP_JID_H

#include "common/base/str.h"

#define JID_PART_MAX 1023
#define JID_TEXT_MAX (3 * JID_PART_MAX + 2)

/* One buffer holds "local@domain/resource", NUL-terminated; the parts point into it. Plain data, copied by assignment only with jid_copy. */
struct jid {
	char *text;       /* heap, owned; NULL in an empty jid */
	struct str local; /* empty: a domain's own address */
	struct str domain;
	struct str resource; /* empty: bare */
	struct str bare;     /* view of local@domain */
	struct str full;     /* the whole text */
};

enum jid_error {
	JID_OK = 0,
	JID_EMPTY, /* no domain, or an empty part around a separator */
	JID_TOO_LONG,
	JID_BAD_UTF8,
	JID_BAD_LOCAL,
	JID_BAD_DOMAIN,
	JID_BAD_RESOURCE,
};
const char *jid_error_name(enum jid_error e);

/* Parses and normalises. On failure *out is empty. ASCII addresses take a fast path without a table look-up. */
enum jid_error jid_parse(struct str text, struct jid *out);
enum jid_error jid_make(struct str local, struct str domain, struct str resource, struct jid *out);
void jid_copy(struct jid *out, const struct jid *from);
void jid_fini(struct jid *j);
bool jid_equal(const struct jid *a, const struct jid *b);
/* Views into a text that is known to be a normalised JID (from an envelope): no allocation, no checks. */
struct str jid_view_bare(struct str normalised);
struct str jid_view_local(struct str normalised);
struct str jid_view_domain(struct str normalised);
struct str jid_view_resource(struct str normalised);

/* Single parts, into out (at least JID_PART_MAX + 1 bytes); *out_n without the NUL. */
enum jid_error jid_prep_local(struct str in, char *out, size_t *out_n);
enum jid_error jid_prep_domain(struct str in, char *out, size_t *out_n);
enum jid_error jid_prep_resource(struct str in, char *out, size_t *out_n);
/* Password (PRECIS OpaqueString, RFC 8265 section 4) of any length up to JID_PART_MAX. */
enum jid_error jid_prep_password(struct str in, char *out, size_t *out_n);

#endif
