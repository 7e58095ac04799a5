/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_names: may a character above ASCII stand in a name? */
#ifndef COMMON_XML_XML_NAMES_H
#define COMMON_XML_XML_NAMES_H

#include <stdbool.h>
#include <stdint.h>

bool xml_name_start(uint32_t cp);
bool xml_name_more(uint32_t cp); /* behind the first place */

#endif
