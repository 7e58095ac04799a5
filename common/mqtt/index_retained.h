/* SPDX-License-Identifier: Apache-2.0
 *
 * index_retained: the retained message of each topic (MQTT 5.0 section 3.3.1.3), found by the filters of those who subscribe. Reading a filter's
 * messages walks over what can match alone, and in parts: a subscription to # on a broker that holds millions must not stall it.
 *
 * Ownership: values are the caller's, not NULL, and are not looked into. Limits of their number and size are the caller's. */
#ifndef COMMON_MQTT_INDEX_RETAINED_H
#define COMMON_MQTT_INDEX_RETAINED_H

#include "common/mqtt/index_path.h"

struct index_retained;
struct index_retained_cursor;

struct index_retained *index_retained_new(void);
/* Calls on_value, unless NULL, with each value that is left. All cursors are closed before. */
void index_retained_free(struct index_retained **retained, void (*on_value)(void *value));

/* *old: the topic's value up to now, which is the caller's again, or NULL. False when the topic is empty, has a wildcard or too many levels: nothing
 * has changed then, and *old is NULL. */
bool index_retained_set(struct index_retained *retained, struct str topic, void *value, void **old);
/* The value that was there, which is the caller's again; NULL when there was none. */
void *index_retained_remove(struct index_retained *retained, struct str topic);
void *index_retained_get(const struct index_retained *retained, struct str topic); /* NULL: none */
uint32_t index_retained_count(const struct index_retained *retained);
uint32_t index_retained_nodes(const struct index_retained *retained); /* of the tree: some 55 bytes each, beside 16 for each topic */

/* Stands before the first topic that the filter matches. NULL when the filter is not valid or has too many levels. The filter's text is not kept. */
struct index_retained_cursor *index_retained_open(struct index_retained *retained, struct str filter);
void index_retained_close(struct index_retained_cursor **cursor);
/* The next values, at most max of them, after at most `steps` (at least 1) nodes of the tree: there may be none, and yet more to come. They hold until
 * the caller removes them. Between two calls anything may be set and removed: what is there all the time comes once, what is removed before
 * it was reached does not come, what is new may come or not (who has subscribed before gets it as it is published). In no order. */
size_t index_retained_read(struct index_retained_cursor *cursor, void **out, size_t max, size_t steps);
bool index_retained_done(const struct index_retained_cursor *cursor);

#endif
