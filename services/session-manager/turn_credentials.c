/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/turn_credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/crypto/base64.h"
#include "common/crypto/digest.h"

#define FILE_MAX 8192 /* many secrets, but not somebody's log */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct str trim(struct str line)
{
	while (line.n && is_space(line.p[0]))
		line = str_make(line.p + 1, line.n - 1);
	while (line.n && is_space(line.p[line.n - 1]))
		line.n--;
	return line;
}

/* n 0: there is none. */
static struct str first_secret(struct str text)
{
	while (text.n) {
		const char *end = memchr(text.p, '\n', text.n);
		struct str line = trim(str_make(text.p, end ? (size_t)(end - text.p) : text.n));

		if (line.n && line.p[0] != '#')
			return line;
		if (!end)
			break;
		text = str_make(end + 1, text.n - (size_t)(end + 1 - text.p));
	}
	return STR("");
}

int turn_secret_load(const char *path, char *out, struct err *e)
{
	char text[FILE_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = -1;
	struct str secret;
	ssize_t n;

	if (fd < 0)
		return err_set(e, "%s: %s", path, strerror(errno));
	n = read(fd, text, sizeof(text));
	close(fd);
	secret = n > 0 ? first_secret(str_make(text, (size_t)n)) : STR("");
	if (n == FILE_MAX) {
		err_set(e, "%s: too long for a file of secrets", path);
	} else if (!secret.n) {
		err_set(e, "%s: there is no secret in it", path);
	} else if (secret.n > TURN_SECRET_MAX || memchr(secret.p, '\0', secret.n)) {
		err_set(e, "%s: a secret is at most %d characters of text", path, TURN_SECRET_MAX);
	} else {
		memcpy(out, secret.p, secret.n);
		out[secret.n] = '\0';
		rc = 0;
	}
	mem_wipe(text, sizeof(text));
	return rc;
}

void turn_credentials_make(struct str secret, struct str account, int64_t expires_s, struct buf *username, struct buf *password)
{
	uint8_t mac[DIGEST_MAX];
	size_t before = username->n;

	buf_printf(username, "%lld:%.*s", (long long)expires_s, STR_ARG(account));
	digest_hmac(DIGEST_SHA1, secret, str_make(username->p + before, username->n - before), mac);
	base64_append(password, str_make(mac, digest_size(DIGEST_SHA1)));
}
