/* SPDX-License-Identifier: Apache-2.0
 *
 * config_nearest: what did they mean? Edit distance in which two neighbours that changed places count once (optimal string alignment). */
#include <stdio.h>
#include <string.h>

#include "common/daemon/config_yaml.h"

#define NAME_MAX_LENGTH 64

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned distance(const char *a, size_t a_n, const char *b, size_t b_n)
{
	unsigned d[NAME_MAX_LENGTH + 1][NAME_MAX_LENGTH + 1];

	for (unsigned i = 0; i <= a_n; i++)
		d[i][0] = i;
	for (unsigned k = 0; k <= b_n; k++)
		d[0][k] = k;
	for (unsigned i = 1; i <= a_n; i++) {
		for (unsigned k = 1; k <= b_n; k++) {
			unsigned change = a[i - 1] == b[k - 1] ? 0 : 1;
			d[i][k] = least(least(d[i - 1][k] + 1, d[i][k - 1] + 1), d[i - 1][k - 1] + change);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				d[i][k] = least(d[i][k], d[i - 2][k - 2] + 1);
		}
	}
	return d[a_n][b_n];
}

void config_nearest_offer(struct config_nearest *n, const char *candidate)
{
	size_t name_n = strlen(n->name), candidate_n = strlen(candidate);

	if (name_n > NAME_MAX_LENGTH || candidate_n > NAME_MAX_LENGTH)
		return;
	unsigned d = distance(n->name, name_n, candidate, candidate_n);
	/* A third of the letters wrong, and two in a short word, still looks like a slip of the hand. */
	unsigned limit = (unsigned)(name_n / 3 > 2 ? name_n / 3 : 2);
	if (d <= limit && d < candidate_n && (!n->best[0] || d < n->distance)) {
		snprintf(n->best, sizeof(n->best), "%s", candidate);
		n->distance = d;
	}
}
