/* SPDX-License-Identifier: Apache-2.0
 *
 * config_yaml: see config_yaml.h. The whole document is loaded (libyaml keeps a mark at every node, hence the line numbers), then walked.
 * What is not in a table is an error: a misspelt key must not pass for a default. */
#include "common/daemon/config_yaml.h"

#include <stdio.h>
#include <yaml.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/daemon/config_value.h"

#define FILE_MAX ((size_t)1 << 20)
#define KEY_MAX  256

struct reader {
	const char *path, *folder, *role;
	const struct config_list *roles;
	struct config_part *shared, *own;
	yaml_document_t doc;
	struct err *e;
};

static int complain(struct reader *r, const yaml_node_t *at, const char *text)
{
	return err_set(r->e, "%s:%zu: %s", r->path, at->start_mark.line + 1, text);
}

static const char *scalar(const yaml_node_t *n)
{
	/* A NUL within a value would hide what follows it. */
	if (n->type != YAML_SCALAR_NODE || strlen((const char *)n->data.scalar.value) != n->data.scalar.length)
		return NULL;
	return (const char *)n->data.scalar.value;
}

/* `key:` with nothing behind it, or only comments. */
static bool is_nothing(const yaml_node_t *n)
{
	return n->type == YAML_SCALAR_NODE && n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (n->data.scalar.length == 0 || strcmp((const char *)n->data.scalar.value, "~") == 0 ||
	        strcmp((const char *)n->data.scalar.value, "null") == 0);
}

/* --- unknown keys ------------------------------------------------------------------------------------------------- */

/* The part of an option's name that stands at this level, below prefix; false when the option is elsewhere. */
static bool level_name(const struct config_option *o, const char *prefix, char out[KEY_MAX])
{
	size_t n = strlen(prefix);

	if (strncmp(o->name, prefix, n) != 0)
		return false;
	snprintf(out, KEY_MAX, "%.*s", (int)strcspn(o->name + n, "."), o->name + n);
	return true;
}

static int unknown_key(struct reader *r, const yaml_node_t *at, const struct config_part *part, const char *prefix, const char *key)
{
	char candidate[KEY_MAX];
	const char *guess = NULL;
	struct config_nearest near = { .name = key };

	for (const struct config_option *o = part->options; o->name; o++) {
		const char *dot = strrchr(o->name, '.');
		if (dot && strcmp(dot + 1, key) == 0)
			guess = o->name;
		if (level_name(o, prefix, candidate))
			config_nearest_offer(&near, candidate);
	}
	if (part == r->shared && !*prefix)
		config_nearest_offer(&near, "services");
	if (near.best[0])
		guess = near.best;
	if (!guess)
		return err_set(r->e, "%s:%zu: unknown key '%s'", r->path, at->start_mark.line + 1, key);
	return err_set(r->e, "%s:%zu: unknown key '%s', did you mean '%s'?", r->path, at->start_mark.line + 1, key, guess);
}

/* --- the walk ----------------------------------------------------------------------------------------------------- */

/* The text of a key, after checking that it is text and was not there before; NULL with e set. */
static const char *take_key(struct reader *r, const yaml_node_t *map, const yaml_node_pair_t *pair)
{
	const yaml_node_t *node = yaml_document_get_node(&r->doc, pair->key);
	const char *key = scalar(node);
	char text[KEY_MAX + 64];

	if (!key || strlen(key) >= KEY_MAX) {
		complain(r, node, "a key must be a short text");
		return NULL;
	}
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p != pair; p++) {
		const yaml_node_t *other = yaml_document_get_node(&r->doc, p->key);
		const char *other_key = scalar(other);
		if (!other_key || strcmp(other_key, key) != 0)
			continue;
		snprintf(text, sizeof(text), "key '%s' stands twice, first in line %zu", key, other->start_mark.line + 1);
		complain(r, node, text);
		return NULL;
	}
	return key;
}

static int set_list(struct reader *r, const struct config_option *o, void *base, const yaml_node_t *node)
{
	char text[KEY_MAX + 64];

	snprintf(text, sizeof(text), "'%s' must be a list of texts, such as [one, two]", o->name);
	if (node->type != YAML_SEQUENCE_NODE)
		return complain(r, node, text);
	config_value_clear(o, base);
	for (yaml_node_item_t *i = node->data.sequence.items.start; i != node->data.sequence.items.top; i++) {
		const yaml_node_t *item = yaml_document_get_node(&r->doc, *i);
		const char *value = scalar(item);
		if (!value || !*value)
			return complain(r, item, text);
		config_value_add(o, base, value);
	}
	return 0;
}

static int set_value(struct reader *r, const struct config_option *o, void *base, const yaml_node_t *node)
{
	char text[KEY_MAX + 64];
	struct err why;

	if (is_nothing(node)) {
		snprintf(text, sizeof(text), "'%s' has no value", o->name);
		return complain(r, node, text);
	}
	if (o->type == CONFIG_LIST)
		return set_list(r, o, base, node);
	const char *value = scalar(node);
	if (!value) {
		snprintf(text, sizeof(text), "'%s' must be a single value", o->name);
		return complain(r, node, text);
	}
	if (config_value_set(o, base, r->folder, value, &why) < 0)
		return err_set(r->e, "%s:%zu: '%s' %s", r->path, node->start_mark.line + 1, o->name, why.text);
	return 0;
}

