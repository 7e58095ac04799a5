/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/pg_dsn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

#define PARAMS_MAX   64
#define PASSWORD_MAX 1024
#define APPLICATION  "starling-storage"

int pg_dsn_init(struct pg_dsn *d, const char *text, const char *password_file, struct err *e)
{
	char *why = NULL;

	*d = (struct pg_dsn){ .options = PQconninfoParse(text, &why) };
	if (!d->options) {
		err_set(e, "dsn: %s", why ? why : "not a conninfo string");
		PQfreemem(why);
		return -1;
	}
	if (pg_dsn_get(d, "password")) {
		pg_dsn_fini(d);
		return err_set(e, "dsn: holds a password; put it into a file and name that in password_file");
	}
	if (password_file && *password_file)
		d->password_file = mem_strdup(password_file);
	return 0;
}

void pg_dsn_fini(struct pg_dsn *d)
{
	PQconninfoFree(d->options);
	mem_free(d->password_file);
	*d = (struct pg_dsn){ 0 };
}

const char *pg_dsn_get(const struct pg_dsn *d, const char *keyword)
{
	for (const PQconninfoOption *o = d->options; o && o->keyword; o++)
		if (strcmp(o->keyword, keyword) == 0)
			return o->val && *o->val ? o->val : NULL;
	return NULL;
}

bool pg_dsn_is_name(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return *host && *host != '/' && *host != '@' && inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1;
}

/* The file's first line. A small local file: the one read that is worth no thread. */
static int read_password(const char *path, char *out, size_t size, struct err *e)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return err_set(e, "%s: %s", path, strerror(errno));
	if (!fgets(out, (int)size, f))
		out[0] = '\0';
	fclose(f);
	out[strcspn(out, "\r\n")] = '\0';
	return *out ? 0 : err_set(e, "%s: no password in it", path);
}

struct params {
	const char *keys[PARAMS_MAX + 1];
	const char *values[PARAMS_MAX + 1];
	int n;
};

static void put(struct params *p, const char *key, const char *value)
{
	if (!value)
		return;
	for (int i = 0; i < p->n; i++)
		if (strcmp(p->keys[i], key) == 0) {
			p->values[i] = value;
			return;
		}
	if (p->n < PARAMS_MAX) {
		p->keys[p->n] = key;
		p->values[p->n++] = value;
	}
}

PGconn *pg_dsn_connect(const struct pg_dsn *d, const char *host, const char *hostaddr, const char *port, struct err *e)
{
	char password[PASSWORD_MAX] = "";
	struct params p = { 0 };
	PGconn *pg;

	if (d->password_file && read_password(d->password_file, password, sizeof password, e) < 0)
		return NULL;
	put(&p, "application_name", APPLICATION);
	for (const PQconninfoOption *o = d->options; o && o->keyword; o++)
		if (o->val)
			put(&p, o->keyword, o->val);
	put(&p, "client_encoding", "UTF8");
	put(&p, "host", host);
	put(&p, "hostaddr", hostaddr);
	put(&p, "port", port);
	put(&p, "password", *password ? password : NULL);
	pg = PQconnectStartParams(p.keys, p.values, 0);
	mem_wipe(password, sizeof password);
	if (pg && PQstatus(pg) != CONNECTION_BAD)
		return pg;
	err_set(e, "%s", pg ? PQerrorMessage(pg) : "out of memory");
	PQfinish(pg);
	return NULL;
}
