/* SPDX-License-Identifier: Apache-2.0
 *
 * keys: reads and writes key files. Blocking file I/O: only at start, on reload and in tools. */
#include "ipc/runtime/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/mem.h"

#define LINE_BYTES 256

void keypair_generate(struct keypair *out)
{
	/* Fails only when libzmq was built without CURVE; then nothing here can work. */
	if (zmq_curve_keypair(out->public_key, out->secret_key) != 0)
		memset(out, 0, sizeof(*out));
}

void keypair_wipe(struct keypair *k)
{
	mem_wipe(k, sizeof(*k));
}

static bool z85_valid(const char *key)
{
	uint8_t raw[32];
	bool ok = strlen(key) == KEYS_Z85 && zmq_z85_decode(raw, key) != NULL;

	mem_wipe(raw, sizeof(raw));
	return ok;
}

/* "word value" of one line; false for a line that says nothing. */
static bool split(char *line, char **out_word, char **out_value)
{
	line[strcspn(line, "\r\n")] = '\0';
	line += strspn(line, " \t");
	if (*line == '\0' || *line == '#')
		return false;
	*out_word = line;
	line += strcspn(line, " \t");
	if (*line != '\0')
		*line++ = '\0';
	line += strspn(line, " \t");
	*out_value = line;
	line[strcspn(line, " \t")] = '\0';
	return true;
}

int keypair_read(const char *path, struct keypair *out, struct err *e)
{
	FILE *f = fopen(path, "re");
	char line[LINE_BYTES], *word, *value;

	if (!f)
		return err_set(e, "cannot read key file %s: %s", path, strerror(errno));
	setvbuf(f, NULL, _IONBF, 0); /* no copy of the secret stays in a stdio buffer */
	memset(out, 0, sizeof(*out));
	while (fgets(line, sizeof(line), f)) {
		if (!split(line, &word, &value) || strlen(value) != KEYS_Z85)
			continue;
		if (strcmp(word, "public") == 0)
			memcpy(out->public_key, value, KEYS_Z85);
		else if (strcmp(word, "secret") == 0)
			memcpy(out->secret_key, value, KEYS_Z85);
	}
	fclose(f);
	mem_wipe(line, sizeof(line));
	if (z85_valid(out->public_key) && z85_valid(out->secret_key))
		return 0;
	keypair_wipe(out);
	return err_set(e, "%s is not a key file: two lines are needed, \"public KEY\" and \"secret KEY\"", path);
}

int keypair_write(const char *path, const struct keypair *k, struct err *e)
{
	char text[2 * (KEYS_Z85 + 8) + 1];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), n;
	bool ok;

	if (fd < 0)
		return err_set(e, "cannot create key file %s: %s", path, strerror(errno));
	n = snprintf(text, sizeof(text), "public %s\nsecret %s\n", k->public_key, k->secret_key);
	ok = write(fd, text, (size_t)n) == n;
	ok = close(fd) == 0 && ok;
	mem_wipe(text, sizeof(text));
	return ok ? 0 : err_set(e, "cannot write key file %s: %s", path, strerror(errno));
}

bool keys_role_valid(const char *role)
{
	size_t n = strlen(role);

	return n > 0 && n <= KEYS_ROLE_MAX && strspn(role, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

int allow_read(const char *path, struct allow *out, struct err *e)
{
	FILE *f = fopen(path, "re");
	char line[LINE_BYTES], *role, *key;
	size_t number = 0;
	int rc = 0;

	*out = (struct allow){ 0 };
	if (!f)
		return err_set(e, "cannot read %s: %s", path, strerror(errno));
	while (rc == 0 && fgets(line, sizeof(line), f)) {
		number++;
		if (!split(line, &role, &key))
			continue;
		if (!keys_role_valid(role) || !z85_valid(key)) {
			rc = err_set(e, "%s:%zu: a line must be \"ROLE PUBLIC-KEY\"", path, number);
			break;
		}
		out->items = mem_realloc(out->items, (out->count + 1) * sizeof(*out->items));
		snprintf(out->items[out->count].role, sizeof(out->items->role), "%s", role);
		snprintf(out->items[out->count].key, sizeof(out->items->key), "%s", key);
		out->count++;
	}
	fclose(f);
	if (rc != 0)
		allow_fini(out);
	return rc;
}

void allow_fini(struct allow *a)
{
	mem_free(a->items);
	*a = (struct allow){ 0 };
}

bool allow_has(const struct allow *a, const char *role, const char *key)
{
	for (size_t i = 0; i < a->count; i++)
		if ((!role || strcmp(a->items[i].role, role) == 0) && strcmp(a->items[i].key, key) == 0)
			return true;
	return false;
}

int allow_add(const char *path, const char *role, const char *public_key, struct err *e)
{
	char text[KEYS_ROLE_MAX + KEYS_Z85 + 3];
	int fd, n;
	bool ok;

	if (!keys_role_valid(role) || !z85_valid(public_key))
		return err_set(e, "not a role and a public key: %s", role);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(e, "cannot write %s: %s", path, strerror(errno));
	n = snprintf(text, sizeof(text), "%s %s\n", role, public_key);
	ok = write(fd, text, (size_t)n) == n;
	ok = close(fd) == 0 && ok;
	return ok ? 0 : err_set(e, "cannot write %s: %s", path, strerror(errno));
}
