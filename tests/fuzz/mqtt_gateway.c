/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: what devices may publish, and rules that are made of it. The first byte says which; rest: topic, NUL, payload, or the text of a file of rules. Properties:
 * - whatever comes of a PUBLISH is a stanza that can be read again, with a body, to an account of our host and nobody else;
 * - the text of a rule file is taken or refused with a reason. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/mqtt/mqtt_topic.h"
#include "common/text/utf8.h"
#include "common/xml/xml.h"
#include "services/mqtt-gateway/to_user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char file[] =
        "to-user a\ntopic a/+/#\nto $1@h.example ${to.x}@h.example x@h.example\nsubject $2\nbody \"$topic $1 $payload\"\n"
        "to-user b\ntopic b/#\nto $1@h.example\nbody json:a.b\ntype normal\n"
        "to-user c\ntopic #\nto x@h.example\nbody payload\ntype headline\n";

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "property violated: %s\n", what);
	abort();
}

static void look(const struct to_user *m)
{
	struct arena *arena = arena_new(0);
	struct xml_node *root = xml_parse(arena, buf_str(&m->bytes), STR("jabber:client"));
	const struct xml_node *body = root ? xml_child(root, "body", "jabber:client") : NULL;

	require(utf8_valid(buf_str(&m->bytes)), "the stanza is UTF-8");
	require(root && str_is(root->name, "message"), "the stanza is XML");
	require(body && xml_text(arena, body).n > 0, "it has a body");
	require(m->to_count > 0, "it is for somebody");
	for (size_t i = 0; i < m->to_count; i++)
		require(str_is(m->to[i].domain, "h.example") && m->to[i].local.n > 0 && m->to[i].resource.n == 0, "he is here");
	arena_free(&arena);
}

static void publish(const struct rules *rules, const char *text, size_t n)
{
	const char *end = memchr(text, '\0', n);
	size_t length = end ? (size_t)(end - text) : n;
	struct mqtt_publish p = { .qos = 1, .packet_id = 9, .topic = str_make(text, length) };
	struct to_user m = { 0 };
	struct str filter;
	struct rule *r;

	p.payload = end ? str_make(end + 1, n - length - 1) : str_make("", 0);
	if (!utf8_valid(p.topic) || !mqtt_topic_name_valid(p.topic, 0))
		return;
	r = rules_for_topic(rules, p.topic, &filter);
	if (r && to_user_make(r, filter, &p, 200, &m) == TO_USER_OK)
		look(&m);
	to_user_fini(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *hosts[] = { (char *)"h.example" };
	const struct config_list list = { hosts, 1 };
	struct err e = { "" };
	struct rules *rules;
	char *copy;

	if (size == 0)
		return 0;
	copy = mem_memdup(data + 1, size - 1);
	rules = rules_parse(data[0] & 1 ? str_make(copy, size - 1) : str_from(file), &list, &e);
	require(rules || (data[0] & 1 && e.text[0]), "rules, or a reason");
	if (rules && !(data[0] & 1))
		publish(rules, copy, size - 1);
	rules_free(&rules);
	mem_free(copy);
	return 0;
}
