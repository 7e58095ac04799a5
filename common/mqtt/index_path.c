/* SPDX-License-Identifier: Apache-2.0
 *
 * index_path: see index_path.h. */
#include "common/mqtt/index_path.h"

static bool level_valid(struct str level, bool last, enum index_kind kind)
{
	bool plus = level.n && memchr(level.p, '+', level.n), multi = level.n && memchr(level.p, '#', level.n);

	if (!plus && !multi)
		return true;
	return kind == INDEX_FILTER && level.n == 1 && (plus || last);
}

bool index_path_cut(struct str text, enum index_kind kind, struct index_path *out)
{
	bool more = text.n > 0 && text.n <= UINT16_MAX;

	for (out->count = 0; more; out->count++) {
		struct str *level = &out->levels[out->count];

		if (out->count == INDEX_LEVELS_MAX)
			return false;
		more = index_level_cut(&text, level);
		if (!level_valid(*level, !more, kind))
			return false;
	}
	return out->count > 0;
}
