/* SPDX-License-Identifier: Apache-2.0
 *
 * precis_context: rules that look at a code point's neighbours: RFC 5892 appendix A (joiners, middle dot, keraia, geresh, katakana dot,
 * Arabic digits) and the Bidi Rule, RFC 5893 section 2. */
#include <unictype.h>

#include "common/text/precis.h"

static bool virama_before(const uint32_t *cps, size_t i)
{
	return i > 0 && uc_combining_class(cps[i - 1]) == UC_CCC_VR;
}

/* Appendix A.1: between a joining letter on either side, transparent ones skipped. */
static bool zwnj_ok(const uint32_t *cps, size_t n, size_t i)
{
	if (virama_before(cps, i))
		return true;
	size_t before = i, after = i + 1;
	while (before > 0 && uc_joining_type(cps[before - 1]) == UC_JOINING_TYPE_T)
		before--;
	while (after < n && uc_joining_type(cps[after]) == UC_JOINING_TYPE_T)
		after++;
	if (before == 0 || after == n)
		return false;
	int left = uc_joining_type(cps[before - 1]), right = uc_joining_type(cps[after]);
	return (left == UC_JOINING_TYPE_L || left == UC_JOINING_TYPE_D) && (right == UC_JOINING_TYPE_R || right == UC_JOINING_TYPE_D);
}

static bool in_script(uint32_t cp, const char *name)
{
	const uc_script_t *script = uc_script(cp);

	return script && strcmp(script->name, name) == 0;
}

static bool any_in_range(const uint32_t *cps, size_t n, uint32_t first, uint32_t last)
{
	for (size_t i = 0; i < n; i++) {
		if (cps[i] >= first && cps[i] <= last)
			return true;
	}
	return false;
}

static bool any_japanese(const uint32_t *cps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (in_script(cps[i], "Hiragana") || in_script(cps[i], "Katakana") || in_script(cps[i], "Han"))
			return true;
	}
	return false;
}

static bool one_ok(const uint32_t *cps, size_t n, size_t i)
{
	switch (cps[i]) {
	case 0x200C:
		return zwnj_ok(cps, n, i);
	case 0x200D:
		return virama_before(cps, i);
	case 0x00B7:
		return i > 0 && i + 1 < n && cps[i - 1] == 'l' && cps[i + 1] == 'l';
	case 0x0375:
		return i + 1 < n && in_script(cps[i + 1], "Greek");
	case 0x05F3:
	case 0x05F4:
		return i > 0 && in_script(cps[i - 1], "Hebrew");
	}
	return true;
}

bool precis_context_ok(const uint32_t *cps, size_t n)
{
	/* What depends on the whole text is looked at once: a text full of such characters must not cost the square of its length. */
	if (any_in_range(cps, n, 0x0660, 0x0669) && any_in_range(cps, n, 0x06F0, 0x06F9))
		return false;
	if (any_in_range(cps, n, 0x30FB, 0x30FB) && !any_japanese(cps, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (cps[i] >= 0x80 && !one_ok(cps, n, i))
			return false;
	}
	return true;
}

#define BIDI(x)   (1u << UC_BIDI_##x)
#define BIDI_RTL  (BIDI(R) | BIDI(AL) | BIDI(AN))
#define BIDI_BOTH (BIDI(EN) | BIDI(ES) | BIDI(CS) | BIDI(ET) | BIDI(ON) | BIDI(BN) | BIDI(NSM))

bool precis_bidi_ok(const uint32_t *cps, size_t n)
{
	uint32_t seen = 0, first = 0, last = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t class = 1u << uc_bidi_category(cps[i]);

		seen |= class;
		if (i == 0)
			first = class;
		if (class != BIDI(NSM))
			last = class;
	}
	if (!(seen & BIDI_RTL))
		return true;
	if (first & (BIDI(R) | BIDI(AL)))
		return !(seen & ~(BIDI_RTL | BIDI_BOTH)) && (last & (BIDI_RTL | BIDI(EN))) && !((seen & BIDI(EN)) && (seen & BIDI(AN)));
	if (first & BIDI(L))
		return !(seen & ~(BIDI(L) | BIDI_BOTH)) && (last & (BIDI(L) | BIDI(EN)));
	return false;
}
