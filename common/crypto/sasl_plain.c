/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/sasl_plain.h"

#include <unistr.h>

bool sasl_plain_parse(struct str message, struct sasl_plain *out)
{
	const char *end = message.p + message.n, *first, *second;

	*out = (struct sasl_plain){ 0 };
	if (message.n == 0 || message.n > SASL_PLAIN_MAX || u8_check((const uint8_t *)message.p, message.n))
		return false;
	first = memchr(message.p, '\0', message.n);
	second = first ? memchr(first + 1, '\0', (size_t)(end - first - 1)) : NULL;
	if (!second || memchr(second + 1, '\0', (size_t)(end - second - 1)))
		return false;
	out->authzid = (struct str){ message.p, (size_t)(first - message.p) };
	out->authcid = (struct str){ first + 1, (size_t)(second - first - 1) };
	out->password = (struct str){ second + 1, (size_t)(end - second - 1) };
	return out->authcid.n > 0 && out->password.n > 0;
}
