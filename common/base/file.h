/* SPDX-License-Identifier: Apache-2.0
 *
 * file: a whole file in memory. */
#ifndef COMMON_BASE_FILE_H
#define COMMON_BASE_FILE_H

#include "common/base/buf.h"
#include "common/base/err.h"

/* out is zeroed before, and the caller's to buf_fini in any case. 0, or -1 with e "PATH: why" and errno (EFBIG: it has more than `most` bytes). */
int file_read(const char *path, size_t most, struct buf *out, struct err *e);

#endif
