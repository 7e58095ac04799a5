/* SPDX-License-Identifier: Apache-2.0
 *
 * precis: PRECIS string classes and the two profiles that XMPP uses (RFC 8264, RFC 8265). Properties and normalisation come from
 * libunistring, so the Unicode version is that library's. Domain names are another matter: idna.h. */
#ifndef COMMON_TEXT_PRECIS_H
#define COMMON_TEXT_PRECIS_H

#include <stdint.h>

#include "common/base/str.h"

/* Longest text taken in, in bytes. */
#define PRECIS_INPUT_MAX 4096

enum precis_error {
	PRECIS_OK = 0,
	PRECIS_EMPTY,    /* nothing left */
	PRECIS_TOO_LONG, /* of input, or does not fit into out */
	PRECIS_BAD_UTF8,
	PRECIS_DISALLOWED, /* a code point that the class does not allow, or that is unassigned */
	PRECIS_CONTEXT,    /* a code point whose contextual rule fails (RFC 5892 appendix A) */
	PRECIS_BIDI,       /* RFC 5893 section 2 */
	PRECIS_UNSTABLE,   /* does not settle when applied again (RFC 8264 section 7) */
};

/* Enforces a profile; out gets at most cap bytes, no NUL. */
enum precis_error precis_username(struct str in, char *out, size_t cap, size_t *out_n); /* UsernameCaseMapped, RFC 8265 section 3.3 */
enum precis_error precis_opaque(struct str in, char *out, size_t cap, size_t *out_n);   /* OpaqueString, RFC 8265 section 4.2 */

/* --- the pieces, for these profiles, for IDNA mapping and for tests --- */
enum precis_property {
	PRECIS_PVALID,
	PRECIS_FREE_PVAL, /* valid in FreeformClass only */
	PRECIS_CONTEXTJ,
	PRECIS_CONTEXTO,
	PRECIS_UNASSIGNED,
	PRECIS_NEVER, /* DISALLOWED */
};
enum precis_property precis_property(uint32_t cp);     /* RFC 8264 section 8 */
bool precis_context_ok(const uint32_t *cps, size_t n); /* every CONTEXTJ and CONTEXTO code point in its place */
bool precis_bidi_ok(const uint32_t *cps, size_t n);    /* true also when nothing is right-to-left */
/* In place, all three; n may change. Room for max code points; false when that is not enough. */
bool precis_map_width(uint32_t *cps, size_t *n, size_t max);
bool precis_map_lower(uint32_t *cps, size_t *n, size_t max);
bool precis_map_nfc(uint32_t *cps, size_t *n, size_t max);

#endif
