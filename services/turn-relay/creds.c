/* SPDX-License-Identifier: Apache-2.0 */
#include "services/turn-relay/creds.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/crypto/base64.h"
#include "common/crypto/digest.h"

#define USERS_MAX     100000u
#define PASSWORD_SIZE 28u /* of 20 bytes in base64 */

/* Made when the file is read: the password itself is not kept. */
struct user_keys {
	struct stun_key md5, sha256;
};

struct user {
	char *name;
	struct user_keys *keys;
	uint8_t hash[STUN_USERHASH_SIZE];
};

struct creds {
	_Atomic uint32_t refs;
	char *realm;
	char *secrets[CREDS_SECRETS_MAX];
	size_t secret_count;
	struct user *users;
	size_t user_count, user_cap;
};

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int add_secret(struct creds *c, const char *line, struct err *e)
{
	if (strlen(line) < CREDS_SECRET_MIN)
		return err_set(e, "a secret is shorter than %u characters", CREDS_SECRET_MIN);
	if (c->secret_count == CREDS_SECRETS_MAX)
		return err_set(e, "more than %u secrets", CREDS_SECRETS_MAX);
	c->secrets[c->secret_count++] = mem_strdup(line);
	return 0;
}

static int add_user(struct creds *c, const char *line, struct err *e)
{
	const char *colon = strchr(line, ':');
	struct user *u;

	if (!colon || colon == line || !colon[1])
		return err_set(e, "NAME:PASSWORD is wanted");
	if (c->user_count == USERS_MAX || (size_t)(colon - line) > STUN_NAME_MAX || strlen(colon + 1) > STUN_NAME_MAX)
		return err_set(e, "too many users, or one too long");
	if (c->user_count == c->user_cap) {
		c->user_cap = c->user_cap ? 2 * c->user_cap : 16;
		c->users = mem_realloc(c->users, c->user_cap * sizeof(*c->users));
	}
	u = &c->users[c->user_count++];
	u->name = mem_strndup(line, (size_t)(colon - line));
	u->keys = mem_new(struct user_keys);
	stun_key_long_term(&u->keys->md5, STUN_ALGORITHM_MD5, str_from(u->name), str_from(c->realm), str_from(colon + 1));
	stun_key_long_term(&u->keys->sha256, STUN_ALGORITHM_SHA256, str_from(u->name), str_from(c->realm), str_from(colon + 1));
	stun_userhash(u->hash, str_from(u->name), str_from(c->realm));
	return 0;
}

static int read_line(struct creds *c, char *line, int (*add)(struct creds *c, const char *line, struct err *e), struct err *e)
{
	size_t n = strcspn(line, "\n");

	if (!line[n] && n + 1 == CREDS_LINE_MAX)
		return err_set(e, "a line is longer than %u bytes", CREDS_LINE_MAX - 2);
	/* What an editor leaves at a line's ends is no part of a secret. */
	while (n > 0 && strchr(" \t\r", line[n - 1]))
		n--;
	line[n] = '\0';
	line += strspn(line, " \t");
	return !line[0] || line[0] == '#' ? 0 : add(c, line, e);
}

static int read_file(struct creds *c, const char *path, int (*add)(struct creds *c, const char *line, struct err *e), struct err *e)
{
	char line[CREDS_LINE_MAX];
	struct err why = { "" };
	unsigned number = 0;
	int rc = 0;
	FILE *f;

	if (!path[0])
		return 0;
	f = fopen(path, "re");
	if (!f)
		return err_set(e, "%s: %s", path, strerror(errno));
	while (rc == 0 && fgets(line, sizeof(line), f)) {
		number++;
		rc = read_line(c, line, add, &why);
	}
	mem_wipe(line, sizeof(line));
	if (rc == 0 && ferror(f))
		rc = err_set(&why, "%s", strerror(errno));
	fclose(f);
	return rc == 0 ? 0 : err_set(e, "%s:%u: %s", path, number, why.text);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct user *)a)->name, ((const struct user *)b)->name);
}

struct creds *creds_load(const char *secrets_file, const char *users_file, const char *realm, struct err *e)
{
	struct creds *c = mem_new(struct creds);

	atomic_init(&c->refs, 1);
	c->realm = mem_strdup(realm);
	if (read_file(c, secrets_file, add_secret, e) != 0 || read_file(c, users_file, add_user, e) != 0) {
		creds_unref(&c);
		return NULL;
	}
	if (c->secret_count == 0 && c->user_count == 0) {
		err_set(e, "%s%s%s: neither a secret nor a user: nobody could use the relay", secrets_file,
		        secrets_file[0] && users_file[0] ? ", " : "", users_file);
		creds_unref(&c);
		return NULL;
	}
	if (c->user_count)
		qsort(c->users, c->user_count, sizeof(*c->users), by_name);
	return c;
}

