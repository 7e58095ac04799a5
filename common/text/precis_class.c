/* SPDX-License-Identifier: Apache-2.0
 *
 * precis_class: the derived property of a code point, RFC 8264 sections 8 and 9, computed from the library's Unicode properties. */
#include <stdlib.h>
#include <unictype.h>
#include <uninorm.h>

#include "common/text/precis.h"

/* RFC 8264 section 9.6: Exceptions (the same as in RFC 5892 section 2.6). */
static const struct {
	uint32_t first, last;
	enum precis_property property;
} exceptions[] = {
	{ 0x00B7, 0x00B7, PRECIS_CONTEXTO }, { 0x00DF, 0x00DF, PRECIS_PVALID },   { 0x0375, 0x0375, PRECIS_CONTEXTO },
	{ 0x03C2, 0x03C2, PRECIS_PVALID },   { 0x05F3, 0x05F4, PRECIS_CONTEXTO }, { 0x0640, 0x0640, PRECIS_NEVER },
	{ 0x0660, 0x0669, PRECIS_CONTEXTO }, { 0x06F0, 0x06F9, PRECIS_CONTEXTO }, { 0x06FD, 0x06FE, PRECIS_PVALID },
	{ 0x07FA, 0x07FA, PRECIS_NEVER },    { 0x0F0B, 0x0F0B, PRECIS_PVALID },   { 0x3007, 0x3007, PRECIS_PVALID },
	{ 0x302E, 0x302F, PRECIS_NEVER },    { 0x3031, 0x3035, PRECIS_NEVER },    { 0x303B, 0x303B, PRECIS_NEVER },
	{ 0x30FB, 0x30FB, PRECIS_CONTEXTO },
};

/* Hangul_Syllable_Type L, V or T (RFC 8264 section 9.9). */
static bool old_hangul_jamo(uint32_t cp)
{
	return (cp >= 0x1100 && cp <= 0x11FF) || (cp >= 0xA960 && cp <= 0xA97C) || (cp >= 0xD7B0 && cp <= 0xD7C6) ||
	       (cp >= 0xD7CB && cp <= 0xD7FB);
}

/* RFC 8264 section 9.17: toNFKC(cp) differs from cp. */
static bool has_compat(uint32_t cp)
{
	uint32_t out[32];
	size_t n = sizeof(out) / sizeof(out[0]);
	uint32_t *p = u32_normalize(UNINORM_NFKC, &cp, 1, out, &n);
	bool differs = !p || n != 1 || p[0] != cp;

	if (p != out)
		free(p);
	return differs;
}

static bool category(uint32_t cp, uint32_t bits)
{
	return uc_is_general_category_withtable(cp, bits);
}

enum precis_property precis_property(uint32_t cp)
{
	if (cp > 0x20 && cp < 0x7F)
		return PRECIS_PVALID;
	for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
		if (cp >= exceptions[i].first && cp <= exceptions[i].last)
			return exceptions[i].property;
	}
	bool noncharacter = uc_is_property_not_a_character(cp);
	if (!noncharacter && category(cp, UC_CATEGORY_MASK_Cn))
		return PRECIS_UNASSIGNED;
	if (cp == 0x200C || cp == 0x200D)
		return PRECIS_CONTEXTJ;
	if (old_hangul_jamo(cp) || noncharacter || uc_is_property_default_ignorable_code_point(cp) ||
	    category(cp, UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cs))
		return PRECIS_NEVER;
	if (has_compat(cp))
		return PRECIS_FREE_PVAL;
	if (category(cp, UC_CATEGORY_MASK_Ll | UC_CATEGORY_MASK_Lu | UC_CATEGORY_MASK_Lo | UC_CATEGORY_MASK_Nd | UC_CATEGORY_MASK_Lm |
	                         UC_CATEGORY_MASK_Mn | UC_CATEGORY_MASK_Mc))
		return PRECIS_PVALID;
	if (category(cp, UC_CATEGORY_MASK_Lt | UC_CATEGORY_MASK_Nl | UC_CATEGORY_MASK_No | UC_CATEGORY_MASK_Me | UC_CATEGORY_MASK_Zs |
	                         UC_CATEGORY_MASK_S | UC_CATEGORY_MASK_P))
		return PRECIS_FREE_PVAL;
	return PRECIS_NEVER;
}
