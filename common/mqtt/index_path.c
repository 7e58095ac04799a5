/* SPDX-License-Identifier: Apache-2.0
 *
 * index_path: see index_path.h. */
#include "common/mqtt/index_path.h"

/* The level's number if it is a wildcard that stands alone. */
static enum index_special wildcard(struct str level)
{
	if (level.n != 1)
		return INDEX_NONE;
	return level.p[0] == '+' ? INDEX_PLUS : level.p[0] == '#' ? INDEX_MULTI : INDEX_NONE;
}

static bool has_wildcard(struct str s)
{
	return s.n && (memchr(s.p, '+', s.n) || memchr(s.p, '#', s.n));
}

static bool level_valid(struct str level, bool last, enum index_kind kind)
{
	if (!has_wildcard(level))
		return true;
	if (kind == INDEX_NAME)
		return false;
	return wildcard(level) == INDEX_PLUS || (wildcard(level) == INDEX_MULTI && last);
}

bool index_path_valid(struct str text, enum index_kind kind)
{
	struct str level;
	uint32_t count = 0;
	bool more = text.n > 0;

	if (!more)
		return false;
	while (more) {
		more = index_level_cut(&text, &level);
		if (++count > INDEX_LEVELS_MAX || !level_valid(level, !more, kind))
			return false;
	}
	return true;
}

bool index_path_find(const struct index_levels *l, struct str text, enum index_kind kind, struct index_path *out)
{
	struct str level;
	bool more = true;

	if (!index_path_valid(text, kind))
		return false;
	for (out->count = 0; more; out->count++) {
		more = index_level_cut(&text, &level);
		uint32_t id = wildcard(level) ? wildcard(level) : index_level_find(l, level);
		if (!id)
			return false;
		out->levels[out->count] = id;
	}
	return true;
}

bool index_path_ref(struct index_levels *l, struct str text, enum index_kind kind, struct index_path *out)
{
	struct str level;
	bool more = true;

	if (!index_path_valid(text, kind))
		return false;
	for (out->count = 0; more; out->count++) {
		more = index_level_cut(&text, &level);
		if (wildcard(level))
			index_level_again(l, out->levels[out->count] = wildcard(level));
		else
			out->levels[out->count] = index_level_ref(l, level);
	}
	return true;
}

void index_path_unref(struct index_levels *l, const struct index_path *path)
{
	for (uint32_t i = 0; i < path->count; i++)
		index_level_unref(l, path->levels[i]);
}
