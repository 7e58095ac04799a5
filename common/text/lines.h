/* SPDX-License-Identifier: Apache-2.0
 *
 * lines: a text file line by line, as editors end them. Pure. */
#ifndef COMMON_TEXT_LINES_H
#define COMMON_TEXT_LINES_H

#include "common/base/str.h"

/* Made with the text as rest; number is that of the line that was taken last. */
struct lines {
	struct str rest;
	unsigned number;
};

/* False: there is no more. *out: a view of the text, without its LF or CR LF. */
bool lines_next(struct lines *l, struct str *out);
/* No more than text: UTF-8, and no zero. */
bool line_valid(struct str line);

#endif
