/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-gateway/words.h"

/* From behind the first quote; *at is behind the last one then. */
static const char *quoted(struct arena *arena, struct str line, size_t *at, struct str *out)
{
	char *text = arena_alloc(arena, line.n + 1);
	size_t n = 0;

	for (; *at < line.n && line.p[*at] != '"'; (*at)++) {
		char c = line.p[*at];

		if (c == '\\') {
			c = ++*at < line.n ? line.p[*at] : '\0';
			if (c != '"' && c != '\\' && c != 'n')
				return "in quotes a backslash stands before \", \\ or n";
			c = c == 'n' ? '\n' : c;
		}
		text[n++] = c;
	}
	if (*at == line.n)
		return "a quote without its end";
	(*at)++;
	if (*at < line.n && line.p[*at] != ' ' && line.p[*at] != '\t')
		return "a blank is wanted behind a quote";
	*out = str_make(text, n);
	return NULL;
}

const char *words_cut(struct arena *arena, struct str line, struct str *words, size_t max, size_t *out_count)
{
	size_t at = 0, count = 0;

	for (;; count++) {
		const char *why;
		size_t start;

		while (at < line.n && (line.p[at] == ' ' || line.p[at] == '\t'))
			at++;
		*out_count = count;
		if (at == line.n)
			return NULL;
		if (count == max)
			return "too many words";
		if (line.p[at] == '"') {
			at++;
			why = quoted(arena, line, &at, &words[count]);
			if (why)
				return why;
			continue;
		}
		start = at;
		while (at < line.n && line.p[at] != ' ' && line.p[at] != '\t')
			at++;
		words[count] = str_make(line.p + start, at - start);
	}
}
