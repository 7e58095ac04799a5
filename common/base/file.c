/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHUNK 16384u

static int failed(const char *path, int code, size_t most, struct err *e)
{
	if (code == EFBIG && most >> 20)
		err_set(e, "%s: larger than %zu MiB", path, most >> 20);
	else if (code == EFBIG)
		err_set(e, "%s: larger than %zu KiB", path, most >> 10);
	else
		err_set(e, "%s: %s", path, strerror(code));
	errno = code;
	return -1;
}

int file_read(const char *path, size_t most, struct buf *out, struct err *e)
{
	FILE *f = fopen(path, "re");
	char chunk[CHUNK];
	int code = 0;
	size_t n;

	if (!f)
		return failed(path, errno, most, e);
	buf_init(out, most);
	errno = 0;
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0 && buf_append(out, chunk, n))
		;
	if (ferror(f))
		code = errno ? errno : EIO;
	else if (out->overflow)
		code = EFBIG;
	fclose(f);
	return code ? failed(path, code, most, e) : 0;
}
