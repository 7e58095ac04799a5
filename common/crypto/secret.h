/* SPDX-License-Identifier: Apache-2.0
 *
 * secret: comparing what must not be learnt byte by byte. Overwriting is mem_wipe and mem_free_secret of common/base/mem.h. */
#ifndef COMMON_CRYPTO_SECRET_H
#define COMMON_CRYPTO_SECRET_H

#include "common/base/str.h"

/* Takes the same time wherever the first difference is. */
bool secret_equal(const void *a, const void *b, size_t n);
/* Lengths are no secret: different ones are unequal at once. */
bool secret_equal_str(struct str a, struct str b);

#endif
