/* SPDX-License-Identifier: Apache-2.0
 *
 * sasl_plain: the grammar of PLAIN's only message (RFC 4616 section 2). Views point into the message; the password's bytes are in it too, so
 * whoever owns the message wipes it. */
#ifndef COMMON_CRYPTO_SASL_PLAIN_H
#define COMMON_CRYPTO_SASL_PLAIN_H

#include "common/base/str.h"

#define SASL_PLAIN_MAX 8192 /* bytes of the message */

struct sasl_plain {
	struct str authzid; /* empty: none */
	struct str authcid;
	struct str password;
};
/* [authzid] NUL authcid NUL passwd, in UTF-8, with exactly two NULs and neither of the last two parts empty. */
bool sasl_plain_parse(struct str message, struct sasl_plain *out);

#endif
