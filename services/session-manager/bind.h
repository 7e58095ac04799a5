/* SPDX-License-Identifier: Apache-2.0
 *
 * bind: Open, Attach, Close, Written and Returned (session.proto): how sessions come and go, seen from the edge. Handlers only. */
#ifndef SESSION_MANAGER_BIND_H
#define SESSION_MANAGER_BIND_H

#define BIND_RESOURCE_LENGTH 12 /* of a resource that the server makes (RFC 6120 section 7.6) */

#endif
