/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mqtt_link/mqtt_party.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/dns/xmpp_override.h"
#include "common/mqtt/mqtt.h"

#define PASSWORD_MAX 65535u

int mqtt_party_add_address(struct mqtt_party *p, struct str text, struct err *e)
{
	struct mqtt_party_address *a = &p->addresses[p->address_count];
	const char *colon = NULL;
	unsigned long port = 0;

	if (p->address_count == MQTT_PARTY_ADDRESSES_MAX)
		return err_set(e, "more than %u addresses", MQTT_PARTY_ADDRESSES_MAX);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == ':')
			colon = text.p + i;
	}
	if (colon) {
		const char *end = text.p + text.n;

		for (const char *d = colon + 1; d < end && port <= UINT16_MAX; d++)
			port = *d >= '0' && *d <= '9' ? port * 10 + (unsigned)(*d - '0') : UINT16_MAX + 1ul;
	}
	if (port == 0 || port > UINT16_MAX)
		return err_set(e, "\"%.*s\": HOST:PORT is wanted, with a port from 1 to 65535", STR_ARG(text));
	if (!xmpp_domain_ascii(str_make(text.p, (size_t)(colon - text.p)), a->host))
		return err_set(e, "\"%.*s\": a host name, an IPv4 address or an IPv6 address in [ ] is wanted before the port",
		               STR_ARG(text));
	a->port = (uint16_t)port;
	p->address_count++;
	return 0;
}

int mqtt_party_set_local(struct mqtt_party *p, const struct mqtt_party_local *local, const char *host, struct err *e)
{
	const char *offset = getenv("STARLING_PORT_OFFSET"); /* starlingctl up --port-offset: where our broker is then */
	struct err why;

	if (mqtt_party_add_address(p, str_from(local->address), &why) < 0)
		return err_set(e, "local.address: %s", why.text);
	p->addresses[0].port = (uint16_t)(p->addresses[0].port + (offset ? strtol(offset, NULL, 10) : 0));
	p->version = MQTT_5;
	p->tls = p->verify = local->tls;
	p->trust = mem_strdup(local->trust);
	p->name = mem_strdup(*local->name ? local->name : host);
	p->user = mem_strdup(local->user);
	p->password_file = mem_strdup(local->password_file);
	p->keep_alive_s = MQTT_PARTY_KEEP_ALIVE_S;
	return 0;
}

/* One line, as editors end it. */
static int read_password(struct mqtt_party *p, struct err *e)
{
	char *text = mem_zalloc(PASSWORD_MAX + 2);
	FILE *f = fopen(p->password_file, "re");
	size_t n = f ? fread(text, 1, PASSWORD_MAX + 2, f) : 0;
	bool failed = !f || ferror(f);
	int code = errno;

	if (f)
		fclose(f);
	if (n > 0 && text[n - 1] == '\n')
		n--;
	if (!failed && n > 0 && n <= PASSWORD_MAX) {
		p->password = mem_memdup(text, n);
		p->password_n = n;
	}
	mem_free_secret(text, PASSWORD_MAX + 2);
	if (failed)
		return err_set(e, "%s: %s", p->password_file, strerror(code));
	return p->password ? 0 : err_set(e, "%s: a password of 1 to %u bytes is wanted", p->password_file, PASSWORD_MAX);
}

static int load_own(struct mqtt_party *p, struct tls_set **out, struct err *e)
{
	const char *slash = strrchr(p->certificate, '/'), *file = slash ? slash + 1 : p->certificate;
	size_t n = strlen(file);
	char *dir;

	if (n < 5 || strcmp(file + n - 4, ".pem") != 0)
		return err_set(e, "%s: a file NAME.pem is wanted, with NAME.key beside it", p->certificate);
	dir = slash ? mem_strndup(p->certificate, (size_t)(slash - p->certificate)) : mem_strdup(".");
	p->own = mem_strndup(file, n - 4);
	*out = tls_set_load(*dir ? dir : "/", &p->own, 1, e);
	mem_free(dir);
	return *out ? 0 : -1;
}

static int load_tls(struct mqtt_party *p, struct err *e)
{
	struct tls_set *own = NULL;

	p->store = p->verify ? tls_trust_load(strcmp(p->trust, MQTT_PARTY_SYSTEM) == 0 ? NULL : p->trust, e) : NULL;
	if (p->verify && !p->store)
		return -1;
	if (p->certificate && load_own(p, &own, e) < 0)
		return -1;
	p->client = tls_client_new(own, e);
	if (own)
		tls_set_unref(&own);
	return p->client ? 0 : -1;
}

int mqtt_party_load(struct mqtt_party *p, struct err *e)
{
	if (p->password_file && *p->password_file && read_password(p, e) < 0)
		return -1;
	return p->tls ? load_tls(p, e) : 0;
}

void mqtt_party_fini(struct mqtt_party *p)
{
	mem_free(p->id);
	mem_free(p->user);
	mem_free(p->password_file);
	mem_free(p->trust);
	mem_free(p->name);
	mem_free(p->certificate);
	mem_free(p->own);
	mem_free_secret(p->password, p->password_n);
	tls_trust_free(&p->store);
	tls_client_free(&p->client);
	*p = (struct mqtt_party){ 0 };
}
