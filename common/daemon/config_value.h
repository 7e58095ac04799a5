/* SPDX-License-Identifier: Apache-2.0
 *
 * config_value: one value of an option: from text, back to text, compared, freed. Private to config. */
#ifndef COMMON_DAEMON_CONFIG_VALUE_H
#define COMMON_DAEMON_CONFIG_VALUE_H

#include "common/base/buf.h"
#include "common/daemon/config.h"

/* Replaces the value in `base`. folder: where relative paths start. The text of e begins with a verb: "must be ...". */
int config_value_set(const struct config_option *o, void *base, const char *folder, const char *text, struct err *e);
/* CONFIG_LIST: appends one item, after config_value_clear(). */
void config_value_add(const struct config_option *o, void *base, const char *item);
void config_value_clear(const struct config_option *o, void *base);
bool config_value_equal(const struct config_option *o, const void *a, const void *b);
/* Exchanges the values of one option. */
void config_value_swap(const struct config_option *o, void *a, void *b);
/* As YAML, on one line. */
void config_value_write(const struct config_option *o, const void *base, struct buf *out);
void config_yaml_scalar(struct buf *out, const char *text);

#endif
