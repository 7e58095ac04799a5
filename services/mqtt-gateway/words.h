/* SPDX-License-Identifier: Apache-2.0
 *
 * words: a line of the rule file as words: separated by blanks; one in double quotes may hold blanks, and \" \\ \n. Pure. */
#ifndef MQTT_GATEWAY_WORDS_H
#define MQTT_GATEWAY_WORDS_H

#include "common/base/arena.h"

/* Views of the line, or of the arena. NULL, or what is wrong, a static text. */
const char *words_cut(struct arena *arena, struct str line, struct str *words, size_t max, size_t *out_count);

#endif
