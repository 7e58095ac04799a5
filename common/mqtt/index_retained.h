/* SPDX-License-Identifier: Apache-2.0
 *
 * index_retained: the retained message of each topic (MQTT 5.0 section 3.3.1.3), found by the filters of those who subscribe. Reading a filter's
 * messages walks over what can match alone, and in parts: a subscription to # on a broker that holds millions must not stall it.
 *
 * Ownership: values are the caller's, not NULL, and are not looked into. Limits of their number and size are the caller's. */
#ifndef COMMON_MQTT_INDEX_RETAINED_H
#define COMMON_MQTT_INDEX_RETAINED_H

#include <stdint.h>

#include "common/base/str.h"

struct mqtt_retained;
struct mqtt_retained_cursor;

struct mqtt_retained *mqtt_retained_new(void);
/* Calls on_value, unless NULL, with each value that is left. All cursors are closed before. */
void mqtt_retained_free(struct mqtt_retained **retained, void (*on_value)(void *value));

/* *old: the topic's value up to now, which is the caller's again, or NULL. False when the topic is empty, has a wildcard or too many levels: nothing
 * has changed then, and *old is NULL. */
bool mqtt_retained_set(struct mqtt_retained *retained, struct str topic, void *value, void **old);
/* The value that was there, which is the caller's again; NULL when there was none. */
void *mqtt_retained_remove(struct mqtt_retained *retained, struct str topic);
void *mqtt_retained_get(const struct mqtt_retained *retained, struct str topic); /* NULL: none */
uint32_t mqtt_retained_count(const struct mqtt_retained *retained);

/* Stands before the first topic that the filter matches. NULL when the filter is not valid or has too many levels. The filter's text is not kept. */
struct mqtt_retained_cursor *mqtt_retained_open(struct mqtt_retained *retained, struct str filter);
void mqtt_retained_close(struct mqtt_retained_cursor **cursor);
/* The next values, at most max of them, after at most `steps` (at least 1) nodes of the tree: there may be none, and yet more to come. They hold until
 * the caller removes them. Between two calls anything may be set and removed: what is there all the time comes once, what is removed before
 * it was reached does not come, what is new may come or not (who has subscribed before gets it as it is published). In no order. */
size_t mqtt_retained_read(struct mqtt_retained_cursor *cursor, void **out, size_t max, size_t steps);
bool mqtt_retained_done(const struct mqtt_retained_cursor *cursor);

#endif
