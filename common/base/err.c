/* SPDX-License-Identifier: Apache-2.0
 *
 * err: see err.h. */
#include "common/base/err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -1;
	/* Into a text of its own first, so that e->text itself may be among the arguments. */
	char text[sizeof(e->text)];
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(e->text, sizeof(e->text), "%s", text);
	return -1;
}
