/* SPDX-License-Identifier: Apache-2.0
 *
 * list: intrusive doubly linked list. A node is in at most one list; the list does not own what its nodes are embedded in. */
#ifndef COMMON_BASE_LIST_H
#define COMMON_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
	struct list_node *prev, *next;
};

#define LIST_HEAD_INIT(name)                                                                                                               \
	{                                                                                                                                  \
		&(name), &(name)                                                                                                           \
	}

static inline void list_init(struct list_node *n)
{
	n->prev = n->next = n;
}

static inline bool list_empty(const struct list_node *head)
{
	return head->next == head;
}

/* Also: is this node in no list? Only for nodes that were list_init()ed. */
static inline bool list_unlinked(const struct list_node *n)
{
	return n->next == n;
}

static inline void list_insert_before(struct list_node *at, struct list_node *n)
{
	n->prev = at->prev;
	n->next = at;
	at->prev->next = n;
	at->prev = n;
}

static inline void list_push_back(struct list_node *head, struct list_node *n)
{
	list_insert_before(head, n);
}

static inline void list_push_front(struct list_node *head, struct list_node *n)
{
	list_insert_before(head->next, n);
}

static inline void list_remove(struct list_node *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

/* All of a list, in its order, into one that need not be initialised: what is added to the first while they are dealt with waits for the next time. */
static inline void list_take(struct list_node *from, struct list_node *into)
{
	list_insert_before(from, into);
	list_remove(from);
}

#define list_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))
#define list_for_each(it, head)        for (struct list_node *it = (head)->next; it != (head); it = it->next)
/* The current node may be removed and freed in the body. */
#define list_for_each_safe(it, head)                                                                                                       \
	for (struct list_node *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)

#endif
