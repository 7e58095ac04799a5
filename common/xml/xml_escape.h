/* SPDX-License-Identifier: Apache-2.0
 *
 * xml_escape: the canonical form's own escaping, used where canonical bytes are made (the stream's canonicaliser and xml_write); everyone else
 * uses xml_escape and xml_attr of xml.h. */
#ifndef COMMON_XML_XML_ESCAPE_H
#define COMMON_XML_XML_ESCAPE_H

#include "common/base/buf.h"

/* Character data: & < > and CR only, so that ordinary text is copied as it is. False when out is full. */
bool xml_escape_text(struct buf *out, struct str text);

#endif
