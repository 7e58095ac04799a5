/* SPDX-License-Identifier: Apache-2.0
 *
 * seal_key: the file with the key that all instances of auth share. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/crypto/base64.h"
#include "common/crypto/seal.h"

#define LINE_MAX_BYTES 256

int seal_key_generate(const char *path, struct err *e)
{
	uint8_t key[SEAL_KEY_SIZE];
	char line[LINE_MAX_BYTES];
	size_t n;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t written;

	if (fd < 0)
		return err_set(e, "%s: cannot create: %s", path, strerror(errno));
	random_bytes(key, sizeof(key));
	n = base64_encode(str_make(key, sizeof(key)), line);
	line[n++] = '\n';
	written = write(fd, line, n);
	mem_wipe(key, sizeof(key));
	mem_wipe(line, sizeof(line));
	if (close(fd) != 0 || written != (ssize_t)n) {
		unlink(path);
		return err_set(e, "%s: cannot write", path);
	}
	return 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_hex(struct str text, uint8_t out[SEAL_KEY_SIZE])
{
	if (text.n != (size_t)2 * SEAL_KEY_SIZE)
		return false;
	for (size_t i = 0; i < SEAL_KEY_SIZE; i++) {
		int high = hex_value(text.p[2 * i]), low = hex_value(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool parse_key(struct str text, uint8_t out[SEAL_KEY_SIZE])
{
	uint8_t bytes[LINE_MAX_BYTES];
	size_t n;
	bool valid;

	while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	if (parse_hex(text, out))
		return true;
	valid = base64_decode(text, bytes, &n) && n == SEAL_KEY_SIZE;
	if (valid)
		memcpy(out, bytes, SEAL_KEY_SIZE);
	mem_wipe(bytes, sizeof(bytes));
	return valid;
}

int seal_key_load(const char *path, uint8_t out[SEAL_KEY_SIZE], struct err *e)
{
	char line[LINE_MAX_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	bool valid;

	if (fd < 0)
		return err_set(e, "%s: cannot open: %s (starlingctl init makes it; all instances of auth need the same)", path,
		               strerror(errno));
	n = read(fd, line, sizeof(line));
	close(fd);
	valid = n > 0 && parse_key(str_make(line, (size_t)n), out);
	mem_wipe(line, sizeof(line));
	return valid ? 0 : err_set(e, "%s: not a key: 32 bytes in base64 or hexadecimal digits are expected", path);
}
