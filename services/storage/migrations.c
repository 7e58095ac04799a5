/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/migrations.h"

const struct migration migrations[] = {
#include "services/storage/migrations.inc"
};
const uint32_t migration_count = sizeof migrations / sizeof migrations[0];
