/* SPDX-License-Identifier: Apache-2.0
 *
 * precis: the mappings and the two profiles; see precis.h. */
#include "common/text/precis.h"

#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>

#include "common/base/mem.h"
#include "common/text/utf8.h"

/* Case mapping and NFC make a text at most three times as many code points long. */
#define CPS_MAX (3 * PRECIS_INPUT_MAX)

/* Fullwidth and halfwidth forms to what they decompose to (RFC 8264 section 5.2.1). Always one code point for one. */
bool precis_map_width(uint32_t *cps, size_t *n, size_t max)
{
	(void)max;
	for (size_t i = 0; i < *n; i++) {
		ucs4_t to[UC_DECOMPOSITION_MAX_LENGTH];
		int tag;

		if (cps[i] != 0x3000 && (cps[i] < 0xFF00 || cps[i] > 0xFFEF))
			continue;
		if (uc_decomposition(cps[i], &tag, to) == 1 && (tag == UC_DECOMP_WIDE || tag == UC_DECOMP_NARROW))
			cps[i] = to[0];
	}
	return true;
}

/* toLowerCase without context: a capital sigma becomes a small one also at the end of a word, so that the mapping of a part does not depend
 * on what stands beside it. Only U+0130 becomes two code points. */
bool precis_map_lower(uint32_t *cps, size_t *n, size_t max)
{
	for (size_t i = 0; i < *n; i++) {
		if (cps[i] != 0x0130) {
			cps[i] = uc_tolower(cps[i]);
			continue;
		}
		if (*n == max)
			return false;
		memmove(cps + i + 2, cps + i + 1, (*n - i - 1) * sizeof(*cps));
		cps[i++] = 'i';
		cps[i] = 0x0307;
		(*n)++;
	}
	return true;
}

bool precis_map_nfc(uint32_t *cps, size_t *n, size_t max)
{
	size_t length = 0;
	uint32_t *out = u32_normalize(UNINORM_NFC, cps, *n, NULL, &length);
	bool fits = *n == 0 || (out && length <= max);

	if (out && fits) {
		memcpy(cps, out, length * sizeof(*cps));
		*n = length;
	}
	free(out);
	return fits;
}

static enum precis_error check_class(const uint32_t *cps, size_t n, bool freeform)
{
	for (size_t i = 0; i < n; i++) {
		enum precis_property p = precis_property(cps[i]);

		if (p == PRECIS_UNASSIGNED || p == PRECIS_NEVER || (p == PRECIS_FREE_PVAL && !freeform))
			return PRECIS_DISALLOWED;
	}
	return PRECIS_OK;
}

/* Once through RFC 8265 section 3.3.3, in its order. */
static enum precis_error username_once(uint32_t *cps, size_t *n)
{
	if (!precis_map_width(cps, n, CPS_MAX))
		return PRECIS_TOO_LONG;
	enum precis_error e = check_class(cps, *n, false);
	if (e)
		return e;
	if (!precis_map_lower(cps, n, CPS_MAX) || !precis_map_nfc(cps, n, CPS_MAX))
		return PRECIS_TOO_LONG;
	if (!precis_context_ok(cps, *n))
		return PRECIS_CONTEXT;
	return precis_bidi_ok(cps, *n) ? PRECIS_OK : PRECIS_BIDI;
}

/* Once through RFC 8265 section 4.2.3. */
static enum precis_error opaque_once(uint32_t *cps, size_t *n)
{
	/* Space itself is FREE_PVAL by its category, Zs. */
	enum precis_error e = check_class(cps, *n, true);
	if (e)
		return e;
	for (size_t i = 0; i < *n; i++) {
		if (cps[i] > 0x7F && uc_is_general_category_withtable(cps[i], UC_CATEGORY_MASK_Zs))
			cps[i] = ' ';
	}
	if (!precis_map_nfc(cps, n, CPS_MAX))
		return PRECIS_TOO_LONG;
	return precis_context_ok(cps, *n) ? PRECIS_OK : PRECIS_CONTEXT;
}

/* RFC 8264 section 7: the rules are applied until the text no longer changes, at most four times in all. */
static enum precis_error settle(uint32_t *cps, size_t *n, enum precis_error (*once)(uint32_t *, size_t *))
{
	uint32_t *before = mem_alloc(CPS_MAX * sizeof(*before));
	enum precis_error e = PRECIS_UNSTABLE;

	for (int round = 0; round < 4 && e == PRECIS_UNSTABLE; round++) {
		size_t length = *n;

		memcpy(before, cps, length * sizeof(*before));
		e = once(cps, n);
		if (e == PRECIS_OK && (length != *n || memcmp(before, cps, length * sizeof(*before)) != 0))
			e = PRECIS_UNSTABLE;
	}
	mem_free(before);
	return e;
}

static enum precis_error enforce(struct str in, char *out, size_t cap, size_t *out_n, enum precis_error (*once)(uint32_t *, size_t *))
{
	*out_n = 0;
	if (in.n == 0)
		return PRECIS_EMPTY;
	if (in.n > PRECIS_INPUT_MAX)
		return PRECIS_TOO_LONG;
	uint32_t cps[CPS_MAX];
	size_t n = utf8_to_cps(in, cps, PRECIS_INPUT_MAX);
	if (n == SIZE_MAX)
		return PRECIS_BAD_UTF8;
	enum precis_error e = settle(cps, &n, once);
	if (e)
		return e;
	if (n == 0)
		return PRECIS_EMPTY;
	size_t bytes = utf8_from_cps(cps, n, out, cap);
	if (bytes == SIZE_MAX)
		return PRECIS_TOO_LONG;
	*out_n = bytes;
	return PRECIS_OK;
}

enum precis_error precis_username(struct str in, char *out, size_t cap, size_t *out_n)
{
	return enforce(in, out, cap, out_n, username_once);
}

enum precis_error precis_opaque(struct str in, char *out, size_t cap, size_t *out_n)
{
	return enforce(in, out, cap, out_n, opaque_once);
}
