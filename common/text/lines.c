/* SPDX-License-Identifier: Apache-2.0 */
#include "common/text/lines.h"

#include <string.h>

#include "common/text/utf8.h"

bool lines_next(struct lines *l, struct str *out)
{
	const char *end = l->rest.n ? memchr(l->rest.p, '\n', l->rest.n) : NULL;
	size_t n = end ? (size_t)(end - l->rest.p) : l->rest.n, taken = n + (end != NULL);

	if (l->rest.n == 0)
		return false;
	*out = str_make(l->rest.p, n);
	if (n > 0 && out->p[n - 1] == '\r')
		out->n--;
	l->rest = str_make(l->rest.p + taken, l->rest.n - taken);
	l->number++;
	return true;
}

bool line_valid(struct str line)
{
	return utf8_valid(line) && (line.n == 0 || !memchr(line.p, '\0', line.n));
}