static const struct config_option *find_option(const struct config_option *options, const char *name)
{
	for (const struct config_option *o = options; o->name; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

static bool is_group(const struct config_option *options, const char *name)
{
	size_t n = strlen(name);

	for (const struct config_option *o = options; o->name; o++)
		if (strncmp(o->name, name, n) == 0 && o->name[n] == '.')
			return true;
	return false;
}

static int read_services(struct reader *r, const yaml_node_t *map);

/* A map of options. Depth is bounded by the dots in the options' names. */
static int read_map(struct reader *r, struct config_part *part, const char *prefix, const yaml_node_t *map)
{
	if (is_nothing(map))
		return 0;
	if (map->type != YAML_MAPPING_NODE)
		return complain(r, map, "expected keys and values here");
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p != map->data.mapping.pairs.top; p++) {
		char name[2 * KEY_MAX];
		const yaml_node_t *key_node = yaml_document_get_node(&r->doc, p->key);
		const yaml_node_t *value = yaml_document_get_node(&r->doc, p->value);
		const char *key = take_key(r, map, p);
		if (!key)
			return -1;
		snprintf(name, sizeof(name), "%s%s", prefix, key);
		const struct config_option *o = find_option(part->options, name);
		int rc;
		bool dotted = strchr(key, '.') != NULL;
		if (o && !dotted) {
			part->seen[o - part->options] = true;
			rc = set_value(r, o, part->base, value);
		} else if (!dotted && is_group(part->options, name)) {
			snprintf(name, sizeof(name), "%s%s.", prefix, key);
			rc = read_map(r, part, name, value);
		} else if (part == r->shared && !*prefix && strcmp(key, "services") == 0) {
			rc = read_services(r, value);
		} else {
			rc = unknown_key(r, key_node, part, prefix, key);
		}
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int check_service(struct reader *r, const yaml_node_t *at, const char *name)
{
	struct config_nearest near = { .name = name };

	for (size_t i = 0; i < r->roles->count; i++) {
		if (strcmp(r->roles->items[i], name) == 0)
			return 0;
		config_nearest_offer(&near, r->roles->items[i]);
	}
	if (strncmp(name, "x-", 2) == 0)
		return 0;
	size_t line = at->start_mark.line + 1;
	if (near.best[0])
		return err_set(r->e, "%s:%zu: unknown service '%s', did you mean '%s'?", r->path, line, name, near.best);
	return err_set(r->e, "%s:%zu: unknown service '%s' (the name of a daemon of your own must begin with x-)", r->path, line, name);
}

static int read_services(struct reader *r, const yaml_node_t *map)
{
	if (is_nothing(map))
		return 0;
	if (map->type != YAML_MAPPING_NODE)
		return complain(r, map, "'services' must map roles to their settings");
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p != map->data.mapping.pairs.top; p++) {
		const yaml_node_t *key_node = yaml_document_get_node(&r->doc, p->key);
		const yaml_node_t *value = yaml_document_get_node(&r->doc, p->value);
		const char *key = take_key(r, map, p);
		if (!key)
			return -1;
		if (strcmp(key, r->role) == 0) {
			r->own->line = (unsigned)key_node->start_mark.line + 1;
			if (read_map(r, r->own, "", value) < 0)
				return -1;
		} else if (check_service(r, key_node, key) < 0) {
			return -1;
		} else if (value->type != YAML_MAPPING_NODE && !is_nothing(value)) {
			return complain(r, value, "a service's settings must be keys and values");
		}
	}
	return 0;
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

/* False with e set when the text is not YAML, or holds a second document. */
static bool load_document(struct reader *r, yaml_parser_t *parser)
{
	yaml_document_t second;

	if (!yaml_parser_load(parser, &r->doc)) {
		err_set(r->e, "%s:%zu: not YAML: %s", r->path, parser->problem_mark.line + 1,
		        parser->problem ? parser->problem : "unreadable");
		return false;
	}
	if (yaml_document_get_root_node(&r->doc) == NULL)
		return true;
	if (!yaml_parser_load(parser, &second)) {
		err_set(r->e, "%s:%zu: not YAML: %s", r->path, parser->problem_mark.line + 1,
		        parser->problem ? parser->problem : "unreadable");
		yaml_document_delete(&r->doc);
		return false;
	}
	bool more = yaml_document_get_root_node(&second) != NULL;
	yaml_document_delete(&second);
	if (!more)
		return true;
	err_set(r->e, "%s: more than one YAML document", r->path);
	yaml_document_delete(&r->doc);
	return false;
}

int config_yaml_read(const char *path, const char *folder, const char *role, const struct config_list *roles, struct config_part *shared,
                     struct config_part *own, struct err *e)
{
	struct reader r = { .path = path, .folder = folder, .role = role, .roles = roles, .shared = shared, .own = own, .e = e };
	struct buf text = { 0 };
	yaml_parser_t parser;

	if (file_read(path, FILE_MAX, &text, e) < 0) {
		buf_fini(&text);
		return -1;
	}
	if (!yaml_parser_initialize(&parser)) {
		buf_fini(&text);
		return err_set(e, "%s: cannot start the YAML parser", path);
	}
	struct str s = buf_str(&text);
	yaml_parser_set_input_string(&parser, (const unsigned char *)s.p, s.n);
	int rc = -1;
	if (load_document(&r, &parser)) {
		const yaml_node_t *root = yaml_document_get_root_node(&r.doc);
		rc = root ? read_map(&r, shared, "", root) : 0;
		yaml_document_delete(&r.doc);
	}
	yaml_parser_delete(&parser);
	buf_fini(&text);
	return rc;
}