struct creds *creds_ref(struct creds *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

static void free_text(char *s)
{
	if (s)
		mem_free_secret(s, strlen(s));
}

void creds_unref(struct creds **c)
{
	struct creds *it = *c;

	*c = NULL;
	if (!it || atomic_fetch_sub(&it->refs, 1) > 1)
		return;
	for (size_t i = 0; i < it->secret_count; i++)
		free_text(it->secrets[i]);
	for (size_t i = 0; i < it->user_count; i++) {
		mem_free(it->users[i].name);
		mem_free_secret(it->users[i].keys, sizeof(*it->users[i].keys));
	}
	mem_free(it->users);
	mem_free(it->realm);
	mem_free(it);
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

static const struct user *find_user(const struct creds *c, struct str name)
{
	size_t low = 0, high = c->user_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		struct str have = str_from(c->users[middle].name);
		int order = memcmp(name.p, have.p, name.n < have.n ? name.n : have.n);

		if (order == 0 && name.n == have.n)
			return &c->users[middle];
		if (order < 0 || (order == 0 && name.n < have.n))
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static const struct user *find_hash(const struct creds *c, struct str hash)
{
	for (size_t i = 0; i < c->user_count; i++) {
		if (memcmp(c->users[i].hash, hash.p, STUN_USERHASH_SIZE) == 0)
			return &c->users[i];
	}
	return NULL;
}

/* EXPIRY:NAME, or EXPIRY alone. */
static bool read_expiry(struct creds_user *u)
{
	size_t i = 0;

	for (u->expires_s = 0; i < u->name.n && u->name.p[i] >= '0' && u->name.p[i] <= '9' && i < 15; i++)
		u->expires_s = u->expires_s * 10 + (u->name.p[i] - '0');
	if (i == 0 || u->expires_s == 0 || (i < u->name.n && u->name.p[i] != ':'))
		return false;
	u->account = i + 1 < u->name.n ? str_make(u->name.p + i + 1, u->name.n - i - 1) : u->name;
	return true;
}

static bool proves(const struct creds *c, const struct stun_message *m, uint16_t algorithm, struct str name, struct str password,
                   struct stun_key *key)
{
	return stun_key_long_term(key, algorithm, name, str_from(c->realm), password) && stun_integrity_ok(m, key);
}

static bool proves_secret(const struct creds *c, const struct stun_message *m, uint16_t algorithm, struct str name, struct stun_key *key)
{
	uint8_t mac[DIGEST_MAX];
	char password[PASSWORD_SIZE];
	bool found = false;

	for (size_t i = 0; i < c->secret_count && !found; i++) {
		digest_hmac(DIGEST_SHA1, str_from(c->secrets[i]), name, mac);
		base64_encode(str_make(mac, 20), password);
		found = proves(c, m, algorithm, name, str_make(password, sizeof(password)), key);
	}
	mem_wipe(password, sizeof(password));
	return found;
}

enum creds_verdict creds_check(const struct creds *c, const struct stun_message *m, uint16_t algorithm, int64_t now_s,
                               struct creds_user *user, struct stun_key *key)
{
	const struct user *known =
	        stun_has(m, STUN_A_USERNAME) ? find_user(c, m->attr[STUN_A_USERNAME]) : find_hash(c, m->attr[STUN_A_USERHASH]);
	bool proved, text;

	*user = (struct creds_user){ .name = known                          ? str_from(known->name)
		                             : stun_has(m, STUN_A_USERNAME) ? m->attr[STUN_A_USERNAME]
		                                                            : str_make("", 0) };
	user->account = user->name;
	if (known) {
		*key = algorithm == STUN_ALGORITHM_SHA256 ? known->keys->sha256 : known->keys->md5;
		return stun_integrity_ok(m, key) ? CREDS_OK : CREDS_WRONG;
	}
	/* Accounts are texts everywhere else. */
	text = !user->name.n || !memchr(user->name.p, '\0', user->name.n);
	/* Nobody's name costs the same as somebody's wrong password. */
	if (!stun_has(m, STUN_A_USERNAME) || !text || c->secret_count == 0 || !read_expiry(user)) {
		*key = (struct stun_key){ .n = algorithm == STUN_ALGORITHM_SHA256 ? 32 : 16 };
		stun_integrity_ok(m, key);
		return CREDS_WRONG;
	}
	proved = proves_secret(c, m, algorithm, user->name, key);
	if (!proved)
		return CREDS_WRONG;
	return user->expires_s > now_s ? CREDS_OK : CREDS_EXPIRED;
}
