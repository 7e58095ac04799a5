/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-gateway/template.h"

#include "common/base/mem.h"

static const char *const words[PIECE_KINDS] = {
	[PIECE_TOPIC] = "topic", [PIECE_PAYLOAD] = "payload", [PIECE_USER] = "user", [PIECE_DOMAIN] = "domain", [PIECE_NAME] = "name",
};

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void add(struct template *t, enum piece_kind kind, unsigned number, struct str text)
{
	t->pieces = mem_realloc(t->pieces, (t->count + 1) * sizeof(*t->pieces));
	t->pieces[t->count++] = (struct piece){ kind, number, mem_strndup(text.p ? text.p : "", text.n) };
}

/* Behind "${". */
static const char *parse_json(struct template *t, struct str *rest)
{
	const char *end = memchr(rest->p, '}', rest->n);
	struct str path = str_make(rest->p, end ? (size_t)(end - rest->p) : 0);
	unsigned names = 1;

	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == '.' && (i == 0 || i + 1 == path.n || path.p[i - 1] == '.'))
			path.n = 0;
		names += path.n && path.p[i] == '.';
	}
	if (path.n == 0)
		return "${...} needs the name of a member, or several with dots between them";
	if (names > JSON_DEPTH_MAX)
		return "${...} goes too deep";
	add(t, PIECE_JSON, names, path);
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == '.')
			t->pieces[t->count - 1].text[i] = '\0';
	}
	*rest = str_make(end + 1, rest->n - path.n - 1);
	return NULL;
}

/* Behind the dollar. */
static const char *parse_place(struct template *t, struct str *rest, unsigned pieces)
{
	size_t n = 0;

	if (rest->n > 0 && rest->p[0] == '$') {
		add(t, PIECE_TEXT, 0, STR("$"));
		*rest = str_make(rest->p + 1, rest->n - 1);
		return NULL;
	}
	if (rest->n > 0 && rest->p[0] >= '1' && rest->p[0] <= '9' && pieces & 1u << PIECE_LEVEL) {
		add(t, PIECE_LEVEL, (unsigned)(rest->p[0] - '1'), STR(""));
		*rest = str_make(rest->p + 1, rest->n - 1);
		return NULL;
	}
	if (rest->n > 0 && rest->p[0] == '{' && pieces & 1u << PIECE_JSON) {
		*rest = str_make(rest->p + 1, rest->n - 1);
		return parse_json(t, rest);
	}
	while (n < rest->n && rest->p[n] >= 'a' && rest->p[n] <= 'z')
		n++;
	for (unsigned kind = 0; kind < PIECE_KINDS; kind++) {
		if (!words[kind] || !(pieces & 1u << kind) || !str_is(str_make(rest->p, n), words[kind]))
			continue;
		add(t, (enum piece_kind)kind, 0, STR(""));
		*rest = str_make(rest->p + n, rest->n - n);
		return NULL;
	}
	return "a dollar with something behind it that is not known here ($$ is a dollar)";
}

const char *template_parse(struct template *t, struct str text, unsigned pieces)
{
	while (text.n > 0) {
		const char *dollar = memchr(text.p, '$', text.n);
		size_t n = dollar ? (size_t)(dollar - text.p) : text.n;
		const char *wrong;

		if (n > 0)
			add(t, PIECE_TEXT, 0, str_make(text.p, n));
		if (!dollar)
			return NULL;
		text = str_make(dollar + 1, text.n - n - 1);
		wrong = parse_place(t, &text, pieces);
		if (wrong)
			return wrong;
	}
	return NULL;
}

void template_fini(struct template *t)
{
	for (size_t i = 0; i < t->count; i++)
		mem_free(t->pieces[i].text);
	mem_free(t->pieces);
	*t = (struct template){ 0 };
}

bool template_fixed(const struct template *t)
{
	for (size_t i = 0; i < t->count; i++) {
		if (t->pieces[i].kind != PIECE_TEXT)
			return false;
	}
	return true;
}

bool template_uses(const struct template *t, enum piece_kind kind)
{
	for (size_t i = 0; i < t->count; i++) {
		if (t->pieces[i].kind == kind)
			return true;
	}
	return false;
}

unsigned template_levels(const struct template *t)
{
	unsigned most = 0;

	for (size_t i = 0; i < t->count; i++) {
		if (t->pieces[i].kind == PIECE_LEVEL && t->pieces[i].number + 1 > most)
			most = t->pieces[i].number + 1;
	}
	return most;
}

/* --- filling in --------------------------------------------------------------------------------------------------- */

static bool render_json(const struct piece *p, const struct json_value *json, struct buf *out)
{
	const char *name = p->text;
	struct json_value v;
	char *room;

	if (!json)
		return false;
	v = *json;
	for (unsigned i = 0; i < p->number; i++) {
		struct json_value object = v;

		if (json_member(&object, name, &v) != JSON_FOUND)
			return false;
		name += strlen(name) + 1;
	}
	if (v.type != JSON_STRING)
		return buf_append_str(out, v.text);
	/* No text is longer than its JSON. */
	room = buf_reserve(out, v.text.n + 1);
	if (!room || !json_string(&v, room, v.text.n + 1))
		return false;
	buf_commit(out, strlen(room));
	return true;
}

bool template_render(const struct template *t, const struct template_values *v, struct buf *out)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct piece *p = &t->pieces[i];
		bool ok;

		if (p->kind == PIECE_TEXT)
			ok = buf_append_cstr(out, p->text);
		else if (p->kind == PIECE_LEVEL)
			ok = buf_append_str(out, v->levels[p->number]);
		else if (p->kind == PIECE_JSON)
			ok = render_json(p, v->json, out);
		else
			ok = buf_append_str(out, v->texts[p->kind]);
		if (!ok)
			return false;
	}
	return true;
}
